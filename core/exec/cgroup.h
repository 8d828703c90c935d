// The cgroup (version 2) of an attempt: a fence around the command that no setsid, double fork or
// changed environment leaves, and that the kernel kills as a whole.
//
// It is used where the shim may write into the cgroup in which it finds itself: one that systemd
// has delegated to the user, or root's. Where there is none, or anything about it fails, attempts
// run without: descendants and token find their processes (docs/run-folder.md).
//
// Shared by the server and by runyard-shim: the C++ standard library and Linux only. Stateless but
// for the folder that is held open; any thread, one at a time.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runyard {

class Cgroup {
 public:
  // None: empty() holds, all questions are answered as for a cgroup without processes.
  Cgroup() = default;
  ~Cgroup();
  Cgroup(Cgroup&& other) noexcept;
  Cgroup& operator=(Cgroup&& other) noexcept;

  // Where the cgroup of this attempt is to be made, absolute; "" where none can be. Makes nothing.
  static std::string plan(std::string_view token);
  // Makes it; empty when that fails, and when it is there already: then it is somebody else's.
  static Cgroup make(const std::string& path);
  // One that a shim has made, by the path in its claim. The path is not believed: it must end in
  // this attempt's name, and that must be a folder of a cgroup file system, no link. Else empty.
  static Cgroup open(const std::string& path, std::string_view token);

  bool empty() const { return fd_ < 0; }
  int fd() const { return fd_; }  // for CLONE_INTO_CGROUP

  // The processes that are directly in it.
  std::vector<pid_t> processes() const;
  // True while any process, of a cgroup beneath it as well, is alive.
  bool is_populated() const;
  // SIGKILL to all of them at once; false where the kernel (before 5.14) cannot.
  bool kill() const;
  // Removes it, with what the command has made beneath it. A cgroup with processes stays: false.
  bool remove();

 private:
  explicit Cgroup(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  int fd_ = -1;
  std::string path_;
};

}  // namespace runyard
