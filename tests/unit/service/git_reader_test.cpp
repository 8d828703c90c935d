#include "core/service/git_reader.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace runyard {
namespace {

namespace fs = std::filesystem;

class Git : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/git_test.XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void git(const std::string& command) const {
    const std::string all =
        "git -c user.name=t -c user.email=t@t -C " + folder_.string() + " " + command;
    ASSERT_EQ(std::system(all.c_str()), 0) << all;
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }
  void make_repository() const {
    write("file", "1");
    git("init -q");
    git("add .");
    git("commit -qm one");
  }

  fs::path folder_;
};

TEST_F(Git, SaysTheCommitAndWhetherTrackedFilesDiffer) {
  EXPECT_FALSE(GitReader(folder_).read());
  make_repository();
  const auto clean = GitReader(folder_).read();
  ASSERT_TRUE(clean);
  EXPECT_EQ(clean->commit.size(), 40u);
  EXPECT_FALSE(clean->dirty);
  write("untracked", "1");
  EXPECT_FALSE(GitReader(folder_).read()->dirty);
  write("file", "2");
  EXPECT_TRUE(GitReader(folder_).read()->dirty);
}

TEST_F(Git, NeverSaysTheCommitBeforeTheLast) {
  make_repository();
  GitReader reader(folder_);
  const auto first = reader.read();
  ASSERT_TRUE(first);
  git("commit -q --allow-empty -m two");
  const auto second = reader.read();
  ASSERT_TRUE(second);
  EXPECT_NE(second->commit, first->commit);
  git("checkout -q HEAD~1");
  EXPECT_EQ(reader.read()->commit, first->commit);
}

}  // namespace
}  // namespace runyard
