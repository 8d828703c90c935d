#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/job_options.h"
#include "cli/job_text.h"
#include "cli/json_access.h"
#include "cli/output.h"
#include "cli/terminal.h"

namespace runyard::cli {
namespace {

/// One line on a terminal's stderr about the job that is waited for, drawn over itself; nothing
/// elsewhere.
class Bar {
 public:
  explicit Bar(bool on) : on_(on && is_terminal(stderr)) {}
  ~Bar() { clear(); }
  Bar(const Bar&) = delete;
  Bar& operator=(const Bar&) = delete;
  bool is_on() const { return on_; }

  void draw(const boost::json::object& job) {
    const std::string progress = progress_text(job), reason = text_of(job, "waiting_for");
    const std::string said = text_of(job, "status_text");
    if (const auto* known = object_of(job, "progress"); known && !progress.empty()) {
      fraction_ = number_of(*known, "fraction");
    }
    if (progress.empty()) {
      fraction_.reset();
      show(job, text_of(job, "status") == "QUEUED" ? "waits: " + reason
                : said.empty()                     ? "runs"
                                                   : said);
    } else {
      show(job,
           bar(fraction_.value_or(0), kCells) + " " + progress + (said.empty() ? "" : "  " + said));
    }
  }

  /// What was drawn of a job that had progress stays, full after a success.
  void end(const boost::json::object& job) {
    if (fraction_ && drawn_) {
      const double fraction = text_of(job, "status") == "SUCCESS" ? 1 : *fraction_;
      show(job, fmt::format("{} {:.0f}%", bar(fraction, kCells), fraction * 100));
      fmt::print(stderr, "\n");
      drawn_ = false;
    }
    fraction_.reset();
    clear();
  }

  void clear() {
    if (std::exchange(drawn_, false)) fmt::print(stderr, "\r\x1b[K");
  }

 private:
  static constexpr std::size_t kCells = 40;

  void show(const boost::json::object& job, const std::string& text) {
    if (!on_) return;
    const std::size_t width = terminal_width();
    const std::string line = escape_controls(text_of(job, "job_type") + "  " + text);
    fmt::print(stderr, "\r{}\x1b[K", width > 1 ? fit(line, width - 1) : line);
    std::fflush(stderr);
    drawn_ = true;
  }

  const bool on_;
  bool drawn_ = false;
  std::optional<double> fraction_;
};

}  // namespace

int run_wait(const Args& args) {
  Command command("runyard wait", "Wait until jobs have ended.");
  std::vector<std::string> references;
  std::string timeout;
  command.app()
      .add_option("job", references, "The jobs: ids, unique parts of ids, or @")
      ->required()
      ->type_name("");
  command.app()
      .add_option("--timeout", timeout, "Give up after this time: 90, 15m, 2h")
      ->type_name("TIME");
  command.app().footer(
      "On a terminal, the progress of the one that is waited for is drawn on stderr.\n"
      "Exit code: 0 when all succeeded, else that of the first one (in the order given) that did\n"
      "not. While the server is away, it goes on waiting.");
  if (auto code = command.parse(args)) return *code;
  std::optional<std::chrono::steady_clock::time_point> limit;
  if (!timeout.empty()) {
    const auto seconds = parse_seconds(timeout);
    if (!seconds) {
      return fail(make_error(ErrorKind::kInvalid,
                             "--timeout: '" + timeout + "' is not a time such as 90, 15m or 2h"));
    }
    limit = std::chrono::steady_clock::now() + std::chrono::seconds(*seconds);
  }

  auto api = command.connect();
  if (!api) return fail(api.error());
  auto ids = resolve_all(*api, references);
  if (!ids) return fail(ids.error());
  catch_interrupts();
  boost::json::array ended;
  int code = kOk;
  Bar progress(!command.json());
  const std::chrono::milliseconds longest(progress.is_on() ? 250 : 1000);
  auto pause = std::chrono::milliseconds(100);
  for (std::size_t i = 0; i < ids->size();) {
    const std::string& id = (*ids)[i];
    auto job = api->job(id);
    const bool away = !job && job.error().kind == ErrorKind::kUnavailable && api->reached();
    if (!job && !away) {
      progress.clear();
      return fail(job.error());
    }
    if (job && has_ended(*job)) {
      const std::string status = text_of(*job, "status");
      progress.end(*job);
      if (!command.json()) {
        print(fmt::format(
            "{} {}\n", id,
            paint(escape_controls(outcome(*job)), colour_of_status(status), wants_colour(stdout))));
        std::fflush(stdout);
      }
      if (code == kOk) code = exit_code_of_job(*job);
      ended.push_back(std::move(*job));
      pause = std::chrono::milliseconds(100);
      ++i;
      continue;
    }
    if (limit && std::chrono::steady_clock::now() >= *limit) {
      progress.clear();
      return fail(make_error(
          ErrorKind::kBusy,
          fmt::format("{} has not ended within {}", id, format_duration(*parse_seconds(timeout)))));
    }
    if (job) progress.draw(*job);
    if (!pause_for(pause)) return 130;
    pause = std::min(pause * 3 / 2, longest);
  }
  if (command.json()) print_json(ended);
  return code;
}

}  // namespace runyard::cli
