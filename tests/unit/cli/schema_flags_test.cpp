#include "cli/schema_flags.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <map>

#include "cli/command.h"

namespace runyard::cli {
namespace {

namespace json = boost::json;
using Kind = SchemaFlag::Kind;

json::object properties(const std::string& text) {
  return json::object{{"properties", json::parse(text)}};
}

std::vector<SchemaFlag> flags(const std::string& text) { return flags_of_schema(properties(text)); }

/// The params that a command line gives, as JSON; `error: ...` when it is refused, `usage` when the
/// parser itself refuses it.
std::string parsed(const std::string& schema, const Args& args, json::object params = {}) {
  CLI::App app("", "test");
  const SchemaOptions options(app, flags(schema), "Inputs");
  if (parse_args(app, args)) return "usage";
  const auto collected = options.collect(params);
  return collected ? json::serialize(params) : "error: " + collected.error().message;
}

TEST(SchemaFlags, TypesOfPropertiesDecideTheKind) {
  const auto all = flags(R"({
    "text": {"type": "string"}, "count": {"type": "integer"}, "rate": {"type": "number"},
    "dry_run": {"type": "boolean"}, "deep": {"type": "object"}, "free": {},
    "maybe": {"type": ["integer", "null"]}, "either": {"type": ["integer", "string"]},
    "choice": {"enum": ["a", "b"]}, "level": {"enum": [1, 2]}, "fixed": {"const": "x"},
    "optional": {"anyOf": [{"type": "number"}, {"type": "null"}]},
    "items": {"type": "array", "items": {"type": "integer"}}, "anything": {"type": "array"},
    "rows": {"type": "array", "items": {"type": "object"}}})");
  std::map<std::string, const SchemaFlag*> by;
  for (const auto& flag : all) by[flag.property] = &flag;
  EXPECT_EQ(by["text"]->kind, Kind::kText);
  EXPECT_EQ(by["count"]->kind, Kind::kInteger);
  EXPECT_EQ(by["rate"]->kind, Kind::kNumber);
  EXPECT_EQ(by["dry_run"]->kind, Kind::kBoolean);
  EXPECT_EQ(by["dry_run"]->negation, "--no-dry-run");
  EXPECT_EQ(by["deep"]->kind, Kind::kJson);
  EXPECT_EQ(by["free"]->kind, Kind::kAny);
  EXPECT_EQ(by["maybe"]->kind, Kind::kInteger);
  EXPECT_TRUE(by["maybe"]->nullable);
  EXPECT_EQ(by["either"]->kind, Kind::kAny);
  EXPECT_EQ(by["choice"]->kind, Kind::kText);
  EXPECT_EQ(by["level"]->kind, Kind::kInteger);
  EXPECT_EQ(by["fixed"]->kind, Kind::kText);
  EXPECT_EQ(by["optional"]->kind, Kind::kNumber);
  EXPECT_TRUE(by["items"]->is_array);
  EXPECT_EQ(by["items"]->kind, Kind::kInteger);
  EXPECT_EQ(by["anything"]->kind, Kind::kAny);
  EXPECT_EQ(by["rows"]->kind, Kind::kJson);
}

TEST(SchemaFlags, NamesHaveDashesAndArraysASingular) {
  const auto all = flags(R"({"config_path": {}, "overrides": {"type": "array"},
    "entries": {"type": "array"}, "boxes": {"type": "array"}, "class": {"type": "array"}})");
  using Names = std::vector<std::string>;
  EXPECT_EQ(all[0].names, Names{"--config-path"});
  EXPECT_EQ(all[1].names, (Names{"--overrides", "--override"}));
  EXPECT_EQ(all[2].names, (Names{"--entries", "--entry"}));
  EXPECT_EQ(all[3].names, (Names{"--boxes", "--box"}));
  EXPECT_EQ(all[4].names, Names{"--class"});
}

TEST(SchemaFlags, APropertysOwnNameWinsOverExtraNames) {
  const auto all = flags(R"({"tickers": {"type": "array"}, "ticker": {"type": "string"},
    "cache": {"type": "boolean"}, "no_cache": {"type": "boolean"}})");
  EXPECT_EQ(all[0].names, std::vector<std::string>{"--tickers"});
  EXPECT_EQ(all[1].names, std::vector<std::string>{"--ticker"});
  EXPECT_EQ(all[2].negation, "");
  EXPECT_EQ(all[3].negation, "--no-no-cache");
}

TEST(SchemaFlags, CollisionsGetAPrefixAndOddNamesNoFlag) {
  const auto all = flags(R"({"follow": {}, "json": {}, "name": {}, "a_b": {}, "a-b": {}, "a.b": {},
    "": {}, "-x": {}, "two words": {}, "naïve": {}, "groups": {"type": "array"}})");
  std::vector<std::string> names;
  for (const auto& flag : all) names.insert(names.end(), flag.names.begin(), flag.names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"--param-follow", "--param-json", "--param-name",
                                             "--a-b", "--param-a-b", "--a.b", "--groups"}));
}

TEST(SchemaFlags, EveryNameIsTakenByCli11) {
  const std::string schema = R"({"follow": {}, "x": {}, "a.b": {"type": "array"}, "Z9": {},
    "dry_run": {"type": "boolean"}, "learningRates": {"type": "array"}})";
  EXPECT_EQ(parsed(schema, {"--x", "1", "--Z9", "z", "--learningRate", "0.5"}),
            R"({"x":1,"Z9":"z","learningRates":[5E-1]})");
}

TEST(SchemaFlags, OnlyWhatIsGivenIsSent) {
  const std::string schema = R"({"config_path": {"type": "string", "default": "c.yaml"},
    "overrides": {"type": "array", "default": []}, "dry_run": {"type": "boolean"}})";
  EXPECT_EQ(parsed(schema, {}), "{}");
  EXPECT_EQ(parsed(schema, {"--config-path", "a.yaml"}), R"({"config_path":"a.yaml"})");
  EXPECT_EQ(parsed(schema, {"--config-path="}), R"({"config_path":""})");
  EXPECT_EQ(parsed(schema, {"--config-path"}), "usage");
  EXPECT_EQ(parsed(schema, {"--config-path", "a", "--config-path", "b"}), "usage");
  EXPECT_EQ(parsed(schema, {"--unknown", "a"}), "usage");
}

TEST(SchemaFlags, ValuesArriveAsTheyWereWritten) {
  const std::string schema =
      R"({"overrides": {"type": "array", "items": {"type": "string"}}, "x": {"type": "string"}})";
  EXPECT_EQ(parsed(schema, {"--override=--x=1"}), R"({"overrides":["--x=1"]})");
  EXPECT_EQ(parsed(schema, {"--override", "[a,b]", "--overrides", "{}", "--override", "a=1,b=2"}),
            R"({"overrides":["[a,b]","{}","a=1,b=2"]})");
  EXPECT_EQ(parsed(schema, {"--override", "t=[\"NVDA\",\"TSM\"]"}),
            R"({"overrides":["t=[\"NVDA\",\"TSM\"]"]})");
  EXPECT_EQ(parsed(schema, {"--override", "k='v w'", "--x", "日本 %%"}),
            R"({"overrides":["k='v w'"],"x":"日本 %%"})");
  EXPECT_EQ(parsed(schema, {"--override="}), R"({"overrides":[""]})");
}

TEST(SchemaFlags, ARepeatableFlagDoesNotEatTheNextWord) {
  EXPECT_EQ(parsed(R"({"overrides": {"type": "array"}})", {"--override", "a", "b"}), "usage");
}

TEST(SchemaFlags, CommasSplitOnlyWhereItemsCannotHoldThem) {
  EXPECT_EQ(parsed(R"({"tickers": {"type": "array",
              "items": {"type": "string", "pattern": "^[A-Za-z.]+$"}}})",
                   {"--tickers", "TSM,NVDA", "--ticker", "SPX"}),
            R"({"tickers":["TSM","NVDA","SPX"]})");
  // Not every part is an item: the server shall say what is wrong with the whole.
  EXPECT_EQ(parsed(R"({"tickers": {"type": "array",
              "items": {"type": "string", "pattern": "^[A-Za-z.]+$"}}})",
                   {"--tickers", "TSM,--x"}),
            R"({"tickers":["TSM,--x"]})");
  EXPECT_EQ(parsed(R"({"o": {"type": "array", "items": {"type": "string", "pattern": "^.+=.*$"}}})",
                   {"--o", "a=1,b=2"}),
            R"({"o":["a=1,b=2"]})");
  EXPECT_EQ(parsed(R"({"m": {"type": "array", "items": {"enum": ["x", "y"]}}})", {"--m", "x,y"}),
            R"({"m":["x","y"]})");
  EXPECT_EQ(parsed(R"({"n": {"type": "array", "items": {"type": "integer"}}})", {"--n", "1,-2"}),
            R"({"n":[1,-2]})");
  // A pattern that cannot be read splits nothing.
  EXPECT_EQ(
      parsed(R"x({"n": {"type": "array", "items": {"type": "string", "pattern": "(?<=a)"}}})x",
             {"--n", "1,2"}),
      R"({"n":["1,2"]})");
}

TEST(SchemaFlags, NumbersAreChecked) {
  const std::string schema = R"({"n": {"type": "integer"}, "r": {"type": "number"},
    "m": {"type": ["number", "null"]}})";
  EXPECT_EQ(parsed(schema, {"--n", "-5", "--r", "1e-3"}), R"({"n":-5,"r":1E-3})");
  EXPECT_EQ(parsed(schema, {"--r", "2"}), R"({"r":2})");
  EXPECT_EQ(parsed(schema, {"--m", "null"}), R"({"m":null})");
  for (const char* bad : {"12x", "", "1.5", "99999999999999999999", "0x10", " 1", "null"}) {
    EXPECT_EQ(parsed(schema, {"--n", bad}),
              std::string("error: --n: '") + bad + "' is not a whole number");
  }
  EXPECT_EQ(parsed(schema, {"--r", "nan"}), "error: --r: 'nan' is not a number");
}

TEST(SchemaFlags, Booleans) {
  const std::string schema = R"({"dry_run": {"type": "boolean", "default": true},
    "flags": {"type": "array", "items": {"type": "boolean"}}})";
  EXPECT_EQ(parsed(schema, {"--dry-run"}), R"({"dry_run":true})");
  EXPECT_EQ(parsed(schema, {"--dry-run", "--dry-run"}), R"({"dry_run":true})");
  EXPECT_EQ(parsed(schema, {"--no-dry-run"}), R"({"dry_run":false})");
  EXPECT_EQ(parsed(schema, {"--dry-run=false"}), R"({"dry_run":false})");
  EXPECT_EQ(parsed(schema, {"--dry-run", "--no-dry-run"}),
            "error: --dry-run and --no-dry-run contradict each other");
  EXPECT_EQ(parsed(schema, {"--flag", "yes", "--flag", "false"}), R"({"flags":[true,false]})");
}

TEST(SchemaFlags, JsonValues) {
  const std::string schema = R"({"o": {"type": "object"}, "any": {},
    "rows": {"type": "array", "items": {"type": "object"}}})";
  EXPECT_EQ(parsed(schema, {"--o", R"({"a": [1]})"}), R"({"o":{"a":[1]}})");
  EXPECT_EQ(parsed(schema, {"--o", "{"}), "error: --o: '{' is not JSON");
  EXPECT_EQ(parsed(schema, {"--any", "text"}), R"({"any":"text"})");
  EXPECT_EQ(parsed(schema, {"--any", "[1,2]"}), R"({"any":[1,2]})");
  EXPECT_EQ(parsed(schema, {"--row", R"({"a":1,"b":2})", "--row", "{}"}),
            R"({"rows":[{"a":1,"b":2},{}]})");
}

TEST(SchemaFlags, FlagsWinOverParams) {
  const json::object given{{"n", 1}, {"list", json::array{"old"}}, {"other", true}};
  EXPECT_EQ(parsed(R"({"n": {"type": "integer"}, "list": {"type": "array"}})",
                   {"--n", "2", "--list", "a", "--list", "b"}, given),
            R"({"n":2,"list":["a","b"],"other":true})");
}

TEST(SchemaFlags, ReferencesAreFollowedAndLoopsEnd) {
  const auto schema = json::parse(R"({"definitions": {"n": {"type": "integer"},
      "loop": {"$ref": "#/definitions/loop"}},
    "properties": {"a": {"$ref": "#/definitions/n"}, "b": {"$ref": "#/definitions/loop"},
      "c": {"$ref": "other.json"}, "d": true,
      "e": {"type": "array", "items": {"$ref": "#/definitions/n"}}}})");
  const auto all = flags_of_schema(schema.as_object());
  ASSERT_EQ(all.size(), 5u);
  EXPECT_EQ(all[0].kind, Kind::kInteger);
  EXPECT_EQ(all[1].kind, Kind::kAny);
  EXPECT_EQ(all[2].kind, Kind::kAny);
  EXPECT_EQ(all[3].kind, Kind::kAny);
  EXPECT_EQ(all[4].kind, Kind::kInteger);
}

TEST(SchemaFlags, HelpSaysWhatTheSchemaSays) {
  auto schema = properties(R"({"mode": {"enum": ["base", "finetune"], "default": "finetune",
    "description": "Which model"}, "x": {"type": "boolean", "title": "An x"}})");
  schema["required"] = json::array{"x"};
  const auto all = flags_of_schema(schema);
  EXPECT_EQ(all[0].help, "Which model [one of: base, finetune] [default: finetune]");
  EXPECT_EQ(all[1].help, "An x [--no-x says no] [required]");
  CLI::App app("", "test");
  const SchemaOptions options(app, flags(R"({"a": {"description": "\u001b[31mred"}})"), "Inputs");
  EXPECT_EQ(app.help().find('\x1b'), std::string::npos);
}

TEST(SchemaFlags, StrangeSchemasGiveNoFlagsAndNoCrash) {
  EXPECT_TRUE(flags_of_schema({}).empty());
  EXPECT_TRUE(flags_of_schema(json::object{{"properties", 3}}).empty());
  EXPECT_EQ(flags(R"({"a": {"type": 5, "enum": "x", "default": null}, "b": null})").size(), 2u);
}

}  // namespace
}  // namespace runyard::cli
