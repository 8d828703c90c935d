#pragma once

#include <sys/mount.h>

#include <filesystem>
#include <string>

namespace runyard {

/// A file system of a few bytes over an existing folder, to fill up. Only root can mount one: test
/// it with `if (!disk) GTEST_SKIP()`.
class SmallDisk {
 public:
  SmallDisk(std::filesystem::path folder, std::size_t bytes) : folder_(std::move(folder)) {
    const std::string options = "size=" + std::to_string(bytes);
    mounted_ = ::mount("tmpfs", folder_.c_str(), "tmpfs", 0, options.c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(folder_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  explicit operator bool() const { return mounted_; }

 private:
  const std::filesystem::path folder_;
  bool mounted_ = false;
};

}  // namespace runyard
