#include <fmt/format.h>

#include <boost/json/array.hpp>

#include "cli/commands.h"
#include "cli/json_access.h"
#include "cli/output.h"
#include "cli/terminal.h"

namespace runyard::cli {

int run_cancel(const Args& args) {
  Command command("runyard cancel", "Cancel queued or running jobs, with all their processes.");
  std::vector<std::string> references;
  command.app()
      .add_option("job", references, "The jobs: ids, unique parts of ids, or @")
      ->required()
      ->type_name("");
  if (auto code = command.parse(args)) return *code;

  auto api = command.connect();
  if (!api) return fail(api.error());
  auto ids = resolve_all(*api, references);
  if (!ids) return fail(ids.error());
  boost::json::array jobs;
  int code = kOk;
  for (const std::string& id : *ids) {
    auto job = api->post("/api/jobs/" + id + "/cancel", {});
    if (!job) {
      code = fail(job.error());
      continue;
    }
    if (!command.json() && job->is_object()) {
      const bool done = text_of(job->get_object(), "status") == "CANCELLED";
      print(fmt::format("{} {}\n", id, done ? "CANCELLED" : "is being cancelled"));
    }
    jobs.push_back(std::move(*job));
  }
  if (command.json()) print_json(jobs);
  return code;
}

}  // namespace runyard::cli
