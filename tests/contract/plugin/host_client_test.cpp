#include "core/plugin/host_client.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "core/base/ids.h"

namespace runyard {
namespace {

using namespace std::chrono_literals;

const std::filesystem::path kScripted = std::filesystem::path(RUNYARD_TEST_PLUGINS) / "scripted.so";
constexpr auto kDeadline = 20s;

HostClient::Options options() { return {{RUNYARD_TEST_HOST}, 0}; }

/// A call of another thread that loops in the host, until it is killed there.
class LoopingCall {
 public:
  LoopingCall(HostClient& host, std::chrono::milliseconds deadline)
      : fifo_(std::filesystem::temp_directory_path() / ("host_client_test." + random_hex(6))) {
    EXPECT_EQ(::mkfifo(fifo_.c_str(), 0600), 0);
    told_ = ::open(fifo_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    call_ = std::thread([this, &host, deadline] {
      const auto reply =
          host.argv(kScripted, R"({"do":"loop","text":")" + fifo_.string() + "\"}", deadline);
      EXPECT_FALSE(reply);
    });
  }
  ~LoopingCall() {
    call_.join();
    ::close(told_);
  }
  /// Waits for it; false when it does not get there.
  bool has_begun() {
    pollfd entry{told_, POLLIN, 0};
    const bool begun = ::poll(&entry, 1, 60'000) == 1;
    std::filesystem::remove(fifo_);
    return begun;
  }

 private:
  const std::filesystem::path fifo_;
  int told_ = -1;
  std::thread call_;
};

TEST(HostClient, StartsWithTheFirstCall) {
  HostClient host(options());
  EXPECT_EQ(host.pid(), 0);
  const auto reply = host.describe(kScripted, kDeadline);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->status, HostReply::Status::kOk);
  EXPECT_EQ(reply->abi, 1);
  EXPECT_GT(host.pid(), 0);
}

TEST(HostClient, AProgramThatIsNoHostIsNotThePluginsFault) {
  HostClient host({{"/bin/true"}, 0});
  const auto reply = host.describe(kScripted, kDeadline);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, HostFailure::Kind::kCannotStart);
  EXPECT_NE(reply.error().message.find("did not start"), std::string::npos);
  EXPECT_EQ(host.pid(), 0);
}

TEST(HostClient, StartsAgainAfterAKillBetweenCalls) {
  HostClient host(options());
  ASSERT_TRUE(host.describe(kScripted, kDeadline));
  const pid_t first = host.pid();
  ::kill(first, SIGKILL);
  siginfo_t ended{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(first), &ended, WEXITED | WNOWAIT), 0);
  const auto reply = host.argv(kScripted, R"({"do":"ok"})", kDeadline);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->text, R"(["--do","ok"])");
  EXPECT_NE(host.pid(), first);
}

TEST(HostClient, HostileTextsArriveAsTheyAre) {
  HostClient host(options());
  const auto reply = host.argv(kScripted, R"({"do":"ok $(x) \u0001 'é' 😀"})", kDeadline);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->text, R"(["--do","ok $(x) \u0001 'é' 😀"])");
}

TEST(HostClient, OneLoopingCallDoesNotKeepOthersForEver) {
  HostClient host(options());
  ASSERT_TRUE(host.describe(kScripted, kDeadline));
  LoopingCall looping(host, 3s);
  ASSERT_TRUE(looping.has_begun());
  const auto hasty = host.argv(kScripted, R"({"do":"ok"})", 10ms);
  ASSERT_FALSE(hasty);
  EXPECT_EQ(hasty.error().kind, HostFailure::Kind::kBusy);
  const auto patient = host.argv(kScripted, R"({"do":"ok"})", kDeadline);
  EXPECT_TRUE(patient) << patient.error().message;
}

TEST(HostClient, ACallerThatNeverPausesDoesNotKeepOthersOut) {
  HostClient host(options());
  ASSERT_TRUE(host.describe(kScripted, kDeadline));
  constexpr int kCalls = 200;
  std::array<std::atomic<int>, 4> done{};
  std::atomic<bool> over = false;
  std::vector<std::thread> callers;
  for (auto& mine : done) {
    callers.emplace_back([&] {
      while (!over) {
        EXPECT_TRUE(host.argv(kScripted, R"({"do":"ok"})", kDeadline));
        if (++mine == kCalls) over = true;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (const auto& one : done) EXPECT_GT(one, kCalls / 20);
}

TEST(HostClient, LeavesNoProcessAndNoZombie) {
  pid_t pid = 0;
  {
    HostClient host(options());
    ASSERT_TRUE(host.describe(kScripted, kDeadline));
    pid = host.pid();
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST(HostClient, AHostWhoseServerDiesEndsEvenWhileAPluginLoops) {
  // A child plays the server: it starts a host, tells its id, and dies while a call loops.
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t server = ::fork();
  if (server == 0) {
    HostClient host(options());
    (void)host.describe(kScripted, kDeadline);
    const pid_t pid = host.pid();
    LoopingCall looping(host, kDeadline);
    (void)looping.has_begun();
    (void)!::write(ends[1], &pid, sizeof pid);
    ::kill(::getpid(), SIGKILL);
  }
  ::close(ends[1]);  // so that the read ends if the child fails
  pid_t host = 0;
  ASSERT_EQ(::read(ends[0], &host, sizeof host), static_cast<ssize_t>(sizeof host));
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, host, 0));
  ::waitpid(server, nullptr, 0);
  if (handle >= 0) {
    pollfd ended{handle, POLLIN, 0};
    EXPECT_EQ(::poll(&ended, 1, 10000), 1) << "the host still runs";
    ::close(handle);
  }
  ::close(ends[0]);
}

}  // namespace
}  // namespace runyard
