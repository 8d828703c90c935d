#include "core/service/config.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

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

TEST(NearestName, IsNearOrNone) {
  EXPECT_EQ(nearest_name("slot", {"slots", "gpus"}), "slots");
  EXPECT_EQ(nearest_name("max_qeued", {"slots", "max_queued"}), "max_queued");
  EXPECT_EQ(nearest_name("zebra", {"slots", "gpus"}), "");
}

}  // namespace
}  // namespace runyard
