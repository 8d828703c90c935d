#include "core/access/ownership.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace runyard {
namespace {

Result<struct stat> look_at(const std::filesystem::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    return errno_error(errno, "cannot look at " + path.string());
  }
  return info;
}

bool is_foreign(const struct stat& info) { return info.st_uid != ::geteuid() && info.st_uid != 0; }
bool is_open(const struct stat& info) { return (info.st_mode & (S_IWGRP | S_IWOTH)) != 0; }

Error refuse(const std::filesystem::path& path, const struct stat& info) {
  if (is_foreign(info)) {
    return make_error(ErrorKind::kForbidden,
                      fmt::format("{} belongs to another user (uid {}), who could change what this "
                                  "server runs; take a folder of your own, or chown it",
                                  path.string(), info.st_uid));
  }
  return make_error(ErrorKind::kForbidden,
                    fmt::format("other users may write to {}, and so could change what this server "
                                "runs; forbid it: chmod go-w '{}'",
                                path.string(), path.string()));
}

}  // namespace

Result<> check_only_ours(const std::filesystem::path& folder) {
  std::error_code error;
  const auto real = std::filesystem::canonical(folder, error);
  if (error) {
    return make_error(ErrorKind::kNotFound,
                      "cannot look at " + folder.string() + ": " + error.message());
  }
  const auto itself = look_at(real);
  if (!itself) return itself.error();
  if (is_foreign(*itself) || is_open(*itself)) return refuse(real, *itself);
  const bool is_reachable = (itself->st_mode & (S_IXGRP | S_IXOTH)) != 0;
  for (const auto& entry : std::filesystem::directory_iterator(real, error)) {
    if (!is_reachable) break;
    const auto info = look_at(entry.path());
    if (info && S_ISREG(info->st_mode) && (is_foreign(*info) || is_open(*info))) {
      return refuse(entry.path(), *info);
    }
  }
  for (auto parent = real; parent.has_relative_path();) {
    parent = parent.parent_path();
    const auto info = look_at(parent);
    if (!info) return info.error();
    // In a sticky folder such as /tmp others can add, but not replace what is ours.
    const bool replaceable = is_open(*info) && (info->st_mode & S_ISVTX) == 0;
    if (is_foreign(*info) || replaceable) return refuse(parent, *info);
  }
  return {};
}

}  // namespace runyard
