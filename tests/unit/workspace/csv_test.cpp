#include "core/workspace/csv.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace runyard {
namespace {

namespace json = boost::json;
using Rows = std::vector<std::vector<std::string>>;

TEST(Csv, ReadsQuotesAsTheStandardSays) {
  const auto table = read_csv(
      "name,note\n\"a,b\",\"said \"\"no\"\"\"\n\"two\nlines\",\n\"open\"ing,half \"quoted\"\n");
  EXPECT_EQ(table.columns, (std::vector<std::string>{"name", "note"}));
  EXPECT_EQ(table.rows,
            (Rows{{"a,b", "said \"no\""}, {"two\nlines", ""}, {"opening", "half \"quoted\""}}));
  EXPECT_TRUE(table.warnings.empty());
}

TEST(Csv, TakesWhatWindowsWrites) {
  const auto table = read_csv(
      "\xEF\xBB\xBF"
      "a,b\r\n1,\"x\r\ny\"\r\n\r\n2,\xE4\xB8\xAD\r\n");
  EXPECT_EQ(table.columns, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(table.rows, (Rows{{"1", "x\r\ny"}, {"2", "\xE4\xB8\xAD"}}));
  EXPECT_EQ(read_csv("a\r1\r2").rows, (Rows{{"1"}, {"2"}}));
}

TEST(Csv, LeavesOutWhatIsHalfWritten) {
  const auto cut = read_csv("a,b,c\n1,2,3\n4,5");
  EXPECT_EQ(cut.rows, (Rows{{"1", "2", "3"}}));
  EXPECT_EQ(cut.warnings, std::vector<std::string>{"one row is incomplete and was left out"});
  const auto quoted = read_csv("a,b\n1,2\n3\n4,\"unfin");
  EXPECT_EQ(quoted.rows, (Rows{{"1", "2"}}));
  EXPECT_EQ(quoted.warnings, std::vector<std::string>{"2 rows are incomplete and were left out"});
}

TEST(Csv, HasNoColumnsWhenThereIsNoHeader) {
  for (const char* text : {"", "\n\n", "\xEF\xBB\xBF", "# no trades", "# no trades\r\n"}) {
    const auto table = read_csv(text);
    EXPECT_TRUE(table.columns.empty()) << text;
    EXPECT_TRUE(table.rows.empty()) << text;
  }
  EXPECT_FALSE(read_csv("\"a,b").warnings.empty());
}

TEST(Csv, KeepsRowsThatAreTooLong) {
  EXPECT_EQ(read_csv("a,b\n1,2,\n3,4,5\n").rows, (Rows{{"1", "2"}, {"3", "4"}}));
}

TEST(Csv, ReplacesInvalidUtf8) {
  EXPECT_EQ(read_csv("a\nx\xff\n").rows, (Rows{{"x\xEF\xBF\xBD"}}));
}

TEST(Cell, HasTheTypeOfItsColumn) {
  const json::value null;
  EXPECT_EQ(parse_cell("12", CellKind::kInteger), json::value(12));
  EXPECT_EQ(parse_cell("12.0", CellKind::kInteger), json::value(12));
  EXPECT_EQ(parse_cell("-1e3", CellKind::kInteger), json::value(-1000));
  EXPECT_EQ(parse_cell("12.5", CellKind::kInteger), null);
  EXPECT_EQ(parse_cell(" 7 ", CellKind::kInteger), json::value(7));
  EXPECT_TRUE(parse_cell("1", CellKind::kNumber).is_double());
  EXPECT_EQ(parse_cell("+0.25", CellKind::kNumber), json::value(0.25));
  EXPECT_EQ(parse_cell("2.5", CellKind::kAny), json::value(2.5));
  EXPECT_EQ(parse_cell("7", CellKind::kAny), json::value(7));
  EXPECT_EQ(parse_cell("seven", CellKind::kAny), json::value("seven"));
  EXPECT_EQ(parse_cell("1234567", CellKind::kText), json::value("1234567"));
  EXPECT_EQ(parse_cell("runs\\a\\b.zip", CellKind::kPath), json::value("runs/a/b.zip"));
  EXPECT_EQ(parse_cell("NAN", CellKind::kName), json::value("NAN"));
}

TEST(Cell, IsNullAndNeverNan) {
  const json::value null;
  for (const char* text : {"", " ", "nan", "NaN", "NAN"}) {
    for (const auto kind : {CellKind::kInteger, CellKind::kNumber, CellKind::kAny, CellKind::kText,
                            CellKind::kPath}) {
      EXPECT_EQ(parse_cell(text, kind), null) << "'" << text << "'";
    }
  }
  for (const char* text : {"inf", "-inf", "Infinity", "1e999", "abc", "1,5", "0x10", "1 2"}) {
    EXPECT_EQ(parse_cell(text, CellKind::kNumber), null) << text;
    EXPECT_EQ(parse_cell(text, CellKind::kInteger), null) << text;
  }
}

TEST(Cell, OfATwinIsTheSame) {
  const json::value null;
  EXPECT_EQ(convert_cell(json::value(12.0), CellKind::kInteger), json::value(12));
  EXPECT_EQ(convert_cell(json::value("12.0"), CellKind::kInteger), json::value(12));
  EXPECT_TRUE(convert_cell(json::value(1), CellKind::kNumber).is_double());
  EXPECT_EQ(convert_cell(json::value(true), CellKind::kNumber), null);
  EXPECT_EQ(convert_cell(null, CellKind::kText), null);
  EXPECT_EQ(convert_cell(json::value("a\\b"), CellKind::kPath), json::value("a/b"));
  EXPECT_EQ(convert_cell(json::value(40), CellKind::kText), json::value("40"));
  EXPECT_EQ(convert_cell(json::value{1, 2}, CellKind::kAny), (json::value{1, 2}));
}

}  // namespace
}  // namespace runyard
