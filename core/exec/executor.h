#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/model/job.h"

namespace runyard {

/// Everything an executor needs to run one attempt; nothing else of the job reaches it.
struct AttemptSpec {
  std::string job_id;
  int attempt = 1;
  std::vector<std::string> argv;
  std::string cwd;               ///< absolute
  std::string log;               ///< absolute
  std::vector<std::string> env;  ///< NAME=value, the whole environment
  std::int64_t timeout_sec = 0;
  std::int64_t grace_ms = 10'000;
  std::int64_t log_max_bytes = 0;
  // For an executor that asks somebody else for them.
  int slots = 1, gpus = 0;
  std::int64_t memory_mb = 0;
};

/// The attempt is over, and nothing of its process tree is left.
struct AttemptResult {
  EndReason reason = EndReason::kNone;  ///< kNone: the command ended with 0
  std::optional<int> exit_code;
  std::optional<int> signal;
  std::string message;  ///< for reasons that the log cannot explain; "" otherwise
  TimeMs at = 0;
  std::optional<TimeMs> started_at;
  std::optional<std::int64_t> log_start;
  std::optional<std::int64_t> log_end;
  std::optional<Usage> usage;
};

/// Runs attempts and finds them again after a restart of the server. Owned by the service; every
/// call and every callback is on the engine thread.
///
/// Contract: an attempt's command is started at most once, whatever dies in between. For each
/// attempt given to run(), exactly one `ended` comes while this process lives, never from inside
/// run(). Recovery is the same call: run() on an attempt that an earlier server began adopts it, or
/// reports how it ended. One that was lost may be heard of once more: see clean_up().
class Executor {
 public:
  using Ended = std::function<void(const std::string& job_id, int attempt, const AttemptResult&)>;

  virtual ~Executor() = default;
  /// The run folder of an attempt, whether it is there or not.
  virtual std::filesystem::path folder_of(const std::string& job_id, int attempt) const = 0;
  /// Gets an attempt ready while its start is on its way to the disk. For speed alone: nothing of
  /// its command begins before run(), and run() needs no prepare(). One that is not wanted any more
  /// is given to clean_up().
  virtual void prepare(const AttemptSpec&) {}
  virtual void run(AttemptSpec spec) = 0;
  /// Asks for the end of the attempt's tree: TERM, grace, KILL. `ended` follows; its reason is
  /// kCancelled only when the command had not ended before.
  virtual void cancel(const std::string& job_id, int attempt) = 0;
  /// Counted from the start of the command; 0 removes the limit.
  virtual void set_timeout(const std::string& job_id, int attempt, std::int64_t timeout_sec) = 0;
  /// For an attempt that ended with `reason`: forgets the files that it left behind. Of one that
  /// was lost they may be kept, and a result found in them is one more `ended`.
  virtual void clean_up(const std::string& job_id, int attempt, EndReason reason) = 0;
};

}  // namespace runyard
