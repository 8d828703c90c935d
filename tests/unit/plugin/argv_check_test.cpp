#include "core/plugin/argv_check.h"

#include <gtest/gtest.h>

namespace runyard {
namespace {

JobType type_with_flags() {
  JobType type;
  type.type = "tried";
  type.flags = {"--set", "-v"};
  return type;
}

std::string refused(std::string_view text) {
  const auto arguments = read_arguments(type_with_flags(), text);
  return arguments ? "" : arguments.error().message;
}

TEST(Arguments, AreReadAsTheyAre) {
  const auto arguments =
      read_arguments(type_with_flags(), R"(["--set", "a=$(x) \"é\" 😀", "", "-", "-v", "--set=b"])");
  ASSERT_TRUE(arguments) << arguments.error().message;
  EXPECT_EQ(*arguments,
            (std::vector<std::string>{"--set", "a=$(x) \"é\" 😀", "", "-", "-v", "--set=b"}));
  EXPECT_TRUE(read_arguments(type_with_flags(), "[]"));
}

TEST(Arguments, APromiseThatIsBrokenIsNamed) {
  EXPECT_NE(refused(R"(["--config"])").find("'--config' begins with '-'"), std::string::npos);
  EXPECT_NE(refused(R"(["-5"])"), "");
  EXPECT_NE(refused(R"(["--"])"), "");
  EXPECT_NE(refused(R"(["--setx"])"), "");
  EXPECT_NE(refused(R"(["a\u0000b"])").find("NUL"), std::string::npos);
  for (const char* bad : {"", "{}", "[1]", "[\"a\"", "\"a\""}) {
    EXPECT_NE(refused(bad).find("no JSON array of strings"), std::string::npos) << bad;
  }
}

TEST(Arguments, TooManyOrTooLongOnesAreTheFaultOfLargeInputs) {
  std::string many = "[\"\"";
  for (int i = 0; i < 1024; ++i) many += ",\"\"";
  for (const std::string& text : {many + "]", "[\"" + std::string(128 << 10, 'a') + "\"]"}) {
    EXPECT_NE(refused(text).find("'tried' made an unusable command: it has more than 1"),
              std::string::npos);
    const auto arguments = read_arguments(type_with_flags(), text, 5000);
    ASSERT_FALSE(arguments);
    EXPECT_EQ(arguments.error().kind, ErrorKind::kInvalid);
    EXPECT_NE(arguments.error().message.find("give fewer or shorter"), std::string::npos);
  }
}

TEST(InvalidReply, BecomesFields) {
  const Error error = read_invalid(
      type_with_flags(),
      R"([{"pointer": "/end", "message": "too early"}, {"pointer": "", "message": "and more"}])");
  EXPECT_EQ(error.kind, ErrorKind::kInvalid);
  ASSERT_EQ(error.fields.size(), 2u);
  EXPECT_EQ(error.fields[0].pointer, "/end");
  EXPECT_EQ(error.message, "too early (and 1 more)");
  for (const char* bad : {"", "[]", "{}", "[1]", R"([{"pointer": "/end"}])"}) {
    EXPECT_EQ(read_invalid(type_with_flags(), bad).kind, ErrorKind::kInternal) << bad;
  }
}

}  // namespace
}  // namespace runyard
