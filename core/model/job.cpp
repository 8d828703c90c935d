#include "core/model/job.h"

#include <array>
#include <utility>

namespace runyard {
namespace {

using enum JobStatus;

constexpr std::array<std::pair<JobStatus, std::string_view>, 5> kStatuses{
    {{kQueued, "QUEUED"},
     {kRunning, "RUNNING"},
     {kSuccess, "SUCCESS"},
     {kFailed, "FAILED"},
     {JobStatus::kCancelled, "CANCELLED"}}};

constexpr std::array<std::pair<EndReason, std::string_view>, 9> kReasons{
    {{EndReason::kNone, ""},
     {EndReason::kExitCode, "exit_code"},
     {EndReason::kSignal, "signal"},
     {EndReason::kTimeout, "timeout"},
     {EndReason::kLogLimit, "log_limit"},
     {EndReason::kLost, "lost"},
     {EndReason::kSpawnError, "spawn_error"},
     {EndReason::kDependency, "dependency"},
     {EndReason::kCancelled, "cancelled"}}};

template <class Table, class Value>
std::string_view name_of(const Table& table, Value value) {
  for (const auto& [candidate, name] : table) {
    if (candidate == value) return name;
  }
  return "";
}

template <class Value, class Table>
std::optional<Value> value_of(const Table& table, std::string_view text) {
  for (const auto& [value, name] : table) {
    if (name == text) return value;
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(JobStatus status) { return name_of(kStatuses, status); }
std::optional<JobStatus> parse_status(std::string_view text) {
  return value_of<JobStatus>(kStatuses, text);
}
std::string_view to_string(EndReason reason) { return name_of(kReasons, reason); }
std::optional<EndReason> parse_end_reason(std::string_view text) {
  return value_of<EndReason>(kReasons, text);
}

bool is_terminal(JobStatus status) { return status != kQueued && status != kRunning; }

bool is_allowed(JobStatus from, EndReason why, JobStatus to) {
  switch (from) {
    case kQueued:
      return to == kRunning || to == kFailed || to == JobStatus::kCancelled;
    case kRunning:
      return to == kQueued || is_terminal(to);
    case JobStatus::kFailed:
      return why == EndReason::kLost && is_terminal(to);
    default:
      return false;
  }
}

std::optional<double> Job::duration_sec() const {
  if (!started_at) return std::nullopt;
  return static_cast<double>(std::max<TimeMs>(0, ended_at.value_or(now_ms()) - *started_at)) / 1000;
}

bool Job::transition(JobStatus to) {
  if (!is_allowed(status, end_reason, to)) return false;
  status = to;
  return true;
}

}  // namespace runyard
