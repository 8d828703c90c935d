#include "core/log/log_lines.h"

#include <gtest/gtest.h>

#include <random>

#include "core/base/text.h"
#include "tests/unit/log/log_file.h"
#include "tests/unit/log/samples.h"

namespace runyard {
namespace {

using Lines = std::vector<std::string>;

Lines shown(std::string_view log) {
  Lines lines = fold_all(log, kMaxShownLine, true);
  for (auto& line : lines) line = sanitize_utf8(line);
  return lines;
}

LogLines read(const LogFile& log, LineIndex& index, std::int64_t start, std::int64_t count) {
  auto page = read_log_lines(log.fd(), index, start, count, LogFile::in_time());
  EXPECT_TRUE(page) << page.error().message;
  return std::move(*page);
}

/// Lines of all kinds, of some size in all.
std::string sample(std::mt19937& random, std::size_t size) {
  std::string log;
  while (log.size() < size) {
    const auto kind = random() % 40;
    if (kind == 0) {
      log += random_log(random, 50, false);
    } else if (kind == 1) {
      for (int i = 0; i < 50; ++i)
        log += "\r\x1b[3" + std::to_string(i % 8) + "mbar\x1b[0m " + std::to_string(i) + "/50";
      log += '\n';
    } else if (kind == 2) {
      log += "\x1b[31ma colour that stays\n";
    } else {
      log += "line " + std::to_string(random()) + std::string(random() % 120, '.') +
             (kind == 3 ? "\r\n" : "\n");
    }
  }
  return log;
}

TEST(LogLines, OfASmallLog) {
  LogFile log("one\ntwo\nthr");
  LineIndex index(log.index_path());
  const auto all = read(log, index, 1, 100);
  EXPECT_EQ(all.lines, (Lines{"one", "two", "thr"}));
  EXPECT_EQ(all.start, 1);
  EXPECT_EQ(all.total, 3);  // the last one has no end yet
  EXPECT_EQ(all.size, 11);
  EXPECT_TRUE(all.is_complete);
  EXPECT_EQ(read(log, index, 2, 1).lines, Lines{"two"});
  EXPECT_EQ(read(log, index, 0, 2).lines, (Lines{"two", "thr"}));
  EXPECT_EQ(read(log, index, 0, 2).start, 2);
  EXPECT_EQ(read(log, index, 0, 99).start, 1);
  EXPECT_EQ(read(log, index, 4, 9).lines, Lines{});
  log.append("ee\n\n");
  const auto more = read(log, index, 3, 9);
  EXPECT_EQ(more.lines, (Lines{"three", ""}));
  EXPECT_EQ(more.total, 4);
  EXPECT_FALSE(std::filesystem::exists(log.index_path()));  // not worth a file
}

TEST(LogLines, OfAnEmptyLog) {
  LogFile log;
  LineIndex index(log.index_path());
  EXPECT_EQ(read(log, index, 1, 10).total, 0);
  EXPECT_EQ(read(log, index, 0, 10).lines, Lines{});
  EXPECT_EQ(read(log, index, 0, 10).start, 1);
}

TEST(LogLines, AnyPartIsAsInTheWhole) {
  std::mt19937 random(20261123);
  for (int round = 0; round < 6; ++round) {
    const std::string whole = sample(random, 700'000);
    const Lines expected = shown(whole);
    const auto total = static_cast<std::int64_t>(expected.size());
    // It grows between the calls, and the server restarts.
    LogFile log;
    auto index = std::make_unique<LineIndex>(log.index_path());
    for (std::size_t at = 0; at < whole.size();) {
      const std::size_t size = std::min<std::size_t>(whole.size() - at, random() % 200'000);
      log.append(std::string_view(whole).substr(at, size));
      at += size;
      read(log, *index, 1, 1);
      if (random() % 2) index = std::make_unique<LineIndex>(log.index_path());
    }
    for (int i = 0; i < 60; ++i) {
      const std::int64_t start = 1 + static_cast<std::int64_t>(random() % expected.size());
      const std::int64_t count = 1 + random() % 50;
      const auto page = read(log, *index, start, count);
      ASSERT_EQ(page.total, total);
      ASSERT_EQ(page.size, static_cast<std::int64_t>(whole.size()));
      const auto begin = expected.begin() + (start - 1);
      ASSERT_EQ(page.lines, Lines(begin, begin + std::min(count, total - start + 1))) << start;
    }
  }
}

TEST(LogLines, LongLinesAreCutAndNamed) {
  LogFile log("a\n" + std::string(3 << 20, 'x') + "\n" + std::string(20'000, 'y') + "\nb\n");
  LineIndex index(log.index_path());
  const auto page = read(log, index, 1, 10);
  ASSERT_EQ(page.lines.size(), 4u);
  EXPECT_EQ(page.lines[1], std::string(kMaxShownLine, 'x'));
  EXPECT_EQ(page.cut, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(page.lines[3], "b");
  EXPECT_EQ(read(log, index, 4, 1).lines, Lines{"b"});
}

TEST(LogLines, OfABarOfManyMegabytesTheLastState) {
  std::string bar = "begin\n";
  for (int i = 0; i < 100'000; ++i) bar += "\r\x1b[32mtrain\x1b[0m: step " + std::to_string(i);
  LogFile log(bar + "\nend\n");
  LineIndex index(log.index_path());
  EXPECT_EQ(read(log, index, 1, 5).lines,
            (Lines{"begin", "\x1b[32mtrain\x1b[0m: step 99999", "end"}));
  EXPECT_EQ(read(log, index, 2, 1).lines[0], "\x1b[32mtrain\x1b[0m: step 99999");
  EXPECT_EQ(read(log, index, 0, 1).lines[0], "end");
}

TEST(LogLines, AnAnswerIsBounded) {
  std::string text;
  for (int i = 0; i < 4000; ++i) text += std::string(1000, 'a') + "\n";
  LogFile log(text);
  LineIndex index(log.index_path());
  const auto page = read(log, index, 1, 5000);
  EXPECT_GT(page.lines.size(), 1000u);
  EXPECT_LT(page.lines.size(), 1100u);
  EXPECT_EQ(page.total, 4000);
}

TEST(LogLines, OutOfTimeTheRestIsCountedAtTheNextCall) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "line " + std::to_string(i + 1) + "\n";
  LogFile log(text);
  LineIndex index(log.index_path());
  std::int64_t known = 0;
  int calls = 0;
  for (bool complete = false; !complete; ++calls) {
    const auto page = read_log_lines(log.fd(), index, 0, 1, LogFile::too_late());
    ASSERT_TRUE(page);
    ASSERT_GT(page->size, known);  // never without having gone on
    known = page->size;
    complete = page->is_complete;
    EXPECT_EQ(complete, page->size == static_cast<std::int64_t>(text.size()));
  }
  EXPECT_GT(calls, 1);
  EXPECT_EQ(read(log, index, 50'000, 1).lines, Lines{"line 50000"});
}

// ---- What happens to files ----

TEST(LineIndex, FindsTheSameAfterARestart) {
  std::mt19937 random(3);
  const std::string text = sample(random, 500'000);
  LogFile log(text);
  LineIndex first(log.index_path());
  const auto expected = read(log, first, 0, 20);
  const auto size = std::filesystem::file_size(log.index_path());
  EXPECT_GT(size, 40u * 5);
  LineIndex second(log.index_path());
  EXPECT_EQ(read(log, second, 0, 20).lines, expected.lines);
  EXPECT_EQ(std::filesystem::file_size(log.index_path()), size);  // nothing was written again
}

TEST(LineIndex, ADamagedFileIsMadeAnew) {
  std::mt19937 random(4);
  const std::string text = sample(random, 800'000);
  LogFile log(text);
  {
    LineIndex index(log.index_path());
    read(log, index, 1, 1);
  }
  std::string good;
  {
    std::ifstream file(log.index_path(), std::ios::binary);
    good.assign(std::istreambuf_iterator<char>(file), {});
  }
  const Lines expected = shown(text);
  for (int round = 0; round < 200; ++round) {
    std::string bad = good;
    switch (round % 4) {
      case 0:  // a crash: cut anywhere
        bad.resize(random() % bad.size());
        break;
      case 1:  // or zeros where nothing had been written
        std::fill(bad.begin() + static_cast<std::ptrdiff_t>(random() % bad.size()), bad.end(), 0);
        break;
      default:
        bad[random() % bad.size()] ^= static_cast<char>(1 + random() % 255);
    }
    std::ofstream(log.index_path(), std::ios::binary | std::ios::trunc) << bad;
    LineIndex index(log.index_path());
    for (int i = 0; i < 5; ++i) {
      const std::size_t start = 1 + random() % expected.size();
      const auto page = read(log, index, static_cast<std::int64_t>(start), 1);
      ASSERT_EQ(page.total, static_cast<std::int64_t>(expected.size()));
      ASSERT_EQ(page.lines, Lines{expected[start - 1]}) << round;
    }
  }
}

TEST(LineIndex, ALogThatWasReplacedOrTruncatedIsCountedAnew) {
  std::mt19937 random(5);
  LogFile log(sample(random, 300'000));
  LineIndex index(log.index_path());
  read(log, index, 1, 1);
  for (const std::size_t size : {100'000u, 10u, 400'000u, 1'000'000u, 90'000u, 95'000u, 0u, 50u}) {
    const std::string other = sample(random, size);
    log.overwrite(other);
    const Lines expected = shown(other);
    EXPECT_EQ(read(log, index, 0, 3).total, static_cast<std::int64_t>(expected.size()));
    if (!expected.empty()) {
      EXPECT_EQ(read(log, index, 0, 1).lines[0], expected.back());
    }
  }
  // Another file under the same name, with the same beginning.
  const std::string head = sample(random, 200'000) + "\x1b[0m\n";
  log.overwrite(head + "old\n");
  read(log, index, 1, 1);
  std::filesystem::rename(log.path(), log.path().string() + ".old");
  log.append(head + "new\n");
  log.reopen();
  EXPECT_EQ(read(log, index, 0, 1).lines, Lines{"new"});
}

TEST(LineIndex, AFolderThatCannotBeWrittenCostsOnlyTheFile) {
  std::mt19937 random(5);
  const std::string text = sample(random, 400'000);
  LogFile log(text);
  LineIndex index("/proc/none/logindex/job");
  const Lines expected = shown(text);
  EXPECT_EQ(read(log, index, 0, 1).lines[0], expected.back());
  EXPECT_EQ(read(log, index, 2000, 1).lines[0], expected[1999]);
}

TEST(LineIndexes, AJobsIndexGoesWithTheJob) {
  std::mt19937 random(8);
  LogFile log(sample(random, 300'000));
  LineIndexes all(log.index_path().parent_path());
  const auto index = all.of("log");
  EXPECT_EQ(all.of("log"), index);
  read(log, *index, 1, 1);
  EXPECT_TRUE(std::filesystem::exists(log.index_path()));
  for (int i = 0; i < 200; ++i) all.of("other" + std::to_string(i));
  EXPECT_NE(all.of("log"), index);  // not all are held
  all.remove("log");
  EXPECT_FALSE(std::filesystem::exists(log.index_path()));
}

}  // namespace
}  // namespace runyard
