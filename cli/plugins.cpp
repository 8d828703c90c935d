#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/json_access.h"
#include "cli/output.h"
#include "cli/terminal.h"

namespace runyard::cli {

int run_plugins(const Args& args) {
  Command command("runyard plugins", "List the plugin libraries that the server has seen.");
  bool rescan = false;
  command.app().add_flag("--rescan", rescan, "Look through the plugin folders first");
  if (auto code = command.parse(args)) return *code;

  auto api = command.connect();
  if (!api) return fail(api.error());
  auto plugins =
      rescan ? api->post("/api/admin/plugins/rescan", {}) : api->get("/api/admin/plugins");
  if (!plugins) return fail(plugins.error());
  if (command.json()) {
    print_json(*plugins);
    return kOk;
  }
  Table table({{"TYPE"},
               {"VERSION"},
               {"STATE"},
               {"ABI"},
               {"LOADED"},
               {"JOBS", true},
               {"LIBRARY"},
               {"REASON"}});
  const auto* list = plugins->if_array();
  for (const auto& item : list ? *list : boost::json::array()) {
    const auto* plugin = item.if_object();
    if (!plugin) continue;
    const std::string state = text_of(*plugin, "state");
    const auto abi = integer_of(*plugin, "abi");
    const auto jobs = integer_of(*plugin, "jobs_run");
    table.add({text_of(*plugin, "type"),
               text_of(*plugin, "version"),
               {state, colour_of_status(state)},
               abi ? std::to_string(*abi) : text_of(*plugin, "abi"),
               short_time(text_of(*plugin, "loaded_at"), now_ms()),
               jobs ? std::to_string(*jobs) : "",
               text_of(*plugin, "path"),
               {text_of(*plugin, "reason"), Colour::kRed}});
  }
  if (table.empty()) {
    note("no plugin");
    return kOk;
  }
  print(table.render(wants_colour(stdout), terminal_width()));
  return kOk;
}

}  // namespace runyard::cli
