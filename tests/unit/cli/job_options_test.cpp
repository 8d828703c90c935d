#include "cli/job_options.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace runyard::cli {
namespace {

TEST(ParseSeconds, NumbersWithAUnit) {
  EXPECT_EQ(parse_seconds("90"), 90);
  EXPECT_EQ(parse_seconds("90s"), 90);
  EXPECT_EQ(parse_seconds("15m"), 900);
  EXPECT_EQ(parse_seconds("2h"), 7200);
  EXPECT_EQ(parse_seconds("1d"), 86400);
  EXPECT_EQ(parse_seconds("0"), 0);
  for (const char* bad : {"", "m", "-1", "1.5h", "2 h", "2hours", "99999999999999d", "1h30m"}) {
    EXPECT_FALSE(parse_seconds(bad)) << bad;
  }
}

TEST(JobOptions, ReadsSizes) {
  EXPECT_EQ(parse_megabytes("500"), 500);
  EXPECT_EQ(parse_megabytes("500M"), 500);
  EXPECT_EQ(parse_megabytes("4G"), 4096);
  EXPECT_EQ(parse_megabytes("1T"), 1 << 20);
  EXPECT_EQ(parse_megabytes("0"), 0);
  for (const char* bad : {"", "x", "4K", "4GB", "-1", "1.5G", "9999999T", "4 G"}) {
    EXPECT_FALSE(parse_megabytes(bad)) << bad;
  }
}

TEST(ReadParams, JsonOrAFile) {
  EXPECT_EQ(read_params(R"({"a": 1})")->at("a"), 1);
  for (const char* bad : {"", "[1]", "{", "text", "@/nonexistent/file"}) {
    EXPECT_EQ(read_params(bad).error().kind, ErrorKind::kInvalid) << bad;
  }
  const auto path = std::filesystem::path(::testing::TempDir()) / "params.json";
  std::ofstream(path) << R"({"b": [2]})";
  EXPECT_TRUE(read_params("@" + path.string())->at("b").is_array());
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace runyard::cli
