#include "api/byte_range.h"

#include <gtest/gtest.h>

namespace runyard {
namespace {

using Range = std::optional<std::pair<std::int64_t, std::int64_t>>;

TEST(ParseRange, ReadsTheThreeForms) {
  EXPECT_EQ(parse_range("bytes=0-0", 10), Range({0, 1}));
  EXPECT_EQ(parse_range("bytes=2-5", 10), Range({2, 6}));
  EXPECT_EQ(parse_range("bytes=2-", 10), Range({2, 10}));
  EXPECT_EQ(parse_range("bytes=2-9223372036854775807", 10), Range({2, 10}));
  EXPECT_EQ(parse_range("bytes=-3", 10), Range({7, 10}));
  EXPECT_EQ(parse_range("bytes=-30", 10), Range({0, 10}));
  EXPECT_EQ(parse_range("bytes=-0", 10), Range({10, 10}));   // behind the end: 416
  EXPECT_EQ(parse_range("bytes=10-", 10), Range({10, 10}));  // the same
  EXPECT_EQ(parse_range("bytes=-1", 0), Range({0, 0}));
}

TEST(ParseRange, IgnoresTheRest) {
  for (const char* text : {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1-2,4-5",
                           "bits=0-1", "bytes=5-2", "bytes=+1-2", "bytes= 1-2", "bytes=1-2 ",
                           "bytes=--1", "bytes=99999999999999999999-", "bytes=1"}) {
    EXPECT_EQ(parse_range(text, 10), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace runyard
