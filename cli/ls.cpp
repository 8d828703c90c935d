#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "cli/commands.h"
#include "cli/job_text.h"
#include "cli/output.h"
#include "cli/terminal.h"

namespace runyard::cli {

int run_ls(const Args& args) {
  Command command("runyard ls", "List jobs, the newest first.");
  std::string status, type, group, search;
  int limit = 20;
  command.app()
      .add_option("--status", status, "QUEUED, RUNNING, SUCCESS, FAILED or CANCELLED")
      ->type_name("STATUS");
  command.app().add_option("--type", type, "Only jobs of this type")->type_name("TYPE");
  command.app().add_option("--group", group, "Only jobs of this group")->type_name("NAME");
  command.app()
      .add_option("-q,--search", search, "Only jobs that contain this text")
      ->type_name("TEXT");
  command.app()
      .add_option("-n,--limit", limit, "How many, 1 to 500 [default: 20]")
      ->check(CLI::Range(1, 500).description(""))
      ->type_name("N");
  if (auto code = command.parse(args)) return *code;

  std::transform(status.begin(), status.end(), status.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  std::replace(type.begin(), type.end(), '-', '_');
  Api::Query query = {{"limit", std::to_string(limit)}};
  const auto add = [&query](const char* key, const std::string& value) {
    if (!value.empty()) query.emplace_back(key, value);
  };
  add("status", status);
  add("job_type", type);
  add("group", group);
  add("q", search);

  auto api = command.connect();
  if (!api) return fail(api.error());
  std::string total;
  auto jobs = api->recent(query, &total);
  if (!jobs) return fail(jobs.error());
  if (command.json()) {
    print_json(*jobs);
    return kOk;
  }
  if (jobs->empty()) {
    note("no job");
    return kOk;
  }
  print(job_table(*jobs, now_ms()).render(wants_colour(stdout), terminal_width()));
  if (is_terminal(stdout) && !total.empty() && total != std::to_string(jobs->size())) {
    note(fmt::format("{} of {} jobs; --limit shows more", jobs->size(), total));
  }
  return kOk;
}

}  // namespace runyard::cli
