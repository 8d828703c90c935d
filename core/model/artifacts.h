#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/model/job.h"

namespace runyard {

/// What a job has to do with a run or a backtest of the workspace.
enum class Relation {
  kProduced,  ///< its log named it
  kUsed,      ///< its inputs or its command name it, also when its log does as well
};
/// `produced`, `used`.
std::string_view to_string(Relation relation);

/// A run or a backtest that a job names: `<run_id>` or `<bt_run_id>`.
struct ArtifactRef {
  std::string id;
  Relation relation = Relation::kUsed;
  bool operator==(const ArtifactRef&) const = default;
};

/// All that the job names, each once, ordered by id: in its inputs and its command, also within
/// paths (`runs/<run_id>/models/base/final.zip`), and in what its log gave.
std::vector<ArtifactRef> artifacts_of(const Job& job);

/// A job of a run or a backtest, in a few words.
struct ArtifactJob {
  std::string job_id, job_type, name;
  JobStatus status = JobStatus::kQueued;
  TimeMs created_at = 0;
  std::int64_t number = 0;
  Relation relation = Relation::kUsed;
};

}  // namespace runyard
