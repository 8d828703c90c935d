#include "core/base/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "tests/unit/base/small_disk.h"
#include "tests/unit/base/temp_folder.h"

namespace runyard {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(UniqueFd, ClosesOnceAndMoves) {
  int raw = -1;
  {
    UniqueFd first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(first);
    raw = first.get();
    UniqueFd second(std::move(first));
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(second.get(), raw);
    UniqueFd third(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const int other = third.get();
    third = std::move(second);
    EXPECT_FALSE(is_open(other));
    EXPECT_EQ(third.get(), raw);
    EXPECT_TRUE(is_open(raw));
  }
  EXPECT_FALSE(is_open(raw));
  UniqueFd kept(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int released = kept.release();
  kept.reset();
  EXPECT_TRUE(is_open(released));
  ::close(released);
  EXPECT_FALSE(UniqueFd());
}

TEST(ReadFile, WholeContentUpToTheLimit) {
  TempFolder folder;
  std::string content(200'000, 'x');
  content[100] = '\0';
  content[199'999] = '\xff';
  const auto file = folder.put("f", content);
  EXPECT_EQ(*read_file(file), content);
  EXPECT_EQ(*read_file(file, content.size()), content);
  const auto large = read_file(file, content.size() - 1);
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().kind, ErrorKind::kInvalid);
  EXPECT_NE(large.error().message.find(file.string()), std::string::npos);
  EXPECT_EQ(*read_file(folder.put("empty", ""), 0), "");
}

TEST(ReadFile, MissingAndUnreadable) {
  TempFolder folder;
  EXPECT_EQ(read_file(folder / "none").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(read_file(folder.path()).error().kind, ErrorKind::kInternal);
}

TEST(ReadFd, BeginsAtTheStartAndMovesNothing) {
  TempFolder folder;
  UniqueFd fd(::open(folder.put("f", "abc").c_str(), O_RDONLY | O_CLOEXEC));
  ::lseek(fd.get(), 2, SEEK_SET);
  EXPECT_EQ(*read_fd(fd.get(), 10), "abc");
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_CUR), 2);
}

TEST(WriteAll, AcrossShortWrites) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd reader(ends[0]), writer(ends[1]);
  const std::string content(1 << 20, 'y');  // far more than a pipe holds
  std::string got;
  std::thread other([&] {
    char buffer[999];
    for (ssize_t n; (n = ::read(reader.get(), buffer, sizeof buffer)) > 0;) {
      got.append(buffer, static_cast<std::size_t>(n));
    }
  });
  EXPECT_EQ(write_all(writer.get(), content), 0);
  writer.reset();
  other.join();
  EXPECT_EQ(got.size(), content.size());
  UniqueFd read_only(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(write_all(read_only.get(), "x"), EBADF);
  EXPECT_EQ(write_all(read_only.get(), ""), 0);
}

TEST(WriteFileAtomic, ReplacesAndLeavesNothingBeside) {
  TempFolder folder;
  for (const bool sync : {false, true}) {
    ASSERT_TRUE(write_file_atomic(folder / "f", "one", sync));
    EXPECT_EQ(folder.get("f"), "one");
    ASSERT_TRUE(write_file_atomic(folder / "f", std::string("t\0o", 3), sync));
    EXPECT_EQ(folder.get("f"), std::string("t\0o", 3));
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(WriteFileAtomic, AFailureChangesNothing) {
  TempFolder folder;
  EXPECT_EQ(write_file_atomic(folder / "none/f", "x").error().kind, ErrorKind::kInternal);
  folder.put("taken/inside", "kept");
  EXPECT_FALSE(write_file_atomic(folder / "taken", "x"));
  EXPECT_EQ(folder.get("taken/inside"), "kept");
  EXPECT_FALSE(std::filesystem::exists(folder / "taken.tmp"));
}

TEST(WriteFileAtomic, AFullDiskKeepsTheOldContent) {
  TempFolder folder;
  SmallDisk disk(folder.path(), 64 * 1024);
  if (!disk) GTEST_SKIP() << "only root can mount a small disk";
  ASSERT_TRUE(write_file_atomic(folder / "f", "old"));
  const auto full = write_file_atomic(folder / "f", std::string(200'000, 'x'));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().kind, ErrorKind::kNoSpace);
  EXPECT_EQ(folder.get("f"), "old");
  EXPECT_FALSE(std::filesystem::exists(folder / "f.tmp"));
  EXPECT_TRUE(write_file_atomic(folder / "f", "new"));
}

TEST(WriteFileAtomic, AReaderNeverSeesAPart) {
  TempFolder folder;
  ASSERT_TRUE(write_file_atomic(folder / "f", std::string(100'000, 'a')));
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      const std::string content(i % 2 ? 100'000 : 50'000, static_cast<char>('a' + i % 26));
      ASSERT_TRUE(write_file_atomic(folder / "f", content));
    }
  });
  for (int i = 0; i < 500; ++i) {
    const auto seen = read_file(folder / "f");
    ASSERT_TRUE(seen);
    ASSERT_TRUE(seen->size() == 100'000 || seen->size() == 50'000) << seen->size();
    ASSERT_EQ(seen->find_first_not_of((*seen)[0]), std::string::npos);
  }
  stop = true;
  writer.join();
}

TEST(MakePrivateFolders, NewOnesAreForTheOwnerAlone) {
  TempFolder folder;
  ::chmod(folder.path().c_str(), 0755);
  ASSERT_TRUE(make_private_folders(folder / "a/b/c/"));
  struct stat info {};
  for (const char* name : {"a", "a/b", "a/b/c"}) {
    ASSERT_EQ(::stat((folder / name).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700u) << name;
  }
  ::stat(folder.path().c_str(), &info);
  EXPECT_EQ(info.st_mode & 0777, 0755u);
  EXPECT_TRUE(make_private_folders(folder / "a/b"));
}

TEST(MakePrivateFolders, AFileInTheWay) {
  TempFolder folder;
  folder.put("file", "");
  EXPECT_FALSE(make_private_folders(folder / "file"));
  EXPECT_FALSE(make_private_folders(folder / "file/below"));
  EXPECT_FALSE(make_private_folders(""));
}

}  // namespace
}  // namespace runyard
