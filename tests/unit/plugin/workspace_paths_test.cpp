#include "core/plugin/workspace_paths.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <filesystem>
#include <fstream>

namespace runyard {
namespace {

namespace fs = std::filesystem;

Result<WorkspacePath> rule(const char* text) {
  return parse_workspace_path(boost::json::parse(text));
}

TEST(WorkspacePathKeyword, IsReadStrictly) {
  const auto full = rule(R"({"kind": "file", "must_exist": false, "under": "configs/"})");
  ASSERT_TRUE(full);
  EXPECT_FALSE(full->is_folder);
  EXPECT_FALSE(full->must_exist);
  EXPECT_EQ(full->under, "configs");
  EXPECT_TRUE(rule(R"({"kind": "dir"})")->must_exist);
  for (const char* bad :
       {"true", "{}", R"({"kind": "socket"})", R"({"kind": "file", "must_exist": 1})",
        R"({"kind": "file", "under": "/etc"})", R"({"kind": "file", "under": "../x"})",
        R"({"kind": "file", "under": "a", "base": "b"})",
        R"({"kind": "file", "mustexist": true})"}) {
    EXPECT_FALSE(rule(bad)) << bad;
  }
}

class Paths : public testing::Test {
 protected:
  Paths()
      : base_(fs::temp_directory_path() / ("paths_test." + std::to_string(::getpid()))),
        root_(base_ / "workspace") {
    fs::create_directories(root_ / "configs");
    fs::create_directories(root_ / "runs/r1");
    fs::create_directories(base_ / "outside");
    std::ofstream(root_ / "configs/a.yaml") << "a: 1\n";
    std::ofstream(base_ / "outside/x.yaml") << "x: 1\n";
    fs::create_symlink(base_ / "outside", root_ / "configs/link");
    fs::create_symlink(base_ / "outside/later", root_ / "dangling");
    confinement_ = std::make_unique<Confinement>(*Confinement::open(root_, {}));
  }
  ~Paths() override { fs::remove_all(base_); }

  /// The value that the plugin gets, or "!" and the sentence.
  std::string confined(const char* keyword, std::string_view value) {
    const auto result = confine(*rule(keyword), value, confinement_.get());
    return result ? *result : "! " + result.error().message;
  }
  bool refused(const char* keyword, std::string_view value) {
    return confined(keyword, value).starts_with("! ");
  }

  const fs::path base_, root_;
  std::unique_ptr<Confinement> confinement_;
};

constexpr const char* kConfig = R"({"kind": "file", "under": "configs"})";
constexpr const char* kNew = R"({"kind": "file", "must_exist": false})";
constexpr const char* kRun = R"({"kind": "dir", "base": "runs"})";

TEST_F(Paths, TheNormalFormIsPassedOn) {
  EXPECT_EQ(confined(kConfig, "configs/a.yaml"), "configs/a.yaml");
  EXPECT_EQ(confined(kConfig, "./configs/.//a.yaml"), "configs/a.yaml");
  EXPECT_EQ(confined(kConfig, "configs\\a.yaml"), "configs/a.yaml");
}

TEST_F(Paths, WhatLeavesTheWorkspaceIsRefused) {
  using namespace std::string_view_literals;
  for (const std::string_view bad :
       {"/etc/passwd"sv, "../x.yaml"sv, "configs/../../x"sv, "configs/link/x.yaml"sv, ""sv, "."sv,
        "configs"sv, "configs/none.yaml"sv, "..\\outside\\x.yaml"sv, "configs/a.yaml\0.txt"sv,
        "runs/r1"sv, "a.yaml"sv, "configsx/a.yaml"sv}) {
    EXPECT_TRUE(refused(kConfig, bad)) << bad;
  }
}

TEST_F(Paths, AFileThatNeedNotExistStaysInside) {
  EXPECT_EQ(confined(kNew, "new/deep/file.txt"), "new/deep/file.txt");
  EXPECT_EQ(confined(kNew, "configs/a.yaml"), "configs/a.yaml");
  EXPECT_TRUE(refused(kNew, "configs/link/new.txt"));
  EXPECT_TRUE(refused(kNew, "dangling"));
  EXPECT_TRUE(refused(kNew, "dangling/file"));
  EXPECT_TRUE(refused(kNew, "../new"));
}

TEST_F(Paths, AnEntryOfABaseFolderKeepsItsName) {
  EXPECT_EQ(confined(kRun, "r1"), "r1");
  for (const char* bad : {"..", ".", "", "r1/..", "a/b", "r1\\x", "none", "/r1"}) {
    EXPECT_TRUE(refused(kRun, bad)) << bad;
  }
}

TEST_F(Paths, WithoutAConfinementOnlyTheSpellingCounts) {
  EXPECT_TRUE(confine(*rule(kConfig), "configs/none.yaml", nullptr));
  EXPECT_FALSE(confine(*rule(kConfig), "elsewhere/none.yaml", nullptr));
  EXPECT_FALSE(confine(*rule(kConfig), "configs/../../x", nullptr));
}

}  // namespace
}  // namespace runyard
