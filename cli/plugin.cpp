#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/plugin_commands.h"

namespace runyard::cli {

int run_plugin(const Args& args) {
  if (!args.empty()) {
    const Args rest(args.begin() + 1, args.end());
    if (args[0] == "check") return run_plugin_check(rest);
    if (args[0] == "new") return run_plugin_new(rest);
  }
  const bool help = !args.empty() && (args[0] == "--help" || args[0] == "-h");
  fmt::print(help ? stdout : stderr,
             "Usage: runyard plugin new TYPE      write a repository of a new job type\n"
             "       runyard plugin check FILE    hold a plugin's library to the server's rules\n"
             "What a server has loaded is listed by runyard plugins.\n");
  return help ? kOk : kUsage;
}

}  // namespace runyard::cli
