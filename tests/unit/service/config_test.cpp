#include "core/service/config.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <regex>
#include <set>
#include <sstream>
#include <tuple>

namespace runyard {
namespace {

namespace fs = std::filesystem;

class ConfigFile : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/runyard-config-XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  void TearDown() override { fs::remove_all(folder_); }
  Result<Config> load(const std::string& text) {
    std::ofstream(folder_ / "runyard.yaml", std::ios::binary) << text;
    return load_config(folder_ / "runyard.yaml");
  }
  std::string mistake(const std::string& text) {
    const auto config = load(text);
    return config ? "accepted" : config.error().message;
  }
  fs::path folder_;
};

TEST_F(ConfigFile, ReadsEverySetting) {
  const auto config = load(R"(
server: {host: "::1", port: 9000, http_threads: 3, state_dir: /var/x, allowed_hosts: [a],
         allowed_origins: [], max_streams: 7, max_streams_per_client: 2, web_dir: /web}
workspace: {roots: [/scratch], python: .venv2/bin/python}
plugins: {dirs: [p, q], allow: ["scripts.*", /bin/sh]}
queue: {slots: 4, groups: {night: 2}, gpus: [1, 0], jobs_per_gpu: 2, max_queued: 7, ageing_sec: 0}
jobs: {env: {A: b, N: 1}, grace_sec: 3, log_max_bytes: 1000000000000, retry_backoff_sec: 0,
       keep_days: 30, keep_jobs: 1000}
log: {level: warn, format: json, access: true, file: server.log, file_bytes: 65536, file_keep: 1}
)");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->host, "::1");
  EXPECT_EQ(config->port, 9000);
  EXPECT_EQ(config->http_threads, 3);
  EXPECT_EQ(config->max_streams, 7);
  EXPECT_EQ(config->max_streams_per_client, 2);
  EXPECT_EQ(config->web_dir, "/web");
  EXPECT_EQ(config->state_dir, "/var/x");
  EXPECT_EQ(config->allowed_hosts, std::vector<std::string>{"a"});
  EXPECT_TRUE(config->allowed_origins.empty());
  EXPECT_EQ(config->roots, std::vector<fs::path>{"/scratch"});
  EXPECT_EQ(config->python, ".venv2/bin/python");
  EXPECT_EQ(config->plugin_dirs, (std::vector<fs::path>{"p", "q"}));
  EXPECT_EQ(config->allow, (std::vector<std::string>{"scripts.*", "/bin/sh"}));
  EXPECT_EQ(config->slots, 4);
  EXPECT_EQ(config->group_slots.at("night"), 2);
  EXPECT_EQ(config->gpus, (std::vector<int>{1, 0}));
  EXPECT_EQ(config->jobs_per_gpu, 2);
  EXPECT_EQ(config->max_queued, 7);
  EXPECT_EQ(config->ageing_sec, 0);
  EXPECT_EQ(config->env.at("N"), "1");
  EXPECT_EQ(config->grace_sec, 3);
  EXPECT_EQ(config->log_max_bytes, 1'000'000'000'000);
  EXPECT_EQ(config->retry_backoff_sec, 0);
  EXPECT_EQ(config->keep_days, 30);
  EXPECT_EQ(config->keep_jobs, 1000);
  EXPECT_EQ(config->log_level, "warn");
  EXPECT_EQ(config->log_format, "json");
  EXPECT_TRUE(config->log_access);
  EXPECT_EQ(config->log_file, "server.log");
  EXPECT_EQ(config->log_file_bytes, 65536);
  EXPECT_EQ(config->log_file_keep, 1);
}

TEST_F(ConfigFile, MayBeEmptyAndWrittenOnWindows) {
  EXPECT_TRUE(load(""));
  EXPECT_TRUE(load("queue:\n"));
  EXPECT_EQ(load("\xEF\xBB\xBFqueue:\r\n  slots: 3\r\n")->slots, 3);
}

TEST_F(ConfigFile, NamesTheLineAndTheNearestSetting) {
  EXPECT_NE(mistake("queue:\n  slts: 3\n")
                .find("line 2: unknown setting 'queue.slts'; did you mean 'slots'?"),
            std::string::npos);
  EXPECT_NE(mistake("que: {}\n").find("unknown setting 'que'"), std::string::npos);
  EXPECT_NE(mistake("queue: {slots: many}").find("'queue.slots' expects a whole number from 0"),
            std::string::npos);
}

TEST_F(ConfigFile, RefusesWhatCannotBe) {
  for (const char* text : {"[]",
                           "queue: 3",
                           "queue: {slots: -1}",
                           "queue: {slots: 1.5}",
                           "queue: {gpus: [0, 0]}",
                           "queue: {groups: [a]}",
                           "queue: {groups: {a: 0}}",
                           "server: {port: 70000}",
                           "server: {host: []}",
                           "plugins: {allow: x}",
                           "server: {allowed_hosts: ['a:80']}",
                           "server: {allowed_hosts: ['http://a']}",
                           "server: {allowed_origins: [localhost]}",
                           "server: {allowed_origins: ['http://a/']}",
                           "plugins: {dirs: [a, a]}",
                           "log: {level: loud}",
                           "log: {access: maybe}",
                           "jobs: {env: {'A=B': 1}}",
                           "queue: {slots: 1",
                           "\t- x: ["}) {
    const auto config = load(text);
    ASSERT_FALSE(config) << text;
    EXPECT_EQ(config.error().kind, ErrorKind::kInvalid) << text;
    EXPECT_NE(config.error().message.find("runyard.yaml"), std::string::npos) << text;
  }
  const auto absent = load_config(folder_ / "absent.yaml");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().kind, ErrorKind::kNotFound);
}

// ---- The file that documents them ----

std::set<std::string> known_settings() { return {setting_names().begin(), setting_names().end()}; }

auto everything(const Config& c) {
  return std::tie(c.workspace, c.roots, c.state_dir, c.python, c.plugin_dirs, c.allow, c.pinned,
                  c.watch_plugins, c.host, c.port, c.http_threads, c.max_streams,
                  c.max_streams_per_client, c.web_dir, c.allowed_hosts, c.allowed_origins, c.slots,
                  c.group_slots, c.gpus, c.jobs_per_gpu, c.max_queued, c.ageing_sec, c.env,
                  c.grace_sec, c.log_max_bytes, c.retry_backoff_sec, c.keep_days, c.keep_jobs,
                  c.log_level, c.log_format, c.log_access, c.log_file, c.log_file_bytes,
                  c.log_file_keep, c.executor, c.group_executors, c.type_executors, c.slurm_folder,
                  c.slurm_shim, c.slurm_slots, c.slurm_partition, c.slurm_account, c.slurm_qos,
                  c.slurm_flags, c.slurm_command_timeout_sec);
}

TEST_F(ConfigFile, EverySettingRefusesWhatIsNotItsType) {
  const auto settings = known_settings();
  EXPECT_GE(settings.size(), 22u);
  const std::set<std::string> lists = {"server.allowed_hosts",
                                       "server.allowed_origins",
                                       "server.trusted_proxies",
                                       "workspace.roots",
                                       "plugins.dirs",
                                       "plugins.allow",
                                       "queue.gpus",
                                       "slurm.flags"};
  const std::set<std::string> mappings = {"queue.groups", "jobs.env", "plugins.pinned",
                                          "jobs.group_executors", "jobs.type_executors"};
  const std::set<std::string> texts = {
      "server.host",  "server.state_dir", "server.web_dir",  "workspace.python", "log.file",
      "slurm.folder", "slurm.shim",       "slurm.partition", "slurm.account",    "slurm.qos"};
  for (const auto& setting : settings) {
    const auto dot = setting.find('.');
    std::vector<std::string> wrong = {"[[1]]", "{a: {b: 1}}", "", "~"};
    if (!lists.contains(setting)) wrong.push_back("[]");
    if (!mappings.contains(setting)) wrong.push_back("{}");
    if (!texts.contains(setting)) {
      for (const char* text : {"many", "maybe", "''", "1 2", "2026-01-01", "-1", "1.5", "1e3",
                               "99999999999999999999"}) {
        wrong.emplace_back(text);
      }
    }
    for (const auto& value : wrong) {
      const std::string message = mistake("\n" + setting.substr(0, dot) + ":\n  " +
                                          setting.substr(dot + 1) + ": " + value + "\n");
      EXPECT_NE(message.find("line 3: '" + setting + "' "), std::string::npos)
          << setting << ": " << value << " -> " << message;
    }
  }
}

TEST_F(ConfigFile, WhoMayCall) {
  EXPECT_EQ(load("server: {auth: required}")->auth, "required");
  EXPECT_FALSE(load("server: {auth: none}"));
  EXPECT_EQ(load("server: {trusted_proxies: [127.0.0.1, 'fd00::/8']}")->trusted_proxies.size(), 2u);
  EXPECT_NE(mistake("server: {trusted_proxies: [proxy.example]}").find("10.0.0.0/8"),
            std::string::npos);
}

TEST_F(ConfigFile, RangesHaveTheirEnds) {
  EXPECT_EQ(load("server: {port: 0}")->port, 0);
  EXPECT_EQ(load("server: {port: 65535}")->port, 65535);
  EXPECT_FALSE(load("server: {port: 65536}"));
  EXPECT_FALSE(load("server: {port: -1}"));
  EXPECT_FALSE(load("server: {http_threads: 0}"));
  EXPECT_FALSE(load("queue: {jobs_per_gpu: 0}"));
  EXPECT_FALSE(load("queue: {gpus: [-1]}"));
  EXPECT_FALSE(load("jobs: {grace_sec: 86401}"));
  EXPECT_FALSE(load("jobs: {env: {'': x}}"));
}

TEST_F(ConfigFile, TextsStayAsTheyAreWritten) {
  EXPECT_EQ(load("jobs: {env: {A: 007, B: yes, C: 'a=b', D: '', E: \"数据 \"}}")->env,
            (std::map<std::string, std::string>{
                {"A", "007"}, {"B", "yes"}, {"C", "a=b"}, {"D", ""}, {"E", "数据 "}}));
}

TEST_F(ConfigFile, WhatItDoesNotNameKeepsTheValueBefore) {
  std::ofstream(folder_ / "runyard.yaml") << "queue:\n  slots: 3\n";
  Config before;
  before.host = "::1";
  before.slots = 9;
  before.gpus = {4};
  const auto config = load_config(folder_ / "runyard.yaml", before);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->slots, 3);
  EXPECT_EQ(config->host, "::1");
  EXPECT_EQ(config->gpus, std::vector<int>{4});
}

TEST_F(ConfigFile, BadYamlIsSaidWithItsLine) {
  EXPECT_NE(mistake("queue:\n  slots: 3\n bad\n").find("line "), std::string::npos);
  EXPECT_NE(mistake("queue: {slots: 3").find("not YAML"), std::string::npos);
  EXPECT_NE(mistake("\n\nqueue:\n\tslots: 3\n").find("line 4"), std::string::npos)
      << mistake("\n\nqueue:\n\tslots: 3\n");
  EXPECT_NE(mistake(std::string("\0\x01\xff", 3)), "accepted");
}

TEST(ShippedConfig, Loads) {
  const auto config = load_config(fs::path(RUNYARD_CONFIGS) / "runyard.yaml");
  ASSERT_TRUE(config) << config.error().message;
  Config expected;
  expected.python = "/usr/bin/python3";
  EXPECT_EQ(everything(*config), everything(expected));
}

TEST_F(ConfigFile, TheShippedOneDocumentsEverySettingWithItsDefault) {
  std::ifstream shipped(fs::path(RUNYARD_CONFIGS) / "runyard.yaml");
  const std::regex section_line("([a-z_]+):"), setting_line("  (# )?([a-z_]+): (.*)");
  std::set<std::string> documented;
  std::string section, active;  // the file with its settings no longer commented out
  for (std::string line; std::getline(shipped, line);) {
    std::smatch match;
    if (std::regex_match(line, match, section_line)) {
      section = match[1];
      active += line + "\n";
    } else if (std::regex_match(line, match, setting_line)) {
      EXPECT_TRUE(documented.insert(section + "." + match[2].str()).second) << line;
      active += "  " + match[2].str() + ": " + match[3].str() + "\n";
    }
  }
  EXPECT_EQ(documented, known_settings());
  const auto config = load(active);
  ASSERT_TRUE(config) << config.error().message;
  Config expected;
  expected.python = "/usr/bin/python3";
  expected.state_dir = ".runyard";
  EXPECT_EQ(everything(*config), everything(expected));
}

// ---- Environment, options, and what they make together ----

Settings from_environment(std::vector<const char*> entries) {
  entries.push_back(nullptr);
  Settings settings;
  settings.read_environment(entries.data());
  return settings;
}

TEST(SettingVariables, SetsEverySettingByOneRule) {
  const auto settings = from_environment(
      {"RUNYARD_SERVER__PORT=9000", "RUNYARD_SERVER__HOST=::1", "RUNYARD_QUEUE__GPUS=0, 2",
       "RUNYARD_QUEUE__GROUPS=night: 2, gpu: 1", "RUNYARD_PLUGINS__ALLOW=['scripts.*', /bin/sh]",
       "RUNYARD_WORKSPACE__PYTHON=a: [b", "RUNYARD_LOG__ACCESS=true",
       "RUNYARD_SERVER__ALLOWED_HOSTS=", "RUNYARD_JOBS__ENV={A: 'x=y'}"});
  ASSERT_EQ(settings.mistakes(), std::vector<std::string>());
  const Config config = *settings.config();
  EXPECT_EQ(config.port, 9000);
  EXPECT_EQ(config.host, "::1");
  EXPECT_EQ(config.gpus, (std::vector<int>{0, 2}));
  EXPECT_EQ(config.group_slots, (std::map<std::string, int>{{"gpu", 1}, {"night", 2}}));
  EXPECT_EQ(config.allow, (std::vector<std::string>{"scripts.*", "/bin/sh"}));
  EXPECT_EQ(config.python, "a: [b");  // a text is taken as it is
  EXPECT_TRUE(config.log_access);
  EXPECT_TRUE(config.allowed_hosts.empty());
  EXPECT_EQ(config.env, (std::map<std::string, std::string>{{"A", "x=y"}}));
}

TEST(SettingVariables, LeavesOtherVariablesAlone) {
  const auto settings = from_environment(
      {"RUNYARD_TOKEN=x", "RUNYARD_SERVER=http://h:1", "RUNYARD_ATTEMPT=1", "RUNYARD_",
       "RUNYARD__=", "PATH=/bin", "SERVER__PORT=1", "xRUNYARD_SERVER__PORT=1"});
  EXPECT_EQ(settings.mistakes(), std::vector<std::string>());
  EXPECT_EQ(settings.warnings(), std::vector<std::string>());
  EXPECT_EQ(everything(*settings.config()), everything(Config()));
}

TEST(SettingVariables, AnUnknownSettingNamesTheNearest) {
  const auto settings =
      from_environment({"RUNYARD_SERVER__PROT=1", "RUNYARD_QUEUE_SLOTS=1", "RUNYARD_SERVER__PORT=x",
                        "RUNYARD_QUEUE__GPUS=[", "RUNYARD_server__port=1"});
  ASSERT_EQ(settings.mistakes().size(), 4u);
  EXPECT_EQ(
      settings.mistakes()[0],
      "environment RUNYARD_SERVER__PROT: no such setting; did you mean RUNYARD_SERVER__PORT?");
  EXPECT_EQ(
      settings.mistakes()[1],
      "environment RUNYARD_SERVER__PORT: 'server.port' expects a whole number from 0 to 65535");
  EXPECT_NE(settings.mistakes()[2].find("environment RUNYARD_QUEUE__GPUS: it is not YAML"),
            std::string::npos);
  ASSERT_EQ(settings.warnings().size(), 1u);  // it may be a variable of something else
  EXPECT_EQ(settings.warnings()[0],
            "environment RUNYARD_QUEUE_SLOTS: is not used; did you mean RUNYARD_QUEUE__SLOTS?");
}

std::string setting_names_joined() {
  std::string all;
  for (const auto& name : setting_names()) all += (all.empty() ? "" : ", ") + name;
  return all;
}

class Together : public ConfigFile {
 protected:
  Settings read(const std::string& text, std::vector<const char*> environment = {}) {
    std::ofstream(folder_ / "runyard.yaml", std::ios::binary) << text;
    environment.push_back(nullptr);
    Settings settings;
    settings.read_file(folder_ / "runyard.yaml");
    settings.read_environment(environment.data());
    return settings;
  }
};

TEST_F(Together, OptionsGoBeforeEnvironmentBeforeFileBeforeDefaults) {
  auto settings = read("server: {port: 1, http_threads: 2}\nqueue:\n  slots: 3\n",
                       {"RUNYARD_SERVER__PORT=4", "RUNYARD_QUEUE__SLOTS=5"});
  settings.set("queue.slots", "6", "option --slots");
  settings.set_default("queue.slots", "7", "a guess");
  settings.set_default("server.state_dir", ".runyard", "of the workspace");
  settings.finish(folder_);
  const Config config = *settings.config();
  EXPECT_EQ(config.http_threads, 2);
  EXPECT_EQ(config.port, 4);
  EXPECT_EQ(config.slots, 6);
  EXPECT_EQ(config.workspace, folder_);
  EXPECT_EQ(config.state_dir, folder_ / ".runyard");

  const auto shown = settings.to_json();
  const auto from = [&](const char* name) {
    return std::string(shown.at(name).at("from").as_string());
  };
  EXPECT_EQ(from("queue.slots"), "option --slots");
  EXPECT_EQ(from("server.port"), "environment RUNYARD_SERVER__PORT");
  EXPECT_EQ(from("server.http_threads"), (folder_ / "runyard.yaml").string() + ", line 1");
  EXPECT_EQ(from("server.state_dir"), "default: of the workspace");
  EXPECT_EQ(from("queue.gpus"), "default");
  EXPECT_EQ(shown.size(), setting_names().size());
}

TEST_F(Together, AllMistakesAreToldAtOnce) {
  auto settings = read(
      "queue:\n  slts: 1\n  gpus: [0, 0]\n  slots: 2\n  slots: 3\nque: 1\nserver:\n  port: x\n"
      "queue: {}\n",
      {"RUNYARD_SERVER__PORT=y"});
  settings.set("server.prt", "1", "option --x");
  const std::string file = (folder_ / "runyard.yaml").string();
  EXPECT_EQ(settings.mistakes(),
            (std::vector<std::string>{
                file + ": line 2: unknown setting 'queue.slts'; did you mean 'slots'?",
                file + ": line 3: 'queue.gpus' names 0 twice",
                file + ": line 5: 'queue.slots' is there already, in line 4",
                file + ": line 6: unknown setting 'que'; did you mean 'queue'?",
                file + ": line 8: 'server.port' expects a whole number from 0 to 65535",
                file + ": line 9: 'queue' is there already, in line 1",
                "environment RUNYARD_SERVER__PORT: 'server.port' expects a whole number from 0 to "
                "65535",
                "option --x: unknown setting 'server.prt'; known are: " + setting_names_joined()}));
  const auto config = settings.config();
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message, "the configuration has 8 mistakes");
  EXPECT_EQ(config.error().fields.size(), 8u);
}

TEST_F(Together, ChecksWhatConcernsSeveralSettings) {
  auto settings = read(
      "workspace: {roots: [absent]}\nplugins: {dirs: [gone]}\n"
      "queue: {slots: 2, groups: {a: 2, b: 3}, jobs_per_gpu: 2}\n");
  settings.finish(folder_);
  ASSERT_EQ(settings.mistakes().size(), 1u);
  EXPECT_NE(settings.mistakes()[0].find("line 1: 'workspace.roots' names " +
                                        (folder_ / "absent").string() + ", which is no folder"),
            std::string::npos)
      << settings.mistakes()[0];
  ASSERT_EQ(settings.warnings().size(), 3u);
  EXPECT_NE(settings.warnings()[0].find("line 2: 'plugins.dirs' names"), std::string::npos);
  EXPECT_NE(settings.warnings()[1].find("'queue.groups' gives 'b' 3 slots"), std::string::npos);
  EXPECT_NE(settings.warnings()[2].find("'queue.jobs_per_gpu' has no effect"), std::string::npos);
}

TEST_F(Together, WhatIsShownCanBeReadAgain) {
  auto settings = read(
      "server: {host: '::1', allowed_hosts: [a.b, '::1'], allowed_origins: ['https://x:1']}\n"
      "jobs: {env: {A: 'b: \"c\" # d', E: '', N: '007', U: \"数据\\n\"}}\n"
      "workspace: {python: 'true'}\nqueue: {gpus: [3, 1], groups: {night: 2}}\n"
      "log: {access: true, format: json}\n");
  ASSERT_EQ(settings.mistakes(), std::vector<std::string>());
  const auto again = read(settings.to_yaml());
  ASSERT_EQ(again.mistakes(), std::vector<std::string>()) << settings.to_yaml();
  EXPECT_EQ(everything(*again.config()), everything(*settings.config()));
}

}  // namespace
}  // namespace runyard
