// Watches one command until nothing of it is left.
#pragma once

#include <signal.h>
#include <sys/types.h>
#include <time.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/exec/cgroup.h"
#include "core/exec/run_folder.h"

namespace runyard::shim {

// The signals that the shim lives on, blocked from its first instruction and waited for:
// SIGCHLD, SIGUSR1 (look at the control file now), SIGTERM, SIGINT and SIGHUP (end the job).
sigset_t awaited_signals();
bool is_request_to_end(int signal);

// The control file of the run folder, which is the current directory. Owned by main().
class ControlFile {
 public:
  // One stat, and a read when the file was replaced since the last call.
  void refresh();
  // The last content that could be read, empty before the first.
  const RunControl& current() const { return current_; }

 private:
  RunControl current_;
  ino_t inode_ = 0;
  timespec changed_{};
};

// What the supervisor needs of the spec; the spec itself is freed once the command runs.
struct Limits {
  std::string token;
  std::uint64_t timeout_ms = 0;
  std::uint64_t grace_ms = 0;
  std::uint64_t log_max_bytes = 0;
};

// Owned by main(), single-threaded. The process must be a child subreaper, so that whatever the
// command leaves behind becomes, sooner or later, a child that only this class waits for.
//
// Phases, forward only: kRunning; kGrace, from the first reason to kill, or from the end of the
// command with processes left: TERM was sent to all; kKilling, when the grace is over. Why the job
// ended is decided once, at whatever comes first: the end of the command, or the step to kGrace.
class Supervisor {
 public:
  // `control` and `cgroup` (which may be empty) must outlive this object; `log` is the open log.
  Supervisor(Limits limits, ControlFile* control, const Cgroup* cgroup, pid_t command, int log);

  // Returns when the command has ended and nothing of its tree is left, with reason, status, usage
  // and `left` filled.
  RunExit run();

 private:
  enum class Phase { kRunning, kGrace, kKilling };

  void reap();
  bool command_has_ended() const;
  std::optional<RunEnd> reason_to_kill(std::uint64_t now);
  void begin_kill(std::uint64_t now);
  std::vector<ProcessId> tree() const;
  bool clear_tree(std::uint64_t now);
  std::uint64_t next_wake(std::uint64_t now) const;
  void wait_for_event();
  RunExit summary() const;

  const Limits limits_;
  ControlFile* const control_;
  const Cgroup* const cgroup_;
  const pid_t command_;
  const int log_;

  // All times are monotonic milliseconds: while the machine sleeps, no limit runs.
  const std::uint64_t started_;
  std::uint64_t next_check_ = 0;  // of the control file and the log's size
  std::uint64_t grace_ends_ = 0;
  std::uint64_t next_round_ = 0;  // of clear_tree()
  std::uint64_t round_gap_ = 0;

  Phase phase_ = Phase::kRunning;
  std::optional<RunEnd> reason_;
  std::optional<int> status_;  // of the command, as wait() gives it
  bool has_children_ = true;   // false proves that no descendant is left
  bool told_to_end_ = false;
  int empty_rounds_ = 0;    // in a row
  std::uint64_t left_ = 0;  // what the last round was not allowed to kill
};

}  // namespace runyard::shim
