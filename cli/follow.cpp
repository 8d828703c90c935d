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

constexpr milliseconds kPause{500};
constexpr int kInterruptedCode = 130;

}  // namespace

Result<json::object> Follower::run() {
  for (;;) {
    auto job = api_.job(job_id_);
    if (job && text_of(*job, "status") == "QUEUED") {
      if (std::exchange(lost_, false)) note("the server is back");
      note_waiting(*job);
      if (!pause_for(kPause)) return make_error(ErrorKind::kUnavailable, "interrupted");
      continue;
    }
    auto whole = job ? print_stream() : Result<bool>(job.error());
    if (whole && *whole) {
      job = api_.job(job_id_);
      if (job) return job;
      whole = job.error();
    }
    const Error error =
        whole ? make_error(ErrorKind::kUnavailable, "the stream ended") : whole.error();
    if (!try_again(error)) return error;
  }
}

Result<bool> Follower::print_stream() {
  std::optional<Error> failure;
  auto whole = api_.follow_log(job_id_, offset_, [&](std::string_view text, std::int64_t next) {
    if (std::exchange(lost_, false)) note("the server is back");
    if (failure || next <= offset_) return;
    const bool as_is = sink_.is_terminal() || text.find("\xEF\xBF\xBD") == text.npos;
    if (as_is) {
      sink_.write(text);
      offset_ = next;
    } else if (auto done = print_exactly(next); !done) {
      failure = done.error();
    }
    sink_.flush();
  });
  if (failure) return *failure;
  return whole;
}

/// U+FFFD may stand for bytes that are no UTF-8: into a file they go as they are.
Result<> Follower::print_exactly(std::int64_t until) {
  if (!exact_) {
    auto again = api_.again();
    if (!again) return again.error();
    exact_.emplace(std::move(*again));
  }
  while (offset_ < until) {
    const std::int64_t before = offset_;
    auto read = exact_->log_from(
        job_id_, offset_,
        [&](std::string_view chunk) {
          chunk = chunk.substr(0, static_cast<std::size_t>(until - offset_));
          sink_.write(chunk);
          offset_ += static_cast<std::int64_t>(chunk.size());
        },
        until);
    if (!read) return read.error();
    if (offset_ == before) return make_error(ErrorKind::kInternal, "the log has become shorter");
  }
  return {};
}

bool Follower::try_again(const Error& error) {
  if (error.kind != ErrorKind::kUnavailable || !api_.reached() || interrupted()) return false;
  if (!std::exchange(lost_, true)) {
    note("the server is away; waiting for it (Ctrl-C stops waiting, not the job)");
  }
  return pause_for(kPause);
}

void Follower::note_waiting(const json::object& job) {
  std::string reason = text_of(job, "waiting_for");
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
