#include "core/plugin/schema_messages.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace runyard {
namespace {

TEST(Pointers, AreEscaped) {
  EXPECT_EQ(to_pointer({}), "");
  EXPECT_EQ(to_pointer({"a", "0", "b/c~d"}), "/a/0/b~1c~0d");
  EXPECT_EQ(to_label({"a", "0", "b"}), "a[0].b");
  EXPECT_EQ(to_label({}), "the inputs");
}

TEST(UnknownField, NamesTheNearest) {
  EXPECT_EQ(unknown_field("tickrs", {"config_path", "tickers"}),
            "'tickrs' is not known here; did you mean 'tickers'?");
  EXPECT_EQ(unknown_field("zzz", {"config_path", "tickers"}),
            "'zzz' is not known here; known are config_path, tickers");
}

TEST(Explain, NeverSaysNothing) {
  const auto schema = boost::json::parse(R"({"type": "object"})").as_object();
  EXPECT_EQ(explain(schema, {}).size(), 1u);
  EXPECT_EQ(
      explain(schema, {{{"a"}, "something that no version of the validator says"}}).at(0).message,
      "a is not as its schema asks");
}

TEST(Explain, LeavesOutWhatOnlyRepeats) {
  const auto schema =
      boost::json::parse(R"({"type": "object", "properties": {"a": {"type": "string"}}})")
          .as_object();
  const auto errors = explain(
      schema, {{{"a"}, "Value type not permitted by 'type' constraint."},
               {{}, "Failed to validate against schema associated with property name 'a'."}});
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].message, "a must be text (a string)");
}

}  // namespace
}  // namespace runyard
