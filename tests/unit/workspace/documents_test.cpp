#include "core/workspace/documents.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace runyard {
namespace {

namespace json = boost::json;

json::value parsed(std::string_view text) {
  auto document = read_json(text);
  return document ? *document : json::value("ERROR " + document.error().message);
}

TEST(Json, TakesWhatPythonWrites) {
  EXPECT_EQ(parsed(R"({"a": NaN, "b": [Infinity, -Infinity, -1.5], "c": "NaN, \"Infinity"})"),
            json::parse(R"({"a": null, "b": [null, null, -1.5], "c": "NaN, \"Infinity"})"));
  EXPECT_EQ(parsed("\xEF\xBB\xBF{\"a\": 1e999, \"b\": \"\\\\\", \"c\": NaN}\r\n"),
            json::parse(R"({"a": null, "b": "\\", "c": null})"));
  EXPECT_EQ(parsed("NaN"), json::value());
}

TEST(Json, ReplacesInvalidUtf8) {
  EXPECT_EQ(parsed("{\"a\": \"x\xff\"}"), json::parse("{\"a\": \"x\xEF\xBF\xBD\"}"));
}

TEST(Json, RefusesWhatIsHalfWritten) {
  for (const std::string& text :
       {std::string(), std::string("  \n"), std::string("{\"a\": 1"), std::string("{\"a\": \"x"),
        std::string("{\"a\": NaNa}"), std::string("nul"), std::string("{\"a\": \"\\"),
        std::string(4, '\0'), std::string(100'000, '[')}) {
    EXPECT_FALSE(read_json(text)) << text.substr(0, 40);
  }
}

TEST(Paths, HaveForwardSlashes) {
  json::value document = json::parse(R"({
    "base_final_path": "runs\\a\\final.zip", "per_ticker_final_paths": {"TSM": "runs\\a\\b.zip"},
    "note": "C:\\not a path", "out_dir": "x\\y", "path": "p\\q", "model": {"path": ["a\\b", 1]}})");
  use_slashes(document);
  EXPECT_EQ(document, json::parse(R"({
    "base_final_path": "runs/a/final.zip", "per_ticker_final_paths": {"TSM": "runs/a/b.zip"},
    "note": "C:\\not a path", "out_dir": "x/y", "path": "p/q", "model": {"path": ["a/b", 1]}})"));
}

}  // namespace
}  // namespace runyard
