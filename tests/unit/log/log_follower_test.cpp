#include "core/log/log_follower.h"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <fstream>

#include "tests/unit/base/temp_folder.h"

namespace runyard {
namespace {

namespace asio = boost::asio;

class LogFollowerTest : public ::testing::Test {
 protected:
  /// A follower of <temp>/log that looks for `id: <word>` and for bars.
  std::shared_ptr<LogFollower> follow(std::int64_t offset = 0, std::string_view name = "log") {
    JobType type;
    type.hints = {{"id", R"(id: (\w+))", "", "", false}};
    type.progress = {{R"((\d+)/(\d+))", 1, 2, 0, "", ""}};
    auto scanner = LogScanner::make(std::make_shared<const JobType>(std::move(type)), {}, nullptr);
    return std::make_shared<LogFollower>(engine_, watcher_, folder_ / name, std::move(*scanner),
                                         offset, [this](bool found) {
                                           ++calls_;
                                           found_ += found;
                                         });
  }
  void append(std::string_view content, std::string_view name = "log") const {
    std::ofstream(folder_ / name, std::ios::binary | std::ios::app) << content;
  }
  /// Runs the engine until the condition holds; false after a long time.
  bool run_until(const std::function<bool()>& done) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done()) {
      if (std::chrono::steady_clock::now() > limit) return false;
      engine_.restart();
      engine_.run_one_for(std::chrono::seconds(1));
    }
    return true;
  }
  bool run_to_offset(const LogFollower& follower, std::int64_t offset) {
    return run_until([&] { return follower.offset() >= offset; });
  }
  static std::vector<std::string> values(const LogFollower& follower) {
    std::vector<std::string> all;
    for (const Link& link : follower.scanner().links()) all.push_back(link.value);
    return all;
  }
  using Values = std::vector<std::string>;

  TempFolder folder_;
  asio::io_context engine_;
  FileWatcher watcher_{engine_};
  int calls_ = 0, found_ = 0;
};

TEST_F(LogFollowerTest, ReadsWhatIsThereAndWhatComes) {
  append("id: one\nid: t");
  const auto follower = follow();
  follower->start();
  ASSERT_TRUE(run_to_offset(*follower, 13));
  EXPECT_EQ(values(*follower), Values{"one"});
  EXPECT_EQ(follower->scan_offset(), 8);  // the text that is not complete is read again
  EXPECT_EQ(found_, 1);
  append("wo\n");
  ASSERT_TRUE(run_to_offset(*follower, 16));
  EXPECT_EQ(values(*follower), (Values{"one", "two"}));
  EXPECT_EQ(follower->scan_offset(), 16);
  append("nothing to find\n");
  ASSERT_TRUE(run_to_offset(*follower, 32));
  EXPECT_EQ(found_, 2);
  EXPECT_EQ(calls_, 3);
  append("3/10\r");
  ASSERT_TRUE(run_to_offset(*follower, 37));
  EXPECT_EQ(found_, 3);
  EXPECT_EQ(follower->scanner().progress()->total, 10);
}

TEST_F(LogFollowerTest, AFileThatIsNotThereYet) {
  const auto follower = follow();
  follower->start();
  EXPECT_TRUE(std::filesystem::exists(folder_ / "log"));  // and so it can be watched
  EXPECT_GE(follower->fd(), 0);
  append("id: one\n");
  ASSERT_TRUE(run_to_offset(*follower, 8));
  EXPECT_EQ(values(*follower), Values{"one"});
}

TEST_F(LogFollowerTest, BeginsAtItsOffset) {
  append("id: one\nid: two\n");
  const auto follower = follow(8);
  follower->start();
  ASSERT_TRUE(run_to_offset(*follower, 16));
  EXPECT_EQ(values(*follower), Values{"two"});
}

TEST_F(LogFollowerTest, ARestartLosesAndDoublesNothing) {
  append("id: one\nid: t");
  auto first = follow();
  first->start();
  ASSERT_TRUE(run_to_offset(*first, 13));
  const std::int64_t offset = first->scan_offset();
  first.reset();
  append("wo\n");
  const auto second = follow(offset);
  second->start();
  ASSERT_TRUE(run_to_offset(*second, 16));
  EXPECT_EQ(values(*second), Values{"two"});
}

TEST_F(LogFollowerTest, FinishReadsToTheEnd) {
  std::string large;
  while (large.size() < 3u << 20) large += "a line of a chatty job, without anything to find\n";
  append(large + "id: last");
  const auto follower = follow();
  follower->start();
  int done = 0;
  follower->finish([&] {
    ++done;
    EXPECT_EQ(follower->offset(), static_cast<std::int64_t>(large.size() + 8));
    EXPECT_EQ(values(*follower), Values{"last"});  // also a line without an end
    EXPECT_EQ(found_, 1);
  });
  ASSERT_TRUE(run_until([&] { return done > 0; }));
  // And reads no more.
  append("\nid: after\n");
  engine_.restart();
  engine_.poll();
  EXPECT_EQ(done, 1);
  EXPECT_EQ(values(*follower), Values{"last"});
}

TEST_F(LogFollowerTest, FinishOfAFileWithNothingNew) {
  append("id: one\n");
  const auto follower = follow();
  follower->start();
  ASSERT_TRUE(run_to_offset(*follower, 8));
  const int calls = calls_;
  bool done = false;
  follower->finish([&] { done = true; });
  EXPECT_FALSE(done);  // never from inside the call
  ASSERT_TRUE(run_until([&] { return done; }));
  EXPECT_EQ(calls_, calls);
}

TEST_F(LogFollowerTest, FinishWhileAReadWaits) {
  const auto follower = follow();
  follower->start();
  ASSERT_TRUE(run_until([&] { return follower->fd() >= 0; }));
  engine_.restart();
  engine_.poll();
  append("id: one\n");  // its event starts the pause of a tenth of a second
  engine_.restart();
  engine_.poll();
  int done = 0;
  follower->finish([&] { ++done; });
  ASSERT_TRUE(run_until([&] { return done > 0; }));
  EXPECT_EQ(values(*follower), Values{"one"});
  engine_.restart();
  engine_.run_for(std::chrono::milliseconds(150));  // the pause's timer was cancelled
  EXPECT_EQ(done, 1);
}

TEST_F(LogFollowerTest, FinishFromItsOwnCallback) {
  // The engine may learn of the end of a job while it handles what the log says.
  append("id: one\n");
  std::shared_ptr<LogFollower> follower;
  int done = 0;
  auto scanner = LogScanner::make(std::make_shared<const JobType>(), {}, nullptr);
  follower = std::make_shared<LogFollower>(engine_, watcher_, folder_ / "log", std::move(*scanner),
                                           0, [&](bool) {
                                             follower->finish([&] {
                                               ++done;
                                               follower->stop();
                                               follower.reset();
                                             });
                                           });
  follower->start();
  ASSERT_TRUE(run_until([&] { return done > 0; }));
  EXPECT_EQ(done, 1);
}

TEST_F(LogFollowerTest, StopCallsNothingMore) {
  append("id: one\n");
  const auto follower = follow();
  follower->start();
  bool done = false;
  follower->finish([&] { done = true; });
  follower->stop();
  follower->stop();
  append("id: two\n");
  engine_.restart();
  engine_.poll();
  EXPECT_FALSE(done);
  EXPECT_EQ(calls_, 0);
}

TEST_F(LogFollowerTest, MayBeGoneBeforeItsTimers) {
  append("id: one\n");
  auto follower = follow();
  follower->start();
  follower.reset();
  append("id: two\n");
  engine_.restart();
  engine_.poll();
  EXPECT_EQ(calls_, 0);
}

TEST_F(LogFollowerTest, AHugeLogDoesNotKeepTheEngineFromItsWork) {
  const std::string block(1 << 20, 'x');
  for (int i = 0; i < 4; ++i) append(block);
  const auto follower = follow();
  follower->start();
  int others = 0;
  std::function<void()> other = [&] {
    ++others;
    if (follower->offset() < 4 << 20) asio::post(engine_, other);
  };
  asio::post(engine_, other);
  ASSERT_TRUE(run_to_offset(*follower, 4 << 20));
  EXPECT_GT(others, 10);  // a turn after at most a quarter of a MiB
}

TEST_F(LogFollowerTest, ALinkInThePlaceOfTheLogIsNotFollowed) {
  folder_.put("secret", "id: secret\n");
  std::filesystem::create_symlink("secret", folder_ / "log");
  const auto follower = follow();
  follower->start();
  EXPECT_LT(follower->fd(), 0);
  bool done = false;
  follower->finish([&] { done = true; });
  ASSERT_TRUE(run_until([&] { return done; }));
  EXPECT_EQ(values(*follower), Values{});
}

TEST_F(LogFollowerTest, TwoLogsAreKeptApart) {
  append("", "a");
  append("", "b");
  const auto a = follow(0, "a"), b = follow(0, "b");
  a->start();
  b->start();
  append("id: of_a\n", "a");
  append("id: of_b\n", "b");
  ASSERT_TRUE(run_to_offset(*a, 9) && run_to_offset(*b, 9));
  EXPECT_EQ(values(*a), Values{"of_a"});
  EXPECT_EQ(values(*b), Values{"of_b"});
  a->stop();
  append("id: more\n", "b");
  ASSERT_TRUE(run_to_offset(*b, 18));
}

TEST_F(LogFollowerTest, AWatcherTellsOnceOfFilesThatAreThere) {
  int first = 0, second = 0, third = 0;
  EXPECT_LT(watcher_.add(folder_ / "none", [] {}), 0);
  for (const char* name : {"a", "b", "c"}) append("", name);
  watcher_.add(folder_ / "a", [&] { ++first; });
  std::function<void()> again = [&] {
    ++second;
    watcher_.add(folder_ / "b", again);  // from inside its own call
  };
  watcher_.add(folder_ / "b", again);
  watcher_.remove(watcher_.add(folder_ / "c", [&] { ++third; }));
  for (const char* name : {"a", "b", "c"}) append("x", name);
  ASSERT_TRUE(run_until([&] { return first > 0 && second > 0; }));
  append("y", "a");
  append("y", "b");
  ASSERT_TRUE(run_until([&] { return second > 1; }));
  EXPECT_EQ(first, 1);  // once
  EXPECT_EQ(third, 0);
  watcher_.remove(12345);
}

}  // namespace
}  // namespace runyard
