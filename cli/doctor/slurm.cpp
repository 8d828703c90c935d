#include <fmt/format.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>

#include "cli/doctor/checks.h"
#include "core/base/run_program.h"
#include "core/base/text.h"

namespace runyard::cli {
namespace {

bool uses_slurm(const Config& config) {
  const auto is_slurm = [](const auto& entry) { return entry.second == "slurm"; };
  return config.executor == "slurm" || std::ranges::any_of(config.group_executors, is_slurm) ||
         std::ranges::any_of(config.type_executors, is_slurm);
}

/// What only this machine has: other nodes see another one of that name, or none.
bool is_surely_local(const std::filesystem::path& folder) {
  struct statfs info {};
  constexpr decltype(info.f_type) kTmpfs = 0x01021994, kOverlay = 0x794c7630;
  return ::statfs(folder.c_str(), &info) == 0 && (info.f_type == kTmpfs || info.f_type == kOverlay);
}

}  // namespace

std::vector<Finding> check_slurm(const Config& config, const std::filesystem::path& shim) {
  if (!uses_slurm(config)) return {};
  std::vector<Finding> findings;
  std::vector<std::string> missing;
  for (const char* name : {"sbatch", "squeue", "scancel"}) {
    if (find_on_path(name).empty()) missing.emplace_back(name);
  }
  if (!missing.empty()) {
    findings.push_back(
        bad("slurm", fmt::format("not on PATH: {}", fmt::join(missing, ", ")),
            "install Slurm's client commands (Debian: slurm-client) and its slurm.conf"));
  } else {
    const auto asked =
        run_program({"squeue", "-h", "-u", std::to_string(::getuid())},
                    {.limit = std::chrono::seconds(config.slurm_command_timeout_sec)});
    if (asked && asked->exit_code == 0) {
      const auto jobs = std::ranges::count(asked->output, '\n');
      findings.push_back(good("slurm", fmt::format("it answers; {} job(s) of this user", jobs)));
    } else {
      std::string why = asked ? std::string(trim(asked->errors)) : asked.error().message;
      std::ranges::replace(why, '\n', ' ');
      findings.push_back(bad("slurm", "squeue: " + why, "see that slurmctld and munge run"));
    }
  }
  const auto& there = config.slurm_shim.empty() ? shim : config.slurm_shim;
  if (config.slurm_shim.empty()) {
    findings.push_back(note("slurm shim", fmt::format("the nodes must see {}", there.string()),
                            "or copy it to where they do and set slurm.shim"));
  }
  const auto folder =
      config.slurm_folder.empty() ? config.workspace / ".runyard/slurm" : config.slurm_folder;
  const auto parent = std::filesystem::exists(folder) ? folder : config.workspace;
  if (is_surely_local(parent)) {
    findings.push_back(
        warning("slurm folder",
                fmt::format("{} is on a file system of this machine alone", folder.string()),
                "have workspace and slurm.folder where the nodes see them"));
  } else {
    findings.push_back(note(
        "slurm folder", fmt::format("the nodes must see {} and the workspace", folder.string())));
  }
  return findings;
}

}  // namespace runyard::cli
