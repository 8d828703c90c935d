#pragma once

#include <filesystem>
#include <string_view>

namespace runyard {

/// Where the server's own files are when nobody says: `.runyard` of the workspace. For a workspace
/// on a Windows drive of WSL, where locks and modes mean nothing, a folder of that workspace's own
/// in the user's home: $XDG_STATE_HOME or ~/.local/state, then runyard/<name>-<12 hex of its path>.
std::filesystem::path default_state_dir(const std::filesystem::path& workspace);
/// The same, for the mounts of /proc/self/mounts and a folder for states.
std::filesystem::path default_state_dir(const std::filesystem::path& workspace,
                                        std::string_view mounts,
                                        const std::filesystem::path& states);

}  // namespace runyard
