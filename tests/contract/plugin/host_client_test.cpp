#include "core/plugin/host_client.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

namespace runyard {
namespace {

using namespace std::chrono_literals;

const std::filesystem::path kScripted = std::filesystem::path(RUNYARD_TEST_PLUGINS) / "scripted.so";
constexpr auto kDeadline = 20s;

HostClient::Options options() { return {{RUNYARD_TEST_HOST}, 0}; }

/// Returns when another thread's call is in the host.
void wait_until_busy(HostClient& host) {
  for (;;) {
    const auto reply = host.argv(kScripted, R"({"do":"ok"})", 20ms);
    if (!reply && reply.error().kind == HostFailure::Kind::kBusy) return;
  }
}

TEST(HostClient, StartsWithTheFirstCall) {
  HostClient host(options());
  EXPECT_EQ(host.pid(), 0);
  const auto reply = host.describe(kScripted, kDeadline);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->status, HostReply::Status::kOk);
  EXPECT_EQ(reply->abi, 1);
  EXPECT_GT(host.pid(), 0);
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
  std::thread looping([&] { EXPECT_FALSE(host.argv(kScripted, R"({"do":"loop"})", 1500ms)); });
  wait_until_busy(host);
  looping.join();
  EXPECT_TRUE(host.argv(kScripted, R"({"do":"ok"})", kDeadline));
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
    std::thread([&] { (void)host.argv(kScripted, R"({"do":"loop"})", kDeadline); }).detach();
    wait_until_busy(host);
    (void)!::write(ends[1], &pid, sizeof pid);
    ::kill(::getpid(), SIGKILL);
  }
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
  ::close(ends[1]);
}

}  // namespace
}  // namespace runyard
