#include "core/workspace/file_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "core/base/files.h"
#include "tests/unit/base/temp_folder.h"

namespace runyard {
namespace {

/// A folder `d` in a workspace, and a cache that counts how often it parses.
class FileCacheTest : public ::testing::Test {
 protected:
  FileCacheTest() {
    std::filesystem::create_directories(workspace_ / "d");
    confinement_.emplace(*Confinement::open(workspace_.path(), {}));
  }
  Folder folder() { return *Folder::open(*confinement_, "d"); }
  void write(const std::string& name, const std::string& text) {
    // In place, as a careless writer does.
    UniqueFd fd(::open((workspace_ / "d" / name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644));
    ASSERT_EQ(write_all(fd.get(), text), 0);
  }
  std::string get(const std::string& name) {
    const auto value = cache_.get(folder(), name, [this](std::string_view bytes) {
      ++parsed_;
      return bytes == "bad" ? Result<std::string>(make_error(ErrorKind::kInvalid, "it is bad"))
                            : Result<std::string>(std::string(bytes));
    });
    return value ? **value : "ERROR " + value.error().message;
  }

  TempFolder workspace_;
  std::optional<Confinement> confinement_;
  FileCache<std::string> cache_{2, 1 << 20};
  int parsed_ = 0;
};

TEST_F(FileCacheTest, SeesEveryChange) {
  // The same length, and as fast as it goes: several within one tick of the file system's clock.
  for (int i = 0; i < 300; ++i) {
    const std::string text = std::to_string(1000 + i);
    write("a", text);
    ASSERT_EQ(get("a"), text);
    ASSERT_EQ(get("a"), text);
  }
}

TEST(FileIdentity, IsSettledSomeTimeAfterTheLastChange) {
  constexpr std::int64_t kSecond = 1'000'000'000, kNow = 1'800'000'000 * kSecond;
  FileIdentity file;
  file.modified_ns = file.changed_ns = kNow - 2 * kSecond;  // the clock of FAT ticks that slowly
  EXPECT_FALSE(is_settled(file, kNow));
  file.modified_ns = file.changed_ns = kNow - 3 * kSecond;
  EXPECT_TRUE(is_settled(file, kNow));
  file.modified_ns = kNow - 9 * kSecond;
  file.changed_ns = kNow;  // its time was set back
  EXPECT_FALSE(is_settled(file, kNow));
  file.modified_ns = kNow + 9 * kSecond;  // another machine's clock
  file.changed_ns = kNow - 9 * kSecond;
  EXPECT_FALSE(is_settled(file, kNow));
}

TEST_F(FileCacheTest, SeesAChangeThatHidesItsTime) {
  write("a", "1111");
  const auto time = std::filesystem::last_write_time(workspace_ / "d/a");
  EXPECT_EQ(get("a"), "1111");
  write("a", "2222");
  std::filesystem::last_write_time(workspace_ / "d/a", time);
  EXPECT_EQ(get("a"), "2222");
}

TEST_F(FileCacheTest, ReadsASettledFileOnce) {
  // /etc/passwd has not changed for long; a hard link would touch it, so its folder is the
  // workspace.
  const auto etc = *Confinement::open("/etc", {});
  FileCache<std::string> cache(2, 1 << 20);
  int parsed = 0;
  const auto parse = [&](std::string_view bytes) {
    ++parsed;
    return Result<std::string>(std::string(bytes));
  };
  const auto folder = *Folder::open(etc, ".");
  const auto first = cache.get(folder, "passwd", parse), again = cache.get(folder, "passwd", parse);
  ASSERT_TRUE(first && again);
  EXPECT_EQ(*first, *again);
  EXPECT_EQ(parsed, 1);
}

TEST_F(FileCacheTest, SaysWhatIsWrong) {
  EXPECT_EQ(get("none"), "ERROR d/none is missing");
  write("b", "bad");
  EXPECT_EQ(get("b"), "ERROR d/b is left out: it is bad");
  write("big", std::string((1 << 20) + 1, 'x'));
  EXPECT_EQ(get("big"), "ERROR d/big: it is larger than 1 MiB");
  std::filesystem::create_directory(workspace_ / "d/sub");
  EXPECT_TRUE(get("sub").starts_with("ERROR d/sub: ")) << get("sub");
  std::filesystem::create_symlink("/etc/passwd", workspace_ / "d/out");
  EXPECT_NE(get("out").find("leads out of the workspace"), std::string::npos) << get("out");
  ASSERT_EQ(::mkfifo((workspace_ / "d/pipe").c_str(), 0644), 0);
  EXPECT_TRUE(get("pipe").starts_with("ERROR d/pipe: ")) << get("pipe");
}

TEST_F(FileCacheTest, ListsFilesAndFolders) {
  write("file", "");
  std::filesystem::create_directory(workspace_ / "d/sub");
  std::filesystem::create_symlink("sub", workspace_ / "d/link");
  std::filesystem::create_symlink("nowhere", workspace_ / "d/broken");
  ASSERT_EQ(::mkfifo((workspace_ / "d/pipe").c_str(), 0644), 0);
  std::vector<std::string> found;
  for (const auto& entry : folder().entries()) {
    found.push_back(entry.name + (entry.is_folder ? "/" : "") + (entry.is_link ? "@" : ""));
  }
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, (std::vector<std::string>{"file", "link/@", "sub/"}));
}

}  // namespace
}  // namespace runyard
