#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "cli/doctor/checks.h"
#include "cli/json_access.h"
#include "core/base/run_program.h"
#include "core/base/text.h"
#include "core/service/environment.h"
#include "core/service/git_reader.h"

namespace runyard::cli {
namespace {

namespace fs = std::filesystem;

constexpr auto kProbeDeadline = std::chrono::seconds(10);

/// Reads the workspace's scripts and runs none of them: which modules do they import at their top
/// that this Python does not have? What stands within `try` is taken for optional.
constexpr const char* kMissingModules = R"py(
import ast, importlib.util, json, pathlib, platform, sys
sys.path.insert(0, '')
def imports(tree):
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
wanted = {}
for path in sorted(pathlib.Path('scripts').rglob('*.py'))[:5000]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        continue
    for name in imports(tree):
        wanted.setdefault(name.partition('.')[0], str(path))
missing = {}
for name, path in wanted.items():
    try:
        found = importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        found = False
    if not found:
        missing[name] = path
print(json.dumps({'version': platform.python_version(), 'missing': missing,
                  'checked': len(wanted)}))
)py";

bool is_writable(const fs::path& path) { return ::access(path.c_str(), W_OK | X_OK) == 0; }

Finding check_git(const fs::path& workspace) {
  const auto version = run_program({"git", "--version"}, {.limit = kProbeDeadline});
  if (!version || version->exit_code != 0) {
    return warning("git", "git cannot be run, so jobs do not say which commit they ran",
                   "install git");
  }
  if (const auto state = GitReader(workspace).read()) {
    return good("git", fmt::format("commit {}{}", state->commit.substr(0, 12),
                                   state->dirty ? ", with changes that are not committed" : ""));
  }
  return note("git",
              "the workspace is no repository with a commit, or git refuses it; jobs do not "
              "say which commit they ran",
              fmt::format("git -C {} status says why", workspace.string()));
}

}  // namespace

std::vector<Finding> check_workspace(const Config& config) {
  std::error_code error;
  const fs::path workspace = fs::absolute(config.workspace, error).lexically_normal();
  if (!fs::is_directory(workspace, error)) {
    return {bad("workspace", "there is no folder " + workspace.string(),
                "name the repository: --workspace DIR")};
  }
  const fs::path reports = workspace / "reports/jobs";
  fs::path nearest = reports;
  while (!fs::exists(nearest, error) && nearest != workspace) nearest = nearest.parent_path();
  std::vector<Finding> findings;
  if (!is_writable(nearest)) {
    findings.push_back(bad(
        "workspace",
        "this user cannot write to " + nearest.string() + ", where the records and logs of jobs go",
        "chown it to the user who runs the server"));
  } else {
    findings.push_back(good("workspace", workspace.string()));
  }
  findings.push_back(check_git(workspace));
  return findings;
}

std::vector<Finding> check_python(const Config& config) {
  std::error_code error;
  const fs::path workspace = fs::absolute(config.workspace, error);
  const auto command =
      program_command({Program::Kind::kPythonModule, "any"}, config.python, workspace);
  if (!command) return {bad("python", command.error().message, "see docs/operations.md")};
  const std::string& python = command->front();
  const auto done =
      run_program({python, "-c", kMissingModules}, {.limit = kProbeDeadline, .folder = workspace});
  if (!done) return {bad("python", done.error().message, "set 'workspace.python' to another one")};
  boost::system::error_code parse_error;
  const auto document = boost::json::parse(done->output, parse_error);
  const auto* answer = parse_error ? nullptr : document.if_object();
  if (done->exit_code != 0 || !answer) {
    return {bad("python",
                fmt::format("{} does not work (exit code {}): {}", python, done->exit_code,
                            ellipsize(trim(done->errors), 300)),
                "set 'workspace.python' to another one")};
  }
  const std::string name = python + " " + text_of(*answer, "version");
  const auto* missing = object_of(*answer, "missing");
  if (!missing || missing->empty()) {
    return {good("python", fmt::format("{} has all {} modules that the scripts import", name,
                                       integer_of(*answer, "checked").value_or(0)))};
  }
  std::vector<Finding> findings;
  for (const auto& [module, path] : *missing) {
    findings.push_back(
        bad("python",
            fmt::format("{} has no module '{}', which {} imports", name, std::string(module),
                        path.is_string() ? std::string(path.get_string()) : ""),
            fmt::format("{} -m pip install {} (or Debian's package), or set 'workspace.python'",
                        python, std::string(module))));
  }
  return findings;
}

}  // namespace runyard::cli
