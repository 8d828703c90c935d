#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/job_text.h"
#include "cli/json_access.h"
#include "cli/output.h"
#include "cli/terminal.h"

namespace runyard::cli {
namespace {

namespace json = boost::json;

constexpr const char* kMostJobs = "500";

/// The groups that have a limit, or jobs that wait or run.
int list_groups(Api& api, bool json_output) {
  auto queue = api.get("/api/admin/queue");
  if (!queue) return fail(queue.error());
  const auto* object = queue->if_object();
  const auto* groups = object ? array_of(*object, "groups") : nullptr;
  if (json_output) {
    print_json(groups ? json::value(*groups) : json::value(json::array()));
    return kOk;
  }
  Table table({{"GROUP"}, {"JOBS", true}, {"SLOTS USED", true}, {"LIMIT", true}});
  for (const auto& item : groups ? *groups : json::array()) {
    const auto* group = item.if_object();
    if (!group) continue;
    const std::string name = text_of(*group, "name");
    const auto limit = integer_of(*group, "slots");
    table.add({name.empty() ? "(none)" : name,
               std::to_string(integer_of(*group, "jobs").value_or(0)),
               std::to_string(integer_of(*group, "used").value_or(0)),
               limit ? std::to_string(*limit) : ""});
  }
  if (table.empty()) {
    note("no group has a limit, or a job that waits or runs");
    return kOk;
  }
  print(table.render(wants_colour(stdout), terminal_width()));
  return kOk;
}

/// Queued jobs first, so that none starts in the place of one that was cancelled.
int cancel_group(Api& api, const std::string& name, bool json_output) {
  json::array cancelled;
  int code = kOk;
  for (const char* status : {"QUEUED", "RUNNING"}) {
    auto jobs = api.recent({{"group", name}, {"status", status}, {"limit", kMostJobs}});
    if (!jobs) return fail(jobs.error());
    for (const auto& item : *jobs) {
      const auto* job = item.if_object();
      if (!job) continue;
      const std::string id = text_of(*job, "job_id");
      auto answer = api.post("/api/jobs/" + id + "/cancel", {});
      if (answer) {
        if (!json_output) print(id + " is being cancelled\n");
        cancelled.push_back(std::move(*answer));
      } else if (answer.error().kind != ErrorKind::kConflict) {  // ended meanwhile: just as well
        code = fail(answer.error());
      }
    }
  }
  if (json_output) {
    print_json(cancelled);
  } else if (cancelled.empty() && code == kOk) {
    note(fmt::format("nothing waits or runs in group '{}'", name));
  }
  return code;
}

}  // namespace

int run_group(const Args& args) {
  Command command("runyard group", "Show the groups, or the jobs of one group, or cancel them.");
  std::string name;
  bool cancel = false;
  command.app()
      .add_option("name", name, "The group; without it, all groups are listed")
      ->type_name("");
  command.app().add_flag("--cancel", cancel, "Cancel what waits or runs in the group");
  if (auto code = command.parse(args)) return *code;
  if (cancel && name.empty()) {
    return fail(make_error(ErrorKind::kInvalid, "--cancel needs the name of a group"));
  }

  auto api = command.connect();
  if (!api) return fail(api.error());
  if (name.empty()) return list_groups(*api, command.json());
  if (cancel) return cancel_group(*api, name, command.json());
  auto jobs = api->recent({{"group", name}, {"limit", kMostJobs}});
  if (!jobs) return fail(jobs.error());
  if (command.json()) {
    print_json(*jobs);
  } else if (jobs->empty()) {
    note(fmt::format("no job in group '{}'", name));
  } else {
    print(job_table(*jobs, now_ms()).render(wants_colour(stdout), terminal_width()));
  }
  return kOk;
}

}  // namespace runyard::cli
