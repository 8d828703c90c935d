#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/result.h"

namespace runyard {

/// Owns a file descriptor; closes it. Movable, not copyable.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd() { reset(); }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  void reset();
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// The whole of a file that is ours (state folder, configuration). kNotFound, kInternal; kInvalid
/// above `limit` bytes. Paths from outside go through Confinement instead.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit = 64u << 20);
/// Reads an open descriptor from its start, at most `limit` bytes (kInvalid above).
Result<std::string> read_fd(int fd, std::size_t limit);

/// Writes `<path>.tmp` beside it and renames: a reader sees the old or the new content, never a
/// part. `sync`: fdatasync before the rename. `mode`: of the new file, less the umask. kNoSpace
/// when the disk is full; the temporary file is removed then.
Result<> write_file_atomic(const std::filesystem::path& path, std::string_view content,
                           bool sync = false, mode_t mode = 0644);

/// Writes all of it, across short writes and EINTR; errno when it cannot, else 0.
int write_all(int fd, std::string_view content);

/// mkdir -p with mode 0700 for new folders.
Result<> make_private_folders(const std::filesystem::path& path);

}  // namespace runyard
