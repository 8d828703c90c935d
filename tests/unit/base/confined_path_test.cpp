#include "core/base/confined_path.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "core/base/text.h"
#include "tests/unit/base/temp_folder.h"

namespace runyard {
namespace {

namespace fs = std::filesystem;
using Kind = Confinement::Kind;

constexpr std::string_view kInside = "inside", kOutside = "outside", kScratch = "scratch";

/// <temp>/work is the workspace, <temp>/scratch a configured further root, <temp>/outside neither.
class ConfinedPath : public ::testing::Test {
 protected:
  void SetUp() override {
    temp_.put("work/configs/base.yaml", kInside);
    temp_.put("outside/secret", kOutside);
    temp_.put("scratch/runs/r1/final.zip", kScratch);
    fs::create_directories(temp_ / "work/empty");
    auto opened = Confinement::open(temp_ / "work", {temp_ / "scratch"});
    ASSERT_TRUE(opened) << opened.error().message;
    confinement_ = std::move(*opened);
  }

  void link(const fs::path& target, std::string_view name) const {
    fs::create_directories((temp_ / "work" / name).parent_path());
    fs::create_symlink(target, temp_ / "work" / name);
  }
  /// The content of what was opened; the refusal's kind and sentence otherwise.
  std::string read(std::string_view path) const {
    const auto fd = confinement_->open_beneath(path, Kind::kFile);
    if (!fd) return to_text(fd.error());
    return *read_fd(fd->get(), 4096);
  }
  std::string enter(std::string_view path) const {
    const auto fd = confinement_->open_beneath(path, Kind::kFolder);
    return fd ? "folder" : to_text(fd.error());
  }
  static std::string to_text(const Error& error) {
    EXPECT_FALSE(error.message.empty());
    return (error.kind == ErrorKind::kInvalid    ? "invalid: "
            : error.kind == ErrorKind::kNotFound ? "missing: "
                                                 : "other: ") +
           error.message;
  }
  static bool is_invalid(const std::string& answer, std::string_view words = "") {
    return answer.starts_with("invalid: ") && answer.find(words) != std::string::npos;
  }
  static bool is_missing(const std::string& answer) { return answer.starts_with("missing: "); }

  TempFolder temp_;
  std::optional<Confinement> confinement_;
};

TEST_F(ConfinedPath, OpensWhatIsInside) {
  EXPECT_EQ(read("configs/base.yaml"), kInside);
  EXPECT_EQ(read("./configs//base.yaml"), kInside);
  EXPECT_EQ(enter("configs"), "folder");
  EXPECT_EQ(enter("."), "folder");
  EXPECT_EQ(enter("configs/"), "folder");
  EXPECT_EQ(confinement_->workspace(), temp_ / "work");
}

TEST_F(ConfinedPath, TheSpellingAloneIsRefused) {
  const std::string nul("configs/base.yaml\0.txt", 22);
  for (const std::string& path :
       {std::string(), std::string("/"), std::string("/etc/passwd"), (temp_ / "work").string(),
        std::string(".."), std::string("../outside/secret"), std::string("configs/../../outside"),
        std::string("configs/.."), std::string("./.."), std::string("//etc/passwd"), nul,
        std::string("\0", 1), std::string("configs/a\nb"), std::string("\tconfigs"),
        std::string("configs/\x1b[31m"), std::string("configs/\x7f"), std::string("a\r"),
        std::string(1025, 'a'), "configs/" + std::string(5000, '/') + "base.yaml"}) {
    EXPECT_TRUE(is_invalid(read(path))) << path.substr(0, 40);
    EXPECT_TRUE(is_invalid(enter(path))) << path.substr(0, 40);
    const auto normal = Confinement::normalize(path);
    ASSERT_FALSE(normal) << path.substr(0, 40);
    EXPECT_EQ(normal.error().kind, ErrorKind::kInvalid);
  }
  // Longer than a name may be, not than a path.
  EXPECT_TRUE(is_invalid(read(std::string(300, 'a')), "too long"));
}

TEST_F(ConfinedPath, NamesWithDotsAreNoSteps) {
  temp_.put("work/..hidden/...", kInside);
  temp_.put("work/a..b", kInside);
  EXPECT_EQ(read("..hidden/..."), kInside);
  EXPECT_EQ(read("a..b"), kInside);
  temp_.put("work/数据/配置 ☂.yaml", kInside);
  EXPECT_EQ(read("数据/配置 ☂.yaml"), kInside);
  temp_.put("work/back\\slash", kInside);
  EXPECT_EQ(read("back\\slash"), kInside);
}

TEST_F(ConfinedPath, NormalForm) {
  for (const auto& [path, normal] : {std::pair{"a", "a"},
                                     {"./a", "a"},
                                     {"a/./b", "a/b"},
                                     {"a//b/", "a/b"},
                                     {".", "."},
                                     {"./", "."},
                                     {"././.", "."},
                                     {"a b/ü", "a b/ü"},
                                     {"...", "..."},
                                     {"~", "~"}}) {
    const auto result = Confinement::normalize(path);
    ASSERT_TRUE(result) << path;
    EXPECT_EQ(*result, normal) << path;
  }
  EXPECT_TRUE(Confinement::normalize(std::string(1024, 'a')));
}

TEST_F(ConfinedPath, SentencesAreFitForATerminal) {
  for (const std::string& path :
       {std::string("a\x1b]0;title\x07"), std::string("a\x7f"), "/" + std::string(3000, '/'),
        "/\xff" + std::string(198, 'a') + "é", "/" + std::string(198, 'a') + "é"}) {
    const std::string message = Confinement::normalize(path).error().message;
    for (char c : message) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    EXPECT_LT(message.size(), 400u);
  }
  // A character that the cut falls into is left out.
  const std::string message =
      Confinement::normalize("/" + std::string(198, 'a') + "é").error().message;
  EXPECT_EQ(sanitize_utf8(message), message);
}

TEST_F(ConfinedPath, MissingIsNotInvalid) {
  EXPECT_TRUE(is_missing(read("configs/none.yaml")));
  EXPECT_TRUE(is_missing(read("none/none.yaml")));
  EXPECT_TRUE(is_missing(read("configs/base.yaml/x")));
  EXPECT_TRUE(is_missing(enter("none")));
}

TEST_F(ConfinedPath, LinksThatLeadOut) {
  link(temp_ / "outside", "absolute");
  link("../outside", "relative");
  link("../../outside/secret", "configs/file");
  link("/etc/passwd", "passwd");
  link("relative", "twice");
  link("..", "up");
  link("/", "root");
  link("/proc/self/root", "magic");
  for (const char* path :
       {"absolute/secret", "relative/secret", "configs/file", "passwd", "twice/secret",
        "up/outside/secret", "root/etc/passwd", "magic/etc/passwd"}) {
    EXPECT_TRUE(is_invalid(read(path), "out of the workspace")) << path << ": " << read(path);
  }
  for (const char* path : {"absolute", "relative", "up", "root", "magic"}) {
    EXPECT_TRUE(is_invalid(enter(path), "out of the workspace")) << path << ": " << enter(path);
  }
  // Out and back in again is inside; what does not exist is missing, wherever it would be.
  link("../work/configs", "round");
  EXPECT_EQ(read("round/base.yaml"), kInside);
  link("../outside/none", "dangling");
  EXPECT_TRUE(is_missing(read("dangling")));
}

TEST_F(ConfinedPath, AFolderWithTheWorkspacesNameInFrontIsOutside) {
  temp_.put("work-old/secret", kOutside);
  link(temp_ / "work-old/secret", "link");
  EXPECT_TRUE(is_invalid(read("link"), "out of the workspace"));
  temp_.put("scratch2/secret", kOutside);
  link(temp_ / "scratch2/secret", "link2");
  EXPECT_TRUE(is_invalid(read("link2"), "out of the workspace"));
}

TEST_F(ConfinedPath, LinksThatStayInside) {
  link("base.yaml", "configs/same.yaml");
  link("../configs", "runs/up");
  link(temp_ / "work/configs", "absolute");
  link(temp_ / "work/configs/base.yaml", "file");
  link("absolute", "twice");
  for (const char* path : {"configs/same.yaml", "runs/up/base.yaml", "absolute/base.yaml", "file",
                           "twice/base.yaml"}) {
    EXPECT_EQ(read(path), kInside) << path;
  }
  EXPECT_EQ(enter("absolute"), "folder");
  link(temp_ / "work", "self");
  EXPECT_EQ(read("self/configs/base.yaml"), kInside);
  EXPECT_EQ(enter("self"), "folder");
  link("loop2", "loop1");
  link("loop1", "loop2");
  EXPECT_TRUE(is_invalid(read("loop1")));
}

TEST_F(ConfinedPath, LinksIntoAFurtherRoot) {
  link(temp_ / "scratch/runs", "runs");
  link("../scratch", "relative");
  EXPECT_EQ(read("runs/r1/final.zip"), kScratch);
  EXPECT_EQ(read("relative/runs/r1/final.zip"), kScratch);
  EXPECT_EQ(enter("runs"), "folder");
  EXPECT_EQ(enter("relative"), "folder");
  EXPECT_TRUE(is_missing(read("runs/r2/final.zip")));
  // The other kind is said to be that, not to be outside.
  EXPECT_TRUE(is_invalid(enter("runs/r1/final.zip"), "not a folder"));
  EXPECT_TRUE(is_invalid(read("runs/r1"), "not a regular file"));
  // A link in the further root may lead back, and not out.
  fs::create_symlink(temp_ / "work/configs", temp_ / "scratch/runs/back");
  fs::create_symlink(temp_ / "outside", temp_ / "scratch/runs/out");
  EXPECT_EQ(read("runs/back/base.yaml"), kInside);
  EXPECT_TRUE(is_invalid(read("runs/out/secret"), "out of the workspace"));
  // Without the configured root the same link leads out.
  const auto alone = Confinement::open(temp_ / "work", {});
  ASSERT_TRUE(alone);
  const auto refused = alone->open_beneath("runs/r1/final.zip", Kind::kFile);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid);
}

TEST_F(ConfinedPath, FilesAndFoldersAreNotMistakenForEachOther) {
  EXPECT_TRUE(is_invalid(read("configs"), "not a regular file"));
  EXPECT_TRUE(is_invalid(read("."), "not a regular file"));
  EXPECT_TRUE(is_invalid(enter("configs/base.yaml"), "not a folder"));
}

TEST_F(ConfinedPath, OnlyRegularFilesAreFiles) {
  ASSERT_EQ(::mkfifo((temp_ / "work/fifo").c_str(), 0600), 0);
  EXPECT_TRUE(is_invalid(read("fifo"), "not a regular file"));  // and does not wait for a writer

  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, (temp_ / "work/socket").c_str(), sizeof address.sun_path - 1);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_TRUE(is_invalid(read("socket")));

  if (::mknod((temp_ / "work/device").c_str(), S_IFCHR | 0600, makedev(1, 5)) == 0) {  // root only
    EXPECT_TRUE(is_invalid(read("device"))) << read("device");
  }
}

TEST_F(ConfinedPath, TheDescriptorIsForReadingAndNotInherited) {
  const auto fd = confinement_->open_beneath("configs/base.yaml", Kind::kFile);
  ASSERT_TRUE(fd);
  EXPECT_LT(::write(fd->get(), "x", 1), 0);
  EXPECT_NE(::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(ConfinedPath, RootsMustBeFolders) {
  for (const auto& workspace : {temp_ / "none", temp_ / "outside/secret"}) {
    const auto refused = Confinement::open(workspace, {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid);
    EXPECT_FALSE(Confinement::open(temp_ / "work", {workspace}));
  }
  // A workspace that is itself reached by a link is fine.
  fs::create_symlink(temp_ / "work", temp_ / "alias");
  const auto opened = Confinement::open(temp_ / "alias", {});
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->workspace(), temp_ / "work");
  EXPECT_TRUE(opened->open_beneath("configs/base.yaml", Kind::kFile));
}

TEST_F(ConfinedPath, TheRootIsTheFolderThatWasOpened) {
  // Another folder in its place does not become the workspace for what is opened directly.
  fs::rename(temp_ / "work", temp_ / "moved");
  temp_.put("work/configs/base.yaml", kOutside);
  EXPECT_EQ(read("configs/base.yaml"), kInside);
}

/// `swap` exchanges two names all the time; what is read meanwhile is from inside or refused.
void race(const Confinement& confinement, const char* path, const fs::path& a, const fs::path& b,
          std::string_view allowed) {
  std::atomic<bool> stop = false;
  std::thread swapper([&] {
    while (!stop) {
      ASSERT_EQ(::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE), 0);
    }
  });
  int opened = 0, refused = 0;
  for (int i = 0; i < 100'000 && (opened < 300 || refused < 300); ++i) {
    const auto fd = confinement.open_beneath(path, Kind::kFile);
    if (!fd) {
      ++refused;
      continue;
    }
    ++opened;
    const auto content = read_fd(fd->get(), 4096);
    if (!content || *content != allowed) {
      ADD_FAILURE() << "read " << (content ? *content : content.error().message);
      break;
    }
  }
  stop = true;
  swapper.join();
  EXPECT_GT(opened, 0);
  EXPECT_GT(refused, 0);
}

TEST_F(ConfinedPath, AFolderSwappedWithALinkThatLeadsOut) {
  temp_.put("work/folder/secret", kInside);
  link("../outside", "link");
  race(*confinement_, "folder/secret", temp_ / "work/folder", temp_ / "work/link", kInside);
}

TEST_F(ConfinedPath, AFileSwappedWithALinkThatLeadsOut) {
  temp_.put("work/file", kInside);
  link(temp_ / "outside/secret", "link");
  race(*confinement_, "file", temp_ / "work/file", temp_ / "work/link", kInside);
}

TEST_F(ConfinedPath, ALinkIntoAFurtherRootSwappedWithOneThatLeadsOut) {
  temp_.put("scratch/secret", kScratch);
  link(temp_ / "scratch", "good");
  link(temp_ / "outside", "bad");
  race(*confinement_, "good/secret", temp_ / "work/good", temp_ / "work/bad", kScratch);
}

TEST_F(ConfinedPath, AFolderOfAFurtherRootSwappedWithALinkThatLeadsOut) {
  temp_.put("scratch/folder/secret", kScratch);
  fs::create_symlink(temp_ / "outside", temp_ / "scratch/link");
  link(temp_ / "scratch", "runs");
  race(*confinement_, "runs/folder/secret", temp_ / "scratch/folder", temp_ / "scratch/link",
       kScratch);
}

}  // namespace
}  // namespace runyard
