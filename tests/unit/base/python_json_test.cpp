#include "core/base/python_json.h"

#include <gtest/gtest.h>

namespace runyard {
namespace {

TEST(PythonJson, WhatIsNoNumberBecomesNull) {
  EXPECT_EQ(without_nan(R"({"a": NaN, "b": [-Infinity, Infinity, -1]})"),
            R"({"a": null, "b": [null, null, -1]})");
  EXPECT_EQ(without_nan("NaN"), "null");
}

TEST(PythonJson, TextsAndOtherWordsStay) {
  for (const char* text : {R"({"NaN": "NaN \" Infinity"})", "NaNs", "Infinity_", R"("\)", ""}) {
    EXPECT_EQ(without_nan(text), text);
  }
}

}  // namespace
}  // namespace runyard
