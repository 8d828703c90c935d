// From running to ended: the second half of a job's life in the engine.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>

#include "core/base/kill_point.h"
#include "core/base/plain_json.h"
#include "core/log/log_page.h"
#include "core/service/job_engine.h"
#include "core/service/series_file.h"
#include "core/service/templates.h"

namespace runyard {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr std::int64_t kMaxBackoffSec = 300;
constexpr std::int64_t kErrorTail = 64 * 1024;

JobStatus status_of(EndReason reason) {
  if (reason == EndReason::kNone) return JobStatus::kSuccess;
  return reason == EndReason::kCancelled ? JobStatus::kCancelled : JobStatus::kFailed;
}

}  // namespace

void JobEngine::on_ended(const std::string& job_id, int attempt, const AttemptResult& result) {
  Active* active = find(job_id);
  if (!active) return correct(job_id, attempt, result);
  if (active->job.attempt != attempt) {
    // The late result of a lost attempt; a later one has begun.
    return executor_of(active->job.executor).clean_up(job_id, attempt, result.reason);
  }
  if (!active->follower) follow(*active);
  active->follower->finish([this, job_id, result] { conclude(job_id, result); });
}

/// A job that ended as lost has left a result after all.
void JobEngine::correct(const std::string& job_id, int attempt, const AttemptResult& result) {
  auto known = store_->find(job_id);
  if (!known) return spdlog::error("{}: {}", job_id, known.error().message);
  const bool is_lost = *known && (*known)->instance == setup_.instance &&
                       (*known)->end_reason == EndReason::kLost && (*known)->attempt == attempt &&
                       (*known)->status == JobStatus::kFailed && result.reason != EndReason::kLost;
  if (!is_lost) {
    return executor_of("slurm").clean_up(job_id, attempt, result.reason);
  }
  // Not among the active ones: for everybody else it has ended.
  Active& late = corrected_[job_id];
  late.job = std::move(**known);
  late.type = type_of(late.job);
  late.job.revision = late.job.seq;
  follow(late);
  late.follower->finish([this, job_id, result] {
    Active& corrected = corrected_.at(job_id);
    auto message = take_result(corrected, result);
    end(corrected, status_of(result.reason), result.reason, std::move(message));
    corrected_.erase(job_id);
  });
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

/// Before the end is committed, so that a crash between the two loses nothing.
void JobEngine::keep_series(const std::string& job_id, const std::vector<Series>& series) const {
  const auto file = series_file(setup_.state, job_id);
  std::error_code ignored;
  if (series.empty()) {  // an attempt before may have had some
    std::filesystem::remove(file, ignored);
    return;
  }
  const std::string text = plain_json(to_json(series));
  auto done = make_private_folders(file.parent_path());
  if (done) done = write_file_atomic(file, text);
  if (!done) spdlog::warn("{}: its curves are lost: {}", job_id, done.error().message);
}

/// What an attempt's end says, into the job; gives its message. The follower is done.
std::string JobEngine::take_result(Active& active, const AttemptResult& result) {
  Job& job = active.job;
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
  if (active.follower) {
    const LogScanner& scanner = active.follower->scanner();
    job.artifacts_hint = scanner.artifacts();
    job.links = scanner.links();
    job.progress = scanner.progress();
    if (job.progress) job.progress->eta_sec.reset();
    job.log_size = job.scan_offset = active.follower->offset();
    job.warnings = scanner.warnings(result.reason == EndReason::kNone);
    keep_series(job.job_id, scanner.series().all());
  }
  std::string message = result.reason == EndReason::kNone ? "" : failure_message(active, result);
  if (active.follower) active.follower->stop();
  active.follower.reset();
  job.gpu_ids.clear();
  job.series.reset();
  job.status_text.clear();
  job.waiting_for.clear();
  return message;
}

void JobEngine::conclude(const std::string& job_id, const AttemptResult& result) {
  Active* active = find(job_id);
  if (!active) return;
  Job& job = active->job;
  std::string message = take_result(*active, result);

  if (wants_retry(job, result)) {
    const std::int64_t backoff =
        std::min(kMaxBackoffSec, setup_.config.retry_backoff_sec << std::min(job.attempt - 1, 16));
    job.transition(JobStatus::kQueued);
    job.end_reason = result.reason;
    job.error_message = std::move(message);
    job.not_before = now_ms() + backoff * 1000;
    scheduler_.requeue(job_id, job.not_before);
    journal_.retried(job);
    commit(*active, [this, job] {
      kill_point("retry_committed");
      executor_of(job.executor).clean_up(job.job_id, job.attempt, job.end_reason);
    });
    waiting_changed_ = true;
    return request_pass();
  }

  // This end, and the start it makes room for, are one wait for the disk.
  const JobStore::Together together(*store_);
  const bool success = result.reason == EndReason::kNone;
  const auto dropped = scheduler_.ended(job_id, success);
  end(*active, status_of(result.reason), result.reason, std::move(message));
  drop(dropped);
  pass();
}

/// The last change of a job; it is not active any more afterwards.
void JobEngine::end(Active& active, JobStatus status, EndReason reason, std::string message) {
  Job& job = active.job;
  job.ended_at = job.status == JobStatus::kQueued ? now_ms() : *job.attempts.back().ended_at;
  const bool is_correction = is_terminal(job.status);
  job.transition(status);
  job.end_reason = reason;
  job.error_message = std::move(message);
  job.waiting_for.clear();
  job.not_before.reset();
  is_correction ? journal_.corrected(job) : journal_.ended(job);
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
      executor_of(copy->executor).clean_up(copy->job_id, attempt.attempt, attempt.end_reason);
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
             [job_id, forget](const Result<Accepted>& ids) {
               kill_point("follow_up_committed");
               if (ids) return forget();
               spdlog::warn("{}: its follow-up waits for the next start of the server: {}", job_id,
                            ids.error().message);
             });
    });
  });
}

}  // namespace runyard
