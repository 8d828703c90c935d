#include "core/workspace/file_list.h"

#include <gtest/gtest.h>

#include "tests/unit/base/temp_folder.h"

namespace runyard {
namespace {

class FileListTest : public ::testing::Test {
 protected:
  FileListTest() {
    for (const char* name : {"configs/base.yaml", "configs/Smoke.YAML", "configs/deep/er/x.yaml",
                             "configs/.hidden.yaml", "configs/.git/config", "data/prices.csv",
                             "configs/__pycache__/a.pyc", "top.txt"}) {
      workspace_.put(name, "");
    }
    other_.put("inside/model.zip", "");
  }
  std::string found(const FileQuery& query, bool with_root = false) {
    const auto confinement =
        Confinement::open(workspace_.path(), with_root ? std::vector{other_.path()}
                                                       : std::vector<std::filesystem::path>{});
    const auto list = list_files(*confinement, query);
    if (!list) return "ERROR " + list.error().message;
    EXPECT_TRUE(list->is_complete);
    std::string all;
    for (const auto& path : list->paths) all += (all.empty() ? "" : " ") + path;
    return all;
  }
  TempFolder workspace_, other_;
};

TEST_F(FileListTest, ListsFilesOrFolders) {
  EXPECT_EQ(found({"configs", false, "", 9}),
            "configs/Smoke.YAML configs/base.yaml configs/deep/er/x.yaml");
  EXPECT_EQ(found({"./configs//", true, "", 9}), "configs/deep configs/deep/er");
  EXPECT_EQ(found({"", false, "", 9}),
            "configs/Smoke.YAML configs/base.yaml configs/deep/er/x.yaml data/prices.csv top.txt");
  EXPECT_EQ(found({"", true, "", 9}), "configs configs/deep configs/deep/er data");
  EXPECT_EQ(found({"nowhere", false, "", 9}), "");
  EXPECT_EQ(found({"configs/.git", false, "", 9}), "") << "hidden, also when it is asked for";
  EXPECT_EQ(found({"./configs/.git/", true, "", 9}), "");
}

TEST_F(FileListTest, NarrowsByTextAndLimit) {
  EXPECT_EQ(found({"configs", false, ".yaml", 2}), "configs/Smoke.YAML configs/base.yaml");
  EXPECT_EQ(found({"", false, "DEEP", 9}), "configs/deep/er/x.yaml");
  const auto list = list_files(*Confinement::open(workspace_.path(), {}), {"", false, "", 1});
  ASSERT_TRUE(list);
  EXPECT_EQ(list->total, 5u);
}

TEST_F(FileListTest, FollowsLinksOnlyWhereTheyMayLead) {
  std::filesystem::create_directory_symlink(other_.path(), workspace_ / "configs/out");
  std::filesystem::create_directory_symlink("/etc", workspace_ / "configs/etc");
  std::filesystem::create_symlink("/etc/passwd", workspace_ / "configs/passwd");
  std::filesystem::create_symlink("base.yaml", workspace_ / "configs/alias.yaml");
  std::filesystem::create_directory_symlink("..", workspace_ / "configs/deep/loop");
  EXPECT_EQ(found({"configs", false, "", 9}),
            "configs/Smoke.YAML configs/alias.yaml configs/base.yaml configs/deep/er/x.yaml");
  EXPECT_EQ(found({"configs/out", false, "", 9}, true), "configs/out/inside/model.zip");
}

TEST_F(FileListTest, RefusesOtherPlaces) {
  for (const char* under : {"..", "configs/../..", "/etc", "configs/base.yaml"}) {
    EXPECT_TRUE(found({under, false, "", 9}).starts_with("ERROR ")) << under;
  }
}

TEST_F(FileListTest, EndsInAHugeFolder) {
  for (int i = 0; i < 60; ++i) workspace_.put("huge/" + std::to_string(i), "");
  FileQuery query;
  query.text = "yaml";
  query.most_looked_at = 20;
  const auto list = list_files(*Confinement::open(workspace_.path(), {}), query);
  ASSERT_TRUE(list);
  EXPECT_FALSE(list->is_complete);
  // What is near the top was looked at before.
  EXPECT_EQ(list->paths, (std::vector<std::string>{"configs/Smoke.YAML", "configs/base.yaml"}));
}

}  // namespace
}  // namespace runyard
