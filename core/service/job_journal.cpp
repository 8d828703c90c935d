#include "core/service/job_journal.h"

#include "core/base/log.h"
#include "core/base/text.h"

namespace runyard {
namespace {

constexpr std::size_t kMaxMessage = 300;
constexpr auto kInfo = spdlog::level::info;

}  // namespace

void JobJournal::accepted(const Job& job) {
  metrics_.submitted(job);
  log_event(kInfo, "job accepted",
            {{"job_id", job.job_id},
             {"type", job.job_type},
             {"group", job.options.group},
             {"name", job.options.name},
             {"rerun_of", job.rerun_of}});
}

void JobJournal::started(const Job& job) {
  metrics_.started(job);
  log_event(kInfo, "job started",
            {{"job_id", job.job_id}, {"type", job.job_type}, {"attempt", job.attempt}});
}

void JobJournal::retried(const Job& job) {
  metrics_.retried(job);
  log_event(kInfo, "job is tried again",
            {{"job_id", job.job_id},
             {"type", job.job_type},
             {"attempt", job.attempt},
             {"end_reason", to_string(job.end_reason)},
             {"error", ellipsize(job.error_message, kMaxMessage)}});
}

void JobJournal::ended(const Job& job) {
  metrics_.ended(job);
  log_end("job ended", job);
}

void JobJournal::corrected(const Job& job) { log_end("lost job has a result", job); }

void JobJournal::log_end(const char* what, const Job& job) {
  const double seconds = job.started_at && job.ended_at
                             ? static_cast<double>(*job.ended_at - *job.started_at) / 1000
                             : 0;
  log_event(kInfo, what,
            {{"job_id", job.job_id},
             {"type", job.job_type},
             {"status", to_string(job.status)},
             {"end_reason", to_string(job.end_reason)},
             {"exit_code", job.exit_code},
             {"seconds", seconds},
             {"error", ellipsize(job.error_message, kMaxMessage)}});
}

}  // namespace runyard
