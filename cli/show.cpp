#include "cli/commands.h"
#include "cli/job_text.h"
#include "cli/output.h"
#include "cli/terminal.h"

namespace runyard::cli {

int run_show(const Args& args) {
  Command command("runyard show", "Show everything about one job.");
  std::string reference;
  command.app()
      .add_option("job", reference, "The job: its id, a unique part of it, or @")
      ->required()
      ->type_name("");
  if (auto code = command.parse(args)) return *code;

  auto api = command.connect();
  if (!api) return fail(api.error());
  auto id = api->resolve(reference);
  if (!id) return fail(id.error());
  auto job = api->job(*id);
  if (!job) return fail(job.error());
  if (command.json()) {
    print_json(*job);
  } else {
    print(describe_job(*job, api->url(), now_ms(), wants_colour(stdout)));
  }
  return kOk;
}

}  // namespace runyard::cli
