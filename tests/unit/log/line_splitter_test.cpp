#include "core/log/line_splitter.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/log/samples.h"

namespace runyard {
namespace {

using Texts = std::vector<std::string>;

Texts split(std::string_view bytes, bool finish = true) {
  LineSplitter splitter;
  Texts texts;
  const auto sink = [&](std::string_view text) { texts.emplace_back(text); };
  splitter.feed(bytes, sink);
  if (finish) splitter.finish(sink);
  return texts;
}

TEST(LineSplitter, AtLineFeedsAndCarriageReturns) {
  EXPECT_EQ(split(""), Texts{});
  EXPECT_EQ(split("\n\r\r\n\n"), Texts{});
  EXPECT_EQ(split("a\nb\n"), (Texts{"a", "b"}));
  EXPECT_EQ(split("a\r\nb\r\n"), (Texts{"a", "b"}));
  EXPECT_EQ(split("\r10%\r20%\r30%\ndone"), (Texts{"10%", "20%", "30%", "done"}));
  EXPECT_EQ(split(std::string("a\0b\n", 4)), Texts{std::string("a\0b", 3)});
  EXPECT_EQ(split(" \t\n"), Texts{" \t"});
}

TEST(LineSplitter, ATextWithoutAnEndWaits) {
  EXPECT_EQ(split("a\nb", false), Texts{"a"});
  LineSplitter splitter;
  Texts texts;
  const auto sink = [&](std::string_view text) { texts.emplace_back(text); };
  splitter.feed("run_", sink);
  splitter.feed("id\n", sink);
  splitter.finish(sink);
  EXPECT_EQ(texts, Texts{"run_id"});
}

TEST(LineSplitter, EscapeSequencesAreRemoved) {
  EXPECT_EQ(split("\x1b[1;32mgreen\x1b[0m plain"), Texts{"green plain"});
  EXPECT_EQ(split("\x1b[2K\x1b[?25lbar\x1b[K"), Texts{"bar"});
  EXPECT_EQ(split("\x1b[38:2::1:2:3mx"), Texts{"x"});
  EXPECT_EQ(split("a\x1b]0;title\x07"
                  "b"),
            Texts{"ab"});
  EXPECT_EQ(split("a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\b"), Texts{"alinkb"});
  EXPECT_EQ(split("a\x1b(Bb\x1b=c\x1bMd"), Texts{"abcd"});
  EXPECT_EQ(split("\x1b[32m\n"), Texts{});
}

TEST(LineSplitter, ABrokenSequenceEndsWithItsLine) {
  EXPECT_EQ(split("a\x1b\nb"), (Texts{"a", "b"}));
  EXPECT_EQ(split("a\x1b[31\nb"), (Texts{"a", "b"}));
  EXPECT_EQ(split("a\x1b]0;never closed\nb"), (Texts{"a", "b"}));
  EXPECT_EQ(split("a\x1b]0;x\x1b\rb"), (Texts{"a", "b"}));
  EXPECT_EQ(split("a\x1b\xff"
                  "b"),
            Texts{"ab"});
}

TEST(LineSplitter, BytesThatAreNoUtf8Stay) {
  EXPECT_EQ(split("\xff\xc3\n数据 🚀\n"), (Texts{"\xff\xc3", "数据 🚀"}));
}

TEST(LineSplitter, OnlyTheBeginningOfALongTextIsKept) {
  constexpr std::size_t kMax = LineSplitter::kMaxText;
  for (const std::size_t size : {kMax - 1, kMax, kMax + 1, 10 * kMax}) {
    const Texts texts = split(std::string(size, 'x') + "\nnext\n");
    ASSERT_EQ(texts.size(), 2u);
    EXPECT_EQ(texts[0].size(), std::min(size, kMax));
    EXPECT_EQ(texts[1], "next");
  }
}

TEST(LineSplitter, PendingIsWhatARestartHasToReadAgain) {
  LineSplitter splitter;
  const auto none = [](std::string_view) {};
  EXPECT_EQ(splitter.pending(), 0);
  splitter.feed("abc", none);
  EXPECT_EQ(splitter.pending(), 3);
  splitter.feed("\x1b[31m", none);  // not in the text, but in the file
  EXPECT_EQ(splitter.pending(), 8);
  splitter.feed(std::string(100'000, 'x'), none);
  EXPECT_EQ(splitter.pending(), 100'008);
  splitter.feed("\nab", none);
  EXPECT_EQ(splitter.pending(), 2);
  splitter.feed("\r", none);
  EXPECT_EQ(splitter.pending(), 0);
  splitter.feed("x", none);
  splitter.finish(none);
  EXPECT_EQ(splitter.pending(), 0);
  // It counts the text's own end as read when the text is given.
  splitter.feed("ab\n", [&](std::string_view) { EXPECT_EQ(splitter.pending(), 0); });
}

TEST(LineSplitter, AnySplitOfTheBytesGivesTheSameTexts) {
  std::mt19937 random(20261122);
  for (int round = 0; round < 150; ++round) {
    const std::string log = random_log(random, 300, round % 5 == 0);
    const Texts whole = split(log);
    LineSplitter splitter;
    Texts texts;
    const auto sink = [&](std::string_view text) { texts.emplace_back(text); };
    in_pieces(log, random, [&](std::string_view piece) { splitter.feed(piece, sink); });
    splitter.finish(sink);
    ASSERT_EQ(texts, whole) << round;
    for (const auto& text : texts) {
      ASSERT_FALSE(text.empty());
      ASSERT_LE(text.size(), LineSplitter::kMaxText);
      ASSERT_EQ(text.find_first_of("\n\r\x1b"), std::string::npos);
    }
  }
}

TEST(LineSplitter, ARestartAtThePendingTextGivesTheSameTexts) {
  std::mt19937 random(4);
  for (int round = 0; round < 200; ++round) {
    const std::string log = random_log(random, 60, false);
    const std::size_t cut = random() % (log.size() + 1);
    LineSplitter before, after;
    Texts texts;
    const auto sink = [&](std::string_view text) { texts.emplace_back(text); };
    before.feed(std::string_view(log).substr(0, cut), sink);
    after.feed(std::string_view(log).substr(cut - static_cast<std::size_t>(before.pending())),
               sink);
    after.finish(sink);
    ASSERT_EQ(texts, split(log)) << round;
  }
}

}  // namespace
}  // namespace runyard
