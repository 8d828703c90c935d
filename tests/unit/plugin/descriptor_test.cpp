#include "core/plugin/descriptor.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "core/base/files.h"
#include "core/plugin/schema.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr const char* kGood = R"json({
  "type": "eval_metrics", "version": "1.2.3", "title": "Evaluate", "description": "d",
  "program": {"python_module": "scripts.eval_metrics"},
  "input_schema": {"type": "object", "properties": {"run_id": {"type": "string"}}},
  "ui_schema": {"ui:order": ["run_id"]},
  "examples": [{"run_id": "x"}],
  "flags": ["--run-dir", "-v"],
  "hints": [{"name": "run_id", "param": "run_id", "link": "/runs/{value}"},
            {"name": "other", "pattern": "other=(\\w+)", "expected": true}],
  "progress": [{"pattern": "(\\d+)/(\\d+)", "current": 1, "total": 2},
               {"pattern": "(\\d+)%", "total_value": 100},
               {"pattern": "step (\\d+)", "total_from": {"yaml": "runs/{run_id}/c.yaml", "key": "a.b-c"}}],
  "series": [{"name": "loss", "pattern": "loss (\\S+)", "x": {"name": "step", "pattern": "step (\\d+)"},
              "block_end": "^-+$"}],
  "defaults": {"timeout_sec": 60, "slots": 2, "gpus": 1, "max_retries": 3, "priority": -1},
  "singleton": true,
  "on_success": [{"type": "index_runs", "params": {"run": "{hint.run_id}"}}],
  "x-own": "ignored"
})json";

/// The good descriptor with one field replaced: `path` is a JSON pointer, `value` JSON, or "" to
/// remove the field. The reason for which it is refused, "" when it is not.
std::string reason_with(const char* path, const char* value) {
  json::value descriptor = json::parse(kGood);
  const std::string pointer = path;
  const std::size_t slash = pointer.rfind('/');
  boost::system::error_code error;
  json::value* parent =
      slash == 0 ? &descriptor : descriptor.find_pointer(pointer.substr(0, slash), error);
  EXPECT_TRUE(parent && !error) << path;
  const std::string name = pointer.substr(slash + 1);
  if (!*value) {
    parent->as_object().erase(name);
  } else if (parent->is_array()) {
    parent->as_array()[std::stoul(name)] = json::parse(value);
  } else {
    parent->as_object()[name] = json::parse(value);
  }
  const auto type = parse_descriptor(json::serialize(descriptor));
  return type ? "" : type.error().message;
}

TEST(Descriptor, IsReadWhole) {
  const auto type = parse_descriptor(kGood);
  ASSERT_TRUE(type) << type.error().message;
  EXPECT_EQ(type->type, "eval_metrics");
  EXPECT_EQ(type->slug, "eval-metrics");
  EXPECT_EQ(type->version, "1.2.3");
  EXPECT_EQ(type->title, "Evaluate");
  EXPECT_EQ(type->description, "d");
  EXPECT_EQ(type->program.kind, Program::Kind::kPythonModule);
  EXPECT_EQ(type->program.name, "scripts.eval_metrics");
  EXPECT_TRUE(type->input_schema.contains("properties"));
  EXPECT_TRUE(type->ui_schema.contains("ui:order"));
  EXPECT_EQ(type->examples.size(), 1u);
  EXPECT_EQ(type->flags, (std::vector<std::string>{"--run-dir", "-v"}));
  ASSERT_EQ(type->hints.size(), 2u);
  EXPECT_EQ(type->hints[0].param, "run_id");
  EXPECT_EQ(type->hints[0].link, "/runs/{value}");
  EXPECT_FALSE(type->hints[0].expected);
  EXPECT_EQ(type->hints[1].pattern, "other=(\\w+)");
  EXPECT_TRUE(type->hints[1].expected);
  ASSERT_EQ(type->progress.size(), 3u);
  EXPECT_EQ(type->progress[0].total_group, 2);
  EXPECT_EQ(type->progress[1].total, 100);
  EXPECT_EQ(type->progress[1].current_group, 1);
  EXPECT_EQ(type->progress[2].yaml_path, "runs/{run_id}/c.yaml");
  EXPECT_EQ(type->progress[2].yaml_key, "a.b-c");
  ASSERT_EQ(type->series.size(), 1u);
  EXPECT_EQ(type->series[0].x_name, "step");
  EXPECT_EQ(type->series[0].block_end, "^-+$");
  EXPECT_EQ(type->defaults.timeout_sec, 60);
  EXPECT_EQ(type->defaults.slots, 2);
  EXPECT_EQ(type->defaults.gpus, 1);
  EXPECT_EQ(type->defaults.max_retries, 3);
  EXPECT_EQ(type->defaults.priority, -1);
  EXPECT_TRUE(type->singleton);
  ASSERT_EQ(type->on_success.size(), 1u);
  EXPECT_EQ(type->on_success[0].type, "index_runs");
  EXPECT_EQ(json::serialize(type->on_success[0].params), R"({"run":"{hint.run_id}"})");
}

TEST(Descriptor, EveryFieldIsChecked) {
  struct Case {
    const char* path;
    const char* value;
    const char* says;
  };
  for (const Case& one : {
           Case{"/type", "", "type: is missing"},
           Case{"/type", "\"\"", "type: must not be empty"},
           Case{"/type", "3", "type: must be a string"},
           Case{"/type", "\"Train\"", "does not match"},
           Case{"/type", "\"../x\"", "does not match"},
           Case{"/slug", "\"a_b\"", "does not match"},
           Case{"/slug", "\"batch\"", "'batch' is reserved"},
           Case{"/slug", "\"recent\"", "'recent' is reserved"},
           Case{"/type", "\"recent\"", "'recent' is reserved"},
           Case{"/version", "", "version: is missing"},
           Case{"/version", "\"1.0\"", "does not match"},
           Case{"/title", "", "title: is missing"},
           Case{"/description", "[]", "description: must be a string"},
           Case{"/program", "", "program: is missing"},
           Case{"/program", "{}", "needs either"},
           Case{"/program", R"({"python_module": "a", "executable": "/b"})", "needs either"},
           Case{"/program/python_module", "\"a; rm\"", "does not match"},
           Case{"/program", R"({"executable": "sh"})", "must be an absolute path"},
           Case{"/program", R"({"executable": "../sh"})", "must be an absolute path"},
           Case{"/program/shell", "true", "program.shell: is no field"},
           Case{"/input_schema", "", "input_schema: is missing"},
           Case{"/input_schema", "[]", "input_schema: must be an object"},
           Case{"/input_schema/properties/_job", "{}", "reserved"},
           Case{"/ui_schema", "1", "ui_schema: must be an object"},
           Case{"/examples", "", "needs at least one example"},
           Case{"/examples", "[1]", "each must be an object"},
           Case{"/flags", "\"--a\"", "flags: must be an array"},
           Case{"/flags", "[\"config\"]", "is no flag"},
           Case{"/flags", "[\"--a=b\"]", "is no flag"},
           Case{"/flags", "[\"--\"]", "is no flag"},
           Case{"/hints/0", "1", "hints[0]: must be an object"},
           Case{"/hints/0/name", "\"a b\"", "does not match"},
           Case{"/hints/0/param", "\"nope\"", "'nope' is no input"},
           Case{"/hints/0/pattern", "\"(a)\"", "either a 'pattern' or a 'param'"},
           Case{"/hints/0/link", "\"https://x/{value}\"", "must be a path of the web UI"},
           Case{"/hints/0/link", "\"//x/{value}\"", "must be a path of the web UI"},
           Case{"/hints/0/link", "\"/runs\"", "must be a path of the web UI"},
           Case{"/hints/1/name", "\"run_id\"", "is there twice"},
           Case{"/hints/1/pattern", "\"other\"", "needs a group"},
           Case{"/hints/1/pattern", "\"(?<!a)(b)\"", "is no RE2 regex"},
           Case{"/hints/1/expected", "1", "must be true or false"},
           Case{"/progress/0/pattern", "\"(\"", "is no RE2 regex"},
           Case{"/progress/0/current", "3", "must be an integer from 1 to 2"},
           Case{"/progress/0/total", "3", "must be an integer from 1 to 2"},
           Case{"/progress/0/total", "", "needs one of 'total'"},
           Case{"/progress/1/total_value", "0", "must be an integer"},
           Case{"/progress/2/total", "1", "needs one of 'total'"},
           Case{"/progress/2/total_from/yaml", "\"/etc/x\"", "is no path relative"},
           Case{"/progress/2/total_from/yaml", "\"runs/{x}/c\"",
                "{x} is neither a hint nor an input"},
           Case{"/progress/2/total_from/key", "\"a..b\"", "does not match"},
           Case{"/progress/2/total_from/file", "1", "is no field"},
           Case{"/series/0/name", "", "series[0].name: is missing"},
           Case{"/series/0/pattern", "\"loss\"", "needs a group"},
           Case{"/series/0/x/pattern", "\"step\"", "needs a group"},
           Case{"/series/0/block_end", "\"*\"", "is no RE2 regex"},
           Case{"/defaults/timeout_sec", "-1", "must be an integer"},
           Case{"/defaults/slots", "0", "must be an integer from 1"},
           Case{"/defaults/gpus", "\"1\"", "must be an integer"},
           Case{"/defaults/max_retries", "1.5", "must be an integer"},
           Case{"/defaults/retries", "1", "is no field"},
           Case{"/singleton", "\"yes\"", "must be true or false"},
           Case{"/on_success", "{}", "must be an array"},
           Case{"/on_success/0/type", "\"A\"", "does not match"},
           Case{"/on_success/0/params", "[]", "must be an object"},
           Case{"/hint", "[]", "hint: is no field of a descriptor"},
       }) {
    const std::string reason = reason_with(one.path, one.value);
    EXPECT_NE(reason.find(one.says), std::string::npos)
        << one.path << " = " << one.value << " says '" << reason << "'";
  }
}

TEST(Descriptor, MustBeAJsonObject) {
  EXPECT_FALSE(parse_descriptor(""));
  EXPECT_FALSE(parse_descriptor("[]"));
  EXPECT_FALSE(parse_descriptor("{\"type\": "));
  EXPECT_FALSE(parse_descriptor(std::string(100, '[')));
}

TEST(Allow, ProgramsMustBeListed) {
  const Program module{Program::Kind::kPythonModule, "scripts.train"};
  const Program tool{Program::Kind::kExecutable, "scripts/train"};
  EXPECT_TRUE(is_allowed(module, {"scripts.*"}));
  EXPECT_TRUE(is_allowed(module, {"other", "scripts.train"}));
  EXPECT_TRUE(is_allowed(module, {"*"}));
  EXPECT_FALSE(is_allowed(module, {}));
  EXPECT_FALSE(is_allowed(module, {"scripts"}));
  EXPECT_FALSE(is_allowed({Program::Kind::kPythonModule, "scriptsx.train"}, {"scripts.*"}));
  EXPECT_FALSE(is_allowed(tool, {"scripts*", "*"}));
  EXPECT_TRUE(is_allowed(tool, {"scripts/*"}));
  EXPECT_TRUE(is_allowed(tool, {"scripts/train"}));
}

}  // namespace
}  // namespace runyard
