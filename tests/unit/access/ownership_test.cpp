#include "core/access/ownership.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/files.h"
#include "tests/unit/base/temp_folder.h"

namespace runyard {
namespace {

class OwnershipTest : public ::testing::Test {
 protected:
  OwnershipTest() {
    std::filesystem::create_directories(inner);
    ::chmod(outer.c_str(), 0755);
    ::chmod(inner.c_str(), 0755);
    (void)write_file_atomic(file, "x");
    ::chmod(file.c_str(), 0644);
  }
  /// "" when it is ours alone.
  std::string refusal() const {
    const auto done = check_only_ours(inner);
    return done ? "" : done.error().message;
  }

  TempFolder folder;
  std::filesystem::path outer = folder.path() / "outer", inner = outer / "inner",
                        file = inner / "plugin.so";
};

TEST_F(OwnershipTest, OursAloneIsFine) { EXPECT_EQ(refusal(), ""); }

TEST_F(OwnershipTest, AFolderThatOthersCanWriteIsRefused) {
  for (const mode_t mode : {0775u, 0757u, 0777u, 01777u}) {
    ::chmod(inner.c_str(), mode);
    EXPECT_NE(refusal().find("chmod go-w '" + inner.string()), std::string::npos) << mode;
  }
}

TEST_F(OwnershipTest, AFileInItThatOthersCanWriteIsRefused) {
  ::chmod(file.c_str(), 0666);
  EXPECT_NE(refusal().find(file.string()), std::string::npos);
  ::chmod(inner.c_str(), 0700);
  EXPECT_EQ(refusal(), "") << "nobody else can reach it";
}

TEST_F(OwnershipTest, AParentInWhichItCouldBeReplacedIsRefused) {
  ::chmod(outer.c_str(), 0777);
  EXPECT_NE(refusal().find(outer.string()), std::string::npos);
  ::chmod(outer.c_str(), 01777);  // as /tmp
  EXPECT_EQ(refusal(), "");
}

TEST_F(OwnershipTest, ALinkIsJudgedByWhereItLeads) {
  const auto link = folder.path() / "link";
  std::filesystem::create_symlink(inner, link);
  EXPECT_TRUE(check_only_ours(link));
  ::chmod(inner.c_str(), 0777);
  EXPECT_FALSE(check_only_ours(link));
}

TEST_F(OwnershipTest, AnothersFolderIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  ASSERT_EQ(::chown(file.c_str(), 12345, 0), 0);
  EXPECT_NE(refusal().find("uid 12345"), std::string::npos);
  ASSERT_EQ(::chown(file.c_str(), 0, 0), 0);
  ASSERT_EQ(::chown(inner.c_str(), 12345, 0), 0);
  EXPECT_NE(refusal().find("uid 12345"), std::string::npos);
  ASSERT_EQ(::chown(inner.c_str(), 0, 0), 0);
  ASSERT_EQ(::chown(outer.c_str(), 12345, 0), 0);
  EXPECT_NE(refusal().find("uid 12345"), std::string::npos);
}

TEST_F(OwnershipTest, OneThatIsNotThereIsRefused) {
  EXPECT_FALSE(check_only_ours(folder.path() / "missing"));
}

}  // namespace
}  // namespace runyard
