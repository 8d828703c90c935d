#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmath>

#include "cli/doctor/checks.h"
#include "cli/output.h"
#include "core/base/clock.h"
#include "core/base/files.h"
#include "core/base/run_program.h"

namespace runyard::cli {
namespace {

namespace fs = std::filesystem;

constexpr double kVeryLittle = 100e6, kLittle = 1e9;
constexpr double kClockSkewSec = 5;
constexpr const char* kElsewhere = "put it on a local disk: --state-dir, or 'server.state_dir'";

/// File systems on which SQLite's locks or its memory map do not work, or nothing stays.
const char* unfit_file_system(const fs::path& path, bool& keeps) {
  struct statfs info {};
  keeps = true;
  if (::statfs(path.c_str(), &info) != 0) return nullptr;
  switch (static_cast<unsigned long>(info.f_type)) {
    case NFS_SUPER_MAGIC:
      return "NFS";
    case SMB_SUPER_MAGIC:
    case 0xFF534D42:  // CIFS
    case 0xFE534D42:  // SMB2
      return "a Windows share";
    case V9FS_MAGIC:
      return "9p, a Windows disk in WSL2 or a share of a virtual machine";
    case 0x65735546:
      return "FUSE";
    case TMPFS_MAGIC:
      keeps = false;
      return "memory (tmpfs)";
    default:
      return nullptr;
  }
}

Finding check_space(const fs::path& folder) {
  struct statvfs info {};
  if (::statvfs(folder.c_str(), &info) != 0) {
    return bad("disk", "the free space of " + folder.string() + " cannot be read", "see dmesg");
  }
  const double free = static_cast<double>(info.f_bavail) * static_cast<double>(info.f_frsize);
  const std::string text = format_bytes(free) + " free at " + folder.string();
  if (free < kVeryLittle || (info.f_files > 0 && info.f_favail < 1000)) {
    return bad("disk", text + (free < kVeryLittle ? "" : ", and hardly any inode"),
               "make room; jobs are refused on a full disk");
  }
  if (free < kLittle) return warning("disk", text, "make room, or set jobs.keep_days");
  return good("disk", text);
}

/// Whether files of ours can be made, locked and flushed there, by doing it.
std::vector<Finding> try_folder(const fs::path& folder) {
  std::string name = (folder / ".doctor-XXXXXX").string();
  const UniqueFd fd(::mkostemp(name.data(), O_CLOEXEC));
  if (!fd) {
    return {bad("state", errno_error(errno, "cannot write to " + folder.string()).message,
                "chown it to the user who runs the server, or name another: --state-dir")};
  }
  std::vector<Finding> findings;
  struct stat made {};
  if (write_all(fd.get(), "doctor") != 0 || ::fdatasync(fd.get()) != 0) {
    findings.push_back(bad("state", errno_error(errno, "cannot write to " + name).message,
                           "make room, or name another folder: --state-dir"));
  } else if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    findings.push_back(
        bad("state", errno_error(errno, "files cannot be locked in " + folder.string()).message,
            kElsewhere));
  } else if (::fstat(fd.get(), &made) == 0 &&
             std::abs(static_cast<double>(made.st_mtime) - static_cast<double>(now_ms()) / 1000) >
                 kClockSkewSec) {
    findings.push_back(
        warning("state", "the clock of this disk is not that of this machine", "set both by NTP"));
  }
  ::unlink(name.c_str());
  return findings;
}

}  // namespace

std::vector<Finding> check_state(const fs::path& state_dir) {
  std::error_code error;
  fs::path there = fs::absolute(state_dir, error);
  const bool exists = fs::is_directory(there, error);
  while (!fs::exists(there, error) && there != there.root_path()) there = there.parent_path();
  if (!fs::is_directory(there, error)) {
    return {bad("state", there.string() + " is no folder", "name another: --state-dir")};
  }
  // A folder that is not there yet is made by the server in the nearest one that is.
  std::vector<Finding> findings = try_folder(there);
  bool keeps = true;
  if (const char* unfit = unfit_file_system(there, keeps)) {
    const std::string text = fmt::format("{} is on {}", state_dir.string(), unfit);
    findings.push_back(
        keeps ? warning("state", text + ", where SQLite's locks may not work", kElsewhere)
              : warning("state", text + ": jobs are forgotten when the machine restarts",
                        kElsewhere));
  }
  struct stat info {};
  if (exists && ::stat(there.c_str(), &info) == 0 && (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    findings.push_back(warning("state", there.string() + " can be written by other users",
                               "chmod 0700 " + there.string()));
  }
  if (findings.empty()) {
    findings.push_back(
        good("state", state_dir.string() + (exists ? "" : " (is made at the first start)")));
  }
  findings.push_back(check_space(there));
  return findings;
}

Finding check_shim(const fs::path& shim) {
  constexpr int kUsageOfShim = 2;
  const auto done = run_program({shim.string()}, {.limit = std::chrono::seconds(5)});
  if (!done) {
    return bad("shim", done.error().message,
               "it belongs beside the program 'runyard': install both again");
  }
  if (done->exit_code != kUsageOfShim) {
    return bad("shim",
               fmt::format("{} does not work (exit code {})", shim.string(), done->exit_code),
               "install it again, of the same version as 'runyard'");
  }
  return good("shim", shim.string());
}

}  // namespace runyard::cli
