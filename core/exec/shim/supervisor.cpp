#include "core/exec/shim/supervisor.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "core/exec/shim/test_points.h"

namespace runyard::shim {
namespace {

constexpr std::uint64_t kCheckEveryMs = 1000;
constexpr std::uint64_t kFirstRoundGapMs = 10;
constexpr std::uint64_t kMaxRoundGapMs = 500;
constexpr int kEmptyRoundsForProof = 2;

std::uint64_t monotonic_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

std::uint64_t microseconds(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(time.tv_usec);
}

// No overflow: a limit of 2^64-1 milliseconds is a legal way to say "practically never".
std::uint64_t add_saturated(std::uint64_t a, std::uint64_t b) {
  return a + b < a ? UINT64_MAX : a + b;
}

}  // namespace

sigset_t awaited_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGCHLD, SIGUSR1, SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, signal);
  return set;
}

bool is_request_to_end(int signal) {
  return signal == SIGTERM || signal == SIGINT || signal == SIGHUP;
}

void ControlFile::refresh() {
  struct stat status {};
  if (::stat("control", &status) != 0) return;
  const bool same = status.st_ino == inode_ && status.st_ctim.tv_sec == changed_.tv_sec &&
                    status.st_ctim.tv_nsec == changed_.tv_nsec;
  if (same) return;
  RunFolderError error;
  const auto control = read_control(".", &error);
  if (!control) return;  // tried again at the next check
  current_ = *control;
  inode_ = status.st_ino;
  changed_ = status.st_ctim;
}

Supervisor::Supervisor(Limits limits, ControlFile* control, const Cgroup* cgroup, pid_t command,
                       int log)
    : limits_(std::move(limits)),
      control_(control),
      cgroup_(cgroup),
      command_(command),
      log_(log),
      started_(monotonic_ms()) {}

RunExit Supervisor::run() {
  for (;;) {
    reap();
    if (phase_ == Phase::kRunning && status_ && !has_children_) return summary();

    const std::uint64_t now = monotonic_ms();
    if (phase_ == Phase::kRunning) {
      if (status_) {
        begin_kill(now);
      } else if (const auto reason = reason_to_kill(now)) {
        test_point("kill_wanted");
        // The rule that decides between two truths at once: a command that has ended by itself is
        // never called cancelled. Its end is then reaped in the next turn.
        if (command_has_ended()) continue;
        reason_ = reason;
        begin_kill(now);
      }
    }
    if (phase_ != Phase::kRunning && clear_tree(now)) return summary();
    wait_for_event();
  }
}

void Supervisor::reap() {
  for (;;) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid == command_) {
      status_ = status;
      if (!reason_) reason_ = RunEnd::kExited;
      test_point("command_ended");
    }
    if (pid > 0) continue;
    if (pid < 0 && has_children_) {
      has_children_ = false;
      next_round_ = 0;
      round_gap_ = kFirstRoundGapMs;
    }
    return;
  }
}

// Looks without reaping, so that the pid stays the command's.
bool Supervisor::command_has_ended() const {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(command_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == command_;
}

std::optional<RunEnd> Supervisor::reason_to_kill(std::uint64_t now) {
  const bool check = now >= next_check_;
  if (check) {
    control_->refresh();
    next_check_ = now + kCheckEveryMs;
  }
  if (control_->current().cancel) return RunEnd::kCancelled;
  if (told_to_end_) return RunEnd::kTerminated;
  const std::uint64_t timeout = control_->current().timeout_ms.value_or(limits_.timeout_ms);
  if (timeout != 0 && now - started_ >= timeout) return RunEnd::kTimeout;
  if (check && limits_.log_max_bytes != 0) {
    struct stat status {};
    if (::fstat(log_, &status) == 0 &&
        static_cast<std::uint64_t>(status.st_size) > limits_.log_max_bytes) {
      return RunEnd::kLogLimit;
    }
  }
  return std::nullopt;
}

void Supervisor::begin_kill(std::uint64_t now) {
  test_point("kill_begun");
  phase_ = Phase::kGrace;
  grace_ends_ = add_saturated(now, limits_.grace_ms);
  // One round only: what a process starts when it is told to end is its way to clean up.
  signal_all(tree(), SIGTERM);
  test_point("term_sent");
}

std::vector<ProcessId> Supervisor::tree() const {
  return find_tree(::getpid(), limits_.token, cgroup_->processes());
}

// One look at the tree, and KILL to all of it when the grace is over. True when it is gone, proven:
// the shim has no child left (every orphan below it becomes one), its cgroup is empty, and two
// looks in a row found no process with the token (one may miss a process that forks at that
// instant).
bool Supervisor::clear_tree(std::uint64_t now) {
  if (phase_ == Phase::kGrace && now >= grace_ends_) {
    phase_ = Phase::kKilling;
    next_round_ = 0;
    round_gap_ = kFirstRoundGapMs;
  }
  if (phase_ == Phase::kGrace && has_children_) return false;
  if (now < next_round_) return false;
  next_round_ = now + round_gap_;
  round_gap_ = std::min(2 * round_gap_, kMaxRoundGapMs);

  const std::vector<ProcessId> found = tree();
  SignalRound round;
  bool fenced = false;  // the kernel itself has killed all that is in the cgroup
  if (phase_ == Phase::kKilling) {
    round = signal_all(found, SIGKILL);
    fenced = cgroup_->kill() && cgroup_->is_populated();
  } else {
    round.signalled = static_cast<int>(found.size());
  }
  // Processes of other users are all that may be left behind; but never the command itself.
  left_ = static_cast<std::uint64_t>(round.refused);
  const bool nothing_to_kill =
      round.signalled == 0 && !fenced && (!has_children_ || round.refused > 0);
  empty_rounds_ = nothing_to_kill ? empty_rounds_ + 1 : 0;
  return status_ && empty_rounds_ >= kEmptyRoundsForProof;
}

std::uint64_t Supervisor::next_wake(std::uint64_t now) const {
  if (phase_ == Phase::kKilling) return next_round_;
  if (phase_ == Phase::kGrace) {
    return has_children_ ? grace_ends_ : std::min(grace_ends_, next_round_);
  }
  const std::uint64_t timeout = control_->current().timeout_ms.value_or(limits_.timeout_ms);
  const std::uint64_t deadline = timeout == 0 ? UINT64_MAX : add_saturated(started_, timeout);
  return std::min({deadline, next_check_, now + kCheckEveryMs});
}

void Supervisor::wait_for_event() {
  const std::uint64_t now = monotonic_ms();
  const std::uint64_t wake = next_wake(now);
  // An hour is soon enough to find out that a grace without end has not ended.
  const std::uint64_t wait = std::min<std::uint64_t>(wake > now ? wake - now : 0, 3'600'000);
  timespec timeout{};
  timeout.tv_sec = static_cast<time_t>(wait / 1000);
  timeout.tv_nsec = static_cast<long>(wait % 1000) * 1'000'000;
  const sigset_t set = awaited_signals();
  const int signal = ::sigtimedwait(&set, nullptr, &timeout);
  if (signal == SIGUSR1) next_check_ = 0;
  if (is_request_to_end(signal)) told_to_end_ = true;
}

RunExit Supervisor::summary() const {
  RunExit exit;
  exit.reason = *reason_;
  if (WIFEXITED(*status_)) exit.exit_code = WEXITSTATUS(*status_);
  if (WIFSIGNALED(*status_)) exit.signal = WTERMSIG(*status_);
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  exit.user_us = microseconds(usage.ru_utime);
  exit.system_us = microseconds(usage.ru_stime);
  exit.max_rss_kb = static_cast<std::uint64_t>(usage.ru_maxrss);
  exit.left = left_;
  return exit;
}

}  // namespace runyard::shim
