#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/api.h"
#include "core/base/result.h"

namespace runyard::cli {

/// The words after the command's name.
using Args = std::vector<std::string>;

/// Exit codes, as `runyard --help` states them. With --follow, and for `wait`, the code is the
/// job's own.
enum ExitCode { kOk = 0, kFailed = 1, kUsage = 2, kUnreachable = 3, kMissing = 4 };

/// kUsage for bad inputs, kUnreachable, kMissing, else kFailed.
int exit_code_of(const Error& error);
/// `error: ...` and a line for each field on stderr; returns exit_code_of(error).
int fail(const Error& error);

/// Which server, and as whom; "" for what the environment says.
struct Target {
  std::string server, token;
};

/// What every client command has: a parser with --server and --json, and the connection.
/// One for each run of a command.
class Command {
 public:
  /// `name` as typed, with the program's: "runyard ls".
  Command(const std::string& name, const std::string& description);
  CLI::App& app() { return app_; }

  /// nullopt to go on; else the exit code, with help or the usage error printed.
  std::optional<int> parse(const Args& args);
  bool json() const { return json_; }
  Result<Api> connect() const;

 private:
  CLI::App app_;
  Target target_;
  bool json_ = false;
};

/// Adds --server, --token and --json to a parser.
void add_common_options(CLI::App& app, Target& target, bool& json);
/// Parses `args` with `app`; what Command::parse does.
std::optional<int> parse_args(CLI::App& app, const Args& args);
/// The server, else RUNYARD_SERVER, else the default address; the token, else RUNYARD_TOKEN, else
/// the file ~/.config/runyard/token, which nobody else may read (kForbidden).
Result<Api> connect_to(const Target& target);
/// Resolves every reference of a job, in order; the first error.
Result<std::vector<std::string>> resolve_all(Api& api, const std::vector<std::string>& references);

}  // namespace runyard::cli
