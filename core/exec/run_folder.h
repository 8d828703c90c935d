// The run folder of an attempt: how the server tells runyard-shim what to run, and how the shim
// tells what became of it. docs/run-folder.md is the specification of these files.
//
// Shared by the server and by runyard-shim, so it needs the C++ standard library and POSIX only,
// and throws nothing of its own. Functions are stateless and may be called from any thread; each
// file has one writer at a time (spec, control: the server; record: the shim that claimed it).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/exec/process_tree.h"

namespace runyard {

inline constexpr int kRunFolderVersion = 1;
inline constexpr std::size_t kMaxSpecBytes = 8U << 20U;

// What went wrong with a file of the run folder: an errno value and a sentence for people.
struct RunFolderError {
  int code = 0;
  std::string sentence;
};

// ---- spec: what to run. Written once by the server, before the shim starts. ----

struct RunSpec {
  std::string token;             // [A-Za-z0-9._-]{1,200}, the value of RUNYARD_ATTEMPT in `env`
  std::string cwd;               // absolute
  std::string log;               // absolute
  std::uint64_t timeout_ms = 0;  // from the start of the command; 0: none
  std::uint64_t grace_ms = 10'000;
  std::uint64_t log_max_bytes = 0;  // 0: none
  std::vector<std::string> args;    // at least the program
  std::vector<std::string> env;     // NAME=value, the whole environment of the command
  // What is taken over it from the environment in which the shim finds itself: a name, or the
  // beginning of names with a `*` behind it.
  std::vector<std::string> inherit = {};

  friend bool operator==(const RunSpec&, const RunSpec&) = default;
};

// All functions below return nothing (or false) on failure and then fill `error`, which must not
// be null.
std::optional<std::string> encode_spec(const RunSpec& spec, RunFolderError* error);
std::optional<RunSpec> decode_spec(std::string_view bytes, RunFolderError* error);
bool write_spec(const std::string& folder, const RunSpec& spec, RunFolderError* error);
std::optional<RunSpec> read_spec(const std::string& folder, RunFolderError* error);

// ---- control: what the server wants changed while the command runs. ----

struct RunControl {
  bool cancel = false;
  std::optional<std::uint64_t> timeout_ms;  // replaces the spec's; 0: none from now on

  friend bool operator==(const RunControl&, const RunControl&) = default;
};

// Replaces the file as a whole: a writer that has cancelled must keep `cancel` in later writes.
bool write_control(const std::string& folder, const RunControl& control, RunFolderError* error);
// An absent file is an empty control. Lines that are not understood are ignored.
std::optional<RunControl> read_control(const std::string& folder, RunFolderError* error);

// ---- record: what happened. Three slots: claim, start, exit. ----

struct RunClaim {
  ProcessId shim;
  std::string boot_id;
  std::int64_t wall_ms = 0;  // all wall times: milliseconds since 1970, UTC
  std::string cgroup = {};   // where the shim makes one for the command; "": it makes none

  friend bool operator==(const RunClaim&, const RunClaim&) = default;
};

struct RunStart {
  ProcessId command;
  std::int64_t wall_ms = 0;
  std::uint64_t log_start = 0;  // where this attempt begins in the log, its `$ ` line included

  friend bool operator==(const RunStart&, const RunStart&) = default;
};

enum class RunEnd {
  kExited,      // the command ended by itself: exit_code or signal
  kCancelled,   // the shim began to kill it because of `cancel` in the control file
  kTimeout,     // ... because its time was over
  kLogLimit,    // ... because the log grew over log_max_bytes
  kTerminated,  // ... because the shim itself was told to end (SIGTERM, SIGINT, SIGHUP)
  kSpawnError,  // the command never ran: stage and error
  kWithdrawn,   // the command never ran: the server took the claim, see withdraw_attempt()
};
std::string_view to_string(RunEnd reason);

enum class SpawnStage { kNone, kSpec, kLog, kFork, kChdir, kExec };
std::string_view to_string(SpawnStage stage);

struct RunExit {
  RunEnd reason = RunEnd::kExited;
  std::optional<int> exit_code;  // neither this nor `signal` when the command never ran
  std::optional<int> signal;
  SpawnStage stage = SpawnStage::kNone;
  int error = 0;  // errno of the stage
  std::int64_t wall_ms = 0;
  std::uint64_t log_end = 0;
  std::uint64_t user_us = 0;  // the whole tree, as far as its members were waited for
  std::uint64_t system_us = 0;
  std::uint64_t max_rss_kb = 0;  // of its largest process
  std::uint64_t left = 0;  // processes of other users (sudo) that the shim may not kill and left

  friend bool operator==(const RunExit&, const RunExit&) = default;
};

struct RunRecord {
  std::optional<RunClaim> claim;
  std::optional<RunStart> start;
  std::optional<RunExit> exit;
  bool damaged = false;  // a slot has content that is not whole: being written, or lost power
};

enum class RecordState { kAbsent, kPresent, kUnreadable };
// kAbsent: nobody has claimed the attempt. kUnreadable fills `error`.
RecordState read_record(const std::string& folder, RunRecord* record, RunFolderError* error);

enum class ClaimOutcome {
  kClaimed,
  kTaken,   // somebody else has it: never run the command
  kFailed,  // nobody has it through this call, and no record was made; `error` says why
};

// Creates the record with this claim in it, in one atomic step: whoever sees a record sees its
// claim. All room it will ever need is allocated. On kClaimed the caller owns `*fd`.
ClaimOutcome claim_attempt(const std::string& folder, const RunClaim& claim, int* fd,
                           RunFolderError* error);

// Makes sure that no shim will ever run this attempt: claims it for the caller, with an exit slot
// of kWithdrawn. kTaken: a shim was faster, read the record.
ClaimOutcome withdraw_attempt(const std::string& folder, const RunClaim& claim,
                              RunFolderError* error);

// Write one slot of a claimed record; false with errno. A durable exit is on stable storage when
// write_exit() returns: the whole record, its name included.
bool write_start(int fd, const RunStart& start);
bool write_exit(int fd, const RunExit& exit, bool durable);

std::uint32_t crc32(std::string_view bytes);
std::int64_t wall_clock_ms();

}  // namespace runyard
