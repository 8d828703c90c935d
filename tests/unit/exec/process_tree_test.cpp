#include "core/exec/process_tree.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace runyard {
namespace {

using Clock = std::chrono::steady_clock;

// Waits for something that is about to become true; false when it does not.
bool eventually(const std::function<bool()>& holds) {
  const auto deadline = Clock::now() + std::chrono::seconds(10);
  while (!holds()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

bool contains(const std::vector<ProcessId>& all, pid_t pid) {
  return std::any_of(all.begin(), all.end(), [pid](const ProcessId& p) { return p.pid == pid; });
}

constexpr const char* kSleep = "exec /bin/sleep 60";

// A child of this test: killed and reaped at the end of its scope.
class Child {
 public:
  // Runs `body` in a fork, then exits 0.
  explicit Child(const std::function<void()>& body) : pid_(::fork()) {
    if (pid_ != 0) return;
    body();
    ::_exit(0);
  }
  // Runs a shell script with exactly this environment.
  Child(const std::string& script, std::vector<std::string> env)
      : Child([&script, &env] {
          std::vector<char*> variables;
          for (std::string& one : env) variables.push_back(one.data());
          variables.push_back(nullptr);
          ::execle("/bin/sh", "sh", "-c", script.c_str(), nullptr, variables.data());
        }) {
    // Until the exec the child has the environment of this test.
    eventually([this, &script] {
      return script == kSleep ? command_line().rfind("/bin/sleep", 0) == 0 : !runs_this_program();
    });
  }
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  ProcessId id() const {
    const auto info = read_process(pid_);
    return info ? info->id : ProcessId{pid_, 0};
  }
  bool becomes_zombie() const {
    return eventually([this] {
      const auto info = read_process(pid_);
      return info && !info->alive;
    });
  }

 private:
  std::string command_line() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/cmdline");
    std::string text;
    std::getline(file, text);
    return text;
  }
  bool runs_this_program() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/comm");
    std::ifstream own("/proc/self/comm");
    std::string name, mine;
    return std::getline(file, name) && std::getline(own, mine) && name == mine;
  }

  pid_t pid_;
};

std::string fresh_token() {
  static int count = 0;
  return "test_" + std::to_string(::getpid()) + "." + std::to_string(++count);
}

std::string variable(const std::string& name, const std::string& value) {
  return std::string(name).append("=").append(value);
}

std::string marked(const std::string& token) {
  return variable(std::string(kTokenVariable), token);
}

TEST(BootId, IsTheKernels) {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string expected;
  std::getline(file, expected);
  EXPECT_EQ(boot_id(), expected);
  EXPECT_EQ(boot_id().size(), 36U);
}

TEST(ReadProcess, KnowsThisProcess) {
  const auto self = read_process(::getpid());
  ASSERT_TRUE(self);
  EXPECT_EQ(self->parent, ::getppid());
  EXPECT_GT(self->id.start_ticks, 0U);
  EXPECT_TRUE(self->alive);
  EXPECT_TRUE(is_alive(self->id));
}

TEST(ReadProcess, KnowsNoImpossiblePid) {
  EXPECT_FALSE(read_process(0));
  EXPECT_FALSE(read_process(-1));
  EXPECT_FALSE(read_process(2'000'000'000));
}

TEST(ReadProcess, IsNotFooledByAName) {
  const Child child([] {
    ::prctl(PR_SET_NAME, ") Z 1 1 (x) Z 1");
    ::pause();
  });
  ASSERT_TRUE(eventually([&] {
    std::ifstream file("/proc/" + std::to_string(child.pid()) + "/comm");
    std::string name;
    return std::getline(file, name) && name[0] == ')';
  }));
  const auto info = read_process(child.pid());
  ASSERT_TRUE(info);
  EXPECT_EQ(info->parent, ::getpid());
  EXPECT_TRUE(info->alive);
}

TEST(IsAlive, NotAZombieNorAnotherProcessNorNobody) {
  ProcessId gone;
  {
    const Child child([] {});
    ASSERT_TRUE(child.becomes_zombie());
    gone = child.id();
    EXPECT_FALSE(is_alive(gone));
  }
  EXPECT_FALSE(is_alive(gone));
  const Child child([] { ::pause(); });
  EXPECT_TRUE(is_alive(child.id()));
  EXPECT_FALSE(is_alive({child.pid(), child.id().start_ticks + 1}));
  EXPECT_FALSE(is_alive({}));
}

TEST(IsAlive, AProcessWhoseMainThreadHasEndedLives) {
  const Child child([] {
    std::thread([] { ::pause(); }).detach();
    ::syscall(SYS_exit, 0);  // of this thread only
  });
  ASSERT_TRUE(eventually([&] {
    std::ifstream file("/proc/" + std::to_string(child.pid()) + "/stat");
    std::string line;
    return std::getline(file, line) && line.find(") Z ") != std::string::npos;
  }));
  EXPECT_TRUE(is_alive(child.id()));
}

TEST(Pidfd, EndsWithItsProcess) {
  const Child child([] { ::pause(); });
  const int fd = pidfd_open_checked(child.id());
  ASSERT_GE(fd, 0);
  pollfd watched{fd, POLLIN, 0};
  EXPECT_EQ(::poll(&watched, 1, 0), 0);
  ::kill(child.pid(), SIGKILL);
  EXPECT_EQ(::poll(&watched, 1, 10'000), 1);
  ::close(fd);
  // A zombie can be watched as well: it is over at once.
  ASSERT_TRUE(child.becomes_zombie());
  const int again = pidfd_open_checked(child.id());
  EXPECT_GE(again, 0);
  ::close(again);
}

TEST(Pidfd, IsNeverOfAnotherProcess) {
  const Child child([] { ::pause(); });
  EXPECT_EQ(pidfd_open_checked({child.pid(), child.id().start_ticks + 1}), -1);
  EXPECT_EQ(errno, ESRCH);
  EXPECT_EQ(pidfd_open_checked({}), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST(SendSignal, ReachesThisProcessOnly) {
  const Child child([] { ::pause(); });
  EXPECT_EQ(send_signal({child.pid(), child.id().start_ticks + 1}, SIGKILL), SignalOutcome::kGone);
  EXPECT_TRUE(is_alive(child.id()));
  EXPECT_EQ(send_signal(child.id(), SIGKILL), SignalOutcome::kSent);
  EXPECT_TRUE(child.becomes_zombie());
}

TEST(SendSignal, TellsRefusalFromAbsence) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
  const ProcessId other = read_process(::getpid())->id;
  const Child child([&other] {
    if (::setuid(65534) != 0) ::_exit(9);
    ::_exit(send_signal(other, 0) == SignalOutcome::kRefused ? 0 : 1);
  });
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(info.si_status, 0);
}

TEST(FindByToken, FindsTheExactVariableOnly) {
  const std::string token = fresh_token();
  const Child only(kSleep, {marked(token)});
  const Child last(kSleep, {"A=1", "B=", marked(token)});
  const Child middle(kSleep, {"A=1", marked(token), "Z=1"});
  const Child longer(kSleep, {marked(token).append("0")});
  const Child shorter(kSleep, {marked(token.substr(0, token.size() - 1))});
  const Child other_name(kSleep, {variable("XRUNYARD_ATTEMPT", token)});
  const Child in_value(kSleep, {variable("A", marked(token))});
  const Child none(kSleep, {});
  // In the middle of its exec a process has no environment to be seen, hence the wait.
  std::vector<ProcessId> found;
  ASSERT_TRUE(eventually([&] { return (found = find_by_token(token)).size() >= 3; }));
  EXPECT_EQ(found.size(), 3U);
  EXPECT_TRUE(contains(found, only.pid()));
  EXPECT_TRUE(contains(found, last.pid()));
  EXPECT_TRUE(contains(found, middle.pid()));
  EXPECT_TRUE(find_by_token("").empty());
}

TEST(FindByToken, SeesTheVariableAcrossBlocksOfALargeEnvironment) {
  const std::string token = fresh_token();
  const std::string wanted = marked(token);
  // Every place of the variable relative to the end of a block of 4096 bytes.
  for (std::size_t before = 4096 - wanted.size() - 3; before <= 4096 + 1; ++before) {
    const std::string filler = variable("A", std::string(before - 3, 'x'));  // `before` with NUL
    const Child child(kSleep, {filler, wanted, variable("Z", std::string(9000, 'z'))});
    EXPECT_TRUE(eventually([&] { return contains(find_by_token(token), child.pid()); })) << before;
  }
}

TEST(FindByToken, SkipsZombiesAndOtherUsers) {
  const std::string token = fresh_token();
  const Child zombie("exit 0", {marked(token)});
  ASSERT_TRUE(zombie.becomes_zombie());
  EXPECT_TRUE(find_by_token(token).empty());
  if (::geteuid() != 0) GTEST_SKIP() << "the rest needs root, to become another user";
  const Child other("exec setpriv --reuid=65534 --clear-groups sleep 60",
                    {"PATH=/usr/bin:/bin", marked(token)});
  ASSERT_TRUE(eventually([&] {
    std::ifstream file("/proc/" + std::to_string(other.pid()) + "/comm");
    std::string name;
    return std::getline(file, name) && name == "sleep";
  }));
  EXPECT_FALSE(contains(find_by_token(token), other.pid()));
}

// Runs itself again with the token in its own environment.
TEST(FindByToken, NeverFindsTheCaller) {
  const std::string token = "test_of_the_caller.1";
  const char* const own = ::getenv("RUNYARD_ATTEMPT");
  if (own != nullptr && own == token) {
    const Child child([] { ::pause(); });
    const auto found = find_by_token(token);
    EXPECT_EQ(found.size(), 1U);
    EXPECT_TRUE(contains(found, child.pid()));
    EXPECT_EQ(find_tree(0, token).size(), 1U);
    EXPECT_EQ(find_tree(::getpid(), token).size(), 1U);
    return;
  }
  const Child again([&token] {
    const std::string mark = marked(token);
    const char* env[] = {mark.c_str(), nullptr};
    ::execle("/proc/self/exe", "again", "--gtest_filter=FindByToken.NeverFindsTheCaller", nullptr,
             env);
  });
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(again.pid()), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(info.si_code, CLD_EXITED);
  EXPECT_EQ(info.si_status, 0);
}

TEST(FindTree, HoldsAllDescendantsButNeitherRootNorCaller) {
  // sh -> (sleep, sh -> sleep in its own session)
  const Child root("sleep 60 & (setsid sleep 60; true) & wait", {"PATH=/usr/bin:/bin"});
  ASSERT_TRUE(eventually([&] { return find_tree(root.pid(), {}).size() == 3; }));
  const auto from_root = find_tree(root.pid(), {});
  EXPECT_FALSE(contains(from_root, root.pid()));
  const auto from_here = find_tree(::getpid(), {});
  EXPECT_EQ(from_here.size(), 4U);
  EXPECT_TRUE(contains(from_here, root.pid()));
  EXPECT_FALSE(contains(from_here, ::getpid()));
  EXPECT_TRUE(find_tree(0, {}).empty());
  signal_all(from_root, SIGKILL);
}

TEST(FindTree, FollowsTheChildrenOfATokenThatHideTheirs) {
  const std::string token = fresh_token();
  const Child root("env -i /bin/sleep 60 & wait", {"PATH=/usr/bin:/bin", marked(token)});
  ASSERT_TRUE(eventually(
      [&] { return find_tree(0, token).size() == 2 && find_by_token(token).size() == 1; }));
  signal_all(find_tree(root.pid(), {}), SIGKILL);
}

TEST(SignalAll, MakesAStoppedProcessActOnIt) {
  const Child child([] { ::pause(); });
  ::kill(child.pid(), SIGSTOP);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WSTOPPED), 0);
  const SignalRound round = signal_all({child.id(), {child.pid(), 1}}, SIGTERM);
  EXPECT_EQ(round.signalled, 1);
  EXPECT_EQ(round.refused, 0);
  EXPECT_TRUE(child.becomes_zombie());
}

TEST(KillTreeByToken, ClearsWhatADeadShimLeft) {
  const std::string token = fresh_token();
  const Child root("trap '' TERM; sleep 60 & setsid sleep 60 & env -i /bin/sleep 60 & wait",
                   {"PATH=/usr/bin:/bin", marked(token)});
  ASSERT_TRUE(eventually([&] { return find_tree(0, token).size() == 4; }));
  EXPECT_EQ(kill_tree_by_token(token, SIGTERM).found(), 4);
  EXPECT_TRUE(is_alive(root.id()));
  EXPECT_TRUE(eventually([&] { return kill_tree_by_token(token, SIGKILL).found() == 0; }));
  EXPECT_TRUE(root.becomes_zombie());
  EXPECT_EQ(kill_tree_by_token("", SIGKILL).found(), 0);
}

}  // namespace
}  // namespace runyard
