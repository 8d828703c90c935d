#include "core/plugin/registry.h"

#include <signal.h>
#include <sys/stat.h>

#include <atomic>
#include <boost/json/serialize.hpp>
#include <thread>

#include "core/base/files.h"
#include "core/plugin/library_file.h"
#include "registry_fixture.h"

namespace runyard {
namespace {

using Registry = RegistryFixture;

TEST_F(Registry, OffersWhatIsInTheFolder) {
  EXPECT_TRUE(registry().job_types().empty());
  drop("scripted");
  drop("plain_c");
  write("README.md", "no library");
  EXPECT_TRUE(rescan());
  EXPECT_EQ(types(), (std::vector<std::string>{"plain_c", "scripted"}));
  EXPECT_EQ(registry().find_slug("plain-c")->type, "plain_c");
  EXPECT_EQ(registry().find_slug("plain_c"), nullptr);
  EXPECT_EQ(registry().find_type("nope"), nullptr);
  EXPECT_EQ(*argv("ok"), (std::vector<std::string>{"--do", "ok"}));
  EXPECT_EQ(*argv("", "plain_c"), std::vector<std::string>{"--plain"});

  // As people write it, because it may become an argument as it is.
  EXPECT_EQ(
      *registry().argv(*registry().find_type("scripted"), {{"do", "inputs"}, {"rate", 0.001}}),
      std::vector<std::string>{R"({"do":"inputs","rate":0.001})"});

  ASSERT_EQ(registry().list().size(), 2u);
  const PluginInfo one = info("scripted.so");
  EXPECT_EQ(one.state, PluginState::kLoaded);
  EXPECT_EQ(one.abi, 1);
  EXPECT_EQ(one.version, "1.0.0");
  EXPECT_EQ(one.program->name, "scripts.scripted");
  EXPECT_EQ(one.sha256, sha256_hex(*read_file(folder_ / "scripted.so")));
  EXPECT_TRUE(std::filesystem::exists(config_.cache / (one.sha256 + ".so")));
  EXPECT_TRUE(one.loaded_at);
  EXPECT_EQ(one.reason, "");
  const auto document = to_json(one);
  EXPECT_EQ(document.at("state"), "loaded");
  EXPECT_TRUE(document.at("reason").is_null());
  EXPECT_EQ(boost::json::serialize(document.at("program")),
            R"({"python_module":"scripts.scripted"})");
}

TEST_F(Registry, AScanWithoutAChangeChangesNothing) {
  drop("scripted");
  EXPECT_TRUE(rescan());
  const std::string pid = host_pid();
  const auto loaded_at = info("scripted.so").loaded_at;
  EXPECT_FALSE(rescan());
  EXPECT_EQ(host_pid(), pid);
  std::filesystem::last_write_time(folder_ / "scripted.so",
                                   std::filesystem::file_time_type::clock::now());
  EXPECT_FALSE(rescan()) << "touched, but the same library";
  drop("plain_c");
  EXPECT_TRUE(rescan());
  EXPECT_NE(host_pid(), pid) << "a new set has a new generation of the host";
  EXPECT_EQ(info("scripted.so").loaded_at, loaded_at);
}

TEST_F(Registry, TheNewerVersionWins) {
  drop("scripted", "a.so");
  drop("scripted_v2", "b.so");
  rescan();
  EXPECT_EQ(*argv("version"), std::vector<std::string>{"2.0.0"});
  EXPECT_EQ(info("a.so").state, PluginState::kSuperseded);
  EXPECT_NE(info("a.so").reason.find("2.0.0"), std::string::npos);
  std::filesystem::remove(folder_ / "b.so");
  EXPECT_TRUE(rescan());
  EXPECT_EQ(*argv("version"), std::vector<std::string>{"1.0.0"});
  EXPECT_EQ(info("a.so").state, PluginState::kLoaded);
  EXPECT_EQ(info("b.so").state, PluginState::kRemoved);
}

TEST_F(Registry, TwoTypesCannotShareASlug) {
  drop("scripted", "a.so");
  drop("same_slug", "b.so");
  rescan();
  EXPECT_EQ(registry().find_slug("scripted")->type, "scripted");
  EXPECT_EQ(info("b.so").state, PluginState::kQuarantined);
  EXPECT_NE(info("b.so").reason.find("slug 'scripted'"), std::string::npos);
}

TEST_F(Registry, WhoHoldsAJobTypeCanGoOnUsingIt) {
  drop("scripted");
  rescan();
  const JobTypePtr old = registry().find_type("scripted");
  const auto confinement = Confinement::open(base_ / "workspace", {});
  drop("scripted_v2", "scripted.so");
  EXPECT_TRUE(rescan());
  EXPECT_EQ(*argv("version"), std::vector<std::string>{"2.0.0"});
  EXPECT_EQ(*registry().argv(*old, {{"do", "version"}}), std::vector<std::string>{"1.0.0"});
  EXPECT_TRUE(registry().check(*old, {{"do", "ok"}}, *confinement));
  std::filesystem::remove(folder_ / "scripted.so");
  EXPECT_TRUE(rescan());
  EXPECT_TRUE(types().empty());
  EXPECT_EQ(info("scripted.so").state, PluginState::kRemoved);
  EXPECT_EQ(*registry().argv(*old, {{"do", "version"}}), std::vector<std::string>{"1.0.0"});
}

TEST_F(Registry, AnOldGenerationKeepsNoProcess) {
  drop("scripted");
  rescan();
  const JobTypePtr old = registry().find_type("scripted");
  const pid_t first = std::stoi(host_pid());
  std::filesystem::remove(folder_ / "scripted.so");
  rescan();
  EXPECT_NE(::kill(first, 0), 0);
  const auto later = registry().argv(*old, {{"do", "pid"}});
  ASSERT_TRUE(later) << later.error().message;
  EXPECT_NE(::kill(std::stoi(later->front()), 0), 0);
}

TEST_F(Registry, CheckFillsInDefaultsAndRefuses) {
  drop("scripted");
  rescan();
  const auto confinement = Confinement::open(base_ / "workspace", {});
  const JobTypePtr type = registry().find_type("scripted");
  const auto good = registry().check(*type, {}, *confinement);
  ASSERT_TRUE(good);
  EXPECT_EQ(boost::json::serialize(*good), R"({"do":"ok"})");
  const auto bad = registry().check(*type, {{"do", "x"}, {"more", 1}}, *confinement);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(bad.error().fields.size(), 2u);
}

TEST_F(Registry, TellsWhatThePluginAnswered) {
  drop("scripted");
  rescan();
  const auto error = [this](const char* what) { return argv(what).error(); };
  EXPECT_EQ(error("invalid").kind, ErrorKind::kInvalid);
  EXPECT_EQ(error("invalid").fields.at(0).pointer, "/text");
  EXPECT_EQ(error("fail").message, "the plugin 'scripted' failed: the plugin has no mood");
  for (const char* what : {"bad_invalid", "status", "flag", "nul", "garbage", "not_utf8", "many",
                           "flood", "throw", "fail"}) {
    EXPECT_EQ(error(what).kind, ErrorKind::kInternal) << what;
    EXPECT_NE(error(what).message.find("'scripted'"), std::string::npos) << error(what).message;
  }
  EXPECT_TRUE(argv("ok")) << "none of these is a crash";
  EXPECT_EQ(info("scripted.so").state, PluginState::kLoaded);
}

TEST_F(Registry, TheThirdCrashQuarantines) {
  drop("scripted");
  drop("other_type");
  rescan();
  const std::string pid = host_pid();
  for (int i = 0; i < 2; ++i) {
    const auto crashed = argv("crash");
    EXPECT_EQ(crashed.error().kind, ErrorKind::kInternal);
    EXPECT_EQ(crashed.error().message, "the plugin 'scripted' crashed (Segmentation fault)");
    EXPECT_TRUE(argv("ok")) << "the host was started again";
    EXPECT_NE(host_pid(), pid);
  }
  const JobTypePtr held = registry().find_type("scripted");
  EXPECT_FALSE(argv("crash"));
  EXPECT_EQ(types(), std::vector<std::string>{"other"});
  EXPECT_EQ(info("scripted.so").state, PluginState::kQuarantined);
  EXPECT_NE(info("scripted.so").reason.find("failed 3 times"), std::string::npos);
  EXPECT_EQ(registry().argv(*held, {{"do", "ok"}}).error().kind, ErrorKind::kUnavailable);
  EXPECT_TRUE(argv("ok", "other"));

  rescan();
  EXPECT_EQ(info("scripted.so").state, PluginState::kQuarantined) << "the same library stays out";
  drop("scripted_v2", "scripted.so");
  rescan();
  EXPECT_TRUE(argv("ok")) << "a replaced library has a new chance";
}

TEST_F(Registry, AnOlderVersionTakesThePlaceOfAQuarantinedOne) {
  config_.crashes_until_quarantine = 1;
  drop("scripted", "a.so");
  drop("scripted_v2", "b.so");
  rescan();
  EXPECT_FALSE(argv("crash"));
  EXPECT_TRUE(rescan());
  EXPECT_EQ(*argv("version"), std::vector<std::string>{"1.0.0"});
}

TEST_F(Registry, ALoopEndsAtTheDeadline) {
  config_.call_deadline = std::chrono::milliseconds(300);
  config_.crashes_until_quarantine = 1000;
  drop("scripted");
  rescan();
  EXPECT_EQ(argv("loop").error().message,
            "the plugin 'scripted' did not answer within its time limit");
  EXPECT_TRUE(works_again());
}

TEST_F(Registry, APluginThatClosesTheSocketIsACrash) {
  config_.call_deadline = std::chrono::milliseconds(300);
  config_.crashes_until_quarantine = 1000;
  drop("scripted");
  rescan();
  EXPECT_EQ(argv("close").error().kind, ErrorKind::kInternal);
  EXPECT_TRUE(works_again());
}

TEST_F(Registry, APluginThatExitsIsACrash) {
  drop("scripted");
  rescan();
  EXPECT_EQ(argv("exit").error().message,
            "the plugin 'scripted' ended the plugin host (exit code 0)");
  EXPECT_TRUE(argv("ok"));
}

TEST_F(Registry, MemoryIsLimited) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer needs the whole address space";
  drop("scripted");
  rescan();
  EXPECT_EQ(argv("bomb").error().message,
            "the plugin 'scripted' needed more memory than the plugin host may have (512 MiB)");
  EXPECT_EQ(argv("slow_bomb").error().message,
            "the plugin 'scripted' needed more memory than the plugin host may have (512 MiB)");
  EXPECT_TRUE(argv("ok"));
}

TEST_F(Registry, TheHostSeesNoEnvironmentOfTheServer) {
  ::setenv("RUNYARD_SECRET", "x", 1);
  ::setenv("AWS_SECRET_ACCESS_KEY", "x", 1);
  ::setenv("LANG", "C.UTF-8", 1);
  drop("scripted");
  rescan();
  const auto names = argv("environment");
  ASSERT_TRUE(names) << names.error().message;
  EXPECT_EQ(std::count(names->begin(), names->end(), "RUNYARD_SECRET"), 0);
  EXPECT_EQ(std::count(names->begin(), names->end(), "AWS_SECRET_ACCESS_KEY"), 0);
  EXPECT_EQ(std::count(names->begin(), names->end(), "LANG"), 1);
}

TEST_F(Registry, OverwritingALibraryInUseHurtsNobody) {
  drop("scripted");
  rescan();
  std::atomic<bool> stop = false;
  std::atomic<int> calls = 0;
  std::thread user([&] {
    while (!stop) {
      const auto result = argv("ok");
      if (!result) {
        EXPECT_EQ(result.error().kind, ErrorKind::kUnavailable) << result.error().message;
      }
      ++calls;
    }
  });
  for (int i = 0; i < 20; ++i) {
    drop(i % 2 == 0 ? "scripted_v2" : "scripted", "scripted.so");
    rescan();
  }
  stop = true;
  user.join();
  EXPECT_GT(calls.load(), 0);
  EXPECT_EQ(*argv("version"), std::vector<std::string>{"1.0.0"});
}

TEST_F(Registry, CrashesOfOneUserAreNotTheOthers) {
  config_.crashes_until_quarantine = 1000;
  drop("scripted");
  drop("other_type");
  rescan();
  std::atomic<bool> stop = false;
  std::thread crasher([&] {
    while (!stop) EXPECT_FALSE(argv("crash"));
  });
  for (int i = 0; i < 10; ++i) {
    const auto result = argv("ok", "other");
    EXPECT_TRUE(result) << result.error().message;
  }
  stop = true;
  crasher.join();
}

TEST_F(Registry, AHostThatCannotStartKeepsTheOldSet) {
  config_.host_command = {"/nonexistent/host"};
  drop("scripted");
  const auto scanned = registry().rescan();
  ASSERT_FALSE(scanned);
  EXPECT_EQ(scanned.error().kind, ErrorKind::kUnavailable);
  EXPECT_TRUE(registry().job_types().empty());
}

TEST_F(Registry, TheFirstScanEmptiesTheCache) {
  std::filesystem::create_directories(config_.cache);
  std::ofstream(config_.cache / "old.so") << "left over";
  drop("scripted");
  rescan();
  EXPECT_FALSE(std::filesystem::exists(config_.cache / "old.so"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(config_.cache), {}), 1);
}

}  // namespace
}  // namespace runyard
