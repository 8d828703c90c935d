// From accepted to running: the first half of a job's life in the engine.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>

#include "core/base/ids.h"
#include "core/base/kill_point.h"
#include "core/service/environment.h"
#include "core/service/job_engine.h"
#include "core/service/templates.h"

namespace runyard {
namespace {

namespace json = boost::json;
namespace asio = boost::asio;

std::int64_t size_of(const std::filesystem::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<std::int64_t>(info.st_size) : 0;
}

}  // namespace

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
  request.elsewhere = job.executor != "local";
  request.gpus = request.elsewhere ? 0 : job.options.gpus;
  request.not_before = job.not_before;
  request.queued_at = job.created_at;
  if (type->singleton) {
    // One at a time: a group of its own whose limit is one job.
    request.group = Scheduler::group_of_singleton(job.job_type);
    scheduler_.set_group_slots(request.group, std::max(1, job.options.slots));
  }
  return request;
}

void JobEngine::insert(std::vector<Job> jobs, std::optional<IdempotencyKey> key, Inserted answer) {
  if (key) {
    if (keys_in_flight_.contains(key->key)) {
      return insert_later(std::move(jobs), std::move(key), std::move(answer));
    }
    auto known = store_->find_key(key->key, now_ms() - JobStore::kKeyLifetimeMs);
    if (!known) return answer(known.error());
    if (*known && (*known)->body_hash == key->body_hash) {
      return answer(Accepted{(*known)->job_ids, true});
    }
    if (*known) {
      return answer(
          make_error(ErrorKind::kInvalid,
                     "this Idempotency-Key was used with another request; take a new key"));
    }
  }
  std::vector<std::string> ids;
  std::vector<JobPtr> created;
  for (Job& job : jobs) {
    const JobTypePtr type = type_of(job);
    job.executor = wanted_executor(job);
    if (auto allowed = scheduler_.check(to_request(job, type), jobs.size()); !allowed) {
      return answer(allowed.error());
    }
    if (type->singleton) {
      const auto waits = std::find_if(active_.begin(), active_.end(), [&](const auto& entry) {
        const Job& other = entry.second.job;
        return other.job_type == job.job_type && other.status == JobStatus::kQueued &&
               other.params == job.params && other.attempt == 0;
      });
      if (waits != active_.end() && !waits->second.accepted) {
        return insert_later(std::move(jobs), std::move(key), std::move(answer));
      }
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
  if (created.empty()) return answer(Accepted{std::move(ids)});
  if (key) keys_in_flight_.insert(key->key);
  kill_point("submit_before_commit");
  // A job that can start at once waits for the disk once: for both.
  const JobStore::Together together(*store_);
  store_->insert(created, key, [this, created, ids, key, answer](const Result<>& done) {
    kill_point("submit_committed");
    if (done) {
      for (const JobPtr& job : created) {
        cache_.add(job);
        mirror_->touch(job);
        journal_.accepted(*job);
      }
    }
    asio::post(io_, [this, created, key, done] {
      if (key) keys_in_flight_.erase(key->key);
      for (const JobPtr& job : created) {
        if (!done) {
          withdraw(job->job_id);
        } else if (Active* active = find(job->job_id)) {
          active->accepted = true;
        }
      }
    });
    answer(done ? Result<Accepted>(Accepted{ids, false, created}) : done.error());
  });
  for (const JobPtr& job : created) enqueue(*job);
  pass();
}

/// For a request whose answer is that of another one, which is on its way to the disk.
void JobEngine::insert_later(std::vector<Job> jobs, std::optional<IdempotencyKey> key,
                             Inserted answer) {
  store_->flush([this, jobs = std::move(jobs), key, answer](const Result<>&) {
    asio::post(io_, [this, jobs, key, answer] { insert(jobs, key, answer); });
  });
}

/// The disk did not take it: it is as if it had never come.
void JobEngine::withdraw(const std::string& job_id) {
  Active* active = find(job_id);
  if (!active) return;
  executor_of(active->job.executor).clean_up(job_id, active->job.attempt, EndReason::kNone);
  if (std::exchange(active->follower, nullptr)) {
    std::error_code ignored;  // the log that the follower made
    std::filesystem::remove(setup_.records / (job_id + ".log"), ignored);
  }
  scheduler_.ended(job_id, false);
  active_.erase(job_id);
  request_pass();
}

/// Gives a QUEUED job to the scheduler.
void JobEngine::enqueue(Job job) {
  const std::string job_id = job.job_id;
  Active& active = active_[job_id];
  active.job = std::move(job);
  active.type = type_of(active.job);
  active.job.executor = wanted_executor(active.job);  // the configuration may have changed
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
  commit(*active, [this, job_id = job.job_id] {
    kill_point("start_committed");
    launch(job_id);
  });
  executor_of(job.executor).prepare(to_spec(job));
  // Behind what was prepared, and before the command: two who make files at once are slow.
  asio::post(io_, [this, job_id = job.job_id] {
    Active* begun = find(job_id);
    if (begun && begun->job.executor == "local") follow(*begun);  // else when it is seen to run
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
          if (field.message != message)
            message += fmt::format("; {}: {}", field.pointer, field.message);
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
  executor_of(active->job.executor).run(to_spec(active->job));
  journal_.started(active->job);
  note_git_state(job_id);
}

AttemptSpec JobEngine::to_spec(const Job& job) const {
  AttemptSpec spec;
  spec.job_id = job.job_id;
  spec.attempt = job.attempt;
  spec.argv = job.command;
  spec.cwd = job.cwd;
  spec.log = (setup_.records / (job.job_id + ".log")).string();
  // Slurm gives GPUs itself.
  spec.env = job_environment(job, setup_.config.env,
                             job.executor == "local" && !setup_.config.gpus.empty());
  spec.timeout_sec = job.options.timeout_sec;
  spec.slots = job.options.slots;
  spec.gpus = job.options.gpus;
  spec.memory_mb = job.options.memory_mb;
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
  const std::int64_t log_start = job.attempts.back().log_start;
  (*scanner)->begin_attempt();
  if (job.scan_offset <= log_start) {
    job.scan_offset = log_start;
    job.artifacts_hint = (*scanner)->artifacts();
    job.links = (*scanner)->links();
    job.progress.reset();
    job.status_text.clear();
  } else {
    (*scanner)->restore(job.artifacts_hint, job.links, job.progress, job.status_text,
                        job.scan_offset - log_start);
  }
  job.series = std::make_shared<const std::vector<Series>>();
  active.series_version = (*scanner)->series().version();
  active.follower = std::make_shared<LogFollower>(
      io_, watcher_, setup_.records / (job.job_id + ".log"), std::move(*scanner), log_start,
      [this, job_id = job.job_id](bool found) {
        Active* running = find(job_id);
        if (!running || !running->follower) return;
        Job& seen = running->job;
        const LogFollower& follower = *running->follower;
        seen.log_size = std::max(seen.log_size, follower.offset());
        seen.progress = follower.scanner().progress();
        seen.status_text = follower.scanner().status_text();
        const bool hints = found && (seen.artifacts_hint != follower.scanner().artifacts() ||
                                     seen.links != follower.scanner().links());
        if (!hints) return tick(*running);
        seen.artifacts_hint = follower.scanner().artifacts();
        seen.links = follower.scanner().links();
        seen.scan_offset = std::max(seen.scan_offset, follower.scan_offset());
        commit(*running);
        running->tick_waits = true;  // the curves go with the next one
      });
  // What another node writes is seen by looking.
  active.follower->start(job.executor == "local");
}

void JobEngine::note_git_state(const std::string& job_id) {
  if (const Active* active = find(job_id); !active || active->job.git) return;
  asio::post(worker_, [this, job_id] {
    auto state = git_.read();
    if (!state) return;
    asio::post(io_, [this, job_id, state = std::move(state)] {
      Active* active = find(job_id);
      if (!active || active->job.git) return;
      active->job.git = state;
      commit(*active);
    });
  });
}

}  // namespace runyard
