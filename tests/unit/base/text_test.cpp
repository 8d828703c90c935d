#include "core/base/text.h"

#include <gtest/gtest.h>

#include <random>
#include <utility>
#include <vector>

namespace runyard {
namespace {

const std::string kBad = "\xEF\xBF\xBD";

std::string times(int count) {
  std::string text;
  while (count-- > 0) text += kBad;
  return text;
}

/// A character in UTF-8, by the definition and not by the table that the code has.
std::string encode(char32_t c) {
  std::string out;
  const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6), put(0x80 | (c & 63));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12), put(0x80 | (c >> 6 & 63)), put(0x80 | (c & 63));
  } else {
    put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 63)), put(0x80 | (c >> 6 & 63)),
        put(0x80 | (c & 63));
  }
  return out;
}

TEST(SanitizeUtf8, EveryCharacterStaysAndEverySurrogateGoes) {
  for (char32_t c = 0; c <= 0x10FFFF; c += c < 0x3000 || c > 0x10FF00 ? 1 : 61) {
    const std::string text = encode(c);
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    ASSERT_EQ(sanitize_utf8(text), surrogate ? times(3) : text) << static_cast<std::uint32_t>(c);
  }
  for (char32_t c : {0xD800, 0xDBFF, 0xDC00, 0xDFFF}) EXPECT_EQ(sanitize_utf8(encode(c)), times(3));
  for (char32_t c : {0xD7FF, 0xE000, 0xFFFD, 0xFFFF})
    EXPECT_EQ(sanitize_utf8(encode(c)), encode(c));
}

TEST(SanitizeUtf8, TableOfWhatIsInvalid) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {std::string("a\0b", 3), std::string("a\0b", 3)},
      {"Grüße 数据 🚀", "Grüße 数据 🚀"},
      {"\x80", times(1)},  // a continuation alone
      {"\xBF\xBF", times(2)},
      {"\xC0\x80", times(2)},  // overlong NUL
      {"\xC1\xBF", times(2)},
      {"\xE0\x80\x80", times(3)},  // overlong in three
      {"\xE0\x9F\xBF", times(3)},
      {"\xF0\x80\x80\x80", times(4)},  // overlong in four
      {"\xF0\x8F\xBF\xBF", times(4)},
      {"\xF4\x90\x80\x80", times(4)},  // above U+10FFFF
      {"\xF5\x80\x80\x80", times(4)},
      {"\xF8\x88\x80\x80\x80", times(5)},
      {"\xFE\xFF", times(2)},
      {"\xED\xA0\x80", times(3)},  // surrogate
      {"\xC3", times(1)},          // cut short
      {"\xE6\x95", times(1)},
      {"\xF0\x9F\x9A", times(1)},
      {"\xF0\x9F", times(1)},
      {"\xE6\x95"
       "a",
       times(1) + "a"},  // cut short in the middle
      {"\xE6\x95\xE6\x95\xB0", times(1) + "\xE6\x95\xB0"},
      {"\xF0\x9F\x9A\xC3\xA9", times(1) + "\xC3\xA9"},
      // The example of the Unicode standard, table 3-8.
      {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82"
       "A",
       times(8) + "A"},
      // Table 3-11: truncated sequences, one for each maximal part.
      {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF"
       "A",
       times(4) + "A"},
  };
  for (const auto& [bytes, text] : cases) {
    EXPECT_EQ(sanitize_utf8(bytes), text) << ::testing::PrintToString(bytes);
    EXPECT_EQ(sanitize_utf8("x" + bytes + "y"), "x" + text + "y");
  }
}

TEST(SanitizeUtf8, TwiceIsOnce) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes;
    for (unsigned i = random() % 24; i > 0; --i) bytes += static_cast<char>(random());
    const std::string once = sanitize_utf8(bytes);
    EXPECT_EQ(sanitize_utf8(once), once);
    EXPECT_EQ(incomplete_utf8_tail(once), 0u);
  }
}

TEST(IncompleteTail, EveryPrefixOfACharacter) {
  for (const std::string text :
       {"é", "数", "🚀", "\xF4\x8F\xBF\xBF", "\xED\x9F\xBF", "\xE0\xA0\x80"}) {
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      const std::size_t expected = cut == text.size() ? 0 : cut;
      EXPECT_EQ(incomplete_utf8_tail(text.substr(0, cut)), expected) << text << " " << cut;
      EXPECT_EQ(incomplete_utf8_tail("é" + text.substr(0, cut)), expected) << text << " " << cut;
    }
  }
}

TEST(IncompleteTail, WhatCannotBecomeACharacterIsNotWaitedFor) {
  for (const char* bytes :
       {"", "a", "\x80", "\xBF\xBF\xBF", "\xC0", "\xC1", "\xF5", "\xFF", "\xE0\x80", "\xED\xA0",
        "\xF0\x80", "\xF4\x90", "\xF0\x80\x80", "é\x80", "\xC3\xA9\x80",
        "\xE6"
        "a",
        "数\x80\x80\x80"}) {
    EXPECT_EQ(incomplete_utf8_tail(bytes), 0u) << ::testing::PrintToString(std::string(bytes));
  }
}

TEST(IncompleteTail, ATextMayBeCutThereAndSanitizedInParts) {
  std::mt19937 random(11);
  const std::string pieces[] = {"a",    "é",        "数",       "🚀",   "\x80",
                                "\xC3", "\xE6\x95", "\xF0\x9F", "\xFF"};
  for (int round = 0; round < 2000; ++round) {
    std::string bytes;
    for (int i = 0; i < 8; ++i) bytes += pieces[random() % std::size(pieces)];
    const std::string whole = sanitize_utf8(bytes);
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
      const std::size_t at = cut - incomplete_utf8_tail(std::string_view(bytes).substr(0, cut));
      ASSERT_EQ(sanitize_utf8(bytes.substr(0, at)) + sanitize_utf8(bytes.substr(at)), whole)
          << ::testing::PrintToString(bytes) << " " << cut;
    }
  }
}

TEST(Ellipsize, CutsBetweenCharacters) {
  EXPECT_EQ(ellipsize("", 0), "");
  EXPECT_EQ(ellipsize("abc", 3), "abc");
  EXPECT_EQ(ellipsize("abcd", 3), "abc…");
  EXPECT_EQ(ellipsize("abc", 0), "…");
  EXPECT_EQ(ellipsize("数据", 6), "数据");
  EXPECT_EQ(ellipsize("数据", 5), "数…");
  EXPECT_EQ(ellipsize("数据", 4), "数…");
  EXPECT_EQ(ellipsize("数据", 3), "数…");
  EXPECT_EQ(ellipsize("数据", 2), "…");
  EXPECT_EQ(ellipsize("a🚀", 4), "a…");
}

TEST(Trim, BothSides) {
  EXPECT_EQ(trim(""), "");
  EXPECT_EQ(trim(" \t\r\n"), "");
  EXPECT_EQ(trim("a"), "a");
  EXPECT_EQ(trim("\r\n a b\t "), "a b");
  EXPECT_EQ(trim(" é "), "é");
}

TEST(EscapeControls, EverythingThatIsNotTextIsWrittenOut) {
  EXPECT_EQ(escape_controls("plain 日本 📈"), "plain 日本 📈");
  EXPECT_EQ(escape_controls("a\x1b[31m\nb\tc\r\x7f"), "a\\x1b[31m\\nb\\tc\\r\\x7f");
  EXPECT_EQ(escape_controls(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(escape_controls("\xc2\x9b"
                            "31m"),
            "\\xc2\\x9b31m");  // CSI as one character
  EXPECT_EQ(escape_controls("\xe2\x80\xae"
                            "x"),
            "\\xe2\\x80\\xaex");  // right-to-left override
  EXPECT_EQ(escape_controls("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(escape_controls("\xc0\xaf\xed\xa0\x80"), "\\xc0\\xaf\\xed\\xa0\\x80");
}

}  // namespace
}  // namespace runyard
