#include "cli/follow.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/job_text.h"
#include "cli/json_access.h"
#include "cli/output.h"

namespace runyard::cli {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;

constexpr milliseconds kShortPause{100};
constexpr milliseconds kLongPause{500};
constexpr int kInterruptedCode = 130;

}  // namespace

Result<json::object> Follower::run() {
  milliseconds pause = kShortPause;
  for (;;) {
    // The job first, the log after it: when the job has ended, its log is complete.
    auto job = api_.job(job_id_);
    auto news = job ? print_news() : Result<bool>(job.error());
    if (!news) {
      if (!try_again(news.error())) return news.error();
      continue;
    }
    if (std::exchange(lost_, false)) note("the server is back");
    if (has_ended(*job)) return std::move(*job);
    note_waiting(*job);
    pause = *news ? kShortPause : std::min(pause * 3 / 2, kLongPause);
    if (!pause_for(pause)) return make_error(ErrorKind::kUnavailable, "interrupted");
  }
}

Result<bool> Follower::print_news() {
  const std::int64_t before = offset_;
  // Counted as it is printed, so that a connection that breaks in the middle does no harm.
  auto read = api_.log_from(job_id_, offset_, [this](std::string_view chunk) {
    sink_.write(chunk);
    offset_ += static_cast<std::int64_t>(chunk.size());
  });
  sink_.flush();
  if (!read) return read.error();
  return offset_ > before;
}

bool Follower::try_again(const Error& error) {
  if (error.kind != ErrorKind::kUnavailable || !api_.reached() || interrupted()) return false;
  if (!std::exchange(lost_, true)) {
    note("the server is away; waiting for it (Ctrl-C stops waiting, not the job)");
  }
  return pause_for(kLongPause);
}

void Follower::note_waiting(const json::object& job) {
  std::string reason = text_of(job, "status") == "QUEUED" ? text_of(job, "waiting_for") : "";
  if (!reason.empty() && reason != waiting_for_) note("waits: " + reason);
  waiting_for_ = std::move(reason);
}

int follow_job(Api& api, const std::string& job_id, std::FILE* log, std::int64_t offset,
               json::object& final_job) {
  LogSink sink(log);
  auto job = Follower(api, job_id, sink, offset).run();
  sink.finish();
  if (!job && interrupted()) {
    note(
        fmt::format("stopped following; the job goes on. `runyard log -f {0}` follows it again, "
                    "`runyard cancel {0}` ends it",
                    job_id));
    return kInterruptedCode;
  }
  if (!job) return fail(job.error());
  final_job = std::move(*job);
  const bool colour = wants_colour(stderr);
  const std::string status = text_of(final_job, "status");
  fmt::print(stderr, "{} {}\n{}", job_id,
             paint(escape_controls(outcome(final_job)), colour_of_status(status), colour),
             link_lines(final_job, api.url()));
  return exit_code_of_job(final_job);
}

}  // namespace runyard::cli
