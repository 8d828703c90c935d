#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <chrono>
#include <cmath>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/job_text.h"
#include "cli/output.h"
#include "cli/queue_text.h"
#include "cli/terminal.h"

namespace runyard::cli {
namespace {

namespace json = boost::json;

constexpr int kEndedShown = 10;

/// The picture of one moment. Queued jobs come in the order of submission, the oldest first.
Result<std::string> picture(Api& api, bool colour, std::size_t width) {
  auto queue = api.get("/api/admin/queue");
  if (!queue) return queue.error();
  auto running = api.recent({{"status", "RUNNING"}, {"limit", "100"}});
  if (!running) return running.error();
  auto queued = api.recent({{"status", "QUEUED"}, {"limit", "100"}});
  if (!queued) return queued.error();
  auto newest = api.recent({{"limit", "50"}});
  if (!newest) return newest.error();

  json::array jobs = std::move(*running);
  std::reverse(queued->begin(), queued->end());
  for (auto& job : *queued) jobs.push_back(std::move(job));
  int ended = 0;
  for (auto& job : *newest) {
    if (job.is_object() && has_ended(job.get_object()) && ended++ < kEndedShown) {
      jobs.push_back(std::move(job));
    }
  }
  const auto* object = queue->if_object();
  std::string line = api.url() + "  " + (object ? queue_line(*object) : "");
  if (width > 0) line = fit(line, width);
  const std::string table =
      jobs.empty() ? "no job yet\n" : job_table(jobs, now_ms()).render(colour, width);
  return paint(line, Colour::kBold, colour) + "\n\n" + table;
}

/// At most `rows` lines, without a newline at the end, so that a terminal does not scroll.
std::string first_lines(const std::string& text, std::size_t rows) {
  std::size_t end = 0;
  for (std::size_t row = 0; row < rows && end < text.size(); ++row) {
    const auto newline = text.find('\n', end);
    end = newline == std::string::npos ? text.size() : newline + 1;
  }
  std::string shown = text.substr(0, end);
  if (shown.ends_with('\n')) shown.pop_back();
  return shown;
}

constexpr std::size_t kUsualRows = 24;

/// Owns the terminal's second screen while it lives.
class Screen {
 public:
  Screen() { print("\x1b[?1049h\x1b[?25l"); }
  ~Screen() {
    print("\x1b[?25h\x1b[?1049l");
    std::fflush(stdout);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  void draw(const std::string& text) {
    // Each line erases what was behind it, and the end what was below: no flicker.
    std::string out = "\x1b[H";
    const std::size_t known = terminal_height();  // some terminals do not know it
    for (const char c : first_lines(text, known > 0 ? known : kUsualRows)) {
      if (c == '\n') out += "\x1b[K";
      out += c;
    }
    print(out + "\x1b[K\x1b[J");
    std::fflush(stdout);
  }
};

}  // namespace

int run_top(const Args& args) {
  Command command("runyard top", "Watch the queue: what runs, what waits, what has just ended.");
  bool once = false;
  double interval = 1;
  command.app().add_flag("--once", once, "Print it once; so it is too when stdout is no terminal");
  command.app()
      .add_option("--interval", interval, "Seconds between two pictures [default: 1]")
      ->check(CLI::Range(0.2, 3600.0).description(""))
      ->type_name("SEC");
  command.app().footer("With --json, the state of the queue is printed once.");
  if (auto code = command.parse(args)) return *code;

  auto api = command.connect();
  if (!api) return fail(api.error());
  if (command.json()) {
    auto queue = api->get("/api/admin/queue");
    if (!queue) return fail(queue.error());
    print_json(*queue);
    return kOk;
  }
  const bool colour = wants_colour(stdout);
  auto text = picture(*api, colour, terminal_width());
  if (!text) return fail(text.error());
  if (once || !is_terminal(stdout)) {
    print(*text);
    return kOk;
  }
  catch_interrupts();
  Screen screen;
  const auto pause = std::chrono::milliseconds(std::lround(interval * 1000));
  do {
    if (text) {
      screen.draw(*text);
    } else {
      screen.draw(fit(escape_controls(text.error().message), terminal_width()));
    }
    if (!pause_for(pause)) break;
    text = picture(*api, colour, terminal_width());
  } while (!interrupted());
  return kOk;
}

}  // namespace runyard::cli
