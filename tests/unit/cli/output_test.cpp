#include "cli/output.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <cstdlib>
#include <ctime>

namespace runyard::cli {
namespace {

TEST(Table, AlignsCutsAndLeavesOutEmptyColumns) {
  Table table({{"NAME"}, {"EMPTY"}, {"N", true}, {"LAST"}});
  table.add({std::string("日本"), std::string(), std::string("7"), std::string("x")});
  table.add({std::string("abcdefg"), std::string(), std::string("123"), std::string()});
  EXPECT_EQ(table.render(false, 0),
            "NAME       N  LAST\n"
            "日本       7  x\n"
            "abcdefg  123\n");
  EXPECT_EQ(table.render(false, 11),
            "NAME      N\n"
            "日本      7\n"
            "abcdefg  1…\n");
}

TEST(Table, EscapesItsCellsAndPaintsOnlyTheText) {
  Table table({{"A"}, {"B"}});
  table.add({{std::string("x\x1b[2J"), Colour::kRed}, std::string("b\n")});
  EXPECT_EQ(table.render(false, 0), "A         B\nx\\x1b[2J  b\\n\n");
  EXPECT_NE(table.render(true, 0).find("\x1b[31mx\\x1b[2J\x1b[0m  b"), std::string::npos);
}

TEST(Duration, ShortForms) {
  EXPECT_EQ(format_duration(std::nullopt), "");
  EXPECT_EQ(format_duration(-1), "");
  EXPECT_EQ(format_duration(0.42), "0.4s");
  EXPECT_EQ(format_duration(9.96), "10s");
  EXPECT_EQ(format_duration(59.6), "1m00s");
  EXPECT_EQ(format_duration(185), "3m05s");
  EXPECT_EQ(format_duration(7800), "2h10m");
  EXPECT_EQ(format_duration(3 * 86400 + 4 * 3600), "3d04h");
}

TEST(ShortTime, IsLocalAndAsShortAsItCanBe) {
  ::setenv("TZ", "UTC-8", 1);  // eight hours east
  ::tzset();
  const TimeMs now = *parse_time("2026-11-22T10:15:30.123+08:00");
  EXPECT_EQ(short_time("2026-11-21T16:00:01.000Z", now), "00:00:01");
  EXPECT_EQ(short_time("2026-11-21T15:59:59.000Z", now), "11-21 23:59");
  EXPECT_EQ(short_time("2025-11-22T10:15:30.123+08:00", now), "2025-11-22");
  EXPECT_EQ(short_time("", now), "");
}

TEST(Bar, StaysWithinItsCells) {
  EXPECT_EQ(bar(0, 4), "[----]");
  EXPECT_EQ(bar(0.5, 4), "[##--]");
  EXPECT_EQ(bar(7, 4), "[####]");
  EXPECT_EQ(bar(-1, 4), "[----]");
}

TEST(CompactJson, ReadsLikeWhatPeopleWrite) {
  EXPECT_EQ(compact_json(boost::json::parse(R"({"a": [0.5, 1, null], "b": {"c\"": "d"}})")),
            R"({"a": [0.5, 1, null], "b": {"c\"": "d"}})");
  EXPECT_EQ(compact_json(boost::json::object()), "{}");
}

TEST(Bytes, BinaryUnits) {
  EXPECT_EQ(format_bytes(12), "12 B");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
}

}  // namespace
}  // namespace runyard::cli
