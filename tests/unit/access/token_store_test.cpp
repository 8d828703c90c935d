#include "core/access/token_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <set>
#include <thread>

#include "core/base/files.h"
#include "tests/unit/base/temp_folder.h"

namespace runyard {
namespace {

class TokenStoreTest : public ::testing::Test {
 protected:
  std::filesystem::path file() const { return state / "tokens.json"; }
  std::string name_of(const std::string& text) {
    const auto found = store.find(text, now_ms());
    return found && *found ? (*found)->name : "";
  }

  TempFolder folder;
  std::filesystem::path state = folder.path() / "state";
  TokenStore store{state};
};

TEST_F(TokenStoreTest, FindsATokenByItsText) {
  const auto ada = store.add("ada", Role::kAdmin, std::nullopt);
  const auto bob = store.add("bob", Role::kViewer, std::nullopt);
  ASSERT_TRUE(ada && bob);
  const auto found = store.find(*ada, now_ms());
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->name, "ada");
  EXPECT_EQ((*found)->role, Role::kAdmin);
  EXPECT_EQ(name_of(*bob), "bob");
  EXPECT_EQ(name_of(*bob + "0"), "");
  EXPECT_EQ(name_of(bob->substr(0, bob->size() - 1)), "");
  EXPECT_EQ(name_of(""), "");
  EXPECT_EQ(name_of((*found)->sha256), "") << "what is on disk is worth nothing";
}

TEST_F(TokenStoreTest, ATextHas256RandomBits) {
  std::set<std::string> all;
  for (int i = 0; i < 20; ++i) {
    const auto text = store.add("t" + std::to_string(i), Role::kViewer, std::nullopt);
    ASSERT_TRUE(text);
    EXPECT_EQ(text->size(), 4u + 64);
    EXPECT_TRUE(all.insert(*text).second);
  }
}

TEST_F(TokenStoreTest, KeepsNoTextAndIsPrivate) {
  const auto text = store.add("ada", Role::kAdmin, std::nullopt);
  ASSERT_TRUE(text);
  const auto content = read_file(file());
  ASSERT_TRUE(content);
  EXPECT_EQ(content->find(text->substr(4)), std::string::npos);
  struct stat info {};
  ASSERT_EQ(::stat(file().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_EQ(::stat(state.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(TokenStoreTest, APrivateFileEvenOverOneThatWasLeftBehind) {
  std::filesystem::create_directories(state);
  ASSERT_TRUE(write_file_atomic(state / "tokens.json.tmp2", "x"));
  std::filesystem::rename(state / "tokens.json.tmp2", state / "tokens.json.tmp");
  ASSERT_TRUE(store.add("ada", Role::kAdmin, std::nullopt));
  struct stat info {};
  ASSERT_EQ(::stat(file().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(TokenStoreTest, ARevokeCountsAtOnceForWhoeverHasTheStoreOpen) {
  TokenStore running(state);  // the server's
  const auto text = store.add("ada", Role::kAdmin, std::nullopt);
  ASSERT_TRUE(text);
  const auto found = running.find(*text, now_ms());
  ASSERT_TRUE(found && *found);
  EXPECT_TRUE(running.is_valid((*found)->sha256, now_ms()));
  ASSERT_TRUE(store.revoke("ada"));
  EXPECT_FALSE(*running.find(*text, now_ms()));
  EXPECT_FALSE(running.is_valid((*found)->sha256, now_ms()));
  ASSERT_TRUE(store.add("ada", Role::kAdmin, std::nullopt)) << "the name is free again";
  EXPECT_FALSE(*running.find(*text, now_ms()));
}

TEST_F(TokenStoreTest, ExpiresToTheMillisecond) {
  const auto text = store.add("ada", Role::kViewer, 1'800'000'000'000);
  ASSERT_TRUE(text);
  EXPECT_TRUE(*store.find(*text, 1'799'999'999'999));
  EXPECT_FALSE(*store.find(*text, 1'800'000'000'000));
  EXPECT_EQ(store.list()->front().expires_at, 1'800'000'000'000);
}

TEST_F(TokenStoreTest, NamesAreUniqueAndPlain) {
  ASSERT_TRUE(store.add("ada@lab-1.x_y", Role::kViewer, std::nullopt));
  EXPECT_EQ(store.add("ada@lab-1.x_y", Role::kAdmin, std::nullopt).error().kind,
            ErrorKind::kConflict);
  for (const std::string& name : {std::string(), std::string("a b"), std::string("a\n"),
                                  std::string("local"), std::string(65, 'a'), std::string("é")}) {
    EXPECT_EQ(store.add(name, Role::kViewer, std::nullopt).error().kind, ErrorKind::kInvalid)
        << name;
  }
  EXPECT_EQ(store.revoke("nobody").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(store.list()->size(), 1u);
}

TEST_F(TokenStoreTest, NoFileIsNoToken) {
  EXPECT_TRUE(store.list()->empty());
  EXPECT_FALSE(*store.find("ryd_x", now_ms()));
  EXPECT_FALSE(std::filesystem::exists(state)) << "looking makes nothing";
}

TEST_F(TokenStoreTest, AFileThatOthersCouldChangeLetsNobodyIn) {
  const auto text = store.add("ada", Role::kAdmin, std::nullopt);
  ASSERT_TRUE(text && *store.find(*text, now_ms()));
  for (const mode_t mode : {0660u, 0606u, 0640u}) {
    ASSERT_EQ(::chmod(file().c_str(), mode), 0);
    EXPECT_FALSE(store.find(*text, now_ms())) << mode;
  }
  ASSERT_EQ(::chmod(file().c_str(), 0600), 0);
  EXPECT_TRUE(*store.find(*text, now_ms()));
  const auto elsewhere = folder.path() / "elsewhere.json";
  std::filesystem::rename(file(), elsewhere);
  std::filesystem::create_symlink(elsewhere, file());
  EXPECT_FALSE(store.find(*text, now_ms()));
}

TEST_F(TokenStoreTest, ADamagedFileLetsNobodyIn) {
  const auto text = store.add("ada", Role::kAdmin, std::nullopt);
  ASSERT_TRUE(text);
  const std::string good = *read_file(file());
  const auto replaced = [&](const std::string& what, const std::string& with) {
    std::string content = good;
    const auto at = content.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return content.replace(at, what.size(), with);
  };
  for (const std::string& content :
       {std::string(), std::string("{}"), std::string("[]"), good.substr(0, good.size() / 2),
        replaced("\"version\":1", "\"version\":2"), replaced("\"admin\"", "\"root\""),
        replaced("\"admin\"", "\"public\""), replaced("\"sha256\":\"", "\"sha256\":\"0"),
        replaced("\"expires_at\":null", "\"expires_at\":\"soon\""),
        replaced("\"name\":\"ada\"", "\"name\":\"local\"")}) {
    ASSERT_TRUE(write_file_atomic(file(), content, false, 0600));
    EXPECT_FALSE(store.find(*text, now_ms())) << content;
    EXPECT_FALSE(store.add("bob", Role::kViewer, std::nullopt)) << "it is not written over";
  }
  ASSERT_TRUE(write_file_atomic(file(), good, false, 0600));
  EXPECT_TRUE(*store.find(*text, now_ms()));
}

TEST_F(TokenStoreTest, ManyAtOnceLoseNothing) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this, i] {
      TokenStore own(state);  // as a process of its own
      for (int n = 0; n < 5; ++n) {
        EXPECT_TRUE(
            own.add(std::to_string(i) + "." + std::to_string(n), Role::kViewer, std::nullopt));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(store.list()->size(), 40u);
}

}  // namespace
}  // namespace runyard
