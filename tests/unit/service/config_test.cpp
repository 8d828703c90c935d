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
         allowed_origins: []}
workspace: {roots: [/scratch], python: .venv2/bin/python}
plugins: {dirs: [p, q], allow: ["scripts.*", /bin/sh]}
queue: {slots: 4, groups: {night: 2}, gpus: [1, 0], jobs_per_gpu: 2, max_queued: 7, ageing_sec: 0}
jobs: {env: {A: b, N: 1}, grace_sec: 3, log_max_bytes: 1000000000000, retry_backoff_sec: 0,
       keep_days: 30, keep_jobs: 1000}
)");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->host, "::1");
  EXPECT_EQ(config->port, 9000);
  EXPECT_EQ(config->http_threads, 3);
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
  for (const char* text :
       {"[]", "queue: 3", "queue: {slots: -1}", "queue: {slots: 1.5}", "queue: {gpus: [0, 0]}",
        "queue: {groups: [a]}", "queue: {groups: {a: 0}}", "server: {port: 70000}",
        "server: {host: []}", "plugins: {allow: x}", "jobs: {env: {'A=B': 1}}", "queue: {slots: 1",
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

/// `section.key` of every setting, as the code's own messages list them.
std::set<std::string> known_settings(
    const std::function<std::string(const std::string&)>& mistake) {
  const auto listed = [&](const std::string& text) {
    const std::string message = mistake(text);
    const auto at = message.find("known are: ");
    EXPECT_NE(at, std::string::npos) << message;
    std::vector<std::string> names;
    std::istringstream rest(message.substr(at + 11));
    for (std::string name; std::getline(rest >> std::ws, name, ',');) names.push_back(name);
    return names;
  };
  std::set<std::string> all;
  for (const auto& section : listed("qqqqqqqqqqqq: {}")) {
    for (const auto& key : listed(section + ":\n  qqqqqqqqqqqqqqqq: 1\n"))
      all.insert(section + "." + key);
  }
  return all;
}

auto everything(const Config& c) {
  return std::tie(c.workspace, c.roots, c.state_dir, c.python, c.plugin_dirs, c.allow, c.host,
                  c.port, c.http_threads, c.allowed_hosts, c.allowed_origins, c.slots,
                  c.group_slots, c.gpus, c.jobs_per_gpu, c.max_queued, c.ageing_sec, c.env,
                  c.grace_sec, c.log_max_bytes, c.retry_backoff_sec, c.keep_days, c.keep_jobs);
}

TEST_F(ConfigFile, EverySettingRefusesWhatIsNotItsType) {
  const auto settings = known_settings([this](const std::string& text) { return mistake(text); });
  EXPECT_GE(settings.size(), 22u);
  const std::set<std::string> lists = {"server.allowed_hosts", "server.allowed_origins",
                                       "workspace.roots",      "plugins.dirs",
                                       "plugins.allow",        "queue.gpus"};
  const std::set<std::string> mappings = {"queue.groups", "jobs.env"};
  const std::set<std::string> texts = {"server.host", "server.state_dir", "workspace.python"};
  for (const auto& setting : settings) {
    const auto dot = setting.find('.');
    std::vector<std::string> wrong = {"[[1]]", "{a: {b: 1}}", "", "~"};
    if (!lists.contains(setting)) wrong.push_back("[]");
    if (!mappings.contains(setting)) wrong.push_back("{}");
    if (!texts.contains(setting)) {
      for (const char* text : {"many", "true", "''", "1 2", "2026-01-01", "-1", "1.5", "1e3",
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
  EXPECT_EQ(documented, known_settings([this](const std::string& text) { return mistake(text); }));
  const auto config = load(active);
  ASSERT_TRUE(config) << config.error().message;
  Config expected;
  expected.python = "/usr/bin/python3";
  expected.state_dir = ".runyard";
  EXPECT_EQ(everything(*config), everything(expected));
}

TEST(NearestName, IsNearOrNone) {
  EXPECT_EQ(nearest_name("slot", {"slots", "gpus"}), "slots");
  EXPECT_EQ(nearest_name("max_qeued", {"slots", "max_queued"}), "max_queued");
  EXPECT_EQ(nearest_name("zebra", {"slots", "gpus"}), "");
}

}  // namespace
}  // namespace runyard
