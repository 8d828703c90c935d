#include "core/service/templates.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace runyard {
namespace {

namespace json = boost::json;

json::object object(const char* text) { return json::parse(text).as_object(); }

TEST(Templates, AreFoundAnywhere) {
  EXPECT_TRUE(has_templates(object(R"({"a": "{hint.run_id}"})")));
  EXPECT_TRUE(has_templates(object(R"({"a": [{"b": "x {hint.y} z"}]})")));
  EXPECT_FALSE(has_templates(object(R"({"a": "{hint}", "{hint.key}": "x", "b": 1, "c": null})")));
}

TEST(Templates, AreFilled) {
  const auto filled = fill_templates(
      object(
          R"({"a": "runs/{hint.id}/x/{hint.id}", "b": ["{hint.n}", 1], "c": {"d": "{hint.n}"}})"),
      object(R"({"id": "r1", "n": "{hint.id}"})"));
  ASSERT_TRUE(filled);
  // A value is put in as it is: what a log printed is never read as a template.
  EXPECT_EQ(*filled,
            object(R"({"a": "runs/r1/x/r1", "b": ["{hint.id}", 1], "c": {"d": "{hint.id}"}})"));
}

TEST(Templates, NameTheFieldThatIsMissing) {
  const auto filled = fill_templates(object(R"({"a": {"b": ["x", "{hint.other}"]}})"), {});
  ASSERT_FALSE(filled);
  EXPECT_EQ(filled.error().kind, ErrorKind::kInvalid);
  ASSERT_EQ(filled.error().fields.size(), 1u);
  EXPECT_EQ(filled.error().fields[0].pointer, "/a/b/1");
  EXPECT_NE(filled.error().message.find("other"), std::string::npos);
}

TEST(Templates, AHintThatIsNoTextIsNotKnown) {
  const auto params = object(R"({"list": [1, {"a": "x{hint.id}y"}]})");
  for (const char* hints :
       {"{}", R"({"id": 5})", R"({"id": null})", R"({"id": {}})", R"({"ID": "x"})"}) {
    const auto filled = fill_templates(params, object(hints));
    ASSERT_FALSE(filled) << hints;
    EXPECT_EQ(filled.error().fields.at(0).pointer, "/list/1/a");
  }
  EXPECT_EQ(*fill_templates(params, object(R"({"id": ""})")),
            object(R"({"list": [1, {"a": "xy"}]})"));
}

TEST(Templates, OnlyValuesAreFilledAndTheRestIsCopied) {
  const auto params = object(
      R"({"{hint.id}": "{hint.id}", "n": [null, true, -1, 2.5, 18446744073709551615, {}, []], "e": ""})");
  auto expected = params;
  expected["{hint.id}"] = "数 \"x\"";
  EXPECT_EQ(*fill_templates(params, {{"id", "数 \"x\""}}), expected);
}

TEST(Templates, KeepWhatIsNone) {
  const auto params = object(R"({"a": "{hint.open", "b": "{other.x}"})");
  EXPECT_EQ(*fill_templates(params, {}), params);
}

}  // namespace
}  // namespace runyard
