#include "core/base/plain_json.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <limits>

namespace runyard {
namespace {

namespace json = boost::json;

TEST(PlainJson, WritesFractionsAsPeopleDo) {
  EXPECT_EQ(plain_json(0.25), "0.25");
  EXPECT_EQ(plain_json(-0.2), "-0.2");
  EXPECT_EQ(plain_json(12.0), "12.0");
  EXPECT_EQ(plain_json(0.0), "0.0");
  EXPECT_EQ(plain_json(231.5), "231.5");
  EXPECT_EQ(plain_json(1e22), "1e+22");
  EXPECT_EQ(plain_json(3.0e-7), "3e-07");
}

TEST(PlainJson, HasNoWordsForWhatIsNotFinite) {
  EXPECT_EQ(plain_json(std::numeric_limits<double>::quiet_NaN()), "null");
  EXPECT_EQ(plain_json(-std::numeric_limits<double>::infinity()), "null");
}

TEST(PlainJson, ReadsBackAsTheSame) {
  const json::value values = json::parse(
      R"({"a b": [1, -2, 18446744073709551615, true, false, null, 0.1, 5e-324, 1.7976931348623157e308],
          "quote\"d\\\n\u0001": "line\nend \ud83d\ude80", "": {}, "c": [], "d": {"e": [{"f": 3.0}]}})");
  const std::string text = plain_json(values);
  EXPECT_EQ(json::parse(text), values) << text;
  EXPECT_TRUE(json::parse(text).at("d").at("e").at(0).at("f").is_double());
  EXPECT_EQ(text.find(": "), std::string::npos);
}

}  // namespace
}  // namespace runyard
