#include "core/base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace runyard {

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

void UniqueFd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<std::string> read_fd(int fd, std::size_t limit) {
  std::string content;
  char buffer[65536];
  for (off_t at = 0;;) {
    const ssize_t got = ::pread(fd, buffer, sizeof buffer, at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "cannot read the file");
    if (got == 0) return content;
    at += got;
    content.append(buffer, static_cast<std::size_t>(got));
    if (content.size() > limit) {
      return make_error(ErrorKind::kInvalid,
                        "the file is larger than " + std::to_string(limit) + " bytes");
    }
  }
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return errno_error(errno, "cannot open " + path.string(),
                       errno == ENOENT ? ErrorKind::kNotFound : ErrorKind::kInternal);
  }
  auto content = read_fd(fd.get(), limit);
  if (!content) {
    Error error = content.error();
    error.message = path.string() + ": " + error.message;
    return error;
  }
  return content;
}

int write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t done = ::write(fd, content.data(), content.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno;
    content.remove_prefix(static_cast<std::size_t>(done));
  }
  return 0;
}

Result<> write_file_atomic(const std::filesystem::path& path, std::string_view content, bool sync,
                           mode_t mode) {
  const std::string temporary = path.string() + ".tmp";
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!fd) return errno_error(errno, "cannot write " + temporary);
  // One that was left behind keeps the mode that it had.
  struct stat info {};
  int code = ::fstat(fd.get(), &info) == 0 ? 0 : errno;
  if (code == 0 && (info.st_mode & 0777 & ~mode) != 0) code = ::fchmod(fd.get(), mode) ? errno : 0;
  if (code == 0) code = write_all(fd.get(), content);
  if (code == 0 && sync && ::fdatasync(fd.get()) != 0) code = errno;
  fd.reset();
  if (code == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) code = errno;
  if (code != 0) {
    ::unlink(temporary.c_str());
    return errno_error(code, "cannot write " + path.string());
  }
  return {};
}

Result<> make_private_folders(const std::filesystem::path& path) {
  if (::mkdir(path.c_str(), 0700) == 0) return {};  // only the last is missing, mostly
  std::filesystem::path so_far;
  for (const auto& part : path) {
    so_far /= part;
    if (::mkdir(so_far.c_str(), 0700) != 0 && errno != EEXIST) {
      const int code = errno;
      struct stat info {};
      if (::stat(so_far.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) continue;
      return errno_error(code, "cannot make the folder " + so_far.string());
    }
  }
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return make_error(ErrorKind::kInternal, path.string() + " is not a folder");
  }
  return {};
}

}  // namespace runyard
