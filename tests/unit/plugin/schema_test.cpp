#include "core/plugin/schema.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <fstream>

namespace runyard {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

json::object parse(std::string_view text) {
  return json::parse({text.data(), text.size()}).as_object();
}

/// A schema with one property `x`, and what else the test gives.
Result<InputSchema> compile_property(std::string_view property, std::string_view more = "") {
  return InputSchema::compile(parse(R"({"type": "object", "properties": {"x": )" +
                                    std::string(property) + "}" + std::string(more) + "}"));
}

/// "" when the inputs are good; else `pointer: message`, one a line.
std::string problems(const Result<InputSchema>& schema, std::string_view inputs) {
  if (!schema) return "schema: " + schema.error().message;
  const auto checked = schema->check(parse(inputs));
  if (checked) return "";
  std::string out;
  for (const FieldError& field : checked.error().fields) {
    out += (out.empty() ? "" : "\n") + field.pointer + ": " + field.message;
  }
  return out;
}

std::string refusal(std::string_view property, std::string_view more = "") {
  const auto schema = compile_property(property, more);
  return schema ? "" : schema.error().message;
}

TEST(InputSchema, TellsTheTypeThatIsNeeded) {
  const auto schema =
      compile_property(R"({"type": ["array", "null"], "items": {"type": "integer"}})");
  EXPECT_EQ(problems(schema, R"({"x": 1})"), "/x: x must be an array or null");
  EXPECT_EQ(problems(schema, R"({"x": [1, "2", 3.5]})"),
            "/x/1: x[1] must be an integer\n/x/2: x[2] must be an integer");
  EXPECT_EQ(problems(schema, R"({"x": null})"), "");
  EXPECT_EQ(problems(compile_property(R"({"type": "boolean"})"), R"({"x": "true"})"),
            "/x: x must be true or false");
}

TEST(InputSchema, TellsEveryKindOfDefect) {
  const auto says = [](const char* property, const char* value) {
    const std::string text =
        problems(compile_property(property), std::string(R"({"x": )") + value + "}");
    return text.substr(text.find(": ") + 2);
  };
  EXPECT_EQ(says(R"({"enum": ["base", "finetune"]})", R"("x")"), "x must be base or finetune");
  EXPECT_EQ(says(R"({"const": 3})", "4"), "x must be 3");
  EXPECT_EQ(says(R"({"minimum": 2})", "1"), "x must be at least 2");
  EXPECT_EQ(says(R"({"maximum": 2})", "3"), "x must be at most 2");
  EXPECT_EQ(says(R"({"exclusiveMinimum": 2})", "2"), "x must be greater than 2");
  EXPECT_EQ(says(R"({"exclusiveMaximum": 2})", "2"), "x must be less than 2");
  EXPECT_EQ(says(R"({"multipleOf": 5})", "7"), "x must be a multiple of 5");
  EXPECT_EQ(says(R"({"minLength": 1})", R"("")"), "x must not be empty");
  EXPECT_EQ(says(R"({"minLength": 3})", R"("ab")"), "x must have at least 3 characters");
  EXPECT_EQ(says(R"({"maxLength": 2})", R"("abc")"), "x must have at most 2 characters");
  EXPECT_EQ(says(R"({"minItems": 1})", "[]"), "x must have at least 1 entry");
  EXPECT_EQ(says(R"({"maxItems": 2})", "[1, 2, 3]"), "x has 3 entries, at most 2 are taken");
  EXPECT_EQ(says(R"({"uniqueItems": true})", "[1, 1]"), "x must not have the same entry twice");
  EXPECT_EQ(says(R"({"minProperties": 1})", "{}"), "x must have at least 1 fields");
  EXPECT_EQ(says(R"({"not": {"const": 1}})", "1"), "x is not as its schema asks");
  EXPECT_EQ(says(R"({"pattern": "^a+$"})", R"("b")"), "x must match the pattern ^a+$");
  EXPECT_EQ(says(R"({"pattern": "^a+$", "x-message": "must be all a"})", R"("b")"),
            "x must be all a");
}

TEST(InputSchema, TellsAllErrorsAtOnce) {
  const auto schema = InputSchema::compile(parse(R"({
    "type": "object", "required": ["a"], "additionalProperties": false,
    "properties": {"a": {"type": "string"}, "count": {"type": "integer"},
                   "inner": {"type": "object", "required": ["deep"], "additionalProperties": false,
                             "properties": {"deep": {"type": "string"}}}}})"));
  EXPECT_EQ(problems(schema, R"({"cuont": 1, "count": "x", "inner": {"depp": 1}})"),
            "/cuont: 'cuont' is not known here; did you mean 'count'?\n"
            "/count: count must be an integer\n"
            "/inner/depp: inner: 'depp' is not known here; did you mean 'deep'?\n"
            "/inner/deep: inner.deep is required\n"
            "/a: a is required");
}

TEST(InputSchema, TellsFractionsAsPeopleWriteThem) {
  EXPECT_EQ(problems(compile_property(R"({"maximum": 0.5})"), R"({"x": 0.75})"),
            "/x: x must be at most 0.5");
  EXPECT_EQ(problems(compile_property(R"({"enum": [0.25, 0.1]})"), R"({"x": 0.75})"),
            "/x: x must be 0.25 or 0.1");
  EXPECT_EQ(problems(compile_property(R"({"multipleOf": 0.25})"), R"({"x": 0.3})"),
            "/x: x must be a multiple of 0.25");
}

TEST(InputSchema, RefusesUnknownFieldsWhateverTheSchemaSays) {
  EXPECT_EQ(problems(compile_property("{}", R"(, "additionalProperties": true)"),
                     R"({"x": 1, "zzzzzz": 1})"),
            "/zzzzzz: 'zzzzzz' is not known here; known are x");
  EXPECT_EQ(problems(InputSchema::compile(parse(R"({"type": "object"})")), R"({"a": 1})"),
            "/a: 'a' is not known here: it takes no inputs");
  // A name that alternatives declare is known.
  const auto schema = InputSchema::compile(parse(
      R"({"type": "object", "anyOf": [{"properties": {"b": {}}}, {"properties": {"c": {}}}]})"));
  EXPECT_EQ(problems(schema, R"({"b": 1, "c": 2})"), "");
  EXPECT_NE(problems(schema, R"({"d": 1})"), "");
}

TEST(InputSchema, EvaluatesPatternsWithoutRecursion) {
  const auto schema = compile_property(R"({"pattern": "^[A-Za-z0-9_]+$", "maxLength": 65536})");
  EXPECT_EQ(problems(schema, R"({"x": ")" + std::string(60000, 'a') + R"("})"), "");
  EXPECT_NE(problems(schema, R"({"x": ")" + std::string(60000, 'a') + R"(-"})"), "");
}

TEST(InputSchema, PatternsWorkBelowEveryKeyword) {
  for (const char* property :
       {R"({"anyOf": [{"type": "null"}, {"pattern": "^a$"}]})",
        R"({"allOf": [{"pattern": "^a$"}]})", R"({"oneOf": [{"pattern": "^a$"}]})",
        R"({"$ref": "#/definitions/a"})",
        R"({"if": {"type": "string"}, "then": {"pattern": "^a$"}})",
        R"({"not": {"not": {"pattern": "^a$"}}})"}) {
    const auto schema = compile_property(property, R"(, "definitions": {"a": {"pattern": "^a$"}})");
    EXPECT_EQ(problems(schema, R"({"x": "a"})"), "") << property;
    EXPECT_NE(problems(schema, R"({"x": "b"})"), "") << property;
  }
  const auto items =
      compile_property(R"({"items": [{"pattern": "^a$"}], "additionalItems": false})");
  EXPECT_EQ(problems(items, R"({"x": ["a"]})"), "");
  EXPECT_NE(problems(items, R"({"x": ["b"]})"), "");
  EXPECT_NE(problems(items, R"({"x": ["a", "a"]})"), "");
  const auto names = compile_property(R"({"propertyNames": {"pattern": "^a$"}})");
  EXPECT_EQ(problems(names, R"({"x": {"a": 1}})"), "");
  EXPECT_NE(problems(names, R"({"x": {"b": 1}})"), "");
}

TEST(InputSchema, KnowsTheCalendar) {
  const auto schema = compile_property(R"({"type": ["string", "null"], "format": "date"})");
  for (const char* good : {"2024-02-29", "2000-02-29", "1999-12-31", "2023-04-30"}) {
    EXPECT_EQ(problems(schema, std::string(R"({"x": ")") + good + "\"}"), "") << good;
  }
  for (const char* bad : {"2023-02-29", "1900-02-29", "2020-13-01", "2020-00-10", "2020-04-31",
                          "2020-1-1", "20200101", "2020-01-01T00:00:00", " 2020-01-01", "", "x"}) {
    EXPECT_EQ(problems(schema, std::string(R"({"x": ")") + bad + "\"}"),
              "/x: x must be a date of the calendar as YYYY-MM-DD, such as 2024-02-29")
        << bad;
  }
  EXPECT_EQ(problems(schema, R"({"x": null})"), "");
}

TEST(InputSchema, KnowsTimesAndIgnoresOtherFormats) {
  const auto time = compile_property(R"({"format": "time"})");
  EXPECT_EQ(problems(time, R"({"x": "16:52:45.5+02:00"})"), "");
  EXPECT_NE(problems(time, R"({"x": "24:00:00Z"})"), "");
  const auto both = compile_property(R"({"format": "date-time"})");
  EXPECT_EQ(problems(both, R"({"x": "2024-02-29T16:52:45Z"})"), "");
  EXPECT_NE(problems(both, R"({"x": "2023-02-29T16:52:45Z"})"), "");
  EXPECT_EQ(problems(compile_property(R"({"format": "email"})"), R"({"x": "no mail"})"), "");
}

TEST(InputSchema, BoundsEveryText) {
  const auto quoted = [](std::size_t size) {
    return R"({"x": ")" + std::string(size, 'a') + "\"}";
  };
  const auto plain = compile_property("{}");
  EXPECT_EQ(problems(plain, quoted(4096)), "");
  EXPECT_EQ(problems(plain, quoted(4097)), "/x: x is too long: 4097 bytes, at most 4096 are taken");
  EXPECT_EQ(problems(compile_property(R"({"maxLength": 10000})"), quoted(9000)), "");
  EXPECT_NE(problems(compile_property(R"({"maxLength": 1000000})"), quoted(65537)), "");
}

TEST(InputSchema, RefusesControlCharacters) {
  const auto plain = compile_property("{}");
  for (const char* bad : {"a\\u0000b", "a\\nb", "\\u001b[2J", "\\u007f", "\\u009b2J", "\\t"}) {
    EXPECT_EQ(problems(plain, std::string(R"({"x": ")") + bad + "\"}"),
              "/x: x must not have control characters in it (NUL, line ends, ...)")
        << bad;
  }
  EXPECT_EQ(problems(plain, R"({"x": "quotes \" ' = ü 中文 😀 $(x) `y`"})"), "");
  const auto multiline = compile_property(R"({"x-multiline": true})");
  EXPECT_EQ(problems(multiline, R"({"x": "a\n\tb"})"), "");
  EXPECT_NE(problems(multiline, R"({"x": "a\u0000b"})"), "");
  EXPECT_NE(problems(multiline, R"({"x": "a\rb"})"), "");
}

TEST(InputSchema, BoundsArraysObjectsAndDepth) {
  const auto plain = compile_property("{}");
  const auto list = [](std::size_t size) {
    std::string out = R"({"x": [0)";
    for (std::size_t i = 1; i < size; ++i) out += ",0";
    return out + "]}";
  };
  EXPECT_EQ(problems(plain, list(1000)), "");
  EXPECT_EQ(problems(plain, list(1001)), "/x: x has 1001 entries, at most 1000 are taken");
  EXPECT_EQ(problems(compile_property(R"({"items": {"type": "string"}})"), list(1001)),
            "/x: x has 1001 entries, at most 1000 are taken")
      << "nothing else may look at what is too large";
  EXPECT_NE(problems(compile_property(R"({"uniqueItems": true, "maxItems": 5000})"), list(300)),
            "");
  const auto nested = [](std::size_t depth) {
    return R"({"x": )" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_EQ(problems(plain, nested(15)), "");
  EXPECT_NE(problems(plain, nested(17)).find("nested too deeply"), std::string::npos);
  std::string members = R"({"x": {"k": 0)";
  for (int i = 0; i < 1000; ++i) members += ",\"k" + std::to_string(i) + "\": 0";
  EXPECT_NE(problems(plain, members + "}}"), "");
  EXPECT_NE(problems(plain, R"({"x": {"a\u0007": 0}})"), "");
}

TEST(InputSchema, NumbersHaveOneForm) {
  const auto schema = compile_property(R"({"type": "integer"})");
  EXPECT_EQ(json::serialize(*schema->check(parse(R"({"x": 12.0})"))), R"({"x":12})");
  EXPECT_EQ(problems(schema, R"({"x": 12.5})"), "/x: x must be an integer");
  EXPECT_NE(problems(compile_property("{}"), R"({"x": 1e999})"), "");
}

TEST(InputSchema, FillsInDefaults) {
  const auto schema = InputSchema::compile(parse(R"({
    "type": "object",
    "properties": {
      "a": {"type": "integer", "default": 3},
      "b": {"type": "object", "default": {}, "properties": {"c": {"default": "deep"}}},
      "list": {"items": {"properties": {"d": {"default": true}}}},
      "shared": {"$ref": "#/definitions/s"},
      "none": {"anyOf": [{"default": 1}]}},
    "allOf": [{"properties": {"e": {"default": null}}}],
    "definitions": {"s": {"default": "from definitions"}}})"));
  ASSERT_TRUE(schema) << schema.error().message;
  const auto filled = schema->check(parse(R"({"a": 4, "list": [{}, {"d": false}]})"));
  ASSERT_TRUE(filled) << filled.error().message;
  EXPECT_EQ(json::value(*filled), json::parse(R"({
    "a": 4, "b": {"c": "deep"}, "list": [{"d": true}, {"d": false}],
    "shared": "from definitions", "e": null})"));
}

TEST(InputSchema, ADefaultIsCheckedToo) {
  EXPECT_EQ(problems(compile_property(R"({"type": "integer", "default": "x"})"), "{}"),
            "/x: x must be an integer");
}

TEST(InputSchema, RefusesSchemasOutsideTheSubset) {
  EXPECT_EQ(
      refusal(R"({"patternProperties": {"^(a+)+$": {}}})"),
      "input_schema.properties.x.patternProperties: is not supported: name the properties, or "
      "use additionalProperties");
  EXPECT_NE(refusal(R"({"requird": []})").find("no keyword of JSON Schema"), std::string::npos);
  EXPECT_NE(refusal(R"re({"pattern": "(?=a)"})re").find("is no RE2 regex"), std::string::npos);
  EXPECT_NE(refusal(R"({"anyOf": [{"pattern": "["}]})").find("is no RE2 regex"), std::string::npos);
  EXPECT_NE(refusal(R"({"pattern": 3})"), "");
  EXPECT_NE(refusal(R"({"type": "strin"})"), "");
  EXPECT_NE(refusal(R"({"x-runyard-pattern": "a"})"), "");
  EXPECT_NE(refusal("3"), "");
  EXPECT_NE(InputSchema::compile(parse(R"({"type": "array"})")).error().message, "");
  EXPECT_NE(InputSchema::compile(parse("{}")).error().message, "");
}

TEST(InputSchema, RefusesReferencesThatDoNotEnd) {
  EXPECT_NE(refusal(R"({"$ref": "http://example.org/x"})"), "");
  EXPECT_NE(refusal(R"({"$ref": "#/definitions/none"})"), "");
  EXPECT_NE(refusal(R"({"$ref": "#"})"), "");
  EXPECT_NE(
      refusal(
          R"({"$ref": "#/definitions/a"})",
          R"(, "definitions": {"a": {"$ref": "#/definitions/b"}, "b": {"$ref": "#/definitions/a"}})"),
      "");
  // Recursion through a keyword is fine: the inputs' depth ends it.
  const auto tree = compile_property(
      R"({"$ref": "#/definitions/t"})",
      R"(, "definitions": {"t": {"type": "object", "properties": {"t": {"$ref": "#/definitions/t"}}}})");
  EXPECT_EQ(problems(tree, R"({"x": {"t": {"t": {}}}})"), "");
  EXPECT_EQ(problems(tree, R"({"x": {"t": {"t": 1}}})"), "/x/t/t: x.t.t must be an object");
}

TEST(InputSchema, APathMustSayThatItIsOne) {
  EXPECT_NE(InputSchema::compile(
                parse(R"({"type": "object", "properties": {"model_path": {"type": "string"}}})"))
                .error()
                .message.find("sounds like a path"),
            std::string::npos);
  EXPECT_FALSE(InputSchema::compile(parse(
      R"({"type": "object", "properties": {"files": {"type": "array", "items": {"type": "string"}}}})")));
  for (const char* property :
       {R"("out_dir": {"type": "string", "x-workspace-path": {"kind": "dir"}})",
        R"("files": {"items": {"x-workspace-path": {"kind": "file"}}})",
        R"("path": {"type": "string", "x-workspace-path": false})",
        R"("max_files": {"type": "integer"})", R"("profile": {"type": "string"})"}) {
    const auto schema = InputSchema::compile(
        parse(std::string(R"({"type": "object", "properties": {)") + property + "}}"));
    EXPECT_TRUE(schema) << property << ": " << (schema ? "" : schema.error().message);
  }
  EXPECT_NE(
      refusal(R"({"anyOf": [{"x-workspace-path": {"kind": "file"}}]})").find("can stand only"),
      std::string::npos);
}

class WithWorkspace : public testing::Test {
 protected:
  WithWorkspace()
      : root_(fs::temp_directory_path() / ("schema_test." + std::to_string(::getpid()))) {
    fs::create_directories(root_ / "configs/sub");
    fs::create_directories(root_ / "runs/r1");
    std::ofstream(root_ / "configs/a.yaml") << "a: 1\n";
    fs::create_symlink("/etc/passwd", root_ / "configs/out.yaml");
  }
  ~WithWorkspace() override { fs::remove_all(root_); }

  const fs::path root_;
};

TEST_F(WithWorkspace, PathsAreConfinedWhereverTheyStand) {
  const auto schema = InputSchema::compile(parse(R"({
    "type": "object",
    "properties": {
      "one": {"type": ["string", "null"], "x-workspace-path": {"kind": "file", "under": "configs"}},
      "more": {"items": {"type": "string", "x-workspace-path": {"kind": "file"}}},
      "map": {"additionalProperties": {"x-workspace-path": {"kind": "dir"}}},
      "run": {"type": "string", "x-workspace-path": {"kind": "dir", "base": "runs"}}}})"));
  ASSERT_TRUE(schema) << schema.error().message;
  const auto confinement = Confinement::open(root_, {});
  ASSERT_TRUE(confinement);

  auto good = schema->check(parse(R"({"one": "./configs//a.yaml", "more": ["configs\\a.yaml"],
                                      "map": {"k": "configs/sub/"}, "run": "r1"})"),
                            *confinement);
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ(json::value(*good), json::parse(R"({"one": "configs/a.yaml", "more": ["configs/a.yaml"],
                                                "map": {"k": "configs/sub"}, "run": "r1"})"));
  EXPECT_TRUE(schema->check(parse(R"({"one": null})"), *confinement));

  auto bad = schema->check(
      parse(R"({"one": "configs/out.yaml", "more": ["configs/a.yaml", "../x", "configs/none"],
                "map": {"k": "configs/a.yaml"}, "run": "../configs", "unknown": 1})"),
      *confinement);
  ASSERT_FALSE(bad);
  std::vector<std::string> pointers;
  for (const FieldError& field : bad.error().fields) pointers.push_back(field.pointer);
  EXPECT_EQ(pointers,
            (std::vector<std::string>{"/unknown", "/one", "/more/1", "/more/2", "/map/k", "/run"}));
  EXPECT_EQ(bad.error().kind, ErrorKind::kInvalid);
  EXPECT_NE(bad.error().message.find("(and 5 more)"), std::string::npos);
}

}  // namespace
}  // namespace runyard
