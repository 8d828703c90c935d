#include "core/service/environment.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "core/base/files.h"
#include "core/base/text.h"

extern char** environ;

namespace runyard {
namespace {

bool is_executable(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
}

std::filesystem::path find_on_path(const std::string& name) {
  const char* variable = std::getenv("PATH");
  const std::string path = variable ? variable : "/usr/local/bin:/usr/bin:/bin";
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find(':', at), path.size());
    const auto candidate = std::filesystem::path(path.substr(at, end - at)) / name;
    if (candidate.is_absolute() && is_executable(candidate)) return candidate;
    at = end + 1;
  }
  return {};
}

/// What a command printed; nullopt unless it ended with 0.
std::optional<std::string> output_of(std::vector<std::string> argv) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<char*> raw;
  for (auto& argument : argv) raw.push_back(argument.data());
  raw.push_back(nullptr);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, raw[0], &actions, nullptr, raw.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return std::nullopt;
  write_end.reset();
  std::string output;
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t got = ::read(read_end.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    output.append(buffer.data(), static_cast<std::size_t>(got));
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return std::nullopt;
  return output;
}

}  // namespace

Result<std::vector<std::string>> program_command(const Program& program, const std::string& python,
                                                 const std::filesystem::path& workspace) {
  if (program.kind == Program::Kind::kPythonModule) {
    std::filesystem::path interpreter = python;
    if (python.empty()) {
      interpreter = workspace / ".venv/bin/python";
      if (!is_executable(interpreter)) interpreter = find_on_path("python3");
    } else if (python.find('/') == std::string::npos) {
      interpreter = find_on_path(python);
    } else if (interpreter.is_relative()) {
      interpreter = workspace / interpreter;
    }
    if (!is_executable(interpreter)) {
      return make_error(ErrorKind::kUnavailable,
                        "there is no Python interpreter" +
                            (python.empty() ? std::string() : " '" + python + "'") +
                            ": install python3, make .venv in the workspace, or set "
                            "'workspace.python' in the configuration");
    }
    return std::vector<std::string>{interpreter.string(), "-m", program.name};
  }
  std::filesystem::path executable = program.name;
  if (program.name.find('/') == std::string::npos) {
    executable = find_on_path(program.name);
  } else if (executable.is_relative()) {
    executable = workspace / executable;
  }
  if (!is_executable(executable)) {
    return make_error(ErrorKind::kUnavailable,
                      "the program '" + program.name + "' is not installed on this machine");
  }
  return std::vector<std::string>{executable.string()};
}

std::vector<std::string> job_environment(const Job& job,
                                         const std::map<std::string, std::string>& extra,
                                         bool gpus_managed) {
  std::map<std::string, std::string> env;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals == std::string_view::npos || text.starts_with("RUNYARD_")) continue;
    env[std::string(text.substr(0, equals))] = text.substr(equals + 1);
  }
  env["PYTHONUNBUFFERED"] = "1";
  env["PYTHONUTF8"] = "1";
  for (const auto& [name, value] : extra) env[name] = value;
  env["RUNYARD_JOB_ID"] = job.job_id;
  env["RUNYARD_ATTEMPT"] = job.job_id + "." + std::to_string(job.attempt);
  if (gpus_managed) {
    std::string ids;
    for (int id : job.gpu_ids) ids += (ids.empty() ? "" : ",") + std::to_string(id);
    env["CUDA_VISIBLE_DEVICES"] = ids;
  }
  std::vector<std::string> lines;
  lines.reserve(env.size());
  for (const auto& [name, value] : env) lines.push_back(name + "=" + value);
  return lines;
}

std::optional<GitState> read_git_state(const std::filesystem::path& workspace) {
  const std::string folder = workspace.string();
  // Without the optional locks, git status never gets in the way of the user's own git.
  const auto commit = output_of({"git", "-C", folder, "rev-parse", "HEAD"});
  if (!commit) return std::nullopt;
  const auto changes = output_of({"git", "--no-optional-locks", "-C", folder, "status",
                                  "--porcelain", "--untracked-files=no"});
  return GitState{std::string(trim(*commit)), changes && !trim(*changes).empty()};
}

}  // namespace runyard
