#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "cli/commands.h"
#include "cli/doctor/checks.h"
#include "cli/output.h"
#include "cli/server_options.h"
#include "cli/terminal.h"

namespace runyard::cli {
namespace {

namespace json = boost::json;
using Health = Finding::Health;

std::string_view word_of(Health health) {
  switch (health) {
    case Health::kGood:
      return "ok";
    case Health::kNote:
      return "note";
    case Health::kWarning:
      return "warning";
    case Health::kBad:
      return "BAD";
  }
  return "";
}

Colour colour_of(Health health) {
  switch (health) {
    case Health::kGood:
      return Colour::kGreen;
    case Health::kNote:
      return Colour::kGrey;
    case Health::kWarning:
      return Colour::kYellow;
    case Health::kBad:
      return Colour::kRed;
  }
  return Colour::kNone;
}

std::vector<Finding> check_configuration(const ServerOptions& options, const Settings& settings) {
  std::vector<Finding> findings;
  for (const auto& mistake : settings.mistakes()) {
    findings.push_back(bad("config", mistake, "correct it; the server does not start with it"));
  }
  for (const auto& text : settings.warnings()) {
    findings.push_back(warning("config", text, "runyard config show lists what is in use"));
  }
  if (findings.empty()) {
    const auto file = options.file();
    findings.push_back(good("config", file.empty() ? "no file; the defaults" : file.string()));
  }
  return findings;
}

std::vector<Finding> examine(const ServerOptions& options) {
  const Settings settings = options.read();
  const Config& config = settings.values();
  std::vector<Finding> all = check_configuration(options, settings);
  const auto add = [&](std::vector<Finding> more) {
    std::move(more.begin(), more.end(), std::back_inserter(all));
  };
  add(check_workspace(config));
  add(check_python(config));
  add(check_state(config.state_dir));
  all.push_back(check_shim(program_folder() / "runyard-shim"));
  const ServerState server = check_server(config);
  add(server.findings);
  all.push_back(check_access(config));
  add(check_plugins(config, server.answers));
  all.push_back(check_kernel());
  all.push_back(check_open_files());
  all.push_back(check_inotify());
  all.push_back(check_clock());
  all.push_back(check_cgroup());
  all.push_back(check_gpus(config));
  add(check_slurm(config, program_folder() / "runyard-shim"));
  return all;
}

json::object to_json(const Finding& finding) {
  std::string health(word_of(finding.health));
  if (finding.health == Health::kBad) health = "bad";
  return {{"check", finding.check},
          {"health", health},
          {"text", finding.text},
          {"mend", finding.mend.empty() ? json::value(nullptr) : json::value(finding.mend)}};
}

void print_lines(const std::vector<Finding>& findings) {
  const bool colour = wants_colour(stdout);
  std::size_t width = 0;
  for (const auto& one : findings) width = std::max(width, one.check.size());
  for (const auto& one : findings) {
    const std::string word = fmt::format("{:<7}", word_of(one.health));
    std::string line = fmt::format("{}  {:<{}}  {}", paint(word, colour_of(one.health), colour),
                                   one.check, width, escape_controls(one.text));
    if (!one.mend.empty()) line += fmt::format("  -> {}", escape_controls(one.mend));
    print(line + "\n");
  }
}

}  // namespace

int run_doctor(const Args& args) {
  CLI::App app(
      "Look at a set-up and say what is wrong with it, one line a check with the mend behind "
      "'->'.\n"
      "Works beside a running server and without one; changes nothing. Give it the options that\n"
      "`runyard serve` gets. The exit code is 1 when something does not work (BAD).",
      "runyard doctor");
  ServerOptions options;
  bool as_json = false;
  options.declare_place(app);
  options.declare_settings(app);
  app.add_flag("--json", as_json, "Print the findings as one line of JSON");
  if (auto code = parse_args(app, args)) return *code;

  const auto findings = examine(options);
  const auto count = [&](Health health) {
    return std::count_if(findings.begin(), findings.end(),
                         [&](const auto& one) { return one.health == health; });
  };
  const bool well = count(Health::kBad) == 0;
  if (as_json) {
    json::array list;
    for (const auto& one : findings) list.push_back(to_json(one));
    print_json(json::object{{"ok", well}, {"findings", std::move(list)}});
  } else {
    print_lines(findings);
    print(well ? fmt::format("All that is needed works; {} warning(s).\n", count(Health::kWarning))
               : fmt::format("{} thing(s) do not work.\n", count(Health::kBad)));
  }
  return well ? kOk : kFailed;
}

}  // namespace runyard::cli
