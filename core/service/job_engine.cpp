#include "core/service/job_engine.h"

#include <fmt/format.h>
#include <pthread.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <csignal>

#include "core/base/kill_point.h"
#include "core/exec/local_executor.h"
#include "core/exec/slurm_executor.h"
#include "core/service/series_file.h"

namespace runyard {
namespace {

namespace asio = boost::asio;

constexpr TimeMs kTickMs = 250;
constexpr auto kHousekeeping = std::chrono::seconds(1);
constexpr TimeMs kRetentionMs = 60'000;
constexpr std::size_t kRetentionAtOnce = 200;
constexpr std::size_t kShownWaiting = 1000;

Scheduler::Limits limits_of(const Config& config) {
  Scheduler::Limits limits;
  limits.slots = config.slots > 0
                     ? config.slots
                     : std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / 2);
  limits.group_slots = config.group_slots;
  limits.gpu_ids = config.gpus;
  limits.jobs_per_gpu = config.jobs_per_gpu;
  limits.elsewhere_slots = config.slurm_slots;
  limits.max_queued = static_cast<std::size_t>(config.max_queued);
  limits.ageing = config.ageing_sec * 1000;
  return limits;
}

}  // namespace

JobEngine::JobEngine(Setup setup, JobStore::Opened store, JobCache& cache, Metrics& metrics)
    : setup_(std::move(setup)),
      cache_(cache),
      journal_(metrics),
      work_(io_.get_executor()),
      git_(setup_.config.workspace),
      wakeup_(io_),
      housekeeping_(io_),
      watcher_(io_),
      scheduler_(limits_of(setup_.config)),
      executor_(std::make_unique<LocalExecutor>(
          io_, setup_.state / "attempts", setup_.shim,
          [this](const std::string& job_id, int attempt, const AttemptResult& result) {
            on_ended(job_id, attempt, result);
          })),
      mirror_(std::make_unique<JsonMirror>(setup_.records,
                                           [this](std::int64_t seq) { mirrored_seq_ = seq; })),
      store_(std::move(store.store)) {}

JobEngine::~JobEngine() {
  stopping_ = true;
  io_.stop();
  if (thread_.joinable()) thread_.join();
  if (importer_.joinable()) importer_.join();
  worker_.stop();
  worker_.join();
}

void JobEngine::start() {
  thread_ = std::thread([this] {
    // A shim inherits the mask, so that no signal of ours can hit it before it listens.
    sigset_t signals;
    ::sigemptyset(&signals);
    for (int signal : {SIGUSR1, SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, signal);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    request_pass();
    schedule_housekeeping();
    for (;;) {
      try {
        io_.run();
        return;
      } catch (const std::exception& error) {
        // Nothing of ours throws; a library that does must not take the other jobs with it.
        spdlog::critical("the engine caught an exception: {}", error.what());
      }
    }
  });
  importer_ = std::thread([this] { import_records(false); });
}

// ---- Executors ----

Executor& JobEngine::executor_of(const std::string& name) {
  if (name != "slurm") return *executor_;
  if (!slurm_) {
    const Config& config = setup_.config;
    slurm_ = std::make_unique<SlurmExecutor>(
        io_,
        SlurmExecutor::Setup{
            slurm_folder(),
            config.slurm_shim.empty() ? setup_.shim : config.slurm_shim,
            {config.slurm_partition, config.slurm_account, config.slurm_qos, config.slurm_flags,
             std::chrono::seconds(config.slurm_command_timeout_sec)}},
        [this](const std::string& job_id, int attempt, const AttemptResult& result) {
          on_ended(job_id, attempt, result);
        },
        [this](const std::string& job_id, int attempt, const SlurmExecutor::State& state) {
          Active* active = find(job_id);
          if (!active || active->job.attempt != attempt) return;
          Job& job = active->job;
          job.waiting_for = state.waiting_for;
          if (state.began) {
            job.attempts.back().started_at = *state.began;
            if (job.attempts.size() == 1) job.started_at = *state.began;
          }
          if (job.waiting_for.empty() && !active->follower) follow(*active);
          tick(*active);
        });
  }
  return *slurm_;
}

std::string JobEngine::wanted_executor(const Job& job) const {
  const Config& config = setup_.config;
  if (const auto by_type = config.type_executors.find(job.job_type);
      by_type != config.type_executors.end()) {
    return by_type->second;
  }
  const auto by_group = config.group_executors.find(job.options.group);
  return by_group != config.group_executors.end() ? by_group->second : config.executor;
}

std::filesystem::path JobEngine::slurm_folder() const {
  const Config& config = setup_.config;
  if (config.slurm_folder.empty()) return config.workspace / ".runyard/slurm";
  return config.slurm_folder.is_relative() ? config.workspace / config.slurm_folder
                                           : config.slurm_folder;
}

// ---- Questions from other threads ----

template <class T>
Result<T> JobEngine::ask(std::function<void(std::shared_ptr<std::promise<Result<T>>>)> question) {
  auto promise = std::make_shared<std::promise<Result<T>>>();
  auto answer = promise->get_future();
  asio::post(io_, [question = std::move(question), promise = std::move(promise)]() mutable {
    question(std::move(promise));
  });
  for (int waits = 0;; ++waits) {
    if (answer.wait_for(std::chrono::milliseconds(500)) == std::future_status::ready) {
      return answer.get();
    }
    if (stopping_) return make_error(ErrorKind::kUnavailable, "the server is stopping");
    if (waits >= 4 && store_->is_failing()) {
      return make_error(ErrorKind::kNoSpace,
                        "the disk of the state folder is full: the change takes effect and is "
                        "written as soon as there is room");
    }
  }
}

JobEngine::Active* JobEngine::find(const std::string& job_id) {
  const auto found = active_.find(job_id);
  return found == active_.end() ? nullptr : &found->second;
}

/// For what acts on jobs that are not active: kNotFound, or kConflict for another server's.
Result<Job> JobEngine::find_ended(const std::string& job_id) {
  auto job = store_->find(job_id);
  if (!job) return job.error();
  if (!*job) return make_error(ErrorKind::kNotFound, "there is no job " + job_id);
  if ((*job)->instance != setup_.instance && !is_terminal((*job)->status)) {
    return make_error(ErrorKind::kConflict,
                      "job " + job_id + " belongs to another server and is history here");
  }
  return std::move(**job);
}

Result<JobEngine::Accepted> JobEngine::submit(std::vector<Job> jobs,
                                              std::optional<IdempotencyKey> key) {
  return ask<Accepted>([this, jobs = std::move(jobs), key](auto promise) mutable {
    insert(std::move(jobs), std::move(key),
           [promise](Result<Accepted> accepted) { promise->set_value(std::move(accepted)); });
  });
}

Result<> JobEngine::cancel(std::string job_id) {
  return ask<void>([this, job_id = std::move(job_id)](auto promise) {
    Active* active = find(job_id);
    if (!active) {
      // Perhaps its end is on its way to the disk: the answer must be the committed state.
      store_->flush([this, job_id, promise](const Result<>&) {
        auto job = find_ended(job_id);
        promise->set_value(
            job ? make_error(ErrorKind::kConflict, fmt::format("job {} has ended already ({})",
                                                               job_id, to_string(job->status)))
                : job.error());
      });
      return;
    }
    if (active->job.status == JobStatus::kQueued) {
      const auto dropped = scheduler_.ended(job_id, false);
      end(*active, JobStatus::kCancelled, EndReason::kCancelled, "cancelled before it started");
      drop(dropped);
      request_pass();
    } else if (!active->job.cancel_requested) {
      active->job.cancel_requested = true;
      commit(*active, [this, job_id] {
        kill_point("cancel_committed");
        if (Active* still = find(job_id)) {
          executor_of(still->job.executor).cancel(job_id, still->job.attempt);
        }
      });
    }
    store_->flush([promise](const Result<>& done) { promise->set_value(done); });
  });
}

Result<> JobEngine::edit(std::string job_id, JobEdit edit) {
  return ask<void>([this, job_id = std::move(job_id), edit = std::move(edit)](auto promise) {
    const auto change = [&](Job& job) {
      if (edit.priority) job.options.priority = *edit.priority;
      if (edit.timeout_sec) job.options.timeout_sec = *edit.timeout_sec;
      if (edit.tags) job.tags = *edit.tags;
      if (edit.note) job.note = *edit.note;
      if (edit.plan) {
        job.params = edit.plan->params;
        job.command = edit.plan->command;
        job.dry_run = edit.plan->dry_run;
      }
    };
    Active* active = find(job_id);
    const bool queued = active && active->job.status == JobStatus::kQueued;
    if (!active && !edit.priority && !edit.timeout_sec && !edit.plan) {
      auto job = find_ended(job_id);
      if (!job) return promise->set_value(job.error());
      if (job->instance != setup_.instance) {
        return promise->set_value(make_error(
            ErrorKind::kConflict, "job " + job_id + " belongs to another server: read only here"));
      }
      change(*job);
      job->seq = ++last_seq_;
      job->revision = job->seq;
      return commit(std::make_shared<const Job>(std::move(*job)),
                    [promise](const Result<>& done) { promise->set_value(done); });
    }
    if (!active || ((edit.priority || edit.plan) && !queued)) {
      auto job = active ? Result<Job>(active->job) : find_ended(job_id);
      return promise->set_value(
          job ? make_error(ErrorKind::kConflict,
                           fmt::format("job {} is {}: priority and params can be changed while it "
                                       "is QUEUED, the timeout until it ends",
                                       job_id, to_string(job->status)))
              : job.error());
    }
    change(active->job);
    if (edit.priority) scheduler_.set_priority(job_id, *edit.priority);
    if (edit.timeout_sec && !queued) {
      executor_of(active->job.executor).set_timeout(job_id, active->job.attempt, *edit.timeout_sec);
    }
    commit(*active);
    request_pass();
    store_->flush([promise](const Result<>& done) { promise->set_value(done); });
  });
}

Result<> JobEngine::remove(std::string job_id) {
  return ask<void>([this, job_id = std::move(job_id)](auto promise) {
    if (Active* active = find(job_id)) {
      return promise->set_value(make_error(
          ErrorKind::kConflict,
          fmt::format("job {} is {}: cancel it first", job_id, to_string(active->job.status))));
    }
    store_->flush([this, job_id, promise](const Result<>&) {
      auto job = find_ended(job_id);
      if (!job) return promise->set_value(job.error());
      store_->remove(job_id, [this, job_id, promise](const Result<>& done) {
        kill_point("remove_committed");
        if (done) forget(job_id);
        promise->set_value(done);
      });
    });
  });
}

Result<Scheduler::Snapshot> JobEngine::set_mode(std::optional<Scheduler::Mode> mode) {
  return ask<Scheduler::Snapshot>([this, mode](auto promise) {
    if (mode && *mode != scheduler_.mode()) {
      scheduler_.set_mode(*mode);
      store_->put_note("paused", *mode == Scheduler::Mode::kPaused ? "1" : "");
      waiting_changed_ = true;
      request_pass();
    }
    auto snapshot = scheduler_.snapshot(now_ms());
    if (!mode) return promise->set_value(std::move(snapshot));
    store_->flush([promise, snapshot = std::move(snapshot)](const Result<>& done) {
      promise->set_value(done ? Result<Scheduler::Snapshot>(snapshot) : done.error());
    });
  });
}

// ---- Writing ----

void JobEngine::publish(const JobPtr& job) {
  cache_.publish(job);
  mirror_->touch(job);
}

void JobEngine::commit(JobPtr job, Answer answer) {
  store_->update(job, [this, job, answer = std::move(answer)](const Result<>& done) {
    if (done) {
      publish(job);
    } else if (done.error().kind != ErrorKind::kNoSpace) {  // refused with its insert
      spdlog::critical("a change was refused: {}", done.error().message);
    }
    if (answer) answer(done);
  });
}

void JobEngine::commit(Active& active, std::function<void()> then) {
  Job& job = active.job;
  job.seq = ++last_seq_;
  ++job.revision;
  commit(std::make_shared<const Job>(job), [this, then = std::move(then)](const Result<>&) {
    if (then) asio::post(io_, then);
  });
}

/// Publishes what ticks, without writing it.
void JobEngine::tick(Active& active) {
  const TimeMs now = now_ms();
  if (now - active.ticked_at < kTickMs) {
    active.tick_waits = true;  // housekeeping gives the last one
    return;
  }
  active.ticked_at = now;
  active.tick_waits = false;
  if (active.follower) {
    const SeriesScanner& series = active.follower->scanner().series();
    if (std::exchange(active.series_version, series.version()) != series.version()) {
      active.job.series = std::make_shared<const std::vector<Series>>(series.all());
    }
  }
  ++active.job.revision;
  cache_.publish(std::make_shared<const Job>(active.job));
}

/// A job that the database does not have any more: what else there is of it.
void JobEngine::forget(const std::string& job_id) {
  cache_.forget(job_id);
  mirror_->forget(job_id);
  std::error_code ignored;
  std::filesystem::remove(setup_.records / (job_id + ".log"), ignored);
  std::filesystem::remove(series_file(setup_.state, job_id), ignored);
  setup_.line_indexes->remove(job_id);
}

// ---- Housekeeping ----

void JobEngine::schedule_housekeeping() {
  housekeeping_.expires_after(kHousekeeping);
  housekeeping_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    refresh_waiting();
    for (auto& [job_id, active] : active_) {
      if (active.tick_waits) tick(active);
      // A job that fills the disk must be stoppable: then the wish comes before its record.
      if (active.job.cancel_requested && store_->is_failing()) {
        executor_of(active.job.executor).cancel(job_id, active.job.attempt);
      }
    }
    if (const auto seq = mirrored_seq_.load(); seq > noted_mirrored_seq_ + 1000) {
      noted_mirrored_seq_ = seq;
      store_->put_note("mirrored_seq", std::to_string(seq));
    }
    retain();
    schedule_housekeeping();
  });
}

/// Why jobs wait, for the readers: of the first ones, when something has changed.
void JobEngine::refresh_waiting() {
  if (!std::exchange(waiting_changed_, false)) return;
  std::size_t shown = 0;
  for (auto& [job_id, active] : active_) {
    if (active.job.status != JobStatus::kQueued || !active.accepted) continue;
    if (++shown > kShownWaiting) break;
    auto words = scheduler_.waiting_for(job_id, now_ms());
    if (words == active.job.waiting_for) continue;
    active.job.waiting_for = std::move(words);
    ++active.job.revision;
    cache_.publish(std::make_shared<const Job>(active.job));
  }
}

/// Removes ended jobs beyond `keep_days` and `keep_jobs`, a few at a time.
void JobEngine::retain() {
  const Config& config = setup_.config;
  if (config.keep_days == 0 && config.keep_jobs == 0) return;
  const TimeMs now = now_ms();
  if (now - last_retention_ < kRetentionMs && last_retention_ != 0) return;
  auto ended = store_->oldest_ended(setup_.instance, kRetentionAtOnce);
  if (!ended) return;
  std::int64_t too_many = 0;
  if (config.keep_jobs > 0) {
    // Other servers' jobs are neither removed nor counted.
    const auto own = store_->count_ended(setup_.instance);
    if (!own) return;
    too_many = *own - config.keep_jobs;
  }
  bool all = !ended->empty();
  for (const Job& job : *ended) {
    const bool old = config.keep_days > 0 && now - *job.ended_at > config.keep_days * 86'400'000;
    if (!old && too_many-- <= 0) {
      all = false;
      break;
    }
    store_->remove(job.job_id, [this, job_id = job.job_id](const Result<>& done) {
      if (done) forget(job_id);
    });
  }
  last_retention_ = all ? 1 : now;  // all of a full batch: go on at once
}

}  // namespace runyard
