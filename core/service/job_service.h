#pragma once

#include <boost/json/object.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/confined_path.h"
#include "core/log/line_index.h"
#include "core/log/log_lines.h"
#include "core/log/log_page.h"
#include "core/log/log_search.h"
#include "core/model/job.h"
#include "core/plugin/folder_watch.h"
#include "core/plugin/registry.h"
#include "core/queue/scheduler.h"
#include "core/service/config.h"
#include "core/service/event_hub.h"
#include "core/service/gpu_report.h"
#include "core/service/job_cache.h"
#include "core/service/job_edit.h"
#include "core/service/metrics.h"
#include "core/store/job_store.h"

namespace runyard {

class JobEngine;
struct Workspace;

/// What a client asks for with one POST.
struct Submission {
  JobTypePtr type;
  boost::json::object params;
  JobOptions options;
  std::string rerun_of;
};

/// What PATCH may change; empty members stay.
struct JobChange {
  std::optional<int> priority;
  std::optional<std::int64_t> timeout_sec;
  std::optional<std::vector<std::string>> tags;
  std::optional<std::string> note;
  std::optional<boost::json::object> params;  ///< of a queued job only
};

/// One page of a list of jobs.
struct JobPage {
  std::vector<JobCache::View> jobs;  ///< newest first
  std::int64_t total = 0;            ///< that match, on all pages
  bool has_more = false;
};

/// The façade of core: the only door for `api` and `cli`. Every function may be called from any
/// thread but the engine's, and those that change something block until the change is on disk.
/// Errors are values with the kind that becomes the HTTP status.
class JobService {
 public:
  /// Locks the state folder and the workspace, opens the store, recovers what an earlier server
  /// left, and begins to schedule. kConflict when another server has the workspace or the state
  /// folder; `self` is this program (it is started again as the plugin host), `shim` runyard-shim.
  struct Programs {
    std::filesystem::path self, shim;
  };
  /// The configuration, if it has changed since it was read last. Calls do not overlap.
  using Reread = std::function<std::optional<Config>()>;
  static Result<std::unique_ptr<JobService>> open(Config config, Programs programs,
                                                  Reread reread = {});
  /// Stops scheduling and writes what waits; jobs that run go on under their shims.
  ~JobService();

  // Job types.
  std::vector<JobTypePtr> job_types() const { return registry_->job_types(); }
  JobTypePtr find_slug(std::string_view slug) const { return registry_->find_slug(slug); }
  std::vector<PluginInfo> plugins() const { return registry_->list(); }
  /// Jobs of a type, of every status.
  Result<std::int64_t> count_jobs(const std::string& type);
  Result<> rescan_plugins();

  /// Reads `_job` over the job type's defaults. kInvalid with fields below /_job.
  Result<JobOptions> read_options(const JobType& type, const boost::json::value* options) const;
  /// What submit() would run, with the same checks but those of the queue, and no effect. The
  /// command is empty while it is not known (`{hint.*}` in the inputs of a job that is `after`
  /// others).
  Result<JobEdit::Plan> preview(const Submission& submission);
  /// Validates and queues; on disk when it returns. With a key that was used before: the first
  /// one's jobs, `repeated` set; kInvalid when that was another body.
  struct Submitted {
    std::vector<JobCache::View> jobs;
    bool repeated = false;
  };
  Result<Submitted> submit(std::vector<Submission> submissions,
                           std::optional<IdempotencyKey> key = std::nullopt);
  /// Every combination of the matrix's values over the params, at most 1000 jobs.
  static Result<std::vector<boost::json::object>> expand_matrix(const boost::json::object& params,
                                                                const boost::json::object& matrix);

  // Jobs.
  Result<JobCache::View> find(std::string_view job_id);
  Result<JobPage> list(const JobFilter& filter, std::size_t limit);
  Result<JobCache::View> cancel(std::string_view job_id);
  Result<JobCache::View> change(std::string_view job_id, JobChange change);
  Result<> remove(std::string_view job_id);

  // Logs. A job that has not begun has an empty one.
  /// The open log; kNotFound while there is none.
  Result<UniqueFd> open_log(std::string_view job_id);
  /// As read_log_lines() and search_log(), for a fraction of a second at most.
  Result<LogLines> log_lines(std::string_view job_id, std::int64_t start, std::int64_t count);
  Result<LogMatches> search_log(std::string_view job_id, const LogQuery& query);
  /// The curves as a JSON array, [] when there are none.
  Result<std::string> series(std::string_view job_id);

  /// The jobs that produced or used a run or a backtest (its id), the newest first: at most 100 of
  /// each kind.
  Result<std::vector<ArtifactJob>> jobs_of(std::string_view artifact);

  // The queue. Pause survives a restart; a drain ends with this process.
  enum class QueueMode { kOpen, kPaused, kDraining };
  Result<boost::json::object> queue();
  Result<boost::json::object> set_queue_mode(QueueMode mode);

  /// Why new work cannot be taken now, a sentence each; empty when it can.
  std::vector<std::string> obstacles();
  Metrics& metrics() { return metrics_; }

  /// What happens to jobs, plugins and the queue.
  EventHub& events() { return events_; }

  const Config& config() const { return config_; }
  const Confinement& confinement() const { return *confinement_; }
  /// What the workspace holds, for reading.
  Workspace& workspace() { return *workspace_; }

 private:
  explicit JobService(Config config);
  void read_policy();
  void note_plugins();
  void tell_plugins();
  Result<JobEdit::Plan> plan(const JobTypePtr& type, const boost::json::object& params);
  std::vector<prometheus::MetricFamily> measure();
  Result<std::vector<JobCache::View>> views_of(const std::vector<std::string>& ids);
  boost::json::object describe(const Scheduler::Snapshot& queue);

  Config config_;
  UniqueFd state_lock_, workspace_lock_;
  std::optional<Confinement> confinement_;
  Metrics metrics_;
  std::unique_ptr<Workspace> workspace_;  // uses the confinement
  Reread reread_;
  std::mutex plugins_mutex_;              // guards reread_ and seen_plugins_
  std::vector<PluginInfo> seen_plugins_;  // what the log has told
  std::unique_ptr<PluginRegistry> registry_;
  EventHub events_;
  JobCache cache_;
  GpuReport gpu_report_;
  std::unique_ptr<LineIndexes> line_indexes_;
  std::unique_ptr<JobEngine> engine_;  // it uses all of the above
  std::shared_ptr<prometheus::Collectable> measured_;
  std::unique_ptr<FolderWatch> folder_watch_;
};

}  // namespace runyard
