// Debian's JSON Schema test suite (draft 7, its required tests) against our validator. What differs
// is a table of the plugin guide, and this test knows each line of it.

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "core/plugin/schema.h"

namespace runyard {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

const fs::path kSuite = "/usr/share/json-schema-test-suite/tests/draft7";

struct Deviation {
  const char* guide;            ///< the line of the guide, up to the second column
  const char* says;             ///< of the refused schema, or of the refused inputs
  std::set<std::string> cases;  ///< `file: group` of the suite
};

const std::vector<Deviation>& deviations() {
  static const std::vector<Deviation> all = {
      {"`patternProperties`",
       "patternProperties: is not supported",
       {"additionalProperties: additionalProperties being false does not allow other properties",
        "additionalProperties: non-ASCII pattern with additionalProperties",
        "patternProperties: multiple simultaneous patternProperties are validated",
        "patternProperties: patternProperties validates properties matching a regex",
        "patternProperties: patternProperties with boolean schemas",
        "patternProperties: regexes are not anchored by default and are case sensitive",
        "properties: properties, patternProperties, additionalProperties interaction"}},
      {"a `$ref` to anything but `#/definitions/<name>`",
       "$ref must be to \"#/definitions/<name>\"",
       {"definitions: invalid definition", "definitions: valid definition",
        "ref: Recursive references between schemas", "ref: relative pointer ref to array",
        "ref: relative pointer ref to object", "ref: remote ref, containing refs itself",
        "ref: root pointer ref", "refRemote: base URI change",
        "refRemote: base URI change - change folder",
        "refRemote: base URI change - change folder in subschema",
        "refRemote: fragment within remote ref", "refRemote: ref within remote ref",
        "refRemote: remote ref", "refRemote: root ref in remote ref"}},
      {"a `$ref` to a schema that is a `$ref` itself",
       "$ref to a schema that is a $ref itself",
       {"ref: nested refs"}},
      {"a keyword that draft-07 does not know",
       "is no keyword of JSON Schema draft-07",
       {"ref: escaped pointer ref"}},
      {"a `default` that its own schema does not allow",
       "value.",
       {"default: invalid string value for default", "default: invalid type for default"}},
  };
  return all;
}

json::value read_json(const fs::path& path) {
  std::ifstream file(path);
  return json::parse(std::string{std::istreambuf_iterator<char>(file), {}});
}

/// Inputs are an object of known fields, so what the suite checks becomes the field `value`.
json::object as_input_schema(json::value schema) {
  json::object out{{"type", "object"}};
  if (json::object* keywords = schema.if_object()) {
    if (const json::value* definitions = keywords->if_contains("definitions")) {
      out["definitions"] = *definitions;
      keywords->erase("definitions");
    }
  }
  out["properties"] = json::object{{"value", std::move(schema)}};
  return out;
}

/// What is otherwise than the suite wants: of a schema that is refused, or of wrong answers.
std::string difference(const json::object& group, int& tests) {
  const auto schema = InputSchema::compile(as_input_schema(group.at("schema")));
  if (!schema) return schema.error().message;
  std::string out;
  for (const json::value& test : group.at("tests").as_array()) {
    ++tests;
    const auto checked = schema->check(json::object{{"value", test.at("data")}});
    if (checked.has_value() == test.at("valid").as_bool()) continue;
    out += json::serialize(test.at("data")) + ": " +
           (checked ? "taken, and it is not valid" : checked.error().message) + "\n";
  }
  return out;
}

TEST(SchemaSuite, NothingDiffersButWhatTheGuideSays) {
  ASSERT_TRUE(fs::exists(kSuite)) << "install the Debian package json-schema-test-suite";
  int tests = 0;
  std::set<std::string> differ;
  for (const auto& entry : fs::directory_iterator(kSuite)) {
    if (entry.path().extension() != ".json") continue;
    const json::value groups = read_json(entry.path());
    for (const json::value& group : groups.as_array()) {
      const std::string what = difference(group.as_object(), tests);
      if (what.empty()) continue;
      const std::string name =
          entry.path().stem().string() + ": " + std::string(group.at("description").as_string());
      differ.insert(name);
      const auto known =
          std::find_if(deviations().begin(), deviations().end(),
                       [&](const Deviation& deviation) { return deviation.cases.contains(name); });
      ASSERT_NE(known, deviations().end()) << name << ": " << what;
      EXPECT_NE(what.find(known->says), std::string::npos) << name << ": " << what;
    }
  }
  EXPECT_GT(tests, 300) << "the suite is not whole";
  for (const Deviation& deviation : deviations()) {
    for (const std::string& name : deviation.cases) {
      EXPECT_TRUE(differ.contains(name)) << name << " works: take it from the list";
    }
  }
}

TEST(SchemaSuite, TheGuideHasThisList) {
  std::ifstream file(RUNYARD_PLUGIN_GUIDE);
  std::set<std::string> rows;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) inside = line == "### What differs from draft-07";
    if (!inside || !line.starts_with("| ") || line.starts_with("| ---")) continue;
    if (const std::string cell = line.substr(2, line.find(" |", 2) - 2); cell != "in a schema") {
      rows.insert(cell);
    }
  }
  std::set<std::string> known;
  for (const Deviation& deviation : deviations()) known.insert(deviation.guide);
  EXPECT_EQ(rows, known);
}

}  // namespace
}  // namespace runyard
