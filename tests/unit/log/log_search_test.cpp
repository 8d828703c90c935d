#include "core/log/log_search.h"

#include <gtest/gtest.h>
#include <re2/re2.h>

#include <random>

#include "core/log/line_filter.h"
#include "tests/unit/log/log_file.h"
#include "tests/unit/log/samples.h"

namespace runyard {
namespace {

using Hits = std::vector<std::int64_t>;

LogMatches search(const LogFile& log, LogQuery query) {
  LineIndex index(log.index_path());
  auto result = search_log(log.fd(), index, query, LogFile::in_time());
  EXPECT_TRUE(result) << result.error().message;
  return std::move(*result);
}
LogMatches search(const LogFile& log, std::string text, bool regex = false) {
  return search(log, LogQuery{.text = std::move(text), .regex = regex});
}
Hits lines(const LogMatches& result) {
  Hits hits;
  for (const auto& match : result.matches) hits.push_back(match.line);
  return hits;
}

TEST(LogSearch, FindsLines) {
  const LogFile log("alpha\nbeta\ngamma beta\n\nbet");
  const auto found = search(log, "bet");
  EXPECT_EQ(lines(found), (Hits{2, 3, 5}));
  EXPECT_EQ(found.matches[1].text, "gamma beta");
  EXPECT_EQ(found.next, std::nullopt);
  EXPECT_EQ(found.total, 5);
  EXPECT_EQ(lines(search(log, "none")), Hits{});
  EXPECT_EQ(lines(search(log, "^b", true)), (Hits{2, 5}));
  EXPECT_EQ(lines(search(log, "a$", true)), (Hits{1, 2, 3}));
  EXPECT_EQ(lines(search(log, "^$", true)), Hits{4});
  EXPECT_EQ(lines(search(log, "x*", true)), (Hits{1, 2, 3, 4, 5}));
  EXPECT_EQ(lines(search(log, R"(a\s+b)", true)), Hits{3});  // never over a line's end
  EXPECT_EQ(lines(search(log, R"(\Aga|\bbet\z)", true)), (Hits{3, 5}));
}

TEST(LogSearch, IgnoresCase) {
  const LogFile log("Straße\nERROR: Äpfel\nerror\n");
  LogQuery query{.text = "error", .ignore_case = true};
  EXPECT_EQ(lines(search(log, query)), (Hits{2, 3}));
  query.text = "äPFEL";
  EXPECT_EQ(lines(search(log, query)), Hits{2});
  query.text = "E.ROR$";
  EXPECT_EQ(lines(search(log, query)), Hits{});
  query.regex = true;
  EXPECT_EQ(lines(search(log, query)), Hits{3});
}

TEST(LogSearch, LooksAtWhatIsSeen) {
  const LogFile log("er\x1b[31mror\x1b[0m\nerror\rok!!!\nabc\b\bX\n10%\r20%\r30%\nerror\r\n");
  EXPECT_EQ(lines(search(log, "error")), (Hits{1, 5}));
  EXPECT_EQ(search(log, "error").matches[0].text, "error");
  EXPECT_EQ(lines(search(log, "aXc")), Hits{3});
  EXPECT_EQ(lines(search(log, "20%")), Hits{});
  EXPECT_EQ(lines(search(log, "[31m")), Hits{});
  EXPECT_EQ(lines(search(log, "^error$", true)), (Hits{1, 5}));
}

TEST(LogSearch, IsGoneOnWith) {
  std::string text;
  for (int i = 1; i <= 50'000; ++i) text += i % 7 == 0 ? "seven\n" : "other line\n";
  const LogFile log(text);
  LogQuery query{.text = "seven", .limit = 1000};
  std::int64_t expected = 7, calls = 0;
  for (std::optional<std::int64_t> next = 1; next; ++calls) {
    query.from = *next;
    const auto part = search(log, query);
    EXPECT_LE(part.matches.size(), 1000u);
    for (const auto& match : part.matches) {
      ASSERT_EQ(match.line, expected);
      expected += 7;
    }
    next = part.next;
  }
  EXPECT_EQ(expected, 50'001 - 50'001 % 7 + 7 * (50'001 % 7 == 0 ? 0 : 1));
  EXPECT_EQ(calls, 8);
}

TEST(LogSearch, OutOfTimeItSaysWhereToGoOn) {
  std::string text;
  for (int i = 1; i <= 100'000; ++i)
    text += "a line of no interest, number " + std::to_string(i) + "\n";
  const LogFile log(text + "the end\n");
  LineIndex index(log.index_path());
  LogQuery query{.text = "the end"};
  std::vector<LogMatch> found;
  for (std::optional<std::int64_t> next = 1; next;) {
    query.from = *next;
    const auto part = search_log(log.fd(), index, query, LogFile::too_late());
    ASSERT_TRUE(part);
    found.insert(found.end(), part->matches.begin(), part->matches.end());
    ASSERT_TRUE(!part->next || *part->next >= *next);
    next = part->next;
  }
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].line, 100'001);
}

TEST(LogSearch, ShowsWhatIsAroundTheMatch) {
  const LogFile log(std::string(100'000, 'a') + " needle " + std::string(100'000, 'b') + "\n" +
                    "needle " + std::string(100'000, 'c') + "\n");
  const auto found = search(log, "needle");
  ASSERT_EQ(lines(found), (Hits{1, 2}));
  EXPECT_NE(found.matches[0].text.find(" needle bbb"), std::string::npos);
  EXPECT_TRUE(found.matches[0].text.starts_with("…aaa"));
  EXPECT_TRUE(found.matches[1].text.starts_with("needle ccc"));
  for (const auto& match : found.matches) EXPECT_LT(match.text.size(), 2200u);
}

TEST(LogSearch, RefusesWhatCannotBeLookedFor) {
  const LogFile log("a\n");
  LineIndex index(log.index_path());
  for (const LogQuery& query :
       {LogQuery{.text = ""}, LogQuery{.text = "a\nb"}, LogQuery{.text = std::string(1001, 'x')},
        LogQuery{.text = "(", .regex = true}, LogQuery{.text = "(?=x)", .regex = true}}) {
    const auto refused = search_log(log.fd(), index, query, LogFile::in_time());
    ASSERT_FALSE(refused) << query.text;
    EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid);
    ASSERT_EQ(refused.error().fields.size(), 1u);
    EXPECT_EQ(refused.error().fields[0].pointer, "/q");
  }
}

TEST(LogSearchProperty, FindsWhatLookingAtEachLineFinds) {
  std::mt19937 random(20261123);
  const std::vector<LogQuery> queries = {{.text = "run_id"},
                                         {.text = "a"},
                                         {.text = "RUN_ID", .ignore_case = true},
                                         {.text = R"(run_id\s*[:=]\s*(\d+))", .regex = true},
                                         {.text = R"(^\s*$)", .regex = true},
                                         {.text = R"(\bbad$)", .regex = true},
                                         {.text = R"([^x]*ERROR)", .regex = true},
                                         {.text = R"((?i)valueerror|数据)", .regex = true},
                                         {.text = R"(\d/\d+ \[)", .regex = true}};
  for (int round = 0; round < 60; ++round) {
    std::string text;
    while (text.size() < (round % 10 == 0 ? 400'000u : 5'000u)) {
      if (random() % 3 == 0) {
        text += random_log(random, 30, false);
      } else {
        for (unsigned i = 0; i < random() % 40; ++i)
          text += "plain " + std::to_string(random()) + "\n";
      }
      if (random() % 5 == 0) text += "  run_id: 20260217_171416__0e304dfc\n";
    }
    const LogFile log(text);
    const auto all = fold_all(text, 1 << 20, false);
    for (LogQuery query : queries) {
      query.limit = 1'000'000;
      query.from = 1 + static_cast<std::int64_t>(random() % all.size());
      RE2::Options options;
      options.set_case_sensitive(!query.ignore_case);
      const RE2 pattern(query.regex ? query.text : RE2::QuoteMeta(query.text), options);
      Hits expected;
      for (auto i = static_cast<std::size_t>(query.from - 1); i < all.size(); ++i) {
        if (RE2::PartialMatch(all[i], pattern))
          expected.push_back(static_cast<std::int64_t>(i + 1));
      }
      ASSERT_EQ(lines(search(log, query)), expected) << round << " " << query.text;
    }
  }
}

}  // namespace
}  // namespace runyard
