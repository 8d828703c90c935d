// What a server does with what an earlier one left: docs/recovery.md.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <charconv>

#include "core/base/ids.h"
#include "core/base/kill_point.h"
#include "core/exec/process_tree.h"
#include "core/exec/run_folder.h"
#include "core/service/job_engine.h"

namespace runyard {

Result<> JobEngine::recover() {
  // After a loss of the database the records are all there is. The note says that a start has gone
  // through them to the end; without it, a crash may have left a database that is half full.
  const auto filled = store_->note("filled");
  if (!filled) return filled.error();
  const auto boot = store_->note("boot");
  if (!boot) return boot.error();
  const Past past{.from_records = filled->empty(),
                  .rebooted = !boot->empty() && *boot != boot_id()};
  if (past.from_records) import_records(true);

  const auto counters = store_->counters(setup_.instance);
  if (!counters) return counters.error();
  last_number_ = counters->number;
  last_seq_ = counters->seq;

  const auto newest = store_->list({}, JobCache::kNewest);
  if (!newest) return newest.error();
  for (const Job& job : *newest) {
    last_created_ = std::max(last_created_, job.instance == setup_.instance ? job.created_at : 0);
    cache_.publish(std::make_shared<const Job>(job));
  }
  auto active = store_->active(setup_.instance);
  if (!active) return active.error();
  for (const Job& job : *active) cache_.publish(std::make_shared<const Job>(job));
  const auto total = store_->count({});
  if (!total) return total.error();
  cache_.set_total(*total);

  if (const auto paused = store_->note("paused"); paused && *paused == "1") {
    scheduler_.set_mode(Scheduler::Mode::kPaused);
  }

  // Running ones first: what waits for them finds them in the scheduler.
  std::stable_partition(active->begin(), active->end(),
                        [](const Job& job) { return job.status == JobStatus::kRunning; });
  for (Job& job : *active) recover_job(std::move(job), past);
  store_->put_note("filled", "1");
  store_->put_note("boot", boot_id());

  // Follow-ups that a crash kept from being submitted.
  const auto follow_ups = store_->notes("follow:");
  if (!follow_ups) return follow_ups.error();
  for (const auto& [key, type_name] : *follow_ups) {
    const auto job = store_->find(key.substr(key.find(':') + 1));
    const auto type = setup_.find_type(type_name);
    if (job && *job && (*job)->status == JobStatus::kSuccess && type) follow_up(**job, type);
  }

  // The mirror may have missed the last changes of the server before.
  const auto noted = store_->note("mirrored_seq");
  std::int64_t mirrored = 0;
  if (noted) std::from_chars(noted->data(), noted->data() + noted->size(), mirrored);
  noted_mirrored_seq_ = mirrored;
  const auto missed = store_->written_after(setup_.instance, mirrored);
  if (!missed) return missed.error();
  for (const Job& job : *missed) mirror_->touch(std::make_shared<const Job>(job));
  clean_attempts();
  kill_point("recovered");
  return {};
}

/// Puts one QUEUED or RUNNING job of ours back where it was.
void JobEngine::recover_job(Job job, Past past) {
  const std::string job_id = job.job_id;
  const auto attempt_folder = [&](int attempt) {
    return executor_of(job.executor).folder_of(job_id, attempt);
  };
  job.revision = job.seq;
  if (past.from_records) {
    // The record is up to 250 ms behind: a later attempt may have begun already.
    std::error_code ignored;
    int newest = job.attempt;
    for (int later = newest + 1; later <= job.options.max_retries + 1; ++later) {
      if (std::filesystem::exists(attempt_folder(later), ignored)) newest = later;
    }
    if (newest > job.attempt) {
      Attempt attempt;
      attempt.attempt = job.attempt = newest;
      attempt.started_at = now_ms();
      if (!job.attempts.empty()) attempt.log_start = job.attempts.back().log_end.value_or(0);
      if (!job.started_at) job.started_at = attempt.started_at;
      job.scan_offset = attempt.log_start;
      job.attempts.push_back(attempt);
      job.status = JobStatus::kRunning;
      job.seq = ++last_seq_;
      store_->update(std::make_shared<const Job>(job), {});
    }
  }
  if (job.status == JobStatus::kQueued) {
    enqueue(std::move(job));
    if (Active* queued = find(job_id)) queued->accepted = true;
    return;
  }

  std::string lost;  // why nobody can say what became of it: it must not be started again
  RunFolderError error;
  if (job.attempts.empty()) {
    lost = "the record of this job says nothing of its attempts";
    job.attempts.push_back({});
    job.attempts.back().started_at = job.started_at.value_or(job.created_at);
  } else if (past.from_records) {
    const auto spec = read_spec(attempt_folder(job.attempt), &error);
    if (spec) job.command = spec->args;
    if (!spec) lost = "the state folder has nothing of this job any more";
  } else if (RunRecord record;
             past.rebooted && job.executor == "local" &&
             read_record(attempt_folder(job.attempt), &record, &error) == RecordState::kAbsent) {
    // The claim is not flushed: it may have been made, and the command started.
    lost = "the machine went down when this job had begun";
  }
  Active& active = active_[job_id];
  active.job = std::move(job);
  active.type = type_of(active.job);
  active.accepted = true;
  auto request = to_request(active.job, active.type);
  if (auto done = scheduler_.restore_running(std::move(request), active.job.gpu_ids); !done) {
    spdlog::error("{}: {}", job_id, done.error().message);
  }
  if (!lost.empty()) {
    AttemptResult result;
    result.reason = EndReason::kLost;
    result.message = std::move(lost);
    result.at = now_ms();
    return conclude(job_id, result);
  }
  if (active.job.executor == "local") follow(active);  // else when it is seen to run
  executor_of(active.job.executor).run(to_spec(active.job));
  if (active.job.cancel_requested)
    executor_of(active.job.executor).cancel(job_id, active.job.attempt);
}

/// Takes in what is in reports/jobs and not in the database, and mends what is damaged there. With
/// a new database, before the start; else on a thread of its own, while the server works.
void JobEngine::import_records(bool database_is_new) {
  std::size_t taken = 0, damaged = 0;
  for_each_record(setup_.records, [&](Record record) {
    if (stopping_) return false;
    const auto known = store_->find(record.job_id);
    if (!known) return true;
    if (!record.job) {
      ++damaged;
      spdlog::warn("the record of {} is damaged and {}: {}", record.job_id,
                   *known ? "is restored from the database" : "is skipped",
                   record.job.error().message);
      if (*known && (*known)->instance == setup_.instance) {
        mirror_->touch(std::make_shared<const Job>(**known));
      }
      return true;
    }
    Job& job = *record.job;
    const bool ours = job.instance == setup_.instance;
    if (*known) {
      if ((*known)->instance == setup_.instance) {
        // The database is the truth; git may have put an old file over the record.
        if (job.seq != (*known)->seq && is_terminal((*known)->status)) {
          mirror_->touch(std::make_shared<const Job>(**known));
        }
      } else if (!ours && job.seq > (*known)->seq) {
        // A newer state of another server's job, which git has brought.
        job.revision = job.seq;
        const auto copy = std::make_shared<const Job>(std::move(job));
        store_->take(copy, [this, copy](const Result<>& done) {
          if (done) cache_.publish(copy);
        });
      }
      return true;
    }
    const auto removed = store_->is_removed(record.job_id);
    if (!removed) return true;
    if (*removed) {
      if (ours) forget(record.job_id);  // a crash came between the two, or git has brought it back
      return true;
    }
    ++taken;
    if (ours && !database_is_new) {
      boost::asio::post(io_, [this, job = std::move(job)]() mutable { take_back(std::move(job)); });
      return true;
    }
    if (ours && !is_terminal(job.status)) {
      // A record is not trusted with what is executed: the plugin says it again from the inputs.
      job.command.clear();
      job.cwd = setup_.config.workspace.string();
    }
    job.revision = job.seq;
    const auto copy = std::make_shared<const Job>(std::move(job));
    store_->take(copy, [this, copy, database_is_new](const Result<>& done) {
      kill_point("record_taken");
      if (done && !database_is_new) cache_.add(copy);
    });
    return true;
  });
  if (database_is_new) {
    std::promise<void> written;
    store_->flush([&written](const Result<>&) { written.set_value(); });
    written.get_future().wait();
  }
  if (taken > 0)
    spdlog::info("took {} job(s) into the database from {}", taken, setup_.records.string());
  if (damaged > 0) spdlog::warn("{} damaged record(s) in {}", damaged, setup_.records.string());
}

/// A record of ours that the database does not know: git has brought an old file back, or the
/// database is an older copy. Only the database says what may run, so this is history.
void JobEngine::take_back(Job job) {
  last_seq_ = std::max(last_seq_, job.seq);
  last_number_ = std::max(last_number_, job.number);
  if (!is_terminal(job.status)) {
    job.status = JobStatus::kFailed;
    job.end_reason = EndReason::kLost;
    job.error_message =
        "its record came back, but this server's database does not know the job; "
        "rerun it if it is wanted";
    job.ended_at = now_ms();
    job.gpu_ids.clear();
    job.not_before.reset();
    job.seq = ++last_seq_;
  }
  job.revision = job.seq;
  const auto copy = std::make_shared<const Job>(std::move(job));
  store_->take(copy, [this, copy](const Result<>& done) {
    if (!done) return;
    cache_.add(copy);
    mirror_->touch(copy);
  });
}

/// Run folders of attempts that are over, or never began: a crash came between the end's commit and
/// their removal, or before the commit of their job.
void JobEngine::clean_attempts() {
  for (const auto& [folder, executor] :
       {std::pair(setup_.state / "attempts", "local"), std::pair(slurm_folder(), "slurm")}) {
    std::error_code error;
    for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
         at.increment(error)) {
      const std::string name = at->path().filename().string();
      const auto dot = name.find('.');
      const std::string job_id = name.substr(0, dot);
      int attempt = 0;
      if (dot == std::string::npos || !is_job_id(job_id)) continue;
      std::from_chars(name.data() + dot + 1, name.data() + name.size(), attempt);
      const Active* active = find(job_id);
      if (active && active->job.attempt <= attempt) continue;
      const auto job = store_->find(job_id);
      const auto removed = store_->is_removed(job_id);
      // Of a job that the database has never known, nothing is thrown away that somebody claimed.
      RunRecord record;
      RunFolderError why;
      if ((!job || !*job) && (!removed || !*removed) &&
          read_record(at->path(), &record, &why) != RecordState::kAbsent) {
        continue;
      }
      EndReason reason = EndReason::kNone;
      if (job && *job && (*job)->instance == setup_.instance) {
        for (const Attempt& ended : (*job)->attempts) {
          if (ended.attempt == attempt) reason = ended.end_reason;
        }
      }
      executor_of(executor).clean_up(job_id, attempt, reason);
    }
  }
}

}  // namespace runyard
