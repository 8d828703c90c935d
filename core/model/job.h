#pragma once

#include <boost/json/object.hpp>
#include <boost/json/parse_options.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/model/series.h"

namespace runyard {

enum class JobStatus { kQueued, kRunning, kSuccess, kFailed, kCancelled };

/// Why a job FAILED or was CANCELLED; kNone for every other status.
enum class EndReason {
  kNone,
  kExitCode,    ///< the command ended with another code than 0
  kSignal,      ///< the command was killed by a signal that was not ours
  kTimeout,     ///< it ran longer than `timeout_sec`
  kLogLimit,    ///< its log grew above `log_max_bytes`
  kLost,        ///< the machine or the shim died under it
  kSpawnError,  ///< it could not be started
  kDependency,  ///< a job that it is `after` did not succeed
  kCancelled,
};

/// Upper-case, as in the API: `QUEUED`, `RUNNING`, `SUCCESS`, `FAILED`, `CANCELLED`.
std::string_view to_string(JobStatus status);
std::optional<JobStatus> parse_status(std::string_view text);
/// Lower-case, as in the API: `exit_code`, `signal`, ...; "" for kNone.
std::string_view to_string(EndReason reason);
std::optional<EndReason> parse_end_reason(std::string_view text);

/// SUCCESS, FAILED, CANCELLED: nothing follows any more.
bool is_terminal(JobStatus status);
/// The state machine: exactly the transitions of docs/architecture.md. `why` is the reason of an
/// ended `from`: a lost job is corrected by a result that comes late.
bool is_allowed(JobStatus from, EndReason why, JobStatus to);

/// What a hint found: `href` is a path of the web UI, "" when the hint has no link.
struct Link {
  std::string name, value, href;
  bool operator==(const Link&) const = default;
};

/// One run of the command. Offsets are bytes in the job's log.
struct Attempt {
  int attempt = 1;
  TimeMs started_at = 0;
  std::optional<TimeMs> ended_at;
  std::optional<int> exit_code;
  std::optional<int> signal;
  EndReason end_reason = EndReason::kNone;
  std::int64_t log_start = 0;
  std::optional<std::int64_t> log_end;
};

struct Progress {
  double current = 0, total = 0;
  std::optional<double> eta_sec;
  double fraction() const { return total > 0 ? std::min(1.0, current / total) : 0.0; }
};

struct Usage {
  double user_sec = 0, system_sec = 0;
  std::int64_t max_rss_kb = 0;
};

struct GitState {
  std::string commit;
  bool dirty = false;
};

/// What a submitter asks for beside the job type's own inputs (`_job` in a request body).
struct JobOptions {
  int priority = 0;              ///< higher starts first
  std::int64_t timeout_sec = 0;  ///< 0: none
  int max_retries = 0;
  bool retry_lost = false;  ///< a lost attempt is tried again too: it may have had effects
  int slots = 1;
  int gpus = 0;
  std::int64_t memory_mb = 0;  ///< for a cluster (docs/slurm.md); 0: what it gives by itself
  std::string group;           ///< "" is the default group
  std::string name;
  std::vector<std::string> after;  ///< job ids that must succeed first
};

/// A job: what was asked, what runs, what came of it. A plain value. Inside the service a Job is
/// changed only by the engine thread; everyone else sees immutable copies (JobPtr).
struct Job {
  std::string job_id;
  std::int64_t number = 0;  ///< order of submission within `instance`
  std::int64_t seq = 0;     ///< grows with every write of this job: the higher one is the newer
  std::string instance;     ///< the server that owns it; another one's jobs are history here
  std::string job_type;
  std::string plugin_version;
  JobStatus status = JobStatus::kQueued;
  TimeMs created_at = 0;
  std::optional<TimeMs> started_at;  ///< of the first attempt
  std::optional<TimeMs> ended_at;

  boost::json::object params;  ///< with the schema's defaults
  bool dry_run = false;
  JobOptions options;
  std::vector<std::string> command;  ///< argv as run, the interpreter first
  std::string cwd;
  std::string executor = "local";
  std::string rerun_of;
  std::vector<std::string> tags;
  std::string note;
  std::optional<GitState> git;  ///< of the workspace at the first start

  int attempt = 0;  ///< of the running or the last attempt; 0 before the first
  std::vector<Attempt> attempts;
  std::vector<int> gpu_ids;          ///< assigned while RUNNING
  std::optional<TimeMs> not_before;  ///< a retry waits until then
  bool cancel_requested = false;     ///< survives a restart of the server

  EndReason end_reason = EndReason::kNone;
  std::optional<int> exit_code;
  std::optional<int> signal;
  std::string error_message;
  std::vector<std::string> warnings;
  std::optional<Usage> usage;

  boost::json::object artifacts_hint;  ///< last match of each hint, as a string
  std::vector<Link> links;             ///< every match

  // What ticks: in answers and in the database, not in the JSON record (see Form).
  std::optional<Progress> progress;
  std::string status_text;  ///< what the command says that it does, "" for nothing
  std::string waiting_for;
  std::int64_t log_size = 0;
  std::int64_t scan_offset = 0;  ///< hints are scanned up to this byte of the log

  /// The curves so far, while it runs: in no document, they have a call of their own.
  std::shared_ptr<const std::vector<Series>> series;

  /// Grows with every change in memory, committed or ticking; not part of any document.
  std::int64_t revision = 0;

  std::string log_path() const { return "reports/jobs/" + job_id + ".log"; }
  std::string meta_path() const { return "reports/jobs/" + job_id + ".json"; }
  std::optional<double> duration_sec() const;

  /// Moves to `to` if the state machine allows it; false and no change otherwise.
  bool transition(JobStatus to);
};

using JobPtr = std::shared_ptr<const Job>;

/// Which document of a job is wanted.
enum class Form {
  kApi,     ///< what clients see
  kRecord,  ///< reports/jobs/<job_id>.json: without the fields that tick
  kStore,   ///< the database: everything
};

/// The document of API.md, fields in its order.
boost::json::object to_json(const Job& job, Form form);
/// For parsing such a document: deeper than the default, which the parameters alone may reach.
boost::json::parse_options record_parse_options();
/// Reads a kRecord or kStore document; unknown fields are ignored, and missing ones keep their
/// default, so that records of every version can be read. kInvalid when it is no job at all.
Result<Job> job_from_json(const boost::json::value& document);

}  // namespace runyard
