#include "core/service/state_dir.h"

#include <cstdlib>
#include <sstream>
#include <string>

#include "core/base/files.h"
#include "core/base/sha256.h"

namespace runyard {
namespace {

/// `/mnt/c` and the like, mounted from Windows.
bool is_on_windows_drive(const std::string& path, std::string_view mounts) {
  std::istringstream lines{std::string(mounts)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string source, place, type;
    fields >> source >> place >> type;
    const bool is_drive = place.size() == 6 && place.starts_with("/mnt/");
    const bool is_windows = type == "9p" || type == "drvfs";
    if (is_drive && is_windows && (path == place || path.starts_with(place + "/"))) return true;
  }
  return false;
}

}  // namespace

std::filesystem::path default_state_dir(const std::filesystem::path& workspace,
                                        std::string_view mounts,
                                        const std::filesystem::path& states) {
  std::error_code error;
  auto real = std::filesystem::weakly_canonical(std::filesystem::absolute(workspace, error), error);
  if (!real.has_filename()) real = real.parent_path();  // `research/`
  if (error || states.empty() || !is_on_windows_drive(real.string(), mounts)) {
    return workspace / ".runyard";
  }
  return states / "runyard" /
         (real.filename().string() + "-" + sha256_hex(real.string()).substr(0, 12));
}

std::filesystem::path default_state_dir(const std::filesystem::path& workspace) {
  const auto folder = [](const char* variable) {
    const char* value = std::getenv(variable);
    std::filesystem::path path = value ? value : "";
    return path.is_absolute() ? path : std::filesystem::path();
  };
  std::filesystem::path states = folder("XDG_STATE_HOME");
  if (const auto home = folder("HOME"); states.empty() && !home.empty()) {
    states = home / ".local/state";
  }
  const auto mounts = read_file("/proc/self/mounts");
  return default_state_dir(workspace, mounts ? *mounts : "", states);
}

}  // namespace runyard
