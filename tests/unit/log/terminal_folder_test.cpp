#include "core/log/terminal_folder.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/log/line_counter.h"
#include "tests/unit/log/samples.h"

namespace runyard {
namespace {

using Unit = TerminalFolder::Unit;
using Texts = std::vector<std::string>;
constexpr std::size_t kMax = 64 * 1024;

Texts fold(std::string_view bytes, Unit unit = Unit::kLine, bool colours = false) {
  TerminalFolder folder(unit, kMax, colours);
  Texts texts;
  const auto sink = [&](const TerminalFolder::Line& line) { texts.emplace_back(line.text); };
  folder.feed(bytes, sink);
  folder.finish(sink);
  return texts;
}
Texts states(std::string_view bytes) { return fold(bytes, Unit::kState); }
Texts coloured(std::string_view bytes) { return fold(bytes, Unit::kLine, true); }

// ---- Lines, as a terminal shows them ----

TEST(Fold, LinesEndAtLineFeeds) {
  EXPECT_EQ(fold(""), Texts{});
  EXPECT_EQ(fold("\n\n"), (Texts{"", ""}));
  EXPECT_EQ(fold("a\nb"), (Texts{"a", "b"}));
  EXPECT_EQ(fold("a\r\nb\r\n"), (Texts{"a", "b"}));
  EXPECT_EQ(fold(" \ta\t\n"), Texts{" \ta\t"});
  EXPECT_EQ(fold(std::string("a\0b\x07\x7f\x0b", 6)), Texts{"ab"});
}

TEST(Fold, ACarriageReturnOverwritesCharacterByCharacter) {
  EXPECT_EQ(fold("abcdef\rxy\n"), Texts{"xycdef"});
  EXPECT_EQ(fold("ab\rwxyz\rq\n"), Texts{"qxyz"});
  EXPECT_EQ(fold("\r\r\rabc\r\r\n"), Texts{"abc"});
  EXPECT_EQ(fold("abc\r   \rd\n"), Texts{"d  "});
  // Characters, not bytes.
  EXPECT_EQ(fold("数据库\rab\n"), Texts{"ab库"});
  EXPECT_EQ(fold("abc\r🚀\n"), Texts{"🚀bc"});
}

TEST(Fold, ABarIsOneLineWithItsLastState) {
  EXPECT_EQ(fold("\r 0%|   | 0/2\r50%|█  | 1/2\r100%|██| 2/2\ndone\n"),
            (Texts{"100%|██| 2/2", "done"}));
  std::string bar;
  for (int i = 0; i <= 1000; ++i) bar += "\r\x1b[32mtrain\x1b[0m: " + std::to_string(i);
  EXPECT_EQ(fold(bar + "\n"), Texts{"train: 1000"});
}

TEST(Fold, BackspaceAndCursorMoves) {
  EXPECT_EQ(fold("abc\b\bX\n"), Texts{"aXc"});
  EXPECT_EQ(fold("a\b\b\b\bX\n"), Texts{"X"});
  EXPECT_EQ(fold("10%\b\b\b20%\b\b\b100%\n"), Texts{"100%"});
  EXPECT_EQ(fold("abcdef\x1b[3DX\n"), Texts{"abcXef"});
  EXPECT_EQ(fold("ab\x1b[2CX\n"), Texts{"ab  X"});
  EXPECT_EQ(fold("abcdef\x1b[2GX\x1b[9GY\n"), Texts{"aXcdef  Y"});
  EXPECT_EQ(fold("\x1b[3Gx\n"), Texts{"  x"});
  EXPECT_EQ(fold("ab\x1b[999999Cx\n")[0].size(), TerminalFolder::kMaxEdited + 1);
}

TEST(Fold, EraseLine) {
  EXPECT_EQ(fold("abcdef\rxy\x1b[K\n"), Texts{"xy"});
  EXPECT_EQ(fold("abcdef\x1b[K\n"), Texts{"abcdef"});
  EXPECT_EQ(fold("abcdef\x1b[2K\rx\n"), Texts{"x"});
  EXPECT_EQ(fold("abcdef\x1b[2Kx\n"), Texts{"      x"});  // the cursor stays
  EXPECT_EQ(fold("abcdef\x1b[3D\x1b[1K\n"), Texts{"    ef"});
  EXPECT_EQ(fold("abcdef\r\x1b[J\n"), Texts{""});
}

TEST(Fold, OtherSequencesAreDropped) {
  EXPECT_EQ(fold("\x1b[?25lbar\x1b[1;32mgreen\x1b[0m\x1b[38:2::1:2:3mx"), Texts{"bargreenx"});
  EXPECT_EQ(fold("a\x1b]0;title\x07"
                 "b\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\c"),
            Texts{"ablinkc"});
  EXPECT_EQ(fold("a\x1b(Bb\x1b=c\x1bMd\x1b[2Je"), Texts{"abcde"});
  EXPECT_EQ(fold("a\x1bP1$r secret \x1b\\b"), Texts{"ab"});
}

TEST(Fold, ABrokenSequenceEndsWithItsLine) {
  EXPECT_EQ(fold("a\x1b\nb"), (Texts{"a", "b"}));
  EXPECT_EQ(fold("a\x1b[31\nb"), (Texts{"a", "b"}));
  EXPECT_EQ(fold("a\x1b]0;never closed\nb"), (Texts{"a", "b"}));
  EXPECT_EQ(fold("a\x1b[31\rb"), Texts{"b"});
  EXPECT_EQ(fold("a\x1b[3数"), Texts{"a数"});
}

TEST(Fold, NestedBars) {
  // As tqdm draws them: the inner one a line below, and back up after each state.
  std::string log;
  for (int outer = 0; outer < 3; ++outer) {
    log += "\router " + std::to_string(outer);
    for (int inner = 0; inner < 100; ++inner)
      log += "\n\rinner " + std::to_string(inner) + "\x1b[A";
  }
  log += "\n\ndone\n";
  // The inner one is a line with its last state; the outer one takes that line when it is drawn.
  EXPECT_EQ(fold(log), (Texts{"outer 0", "outer 1", "outer 2", "inner 99", "done"}));
  EXPECT_EQ(fold("a\nb\x1b[A\nc\n"), (Texts{"a", "c"}));
  EXPECT_EQ(fold("a\nb\nc\x1b[A\x1b[A\n\nd\n"), (Texts{"a", "b", "d"}));
  EXPECT_EQ(fold("b\x1b[2A\n\n\nc"), (Texts{"b", "c"}));
  EXPECT_EQ(fold("b\x1b[Ax\nc"), (Texts{"bx", "c"}));  // a lone one is dropped
}

TEST(Fold, LongLinesAreCutAndNotEdited) {
  for (const std::size_t size : {kMax - 1, kMax, kMax + 1, 10 * kMax}) {
    TerminalFolder folder(Unit::kLine, kMax);
    std::vector<std::pair<std::string, bool>> lines;
    const auto sink = [&](const TerminalFolder::Line& line) {
      lines.emplace_back(line.text, line.cut);
    };
    folder.feed(std::string(size, 'x') + "\nnext\n", sink);
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0].first.size(), std::min(size, kMax));
    EXPECT_EQ(lines[0].second, size > kMax);
    EXPECT_EQ(lines[1], std::pair(std::string("next"), false));
  }
  EXPECT_EQ(fold(std::string(5000, 'x') + "\rnew\n"), Texts{"new"});
  EXPECT_EQ(fold(std::string(5000, 'x') + "\r\n")[0].size(), 5000u);
  EXPECT_EQ(fold(std::string(5000, 'x') + "\b\b\n")[0].size(), 5000u);
  // Not inside a character.
  std::string wide;
  while (wide.size() < 2 * kMax) wide += "数";
  EXPECT_EQ(fold(wide)[0].size(), kMax / 3 * 3);
}

// ---- Colours ----

TEST(Colours, EachLineStandsForItself) {
  EXPECT_EQ(coloured("plain\n"), Texts{"plain"});
  EXPECT_EQ(coloured("\x1b[31mred\nstill\x1b[0m no\n"),
            (Texts{"\x1b[31mred\x1b[0m", "\x1b[31mstill\x1b[0m no"}));
  EXPECT_EQ(coloured("a\x1b[1;4mb\x1b[22mc\x1b[md\n"), Texts{"a\x1b[1;4mb\x1b[0;4mc\x1b[0md"});
  EXPECT_EQ(coloured("\x1b[31m\x1b[0m\n"), Texts{""});
}

TEST(Colours, BelongToTheCharacters) {
  EXPECT_EQ(coloured("\x1b[31mabcd\x1b[0m\rxy\n"), Texts{"xy\x1b[31mcd\x1b[0m"});
  EXPECT_EQ(coloured("abcd\r\x1b[32mx\x1b[0m\n"), Texts{"\x1b[32mx\x1b[0mbcd"});
  EXPECT_EQ(coloured("\x1b[31mab\x1b[32mcd\x1b[0m\b\b\bX\n"),
            Texts{"\x1b[31ma\x1b[0mX\x1b[32mcd\x1b[0m"});
}

TEST(Colours, OfAllKinds) {
  EXPECT_EQ(coloured("\x1b[38;5;200;48;2;1;2;3mx"), Texts{"\x1b[38;5;200;48;2;1;2;3mx\x1b[0m"});
  EXPECT_EQ(coloured("\x1b[38:2::1:2:3;48:5:9mx"), Texts{"\x1b[38;2;1;2;3;101mx\x1b[0m"});
  EXPECT_EQ(coloured("\x1b[97;44;3mx"), Texts{"\x1b[3;97;44mx\x1b[0m"});
  EXPECT_EQ(coloured("\x1b[31;1mx\x1b[39;22my"), Texts{"\x1b[1;31mx\x1b[0my"});
  EXPECT_EQ(coloured("\x1b[58;5;1;4mx\x1b[4:0my"), Texts{"\x1b[4mx\x1b[0my"});
  EXPECT_EQ(coloured("\x1b[>4;2mx\x1b[?1my"), Texts{"xy"});  // no SGR
}

// ---- States: what was seen before it was overwritten ----

TEST(States, AreTheTextsBetweenReturns) {
  EXPECT_EQ(states("\n\r\r\n\n"), Texts{});
  EXPECT_EQ(states("\r10%\r20%\r30%\ndone"), (Texts{"10%", "20%", "30%", "done"}));
  EXPECT_EQ(states("step 1000\rstep 20\r"), (Texts{"step 1000", "step 20"}));
  EXPECT_EQ(states("abc\b\bX\n"), Texts{"aXc"});
  EXPECT_EQ(states("bar 10%\x1b[2K\rbar 20%\r\x1b[Kbar 30%\x1b[1K\r"),
            (Texts{"bar 10%", "bar 20%", "bar 30%"}));
  EXPECT_EQ(states("\x1b[32m\n"), Texts{});
  EXPECT_EQ(states("a\nb\x1b[A\nc"), (Texts{"a", "b", "c"}));
}

TEST(States, PendingIsWhatARestartHasToReadAgain) {
  TerminalFolder folder(Unit::kState, kMax);
  const auto none = [](const TerminalFolder::Line&) {};
  EXPECT_EQ(folder.pending(), 0);
  folder.feed("abc", none);
  EXPECT_EQ(folder.pending(), 3);
  folder.feed("\x1b[31m", none);  // not in the text, but in the file
  EXPECT_EQ(folder.pending(), 8);
  folder.feed(std::string(100'000, 'x'), none);
  EXPECT_EQ(folder.pending(), 100'008);
  folder.feed("\nab", none);
  EXPECT_EQ(folder.pending(), 2);
  folder.feed("\r", none);
  EXPECT_EQ(folder.pending(), 0);
  folder.feed("x", none);
  folder.finish(none);
  EXPECT_EQ(folder.pending(), 0);
  // It counts the text's own end as read when the text is given.
  folder.feed("ab\nx\r", [&](const TerminalFolder::Line&) { EXPECT_EQ(folder.pending(), 0); });
}

// ---- Properties ----

TEST(FoldProperty, AnySplitOfTheBytesGivesTheSame) {
  std::mt19937 random(20261122);
  for (int round = 0; round < 200; ++round) {
    const std::string log = random_log(random, 300, round % 5 == 0);
    for (const auto& [unit, colours] : {std::pair(Unit::kLine, true), std::pair(Unit::kLine, false),
                                        std::pair(Unit::kState, false)}) {
      const Texts whole = fold(log, unit, colours);
      TerminalFolder folder(unit, kMax, colours);
      Texts texts;
      const auto sink = [&](const TerminalFolder::Line& line) { texts.emplace_back(line.text); };
      in_pieces(log, random, [&](std::string_view piece) { folder.feed(piece, sink); });
      folder.finish(sink);
      ASSERT_EQ(texts, whole) << round;
      for (const auto& text : texts) {
        if (!colours) {
          ASSERT_LE(text.size(), kMax);
          ASSERT_EQ(text.find_first_of("\n\r\x1b\b"), std::string::npos);
        }
        ASSERT_FALSE(unit == Unit::kState && text.empty());
      }
    }
  }
}

TEST(FoldProperty, ARestartAtThePendingTextGivesTheSameStates) {
  std::mt19937 random(4);
  for (int round = 0; round < 300; ++round) {
    const std::string log = random_log(random, 60, false);
    const std::size_t cut = random() % (log.size() + 1);
    TerminalFolder before(Unit::kState, kMax), after(Unit::kState, kMax);
    Texts texts;
    const auto sink = [&](const TerminalFolder::Line& line) { texts.emplace_back(line.text); };
    before.feed(std::string_view(log).substr(0, cut), sink);
    after.feed(std::string_view(log).substr(cut - static_cast<std::size_t>(before.pending())),
               sink);
    after.finish(sink);
    ASSERT_EQ(texts, states(log)) << round;
  }
}

TEST(FoldProperty, ColoursChangeNothingButColours) {
  std::mt19937 random(6);
  for (int round = 0; round < 200; ++round) {
    const std::string log = random_log(random, 200, false);
    Texts stripped;
    for (const auto& line : coloured(log)) {
      const Texts again = fold(line);
      stripped.push_back(again.empty() ? "" : again[0]);
    }
    ASSERT_EQ(stripped, fold(log)) << round;
  }
}

TEST(FoldProperty, TheCounterCutsLinesWhereTheFolderDoes) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    const std::string log = random_log(random, 200, round % 7 == 0);
    LineCounter counter;
    std::vector<std::int64_t> begins{0};
    in_pieces(log, random, [&](std::string_view piece) {
      while (!piece.empty()) {
        const std::size_t used = counter.feed_until(piece, counter.mark().line + 1);
        piece.remove_prefix(used);
        if (counter.mark().at_start) begins.push_back(counter.mark().offset);
      }
    });
    if (begins.back() == static_cast<std::int64_t>(log.size()) && log.size() > 0) begins.pop_back();
    // The folder, fed a byte at a time: each line's end.
    TerminalFolder folder(Unit::kLine, kMax);
    std::vector<std::int64_t> expected{0};
    std::int64_t at = 0, lines = 0;
    const auto sink = [&](const TerminalFolder::Line&) { ++lines; };
    for (const char c : log) {
      const std::int64_t known = lines;
      folder.feed({&c, 1}, sink);
      ++at;
      if (lines > known) expected.push_back(at);
    }
    folder.finish(sink);
    if (expected.back() == at && at > 0) expected.pop_back();
    ASSERT_EQ(begins, expected) << round;
    ASSERT_EQ(counter.lines(), lines) << round;
  }
}

}  // namespace
}  // namespace runyard
