#include "core/service/state_dir.h"

#include <gtest/gtest.h>

namespace runyard {
namespace {

constexpr const char* kWsl2 =
    "/dev/sdc / ext4 rw 0 0\n"
    "C:\\134 /mnt/c 9p rw,noatime,dirsync,aname=drvfs;path=C:\\;uid=1000 0 0\n"
    "none /mnt/wsl tmpfs rw 0 0\n"
    "share /srv/share 9p rw 0 0\n";
constexpr const char* kWsl1 = "rootfs / wslfs rw 0 0\nD: /mnt/d drvfs rw 0 0\n";

std::string of(const char* workspace, const char* mounts) {
  return default_state_dir(workspace, mounts, "/home/ada/.local/state").string();
}

TEST(DefaultStateDir, IsInTheWorkspace) {
  EXPECT_EQ(of("/srv/research", kWsl2), "/srv/research/.runyard");
  EXPECT_EQ(of("/mnt/c/research", "/dev/sdb /mnt/c ext4 rw 0 0\n"), "/mnt/c/research/.runyard");
  EXPECT_EQ(of("/mnt/wsl/research", kWsl2), "/mnt/wsl/research/.runyard");
  EXPECT_EQ(of("/srv/share/research", kWsl2), "/srv/share/research/.runyard");
  EXPECT_EQ(of("/mnt/cd/research", kWsl2), "/mnt/cd/research/.runyard");
  EXPECT_EQ(of("/mnt/c/research", ""), "/mnt/c/research/.runyard");
}

TEST(DefaultStateDir, IsInTheHomeFolderForAWindowsDrive) {
  const std::string there = of("/mnt/c/Users/ada/research", kWsl2);
  EXPECT_TRUE(there.starts_with("/home/ada/.local/state/runyard/research-")) << there;
  EXPECT_EQ(of("/mnt/c/Users/ada/../ada/research/", kWsl2), there);
  EXPECT_NE(of("/mnt/c/Users/bob/research", kWsl2), there) << "each workspace has its own";
  EXPECT_TRUE(of("/mnt/d/research", kWsl1).starts_with("/home/ada/.local/state/runyard/"));
}

TEST(DefaultStateDir, WithoutAHomeItStaysInTheWorkspace) {
  EXPECT_EQ(default_state_dir("/mnt/c/research", kWsl2, ""), "/mnt/c/research/.runyard");
}

}  // namespace
}  // namespace runyard
