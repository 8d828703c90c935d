#include "core/log/log_page.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <random>

#include "core/base/files.h"
#include "core/base/text.h"
#include "tests/unit/base/temp_folder.h"

namespace runyard {
namespace {

const std::string kBad = "\xEF\xBF\xBD";

class LogPageTest : public ::testing::Test {
 protected:
  void write(std::string_view content) {
    const auto file = folder_.put("log", content);
    fd_ = UniqueFd(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  }
  void append(std::string_view content) {
    ::lseek(fd_.get(), 0, SEEK_END);
    ASSERT_EQ(write_all(fd_.get(), content), 0);
  }
  LogPage page(std::int64_t offset, std::int64_t tail = kDefaultLogTail) const {
    const auto result = read_log_page(fd_.get(), offset, tail);
    EXPECT_TRUE(result);
    return *result;
  }

  TempFolder folder_;
  UniqueFd fd_;
};

TEST_F(LogPageTest, AnEmptyLog) {
  write("");
  for (const std::int64_t offset : {0, 5, -5}) {
    const LogPage empty = page(offset);
    EXPECT_EQ(empty.content, "");
    EXPECT_EQ(empty.next_offset, 0);
    EXPECT_EQ(empty.size, 0);
    EXPECT_FALSE(empty.is_truncated);
  }
}

TEST_F(LogPageTest, OffsetsAreFollowed) {
  write("0123456789");
  LogPage first = page(0);
  EXPECT_EQ(first.content, "0123456789");
  EXPECT_EQ(first.next_offset, 10);
  EXPECT_EQ(first.size, 10);
  EXPECT_FALSE(first.is_truncated);
  EXPECT_EQ(page(7).content, "789");
  EXPECT_TRUE(page(7).is_truncated);
  EXPECT_EQ(page(10).content, "");
  EXPECT_EQ(page(10).next_offset, 10);
  EXPECT_EQ(page(99).content, "");
  EXPECT_EQ(page(99).next_offset, 10);
  append("abc");
  EXPECT_EQ(page(first.next_offset).content, "abc");
  EXPECT_EQ(page(first.next_offset).next_offset, 13);
}

TEST_F(LogPageTest, TailsAreOfTheEnd) {
  write("0123456789");
  EXPECT_EQ(page(0, 3).content, "789");
  EXPECT_EQ(page(0, 3).next_offset, 10);
  EXPECT_TRUE(page(0, 3).is_truncated);
  EXPECT_EQ(page(0, 10).content, "0123456789");
  EXPECT_FALSE(page(0, 10).is_truncated);
  EXPECT_EQ(page(0, 1000).content, "0123456789");
  EXPECT_EQ(page(0, 0).content, "");
  EXPECT_EQ(page(0, 0).next_offset, 10);
  EXPECT_EQ(page(0, -7).content, "");
  EXPECT_EQ(page(5, 1).content, "56789");  // beside an offset the tail says nothing
}

TEST_F(LogPageTest, ATailBeginsWithAWholeCharacter) {
  write("x数据🚀");
  const std::string all = "x数据🚀";
  for (std::int64_t tail = 0; tail <= 11; ++tail) {
    const LogPage part = page(0, tail);
    EXPECT_EQ(part.content, tail >= 11   ? all
                            : tail >= 10 ? all.substr(1)
                            : tail >= 7  ? "据🚀"
                            : tail >= 4  ? "🚀"
                                         : "")
        << tail;
    EXPECT_EQ(part.next_offset, 11);
  }
}

TEST_F(LogPageTest, ACharacterThatIsNotCompleteIsLeftForTheNextPage) {
  const std::string character = "🚀";
  for (std::size_t have = 1; have < character.size(); ++have) {
    write("ok " + character.substr(0, have));
    const LogPage first = page(0);
    EXPECT_EQ(first.content, "ok ");
    EXPECT_EQ(first.next_offset, 3);
    EXPECT_EQ(first.size, static_cast<std::int64_t>(3 + have));
    EXPECT_FALSE(first.is_truncated);
    append(character.substr(have) + "!");
    EXPECT_EQ(page(first.next_offset).content, character + "!");
  }
}

TEST_F(LogPageTest, ACharacterThatNeverGetsCompleteDoesNotHoldTheReader) {
  write("end\xF0\x9F");
  const LogPage first = page(0);
  EXPECT_EQ(first.content, "end");
  const LogPage last = page(first.next_offset);
  EXPECT_EQ(last.content, kBad);
  EXPECT_EQ(last.next_offset, last.size);
  EXPECT_EQ(page(0, 2).content, kBad);
}

TEST_F(LogPageTest, InvalidBytesAreReplaced) {
  write(
      "a\xff"
      "b\xC0\x80"
      "c\xED\xA0\x80"
      "d");
  EXPECT_EQ(page(0).content, "a" + kBad + "b" + kBad + kBad + "c" + kBad + kBad + kBad + "d");
  EXPECT_EQ(page(0).next_offset, page(0).size);
  write(std::string("nul\0 and \x1b[31m\r\n stay", 21));
  EXPECT_EQ(page(0).content, std::string("nul\0 and \x1b[31m\r\n stay", 21));
}

TEST_F(LogPageTest, ContinuationBytesWithoutEndAreNotSkippedAsACharacter) {
  write(std::string(100, '\x80'));
  // At most the three that a character may have behind its first byte.
  EXPECT_EQ(page(0, 50).content.size(), 47 * kBad.size());
  EXPECT_EQ(page(0, 50).next_offset, 100);
}

TEST_F(LogPageTest, APageHasAtMostAMebibyte) {
  const std::string large(static_cast<std::size_t>(kMaxLogPage) * 2 + 1000, 'x');
  write(large);
  EXPECT_EQ(page(1).content.size(), static_cast<std::size_t>(kMaxLogPage));
  EXPECT_EQ(page(1).next_offset, 1 + kMaxLogPage);
  EXPECT_TRUE(page(1).is_truncated);
  const LogPage tail = page(0, 1LL << 60);
  EXPECT_EQ(tail.content.size(), static_cast<std::size_t>(kMaxLogPage));
  EXPECT_EQ(tail.next_offset, tail.size);
  EXPECT_TRUE(tail.is_truncated);
}

TEST_F(LogPageTest, PagesTogetherAreTheWholeText) {
  std::mt19937 random(20261122);
  const std::string pieces[] = {"a", "é", "数", "🚀", "\xff", "\x80", "\xe6\x95", "\n"};
  std::string log;
  while (log.size() < 3u << 20) log += pieces[random() % std::size(pieces)];
  log += "end";
  write(log);
  std::string read = page(1).content;
  std::int64_t offset = page(1).next_offset;
  for (int pages = 0; offset < static_cast<std::int64_t>(log.size()); ++pages) {
    ASSERT_LT(pages, 10);
    const LogPage next = page(offset);
    ASSERT_GT(next.next_offset, offset);
    read += next.content;
    offset = next.next_offset;
  }
  EXPECT_EQ(read, sanitize_utf8(std::string_view(log).substr(1)));
}

TEST_F(LogPageTest, TheDescriptorIsNotMoved) {
  write("0123456789");
  ::lseek(fd_.get(), 4, SEEK_SET);
  page(0);
  page(2);
  ASSERT_TRUE(read_log_tail(fd_.get(), 5));
  EXPECT_EQ(::lseek(fd_.get(), 0, SEEK_CUR), 4);
}

TEST_F(LogPageTest, RawTails) {
  write(
      "01234\xff"
      "789");
  EXPECT_EQ(*read_log_tail(fd_.get(), 4),
            "\xff"
            "789");
  EXPECT_EQ(*read_log_tail(fd_.get(), 100),
            "01234\xff"
            "789");
  EXPECT_EQ(*read_log_tail(fd_.get(), 0), "");
}

TEST(LogPage, WhatCannotBeReadIsAnError) {
  EXPECT_FALSE(read_log_page(-1, 0, 10));
  EXPECT_FALSE(read_log_tail(-1, 10));
  UniqueFd folder(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_FALSE(read_log_page(folder.get(), 0, 10));
}

}  // namespace
}  // namespace runyard
