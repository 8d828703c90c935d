#include "core/service/environment.h"

#include <unistd.h>

#include "core/base/run_program.h"

extern char** environ;

namespace runyard {
namespace {

bool is_executable(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
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

}  // namespace runyard
