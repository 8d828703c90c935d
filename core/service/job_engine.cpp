#include "core/service/job_engine.h"

#include <fmt/format.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <csignal>

#include "core/base/ids.h"
#include "core/base/kill_point.h"
#include "core/base/text.h"
#include "core/exec/local_executor.h"
#include "core/log/log_page.h"
#include "core/service/environment.h"
#include "core/service/templates.h"

namespace runyard {
namespace {

namespace json = boost::json;
namespace asio = boost::asio;

constexpr TimeMs kTickMs = 250;
constexpr auto kHousekeeping = std::chrono::seconds(1);
constexpr TimeMs kRetentionMs = 60'000;
constexpr std::size_t kRetentionAtOnce = 200;
constexpr TimeMs kKeyLifetimeMs = 24LL * 3600 * 1000;
constexpr std::int64_t kMaxBackoffSec = 300;
constexpr std::int64_t kErrorTail = 64 * 1024;
constexpr std::size_t kShownWaiting = 1000;

Scheduler::Limits limits_of(const Config& config) {
  Scheduler::Limits limits;
  limits.slots = config.slots > 0
                     ? config.slots
                     : std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / 2);
  limits.group_slots = config.group_slots;
  limits.gpu_ids = config.gpus;
  limits.jobs_per_gpu = config.jobs_per_gpu;
  limits.max_queued = static_cast<std::size_t>(config.max_queued);
  limits.ageing = config.ageing_sec * 1000;
  return limits;
}

std::int64_t size_of(const std::filesystem::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<std::int64_t>(info.st_size) : 0;
}

}  // namespace

JobEngine::JobEngine(Setup setup, JobStore::Opened store, JobCache& cache)
    : setup_(std::move(setup)),
      cache_(cache),
      work_(io_.get_executor()),
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

// ---- Questions from other threads ----

template <class T>
Result<T> JobEngine::ask(
    std::function<void(std::shared_ptr<std::promise<Result<T>>>)> question) {
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

Result<std::vector<std::string>> JobEngine::submit(std::vector<Job> jobs,
                                                   std::optional<IdempotencyKey> key) {
  return ask<std::vector<std::string>>([this, jobs = std::move(jobs), key](auto promise) mutable {
    insert(std::move(jobs), std::move(key), [promise](Result<std::vector<std::string>> ids) {
      promise->set_value(std::move(ids));
    });
  });
}

Result<> JobEngine::cancel(std::string job_id) {
  return ask<void>([this, job_id = std::move(job_id)](auto promise) {
    Active* active = find(job_id);
    if (!active) {
      // Perhaps its end is on its way to the disk: the answer must be the committed state.
      store_->flush([this, job_id, promise](const Result<>&) {
        auto job = find_ended(job_id);
        promise->set_value(job ? make_error(ErrorKind::kConflict,
                                            fmt::format("job {} has ended already ({})", job_id,
                                                        to_string(job->status)))
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
        if (Active* still = find(job_id)) executor_->cancel(job_id, still->job.attempt);
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
      executor_->set_timeout(job_id, active->job.attempt, *edit.timeout_sec);
    }
    commit(*active);
    request_pass();
    store_->flush([promise](const Result<>& done) { promise->set_value(done); });
  });
}

Result<> JobEngine::remove(std::string job_id) {
  return ask<void>([this, job_id = std::move(job_id)](auto promise) {
    if (Active* active = find(job_id)) {
      return promise->set_value(
          make_error(ErrorKind::kConflict,
                     fmt::format("job {} is {}: cancel it first", job_id,
                                 to_string(active->job.status))));
    }
    store_->flush([this, job_id, promise](const Result<>&) {
      auto job = find_ended(job_id);
      if (!job) return promise->set_value(job.error());
      store_->remove(job_id, [this, job_id, promise](const Result<>& done) {
        kill_point("remove_committed");
        if (done) {
          cache_.forget(job_id);
          mirror_->forget(job_id);
          std::error_code ignored;
          std::filesystem::remove(setup_.records / (job_id + ".log"), ignored);
        }
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
    } else {
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
  ++active.job.revision;
  cache_.publish(std::make_shared<const Job>(active.job));
}

// ---- From accepted to running ----

JobTypePtr JobEngine::type_of(const Job& job) const {
  if (auto type = setup_.find_type(job.job_type)) return type;
  // Its plugin is gone: the job can be shown and followed, only without hints.
  JobType bare;
  bare.type = job.job_type;
  return std::make_shared<const JobType>(std::move(bare));
}

Scheduler::Request JobEngine::to_request(const Job& job, const JobTypePtr& type) {
  Scheduler::Request request;
  request.job_id = job.job_id;
  request.number = job.number;
  request.priority = job.options.priority;
  request.group = job.options.group;
  request.slots = job.options.slots;
  request.gpus = job.options.gpus;
  request.not_before = job.not_before;
  request.queued_at = job.created_at;
  if (type->singleton) {
    // One at a time: a group of its own whose limit is one job.
    request.group = "one " + job.job_type + " at a time";
    scheduler_.set_group_slots(request.group, std::max(1, job.options.slots));
  }
  return request;
}

void JobEngine::insert(std::vector<Job> jobs, std::optional<IdempotencyKey> key,
                       Inserted answer) {
  if (key) {
    if (keys_in_flight_.contains(key->key)) {
      // The first request with this key is on its way to the disk: its outcome answers this one.
      store_->flush([this, jobs = std::move(jobs), key, answer](const Result<>&) {
        asio::post(io_, [this, jobs, key, answer] { insert(jobs, key, answer); });
      });
      return;
    }
    auto known = store_->find_key(key->key, now_ms() - kKeyLifetimeMs);
    if (!known) return answer(known.error());
    if (*known && (*known)->body_hash == key->body_hash) return answer((*known)->job_ids);
    if (*known) {
      return answer(make_error(
          ErrorKind::kInvalid,
          "this Idempotency-Key was used with another request; take a new key"));
    }
  }
  std::vector<std::string> ids;
  std::vector<JobPtr> created;
  for (Job& job : jobs) {
    const JobTypePtr type = type_of(job);
    if (auto allowed = scheduler_.check(to_request(job, type), jobs.size()); !allowed) {
      return answer(allowed.error());
    }
    if (type->singleton) {
      const auto waits = std::find_if(active_.begin(), active_.end(), [&](const auto& entry) {
        const Job& other = entry.second.job;
        return other.job_type == job.job_type && other.status == JobStatus::kQueued &&
               other.params == job.params && other.attempt == 0;
      });
      if (waits != active_.end()) {
        ids.push_back(waits->first);
        continue;
      }
    }
    job.created_at = last_created_ = std::max(now_ms(), last_created_);
    job.job_id = make_job_id(job.created_at);
    job.number = ++last_number_;
    job.seq = ++last_seq_;
    job.revision = 1;
    job.instance = setup_.instance;
    job.status = JobStatus::kQueued;
    ids.push_back(job.job_id);
    created.push_back(std::make_shared<const Job>(job));
  }
  if (created.empty()) return answer(std::move(ids));
  if (key) keys_in_flight_.insert(key->key);
  kill_point("submit_before_commit");
  store_->insert(
      created, key, [this, created, ids, key, answer](const Result<>& done) {
        kill_point("submit_committed");
        if (done) {
          for (const JobPtr& job : created) {
            cache_.add(job);
            mirror_->touch(job);
          }
        }
        asio::post(io_, [this, created, key, done] {
          if (key) keys_in_flight_.erase(key->key);
          if (!done) return;
          for (const JobPtr& job : created) accept(*job);
          request_pass();
        });
        answer(done ? Result<std::vector<std::string>>(ids) : done.error());
      });
}

/// Gives a committed QUEUED job to the scheduler.
void JobEngine::accept(Job job) {
  const std::string job_id = job.job_id;
  Active& active = active_[job_id];
  active.job = std::move(job);
  active.type = type_of(active.job);
  auto request = to_request(active.job, active.type);
  for (const std::string& other : active.job.options.after) {
    if (active_.contains(other)) {
      request.after.push_back(other);
      continue;
    }
    // Not active: it has ended, perhaps so lately that the end is still on its way to the disk.
    const auto known = store_->find(other);
    const bool succeeded = just_succeeded_.contains(other) ||
                           (known && *known && (*known)->status == JobStatus::kSuccess);
    if (!succeeded) {
      end(active, JobStatus::kFailed, EndReason::kDependency,
          fmt::format("{} did not succeed, and this job was to run after it", other));
      return;
    }
  }
  waiting_changed_ = true;
  if (auto done = scheduler_.enqueue(std::move(request)); !done) {
    end(active, JobStatus::kFailed, EndReason::kDependency, done.error().message);
  }
}

void JobEngine::request_pass() {
  if (std::exchange(pass_requested_, true)) return;
  asio::post(io_, [this] { pass(); });
}

void JobEngine::pass() {
  pass_requested_ = false;
  const auto starts = scheduler_.decide(now_ms());
  for (const auto& start : starts) begin(start);
  waiting_changed_ = waiting_changed_ || !starts.empty();
  if (const auto at = scheduler_.next_wakeup()) {
    wakeup_.expires_after(std::chrono::milliseconds(std::max<TimeMs>(1, *at - now_ms())));
    wakeup_.async_wait([this](const boost::system::error_code& error) {
      if (!error) request_pass();
    });
  }
}

void JobEngine::begin(const Scheduler::Start& start) {
  Active* active = find(start.job_id);
  if (!active) return;
  Job& job = active->job;
  job.gpu_ids = start.gpu_ids;
  if (job.command.empty()) return resolve(*active);
  job.transition(JobStatus::kRunning);
  ++job.attempt;
  job.not_before.reset();
  job.waiting_for.clear();
  job.error_message.clear();
  job.end_reason = EndReason::kNone;
  job.exit_code.reset();
  job.signal.reset();
  Attempt attempt;
  attempt.attempt = job.attempt;
  attempt.started_at = now_ms();
  attempt.log_start = size_of(setup_.records / (job.job_id + ".log"));
  if (!job.started_at) job.started_at = attempt.started_at;
  job.scan_offset = attempt.log_start;
  job.attempts.push_back(attempt);
  job.executor = "local";
  commit(*active, [this, job_id = job.job_id] {
    kill_point("start_committed");
    launch(job_id);
  });
}

/// A job with `{hint.name}` in its inputs: all it waited for has succeeded, so they are known now.
void JobEngine::resolve(Active& active) {
  auto params = fill_templates(active.job.params, hints_of(active.job.options.after));
  asio::post(worker_, [this, job_id = active.job.job_id, type = active.type, params] {
    Result<JobEdit::Plan> plan = params ? setup_.plan(type, *params) : params.error();
    asio::post(io_, [this, job_id, plan = std::move(plan)] {
      Active* waiting = find(job_id);
      if (!waiting || waiting->job.status != JobStatus::kQueued) return;
      if (!plan) {
        std::string message = plan.error().message;
        for (const auto& field : plan.error().fields) {
          if (field.message != message) message += fmt::format("; {}: {}", field.pointer, field.message);
        }
        const auto dropped = scheduler_.ended(job_id, false);
        end(*waiting, JobStatus::kFailed, EndReason::kSpawnError, std::move(message));
        drop(dropped);
        return request_pass();
      }
      waiting->job.params = plan->params;
      waiting->job.command = plan->command;
      waiting->job.dry_run = plan->dry_run;
      begin({job_id, waiting->job.gpu_ids});
    });
  });
}

json::object JobEngine::hints_of(const std::vector<std::string>& job_ids) {
  json::object hints;
  for (const std::string& job_id : job_ids) {
    json::object found;
    if (const auto just_now = just_succeeded_.find(job_id); just_now != just_succeeded_.end()) {
      found = just_now->second;
    } else if (const auto stored = store_->find(job_id); stored && *stored) {
      found = (*stored)->artifacts_hint;
    }
    for (const auto& [name, value] : found) {
      if (!hints.contains(name)) hints[name] = value;
    }
  }
  return hints;
}

void JobEngine::launch(const std::string& job_id) {
  Active* active = find(job_id);
  if (!active) return;
  if (active->job.cancel_requested) {
    AttemptResult result;
    result.reason = EndReason::kCancelled;
    result.at = now_ms();
    return conclude(job_id, result);
  }
  follow(*active);
  executor_->run(to_spec(active->job));
  note_git_state(job_id);
}

AttemptSpec JobEngine::to_spec(const Job& job) const {
  AttemptSpec spec;
  spec.job_id = job.job_id;
  spec.attempt = job.attempt;
  spec.argv = job.command;
  spec.cwd = job.cwd;
  spec.log = (setup_.records / (job.job_id + ".log")).string();
  spec.env = job_environment(job, setup_.config.env, !setup_.config.gpus.empty());
  spec.timeout_sec = job.options.timeout_sec;
  spec.grace_ms = setup_.config.grace_sec * 1000;
  spec.log_max_bytes = setup_.config.log_max_bytes;
  return spec;
}

void JobEngine::follow(Active& active) {
  Job& job = active.job;
  auto scanner = LogScanner::make(active.type, job.params, setup_.read_total);
  if (!scanner) {  // the descriptor was checked; only a bare type can come after it
    spdlog::error("{}: {}", job.job_id, scanner.error().message);
    scanner = LogScanner::make(std::make_shared<const JobType>(), {}, setup_.read_total);
  }
  if (job.scan_offset <= job.attempts.back().log_start) {
    job.scan_offset = job.attempts.back().log_start;
    (*scanner)->begin_attempt();
    job.links.clear();
    job.artifacts_hint = (*scanner)->artifacts();
    job.links = (*scanner)->links();
    job.progress.reset();
  } else {
    (*scanner)->restore(job.artifacts_hint, job.links, job.progress);
  }
  active.follower = std::make_shared<LogFollower>(
      io_, watcher_, setup_.records / (job.job_id + ".log"), std::move(*scanner), job.scan_offset,
      [this, job_id = job.job_id](bool found) {
        Active* running = find(job_id);
        if (!running || !running->follower) return;
        Job& seen = running->job;
        const LogFollower& follower = *running->follower;
        seen.log_size = follower.offset();
        seen.progress = follower.scanner().progress();
        const bool hints = found && (seen.artifacts_hint != follower.scanner().artifacts() ||
                                     seen.links != follower.scanner().links());
        if (!hints) return tick(*running);
        seen.artifacts_hint = follower.scanner().artifacts();
        seen.links = follower.scanner().links();
        seen.scan_offset = follower.scan_offset();
        commit(*running);
      });
  active.follower->start();
}

void JobEngine::note_git_state(const std::string& job_id) {
  if (const Active* active = find(job_id); !active || active->job.git) return;
  asio::post(worker_, [this, job_id] {
    auto state = read_git_state(setup_.config.workspace);
    if (!state) return;
    asio::post(io_, [this, job_id, state = std::move(state)] {
      Active* active = find(job_id);
      if (!active || active->job.git) return;
      active->job.git = state;
      commit(*active);
    });
  });
}

// ---- From running to ended ----

void JobEngine::on_ended(const std::string& job_id, int attempt, const AttemptResult& result) {
  Active* active = find(job_id);
  if (!active || active->job.attempt != attempt) return;
  if (!active->follower) return conclude(job_id, result);
  active->follower->finish([this, job_id, result] { conclude(job_id, result); });
}

bool JobEngine::wants_retry(const Job& job, const AttemptResult& result) const {
  if (job.cancel_requested || job.attempt > job.options.max_retries) return false;
  switch (result.reason) {
    case EndReason::kExitCode:
    case EndReason::kSignal:
    case EndReason::kTimeout:
    case EndReason::kSpawnError:
      return true;
    case EndReason::kLost:
      return job.options.retry_lost;
    default:
      return false;
  }
}

std::string JobEngine::failure_message(const Active& active, const AttemptResult& result) const {
  if (result.reason != EndReason::kExitCode && result.reason != EndReason::kSignal) {
    return result.message;
  }
  std::string from_log;
  if (active.follower && active.follower->fd() >= 0) {
    const std::int64_t begin = active.job.attempts.back().log_start;
    const std::int64_t size = active.follower->offset();
    if (auto tail = read_log_tail(active.follower->fd(), std::min(kErrorTail, size - begin))) {
      std::string_view text = *tail;
      if (text.starts_with("$ ")) text.remove_prefix(std::min(text.find('\n'), text.size()));
      from_log = error_message_from(text);
    }
  }
  if (result.reason == EndReason::kSignal) {
    return result.message + (from_log.empty() ? "" : "; its log ends with: " + from_log);
  }
  if (!from_log.empty()) return from_log;
  return fmt::format("the command ended with exit code {} and printed nothing",
                     result.exit_code.value_or(-1));
}

void JobEngine::conclude(const std::string& job_id, const AttemptResult& result) {
  Active* active = find(job_id);
  if (!active) return;
  Job& job = active->job;
  Attempt& attempt = job.attempts.back();
  if (result.started_at) {
    attempt.started_at = *result.started_at;
    if (job.attempts.size() == 1) job.started_at = *result.started_at;
  }
  if (result.log_start) attempt.log_start = *result.log_start;
  attempt.log_end = result.log_end;
  attempt.ended_at = std::max(result.at, attempt.started_at);
  attempt.exit_code = result.exit_code;
  attempt.signal = result.signal;
  attempt.end_reason = result.reason;
  job.exit_code = result.exit_code;
  job.signal = result.signal;
  if (result.usage) job.usage = result.usage;
  if (active->follower) {
    const LogScanner& scanner = active->follower->scanner();
    job.artifacts_hint = scanner.artifacts();
    job.links = scanner.links();
    job.progress = scanner.progress();
    if (job.progress) job.progress->eta_sec.reset();
    job.log_size = job.scan_offset = active->follower->offset();
    if (result.reason == EndReason::kNone) job.warnings = scanner.missing();
  }
  std::string message = result.reason == EndReason::kNone ? "" : failure_message(*active, result);
  if (active->follower) active->follower->stop();
  active->follower.reset();
  job.gpu_ids.clear();

  if (wants_retry(job, result)) {
    const std::int64_t backoff =
        std::min(kMaxBackoffSec, setup_.config.retry_backoff_sec << std::min(job.attempt - 1, 16));
    job.transition(JobStatus::kQueued);
    job.end_reason = result.reason;
    job.error_message = std::move(message);
    job.not_before = now_ms() + backoff * 1000;
    scheduler_.requeue(job_id, job.not_before);
    const int ended = job.attempt;
    commit(*active, [this, job_id, ended] {
      kill_point("retry_committed");
      executor_->clean_up(job_id, ended);
    });
    waiting_changed_ = true;
    return request_pass();
  }

  const bool success = result.reason == EndReason::kNone;
  const JobStatus status = success                                    ? JobStatus::kSuccess
                           : result.reason == EndReason::kCancelled ? JobStatus::kCancelled
                                                                    : JobStatus::kFailed;
  const auto dropped = scheduler_.ended(job_id, success);
  end(*active, status, result.reason, std::move(message));
  drop(dropped);
  request_pass();
}

/// The last change of a job; it is not active any more afterwards.
void JobEngine::end(Active& active, JobStatus status, EndReason reason, std::string message) {
  Job& job = active.job;
  job.ended_at = job.status == JobStatus::kRunning ? *job.attempts.back().ended_at : now_ms();
  job.transition(status);
  job.end_reason = reason;
  job.error_message = std::move(message);
  job.waiting_for.clear();
  job.not_before.reset();
  const std::string job_id = job.job_id;
  const bool success = status == JobStatus::kSuccess;
  const bool follows = success && !job.dry_run && !active.type->on_success.empty();
  if (success) just_succeeded_[job_id] = job.artifacts_hint;
  if (follows) store_->put_note("follow:" + job_id, job.job_type);
  auto copy = std::make_shared<const Job>(job);
  commit(active, [this, copy, type = active.type, follows] {
    kill_point("end_committed");
    just_succeeded_.erase(copy->job_id);
    for (const Attempt& attempt : copy->attempts) {
      executor_->clean_up(copy->job_id, attempt.attempt);
    }
    if (follows) follow_up(*copy, type);
  });
  active_.erase(job_id);
  waiting_changed_ = true;
}

/// Jobs that can never run, each after the one it waited for.
void JobEngine::drop(const std::vector<Scheduler::Dropped>& dropped) {
  for (const auto& [job_id, dependency] : dropped) {
    if (Active* active = find(job_id)) {
      end(*active, JobStatus::kFailed, EndReason::kDependency,
          fmt::format("{} did not succeed, and this job was to run after it", dependency));
    }
  }
}

/// Submits what the type names in `on_success`. The note `follow:<id>` stands until it is done, so
/// that a crash between the two does not lose it; the key keeps it from being done twice.
void JobEngine::follow_up(const Job& job, const JobTypePtr& type) {
  asio::post(worker_, [this, job, type] {
    std::vector<Job> jobs;
    for (const FollowUp& next : type->on_success) {
      const JobTypePtr next_type = setup_.find_type(next.type);
      if (!next_type) continue;  // a follow-up is for those who have that plugin
      auto params = fill_templates(next.params, job.artifacts_hint);
      auto plan = params ? setup_.plan(next_type, *params) : Result<JobEdit::Plan>(params.error());
      if (!plan) {
        spdlog::warn("{}: its follow-up {} was not submitted: {}", job.job_id, next.type,
                     plan.error().message);
        continue;
      }
      Job follower;
      follower.job_type = next_type->type;
      follower.plugin_version = next_type->version;
      follower.params = plan->params;
      follower.command = plan->command;
      follower.dry_run = plan->dry_run;
      follower.cwd = job.cwd;
      follower.options = next_type->defaults;
      follower.options.group = job.options.group;
      follower.note = "after " + job.job_id;
      jobs.push_back(std::move(follower));
    }
    asio::post(io_, [this, job_id = job.job_id, jobs = std::move(jobs)]() mutable {
      const auto forget = [this, job_id] { store_->put_note("follow:" + job_id, ""); };
      if (jobs.empty()) return forget();
      kill_point("follow_up_planned");
      insert(std::move(jobs), IdempotencyKey{"follow:" + job_id, job_id},
             [job_id, forget](const Result<std::vector<std::string>>& ids) {
               kill_point("follow_up_committed");
               if (ids) return forget();
               spdlog::warn("{}: its follow-up waits for the next start of the server: {}", job_id,
                            ids.error().message);
             });
    });
  });
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
        executor_->cancel(job_id, active.job.attempt);
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
    if (active.job.status != JobStatus::kQueued) continue;
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
  std::int64_t too_many = config.keep_jobs > 0 ? cache_.total() - config.keep_jobs : 0;
  bool all = !ended->empty();
  for (const Job& job : *ended) {
    const bool old = config.keep_days > 0 && now - *job.ended_at > config.keep_days * 86'400'000;
    if (!old && too_many-- <= 0) {
      all = false;
      break;
    }
    store_->remove(job.job_id, [this, job_id = job.job_id](const Result<>& done) {
      if (!done) return;
      cache_.forget(job_id);
      mirror_->forget(job_id);
      std::error_code ignored;
      std::filesystem::remove(setup_.records / (job_id + ".log"), ignored);
    });
  }
  last_retention_ = all ? 1 : now;  // all of a full batch: go on at once
}

}  // namespace runyard
