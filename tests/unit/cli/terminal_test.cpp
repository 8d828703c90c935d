#include "cli/terminal.h"

#include <gtest/gtest.h>

namespace runyard::cli {
namespace {

std::string filtered(std::string_view text) {
  TerminalFilter filter;
  std::string out = filter.filter(text);
  return out + filter.finish();
}

TEST(DisplayWidth, WideAndCombiningCharacters) {
  EXPECT_EQ(display_width("abc"), 3u);
  EXPECT_EQ(display_width("日本"), 4u);
  EXPECT_EQ(display_width("e\u0301"), 1u);
  EXPECT_EQ(display_width("\xff"), 1u);
  EXPECT_EQ(fit("abcdef", 6), "abcdef");
  EXPECT_EQ(fit("abcdef", 4), "abc…");
  EXPECT_EQ(fit("日本語", 4), "日…");
  EXPECT_EQ(fit("abc", 0), "");
}

TEST(Wrap, BreaksAtBlanksAndKeepsLongWords) {
  EXPECT_EQ(wrap("one two three", 7), "one two\nthree");
  EXPECT_EQ(wrap("incomprehensible x", 5), "incomprehensible\nx");
  EXPECT_EQ(wrap("a\nb c", 10), "a\nb c");
  EXPECT_EQ(wrap("", 5), "");
}

TEST(TerminalFilter, ColoursAndCarriageReturnsPass) {
  EXPECT_EQ(filtered("a\r\x1b[31mred\x1b[0m\tb\n"), "a\r\x1b[31mred\x1b[0m\tb\n");
  EXPECT_EQ(filtered("\x1b[38;5;196mx\x1b[m"), "\x1b[38;5;196mx\x1b[m");
  EXPECT_EQ(filtered("日本 📈 é"), "日本 📈 é");
}

TEST(TerminalFilter, AColourThatStaysOnIsEnded) {
  EXPECT_EQ(filtered("\x1b[31mred"), "\x1b[31mred\x1b[0m");
}

TEST(TerminalFilter, EverythingElseIsDropped) {
  EXPECT_EQ(filtered("a\x1b[2Jb\x1b[1;1Hc\x1b[?1049hd"), "abcd");
  EXPECT_EQ(filtered("a\x1b]0;title\x07"
                     "b\x1b]8;;http://x\x1b\\c"),
            "abc");
  EXPECT_EQ(filtered("a\x1bP1$qm\x1b\\b\x1b_x\x1b\\c\x1b"
                     "7d\x1b(Be\x1b"
                     "cf"),
            "abcdef");
  EXPECT_EQ(filtered("a\x07\x08\x0b\x0c\x0e\x7f"
                     "b"),
            "ab");
  EXPECT_EQ(filtered(std::string_view("a\0b", 3)), "ab");
  EXPECT_EQ(filtered("a\xc2\x9b"
                     "2Jb"),
            "a2Jb");
  EXPECT_EQ(filtered("\x1b[>4;1m\x1b[31 m"), "");  // ends with m and is no colour
  EXPECT_EQ(filtered("a\x1b\x1b[2Jb"), "ab");
  EXPECT_EQ(filtered("a\x1b[3\x1b[31mb"), "a\x1b[31mb\x1b[0m");
}

TEST(TerminalFilter, ABrokenSequenceEndsWithItsLine) {
  EXPECT_EQ(filtered("\x1b]0;never ended\nnext\x1b[31\nlast"), "\nnext\nlast");
}

TEST(TerminalFilter, WhatIsNoUtf8IsReplaced) {
  EXPECT_EQ(filtered("a\xff\x9b"
                     "b\xe6\x97"),
            "a\uFFFD\uFFFDb\uFFFD");
  EXPECT_EQ(filtered("\xe6\x1b[31mx"), "\uFFFD\x1b[31mx\x1b[0m");
}

TEST(TerminalFilter, SplitAnywhereItSaysTheSame) {
  const std::string text = "a\x1b[31m日本\x1b[0m\x1b]0;t\x1b\\ 📈\x1b[2J\r\xff é\n\x1b(Bz";
  const std::string whole = filtered(text);
  for (std::size_t first = 0; first <= text.size(); ++first) {
    TerminalFilter filter;
    std::string out = filter.filter(text.substr(0, first));
    out += filter.filter(text.substr(first));
    EXPECT_EQ(out += filter.finish(), whole) << "split at " << first;
  }
}

}  // namespace
}  // namespace runyard::cli
