#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <chrono>
#include <optional>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/job_options.h"
#include "cli/job_text.h"
#include "cli/json_access.h"
#include "cli/output.h"
#include "cli/terminal.h"

namespace runyard::cli {

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
  auto pause = std::chrono::milliseconds(100);
  for (std::size_t i = 0; i < ids->size();) {
    const std::string& id = (*ids)[i];
    auto job = api->job(id);
    const bool away = !job && job.error().kind == ErrorKind::kUnavailable && api->reached();
    if (!job && !away) return fail(job.error());
    if (job && has_ended(*job)) {
      const std::string status = text_of(*job, "status");
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
      return fail(
          make_error(ErrorKind::kBusy, fmt::format("{} has not ended within {}", id, timeout)));
    }
    if (!pause_for(pause)) return 130;
    pause = std::min(pause * 3 / 2, std::chrono::milliseconds(1000));
  }
  if (command.json()) print_json(ended);
  return code;
}

}  // namespace runyard::cli
