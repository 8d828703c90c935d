// What happens to libraries that come, change and go while somebody looks again and again.

#include <sys/stat.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/base/files.h"
#include "core/plugin/folder_watch.h"
#include "core/plugin/library_file.h"
#include "registry_fixture.h"

namespace runyard {
namespace {

class Watch : public RegistryFixture {
 protected:
  bool look() {
    const auto changed = registry().look_again();
    EXPECT_TRUE(changed) << (changed ? "" : changed.error().message);
    return changed && *changed;
  }
  std::string content_of(const std::string& name) {
    return *read_file(std::filesystem::path(RUNYARD_TEST_PLUGINS) / (name + ".so"));
  }
};

TEST_F(Watch, TakesOverWhatTwoLooksHaveSeenAlike) {
  EXPECT_TRUE(rescan() || true);
  drop("scripted");
  EXPECT_FALSE(look());
  EXPECT_TRUE(types().empty());
  EXPECT_TRUE(look());
  EXPECT_EQ(types(), std::vector<std::string>{"scripted"});
  EXPECT_FALSE(look());

  drop("scripted_v2", "scripted.so");
  EXPECT_FALSE(look());
  EXPECT_EQ(*argv("version"), std::vector<std::string>{"1.0.0"}) << "the old copy goes on";
  EXPECT_TRUE(look());
  EXPECT_EQ(*argv("version"), std::vector<std::string>{"2.0.0"});

  std::filesystem::remove(folder_ / "scripted.so");
  EXPECT_FALSE(look());
  EXPECT_TRUE(argv("ok"));
  EXPECT_TRUE(look());
  EXPECT_TRUE(types().empty());
  EXPECT_EQ(info("scripted.so").state, PluginState::kRemoved);
}

TEST_F(Watch, LeavesWhatIsBeingWrittenAlone) {
  drop("scripted");
  rescan();
  const std::string next = content_of("scripted_v2");
  for (const std::size_t part : {std::size_t{0}, std::size_t{10}, next.size() / 2}) {
    write("scripted.so", next.substr(0, part));
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(look()) << part;
    EXPECT_EQ(info("scripted.so").state, PluginState::kLoaded) << part;
    EXPECT_EQ(*argv("version"), std::vector<std::string>{"1.0.0"}) << part;
  }
  write("scripted.so", next);
  ::chmod((folder_ / "scripted.so").c_str(), 0644);
  look();
  EXPECT_TRUE(look());
  EXPECT_EQ(*argv("version"), std::vector<std::string>{"2.0.0"});
  // Who asks for a scan is told at once.
  write("scripted.so", next.substr(0, 100));
  EXPECT_TRUE(rescan());
  EXPECT_EQ(info("scripted.so").state, PluginState::kQuarantined);
}

TEST_F(Watch, AFileThatIsReplacedByRemovingItIsNotMissed) {
  drop("scripted");
  rescan();
  std::filesystem::remove(folder_ / "scripted.so");
  EXPECT_FALSE(look());
  drop("scripted");
  EXPECT_FALSE(look());
  EXPECT_FALSE(look());
  EXPECT_EQ(types(), std::vector<std::string>{"scripted"});
}

TEST_F(Watch, ALibraryThatIsTooSlowIsTriedAgainLater) {
  config_.probe_deadline = std::chrono::milliseconds(300);
  config_.probe_again = {std::chrono::hours(1), std::chrono::milliseconds(0)};
  drop("loop_in_describe");
  rescan();
  const auto reason = [this] { return info("loop_in_describe.so").reason; };
  const std::string late = "describe() did not answer within its time limit ";
  EXPECT_EQ(reason(), late + "(1 of 3 tries); it is tried again in 3600 s");
  EXPECT_FALSE(look()) << "an hour has not gone by";
  EXPECT_TRUE(rescan()) << "who asks need not wait";
  EXPECT_EQ(reason(), late + "(1 of 3 tries); it is tried again in 3600 s");
}

TEST_F(Watch, TriesHaveAnEnd) {
  config_.probe_deadline = std::chrono::milliseconds(300);
  config_.probe_again = {std::chrono::milliseconds(0), std::chrono::milliseconds(0)};
  drop("loop_in_describe");
  rescan();
  EXPECT_TRUE(look());
  EXPECT_TRUE(look());
  EXPECT_NE(info("loop_in_describe.so").reason.find("(3 of 3 tries): replace the library"),
            std::string::npos)
      << info("loop_in_describe.so").reason;
  EXPECT_FALSE(look());
}

TEST_F(Watch, ALibraryThatWasTooSlowOnceIsOffered) {
  config_.probe_deadline = std::chrono::milliseconds(300);
  config_.probe_again.assign(100, std::chrono::milliseconds(0));
  rescan();
  std::filesystem::create_directories(config_.cache);
  std::ofstream(config_.cache / "slow") << "";
  drop("slow_in_describe");
  rescan();
  EXPECT_TRUE(types().empty());
  std::filesystem::remove(config_.cache / "slow");
  for (int i = 0; i < 90 && types().empty(); ++i) EXPECT_TRUE(look());
  EXPECT_EQ(types(), std::vector<std::string>{"slow"});
  EXPECT_EQ(info("slow_in_describe.so").reason, "");
  EXPECT_FALSE(look());
}

TEST_F(Watch, AnotherLibraryTakesNoPlaceAway) {
  drop("slow_in_describe");
  rescan();
  std::ofstream(config_.cache / "slow") << "";
  drop("plain_c");
  EXPECT_TRUE(rescan());
  EXPECT_EQ(types(), (std::vector<std::string>{"plain_c", "slow"})) << "it was probed before";
  EXPECT_TRUE(argv("ok", "slow"));
}

TEST_F(Watch, PinsLetInNothingElse) {
  drop("scripted");
  drop("plain_c");
  rescan();
  const std::string hash = info("scripted.so").sha256;
  registry().set_allow(config_.allow, {{"scripted.so", hash}});
  EXPECT_TRUE(look());
  EXPECT_EQ(types(), std::vector<std::string>{"scripted"});
  const PluginInfo other = info("plain_c.so");
  EXPECT_EQ(other.state, PluginState::kQuarantined);
  EXPECT_NE(other.reason.find("plugins: {pinned: {plain_c.so: " + other.sha256 + "}}"),
            std::string::npos)
      << other.reason;
  drop("scripted_v2", "scripted.so");
  look();
  EXPECT_TRUE(look());
  EXPECT_TRUE(types().empty());
  EXPECT_NE(info("scripted.so").reason.find("pins another content"), std::string::npos);
  registry().set_allow(config_.allow, {});
  EXPECT_TRUE(look());
  EXPECT_EQ(types(), (std::vector<std::string>{"plain_c", "scripted"}));
}

TEST_F(Watch, TheThreadSeesWhatComes) {
  rescan();
  std::mutex mutex;
  std::condition_variable wake;
  int changes = 0;
  std::atomic<int> looks = 0;
  FolderWatch watch(
      registry(), [&] { ++looks; },
      [&] {
        const std::lock_guard lock(mutex);
        ++changes;
        wake.notify_all();
      });
  drop("scripted");
  std::unique_lock lock(mutex);
  ASSERT_TRUE(wake.wait_for(lock, std::chrono::seconds(60), [&] { return changes > 0; }));
  EXPECT_EQ(types(), std::vector<std::string>{"scripted"});
  EXPECT_GE(looks, 2);
}

}  // namespace
}  // namespace runyard
