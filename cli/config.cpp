#include <fmt/format.h>

#include <boost/json.hpp>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/server_options.h"
#include "cli/terminal.h"

namespace runyard::cli {
namespace {

namespace json = boost::json;

json::array to_array(const std::vector<std::string>& texts) {
  return json::array(texts.begin(), texts.end());
}

/// The mistakes and warnings, one a line, on stderr.
void complain(const Settings& settings) {
  for (const auto& text : settings.mistakes()) {
    fmt::print(stderr, "error: {}\n", escape_controls(text));
  }
  for (const auto& text : settings.warnings()) {
    fmt::print(stderr, "warning: {}\n", escape_controls(text));
  }
}

int check(const Args& args) {
  CLI::App app(
      "Check the configuration that the server would start with: the file, then the environment.\n"
      "Prints every mistake with its line; the exit code is 2 when there is one.",
      "runyard config check");
  ServerOptions options;
  std::string file;
  bool as_json = false;
  app.add_option("FILE", file, "A file to check instead of the workspace's");
  options.declare_place(app);
  app.add_flag("--json", as_json, "Print the result as one line of JSON");
  if (auto code = parse_args(app, args)) return *code;
  if (!file.empty()) options.set_file(file);

  const Settings settings = options.read();
  const bool good = settings.mistakes().empty();
  if (as_json) {
    print_json(json::object{{"file", options.file().string()},
                            {"ok", good},
                            {"mistakes", to_array(settings.mistakes())},
                            {"warnings", to_array(settings.warnings())}});
  } else {
    complain(settings);
    if (good) {
      print(options.file().empty()
                ? "there is no configuration file; the defaults are used\n"
                : fmt::format("{}: ok\n", escape_controls(options.file().string())));
    }
  }
  return good ? kOk : kUsage;
}

int show(const Args& args) {
  CLI::App app(
      "Show every setting as the server would use it, and where it comes from. The output is a\n"
      "configuration file itself.\n"
      "Order: options, then the environment (RUNYARD_SERVER__PORT=9000 sets server.port; lists\n"
      "may be written a,b), then the file, then the defaults.",
      "runyard config show");
  ServerOptions options;
  bool as_json = false;
  options.declare_place(app);
  options.declare_settings(app);
  app.add_flag("--json", as_json, "Print it as one line of JSON");
  if (auto code = parse_args(app, args)) return *code;

  const Settings settings = options.read();
  if (as_json) {
    print_json(settings.to_json());
  } else {
    print(settings.to_yaml());
  }
  complain(settings);
  return settings.mistakes().empty() ? kOk : kUsage;
}

}  // namespace

int run_config(const Args& args) {
  if (!args.empty() && args[0] == "check") return check(Args(args.begin() + 1, args.end()));
  if (!args.empty() && args[0] == "show") return show(Args(args.begin() + 1, args.end()));
  const bool help = !args.empty() && (args[0] == "--help" || args[0] == "-h");
  fmt::print(
      help ? stdout : stderr,
      "Usage: runyard config check [FILE]   find the mistakes of a configuration\n"
      "       runyard config show           the settings in use, and where each comes from\n");
  return help ? kOk : kUsage;
}

}  // namespace runyard::cli
