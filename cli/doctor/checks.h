#pragma once

#include <filesystem>
#include <vector>

#include "cli/doctor/finding.h"
#include "core/service/config.h"

namespace runyard::cli {

// The checks of `runyard doctor`. They change nothing that stays, ask no server but the one of the
// configuration, run no program of the workspace, and each is bounded in time.

// The machine (machine.cpp).
Finding check_kernel();
Finding check_open_files();
Finding check_inotify();
Finding check_clock();
Finding check_cgroup();
/// What nvidia-smi sees, and whether the configured ids are among it.
Finding check_gpus(const Config& config);

// The workspace and what runs there (workspace.cpp).
std::vector<Finding> check_workspace(const Config& config);
std::vector<Finding> check_python(const Config& config);

// What the server keeps and starts (state.cpp).
std::vector<Finding> check_state(const std::filesystem::path& state_dir);
Finding check_shim(const std::filesystem::path& shim);

// Slurm, where jobs go there (slurm.cpp): its commands, an answer, what the nodes must see.
std::vector<Finding> check_slurm(const Config& config, const std::filesystem::path& shim);

// Plugins and the server itself (server.cpp).
struct ServerState {
  bool answers = false;  ///< a Runyard server does, at the configured address
  std::vector<Finding> findings;
};
ServerState check_server(const Config& config);
/// Who can reach it, and whether it may start like that.
Finding check_access(const Config& config);
/// The folders; and each library's state, as the running server says it, else by trying them here.
std::vector<Finding> check_plugins(const Config& config, bool server_answers);

}  // namespace runyard::cli
