#include "core/exec/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <utility>

namespace runyard {
namespace {

constexpr std::string_view kPrefix = "/runyard-";
// Where distributions mount it: alone, or beside version 1.
constexpr std::array<const char*, 2> kMounts = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
// It has to fit into a slot of the record, whose fields end at a space.
constexpr std::size_t kMaxPath = 600;
constexpr int kRemoveAttempts = 20;

// The start of a small file, beneath `folder`; "" when it cannot be read.
std::string read_at(int folder, const char* name, std::size_t limit) {
  std::string text;
  const int fd = ::openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return text;
  std::array<char, 1024> chunk;
  while (text.size() < limit) {
    const ssize_t size = ::read(fd, chunk.data(), chunk.size());
    if (size <= 0) break;
    text.append(chunk.data(), static_cast<std::size_t>(size));
  }
  ::close(fd);
  return text;
}

bool is_cgroup2(int fd) {
  struct statfs status {};
  return ::fstatfs(fd, &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC;
}

// Removes the cgroups beneath an open one, the deepest first.
void remove_beneath(int folder) {
  const int copy = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const directory = copy < 0 ? nullptr : ::fdopendir(copy);
  if (directory == nullptr) return;
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
    const int child = ::openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (child >= 0) {
      remove_beneath(child);
      ::close(child);
    }
    ::unlinkat(folder, entry->d_name, AT_REMOVEDIR);
  }
  ::closedir(directory);
}

}  // namespace

Cgroup::~Cgroup() {
  if (fd_ >= 0) ::close(fd_);
}

Cgroup::Cgroup(Cgroup&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

Cgroup& Cgroup::operator=(Cgroup&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  return *this;
}

std::string Cgroup::plan(std::string_view token) {
  // The line of version 2 is "0::<path>".
  const std::string own = read_at(AT_FDCWD, "/proc/self/cgroup", 16U << 10U);
  const std::size_t at = own.rfind("0::/", 0) == 0 ? 0 : own.find("\n0::/");
  if (at == std::string::npos) return {};
  const std::size_t begin = own.find('/', at);
  std::string_view path = std::string_view(own).substr(begin, own.find('\n', begin) - begin);
  if (path == "/") path = {};
  if (path.find(' ') != std::string_view::npos) return {};
  for (const char* const mount : kMounts) {
    struct statfs status {};
    if (::statfs(mount, &status) != 0 || status.f_type != CGROUP2_SUPER_MAGIC) continue;
    std::string folder(mount);
    folder.append(path);
    if (::access(folder.c_str(), W_OK) != 0) return {};
    folder.append(kPrefix).append(token);
    return folder.size() > kMaxPath ? std::string() : folder;
  }
  return {};
}

Cgroup Cgroup::make(const std::string& path) {
  if (path.empty() || ::mkdir(path.c_str(), 0755) != 0) return {};
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) ::rmdir(path.c_str());
  return fd < 0 ? Cgroup() : Cgroup(fd, path);
}

Cgroup Cgroup::open(const std::string& path, std::string_view token) {
  std::string name(kPrefix);
  name.append(token);
  if (token.empty() || path.size() <= name.size() || path[0] != '/' ||
      path.compare(path.size() - name.size(), name.size(), name) != 0) {
    return {};
  }
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return {};
  Cgroup found(fd, path);
  return is_cgroup2(fd) ? std::move(found) : Cgroup();
}

std::vector<pid_t> Cgroup::processes() const {
  std::vector<pid_t> pids;
  if (fd_ < 0) return pids;
  const std::string text = read_at(fd_, "cgroup.procs", std::string::npos);
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    pid_t pid = 0;
    const auto [stop, error] = std::from_chars(at, end, pid);
    if (error != std::errc()) break;
    if (pid > 0) pids.push_back(pid);  // 0: of another pid namespace
    at = stop + 1;
  }
  return pids;
}

bool Cgroup::is_populated() const {
  return fd_ >= 0 && read_at(fd_, "cgroup.events", 4096).find("populated 1") != std::string::npos;
}

bool Cgroup::kill() const {
  if (fd_ < 0) return false;
  const int file = ::openat(fd_, "cgroup.kill", O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool done = ::write(file, "1", 1) == 1;
  ::close(file);
  return done;
}

bool Cgroup::remove() {
  if (fd_ < 0) return true;
  // A process that has just been reaped may count for another instant.
  for (int attempt = 0; attempt < kRemoveAttempts; ++attempt) {
    if (::rmdir(path_.c_str()) == 0 || errno == ENOENT) {
      ::close(std::exchange(fd_, -1));
      return true;
    }
    if (is_populated()) return false;
    remove_beneath(fd_);
    const timespec pause{0, 1'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return false;
}

}  // namespace runyard
