#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "core/workspace/documents.h"

namespace runyard {
namespace {

namespace json = boost::json;

json::value parsed(std::string_view text) {
  auto document = read_yaml(text);
  return document ? *document : json::value("ERROR " + document.error().message);
}

TEST(Yaml, TypesPlainScalarsAfterTheCoreSchema) {
  EXPECT_EQ(parsed("{a: 1, b: -2, c: +3, d: 0x1F, e: 0o17, f: 012, g: 1.5, h: 1e-3, i: .5, j: 1.}"),
            json::parse(R"({"a": 1, "b": -2, "c": 3, "d": 31, "e": 15, "f": 12, "g": 1.5,
                            "h": 0.001, "i": 0.5, "j": 1.0})"));
  EXPECT_EQ(parsed("{a: true, b: False, c: null, d: ~, e: , f: NULL}"),
            json::parse(R"({"a": true, "b": false, "c": null, "d": null, "e": null, "f": null})"));
}

TEST(Yaml, KeepsDatesAndWordsAsTexts) {
  EXPECT_EQ(
      parsed("start: 2017-10-16\nat: 2017-10-16T10:00:00\ntime: 12:30:45\nday: 2017-10-16 1:2\n"
             "on: ON\nyes: yes\nversion: 1.2.3\ndash: '-'\nid: 12e\nhex: 0xZZ\nplus: +\n"),
      json::parse(R"({"start": "2017-10-16", "at": "2017-10-16T10:00:00", "time": "12:30:45",
                            "day": "2017-10-16 1:2", "on": "ON", "yes": "yes", "version": "1.2.3",
                            "dash": "-", "id": "12e", "hex": "0xZZ", "plus": "+"})"));
}

TEST(Yaml, KeepsWhatIsQuotedAsText) {
  EXPECT_EQ(parsed("a: '1'\nb: \"true\"\nc: ''\nd: !!str 12\ne: !!int '7'\nf: |\n  1\n"),
            json::parse(R"({"a": "1", "b": "true", "c": "", "d": "12", "e": 7, "f": "1\n"})"));
}

TEST(Yaml, HasNoNan) {
  EXPECT_EQ(parsed("[.nan, .inf, -.INF, +.inf, 1e999, 99999999999999999999]"),
            json::parse("[null, null, null, null, null, 1e20]"));
}

TEST(Yaml, TakesWhatWindowsWrites) {
  EXPECT_EQ(
      parsed("\xEF\xBB\xBFuniverse:\r\n  tickers:\r\n  - TSM\r\n  - ON\r\nname: \xE4\xB8\xAD\r\n"),
      json::parse("{\"universe\": {\"tickers\": [\"TSM\", \"ON\"]}, \"name\": \"\xE4\xB8\xAD\"}"));
  EXPECT_EQ(parsed("a: x\xff\n"), json::parse("{\"a\": \"x\xEF\xBF\xBD\"}"));
}

TEST(Yaml, FollowsAliasesAndMerges) {
  EXPECT_EQ(parsed("a: &id001 [SPX, GOOG]\nb: *id001\n"),
            json::parse(R"({"a": ["SPX", "GOOG"], "b": ["SPX", "GOOG"]})"));
  EXPECT_EQ(parsed("base: &b {x: 1, y: 2}\nown: {<<: *b, y: 3}\nboth: {<<: [*b, {z: 4}], q: 5}\n"),
            json::parse(R"({"base": {"x": 1, "y": 2}, "own": {"y": 3, "x": 1},
                            "both": {"q": 5, "x": 1, "y": 2, "z": 4}})"));
}

TEST(Yaml, HasTextsAsKeys) {
  EXPECT_EQ(parsed("1: a\n2.50: b\ntrue: c\nx: 1\nx: 2\n"),
            json::parse(R"({"1": "a", "2.50": "b", "true": "c", "x": 2})"));
}

TEST(Yaml, ReadsTheFirstDocument) {
  EXPECT_EQ(parsed("# first\n---\na: 1\n---\nb: 2\n"), json::parse(R"({"a": 1})"));
}

TEST(Yaml, RefusesWhatIsDamaged) {
  for (const std::string& text :
       {std::string(), std::string("\n \n"), std::string("a: [1, 2"), std::string("a: \"x"),
        std::string("a: b: c\n"), std::string("a: *nobody\n"), std::string("&a [*a]"),
        std::string(100'000, '['), std::string(200'000, '-')}) {
    const auto document = read_yaml(text);
    if (text.starts_with("---")) continue;  // a text; what matters is that it ends
    EXPECT_FALSE(document) << text.substr(0, 40);
  }
  const auto document = read_yaml("a: 1\nb: [1,\n");
  ASSERT_FALSE(document);
  EXPECT_NE(document.error().message.find("line 3"), std::string::npos) << document.error().message;
}

TEST(Yaml, DoesNotGrowWithoutEnd) {
  std::string bomb = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 9; ++j) bomb += "*a" + std::to_string(i - 1) + ", ";
    bomb += "]\n";
  }
  EXPECT_FALSE(read_yaml(bomb));
  std::string wide = "a: &a \"" + std::string(1 << 20, 'x') + "\"\nb: [";
  for (int i = 0; i < 100'000; ++i) wide += "*a,";
  EXPECT_FALSE(read_yaml(wide + "]\n"));
}

}  // namespace
}  // namespace runyard
