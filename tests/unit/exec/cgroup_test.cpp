#include "core/exec/cgroup.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/unit/base/temp_folder.h"

namespace runyard {
namespace {

std::string token() { return "cgroup_test_" + std::to_string(::getpid()) + ".1"; }

TEST(Cgroup, PathOfAClaimIsNotBelieved) {
  const TempFolder folder;
  const auto fake = folder.path() / ("runyard-" + token());
  std::filesystem::create_directory(fake);
  std::ofstream(fake / "cgroup.procs") << ::getpid() << "\n";
  EXPECT_TRUE(Cgroup::open(fake.string(), token()).empty()) << "not on a cgroup file system";
  EXPECT_TRUE(Cgroup::open("/sys/fs/cgroup", token()).empty());
  EXPECT_TRUE(Cgroup::open("", token()).empty());
  EXPECT_TRUE(Cgroup::open("/runyard-", "").empty());
}

TEST(Cgroup, NoneAnswersForNoProcesses) {
  Cgroup none;
  EXPECT_TRUE(none.empty());
  EXPECT_TRUE(none.processes().empty());
  EXPECT_FALSE(none.is_populated());
  EXPECT_FALSE(none.kill());
  EXPECT_TRUE(none.remove());
}

TEST(Cgroup, HoldsKillsAndGoes) {
  const std::string path = Cgroup::plan(token());
  if (path.empty()) GTEST_SKIP() << "no cgroup v2 here into which this user may write";
  Cgroup made = Cgroup::make(path);
  ASSERT_FALSE(made.empty());
  EXPECT_TRUE(Cgroup::make(path).empty()) << "one that is there already is not taken";
  EXPECT_FALSE(made.is_populated());

  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  std::ofstream(path + "/cgroup.procs") << child << std::flush;
  EXPECT_TRUE(Cgroup::open(path, "another.1").empty()) << "its name is not this attempt's";
  Cgroup found = Cgroup::open(path, token());
  EXPECT_EQ(found.processes(), std::vector<pid_t>{child});
  EXPECT_TRUE(found.is_populated());
  EXPECT_FALSE(found.remove()) << "one with processes stays";
  EXPECT_TRUE(found.kill());
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_TRUE(found.remove());
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace runyard
