#include "core/workspace/file_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>

namespace runyard {
namespace {

// Coarser than the clocks of all file systems in use (FAT: 2 s).
constexpr std::int64_t kSettleNs = 2'500'000'000;

std::int64_t to_ns(const struct timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

std::int64_t wall_ns() {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

FileIdentity identity_of(const struct stat& info) {
  return {info.st_dev, info.st_ino, info.st_size, to_ns(info.st_mtim), to_ns(info.st_ctim)};
}

bool is_settled(const FileIdentity& identity, std::int64_t now_ns) {
  return now_ns - std::max(identity.modified_ns, identity.changed_ns) > kSettleNs;
}

Result<Folder> Folder::open(const Confinement& confinement, std::string path) {
  auto fd = confinement.open_beneath(path, Confinement::Kind::kFolder);
  if (!fd) return fd.error();
  return Folder(confinement, std::move(path), std::move(*fd));
}

std::vector<Folder::Entry> Folder::entries() const {
  std::vector<Entry> found;
  const int fd = ::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* folder = fd < 0 ? nullptr : ::fdopendir(fd);
  if (!folder) {
    if (fd >= 0) ::close(fd);
    return found;
  }
  while (const dirent* entry = ::readdir(folder)) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    bool is_folder = entry->d_type == DT_DIR;
    const bool is_link = entry->d_type == DT_LNK;
    if (is_link || entry->d_type == DT_UNKNOWN) {
      struct stat info {};
      if (::fstatat(fd_.get(), entry->d_name, &info, 0) != 0) continue;
      is_folder = S_ISDIR(info.st_mode);
      if (!is_folder && !S_ISREG(info.st_mode)) continue;
    } else if (!is_folder && entry->d_type != DT_REG) {
      continue;
    }
    found.push_back({std::string(name), is_folder, is_link});
  }
  ::closedir(folder);
  return found;
}

std::optional<FileIdentity> Folder::identity(const std::string& name) const {
  struct stat info {};
  if (::fstatat(fd_.get(), name.c_str(), &info, 0) != 0) return std::nullopt;
  return identity_of(info);
}

Result<UniqueFd> Folder::open_file(const std::string& name) const {
  return confinement_->open_beneath(path_of(name), Confinement::Kind::kFile);
}

Result<Folder> Folder::open_folder(const std::string& name) const {
  return open(*confinement_, path_of(name));
}

Result<FileContent> read_content(const Folder& folder, const std::string& name, std::size_t limit) {
  auto fd = folder.open_file(name);
  if (!fd) return fd.error();
  struct stat before {
  }, after{};
  const std::int64_t now = wall_ns();
  if (::fstat(fd->get(), &before) != 0) return errno_error(errno, "it cannot be read");
  if (before.st_size > static_cast<off_t>(limit)) {
    return make_error(ErrorKind::kInvalid, fmt::format("it is larger than {} MiB", limit >> 20));
  }
  auto bytes = read_fd(fd->get(), limit);
  if (!bytes) return bytes.error();
  if (::fstat(fd->get(), &after) != 0) return errno_error(errno, "it cannot be read");
  const FileIdentity identity = identity_of(before);
  const bool settled = identity == identity_of(after) && is_settled(identity, now);
  return FileContent{std::move(*bytes), identity, settled};
}

}  // namespace runyard
