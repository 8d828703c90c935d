#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/exec/executor.h"
#include "core/log/file_watcher.h"
#include "core/log/line_index.h"
#include "core/log/log_follower.h"
#include "core/model/job_type.h"
#include "core/queue/scheduler.h"
#include "core/service/config.h"
#include "core/service/git_reader.h"
#include "core/service/job_cache.h"
#include "core/service/job_edit.h"
#include "core/service/job_journal.h"
#include "core/store/job_store.h"
#include "core/store/json_mirror.h"

namespace runyard {

/// The life of every job of this server: from accepted to ended. Owned by JobService. One thread,
/// the engine, owns scheduler, executor and followers; the public functions are for other threads,
/// and those that change something return when the change is on disk.
///
/// Invariants: a job is in `active_` from its submit until its end is decided; its master copy
/// there is changed by the engine alone. Whatever must outlive a crash is committed before it has
/// an effect: QUEUED before the client is told, RUNNING before the shim may claim the attempt, a
/// wish to cancel before the shim is told. Published states are committed ones, but for the fields
/// that tick.
class JobEngine {
 public:
  struct Setup {
    Config config;
    std::string instance;
    std::filesystem::path state;    ///< the state folder
    std::filesystem::path records;  ///< <workspace>/reports/jobs
    std::filesystem::path shim;
    LineIndexes* line_indexes = nullptr;  ///< of its jobs' logs; outlives it
    LogScanner::ReadTotal read_total;
    /// The job type by its name, nullptr when its plugin is gone. Any thread.
    std::function<JobTypePtr(const std::string&)> find_type;
    /// Checks inputs and asks the plugin for the command. May block; called on a worker thread.
    std::function<Result<JobEdit::Plan>(const JobTypePtr&, const boost::json::object&)> plan;
  };
  JobEngine(Setup setup, JobStore::Opened store, JobCache& cache, Metrics& metrics);
  ~JobEngine();
  JobEngine(const JobEngine&) = delete;
  JobEngine& operator=(const JobEngine&) = delete;

  /// Takes over what earlier servers left (docs/recovery.md); then start() begins to work.
  Result<> recover();
  void start();

  /// Commits new jobs, all or none; gives their ids. `jobs` lack what the engine assigns (id,
  /// number, times). A singleton that waits already stands for a new one with the same inputs.
  struct Accepted {
    std::vector<std::string> ids;
    bool repeated = false;          ///< they are those of an earlier request with this key
    std::vector<JobPtr> jobs = {};  ///< the new ones among them, as they were accepted: QUEUED
  };
  Result<Accepted> submit(std::vector<Job> jobs, std::optional<IdempotencyKey> key);
  Result<> cancel(std::string job_id);
  Result<> edit(std::string job_id, JobEdit edit);
  Result<> remove(std::string job_id);
  Result<Scheduler::Snapshot> set_mode(std::optional<Scheduler::Mode> mode);

  JobStore& store() { return *store_; }
  JsonMirror::Lag mirror_lag() const { return mirror_->lag(); }

 private:
  using Answer = std::function<void(const Result<>&)>;
  using Inserted = std::function<void(Result<Accepted>)>;
  struct Active {
    Job job;
    JobTypePtr type;
    std::shared_ptr<LogFollower> follower;  // while RUNNING and launched
    std::int64_t series_version = 0;        // of job.series
    bool accepted = false;                  // its first commit is on disk
    TimeMs ticked_at = 0;
    bool tick_waits = false;
  };

  template <class T>
  Result<T> ask(std::function<void(std::shared_ptr<std::promise<Result<T>>>)> question);
  Active* find(const std::string& job_id);
  Result<Job> find_ended(const std::string& job_id);

  // Writing.
  void commit(Active& active, std::function<void()> then = {});
  void commit(JobPtr job, Answer answer);
  void publish(const JobPtr& job);
  void tick(Active& active);
  void forget(const std::string& job_id);

  // A job's life, in this order.
  void insert(std::vector<Job> jobs, std::optional<IdempotencyKey> key, Inserted answer);
  void insert_later(std::vector<Job> jobs, std::optional<IdempotencyKey> key, Inserted answer);
  void withdraw(const std::string& job_id);
  void enqueue(Job job);
  void request_pass();
  void pass();
  void begin(const Scheduler::Start& start);
  void resolve(Active& active);
  void launch(const std::string& job_id);
  void follow(Active& active);
  void on_ended(const std::string& job_id, int attempt, const AttemptResult& result);
  void correct(const std::string& job_id, int attempt, const AttemptResult& result);
  void conclude(const std::string& job_id, const AttemptResult& result);
  std::string take_result(Active& active, const AttemptResult& result);
  void end(Active& active, JobStatus status, EndReason reason, std::string message);
  void drop(const std::vector<Scheduler::Dropped>& dropped);
  void follow_up(const Job& job, const JobTypePtr& type);
  bool wants_retry(const Job& job, const AttemptResult& result) const;
  void keep_series(const std::string& job_id, const std::vector<Series>& series) const;
  std::string failure_message(const Active& active, const AttemptResult& result) const;
  void note_git_state(const std::string& job_id);

  Executor& executor_of(const std::string& name);
  std::string wanted_executor(const Job& job) const;
  std::filesystem::path slurm_folder() const;
  Scheduler::Request to_request(const Job& job, const JobTypePtr& type);
  AttemptSpec to_spec(const Job& job) const;
  JobTypePtr type_of(const Job& job) const;
  boost::json::object hints_of(const std::vector<std::string>& job_ids);

  // Housekeeping.
  void refresh_waiting();
  void retain();
  void schedule_housekeeping();

  // Recovery.
  /// How much is known of the jobs that were active.
  struct Past {
    bool from_records = false;  ///< from their records alone: the database is new
    bool rebooted = false;      ///< the machine went down since
  };
  void recover_job(Job job, Past past);
  void import_records(bool database_is_new);
  void take_back(Job job);
  void clean_attempts();

  const Setup setup_;
  JobCache& cache_;
  JobJournal journal_;
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  GitReader git_;                       // on worker_
  boost::asio::thread_pool worker_{1};  // plans deferred jobs, asks git
  boost::asio::steady_timer wakeup_, housekeeping_;
  FileWatcher watcher_;
  Scheduler scheduler_;
  std::unordered_map<std::string, Active> active_;
  /// Lost jobs whose result has come after all, until the log is read.
  std::unordered_map<std::string, Active> corrected_;
  std::unordered_set<std::string> keys_in_flight_;
  /// What jobs found that succeeded just now: the commit is on its way to the disk.
  std::unordered_map<std::string, boost::json::object> just_succeeded_;
  std::int64_t last_number_ = 0, last_seq_ = 0;
  TimeMs last_created_ = 0, last_retention_ = 0;
  bool pass_requested_ = false, waiting_changed_ = false;
  std::unique_ptr<Executor> executor_;  // of this machine
  std::unique_ptr<Executor> slurm_;     // made with the first job for it
  std::thread thread_, importer_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::int64_t> mirrored_seq_ = 0;
  std::int64_t noted_mirrored_seq_ = 0;
  std::unique_ptr<JsonMirror> mirror_;  // before store_: the writer touches it until it has stopped
  std::unique_ptr<JobStore> store_;
};

}  // namespace runyard
