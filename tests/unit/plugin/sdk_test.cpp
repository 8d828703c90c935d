#include <gtest/gtest.h>
#include <runyard/plugin.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

extern "C" {
const char runyard_descriptor[] = "{\"type\":\"tried\"}";
const size_t runyard_descriptor_size = sizeof runyard_descriptor - 1;
}

namespace {

using runyard::Json;

TEST(SdkJson, ReadsEveryForm) {
  const Json value = Json::parse(
      R"( {"n": null, "t": true, "f": false, "i": -12, "d": 1.5e2, "s": "a\"\\\/\b\f\n\r\té\u00e9\ud83d\ude00",
           "a": [1, [], {}], "o": {"k": "v"}} )");
  EXPECT_TRUE(value.find("n")->is_null());
  EXPECT_TRUE(value.find("t")->boolean());
  EXPECT_FALSE(value.find("f")->boolean());
  EXPECT_EQ(value.find("i")->integer(), -12);
  EXPECT_EQ(value.find("d")->number(), 150);
  EXPECT_EQ(value.find("d")->integer(), 150);
  EXPECT_EQ(value.find("s")->string(), "a\"\\/\b\f\n\r\té\u00e9\U0001F600");
  EXPECT_EQ(value.find("a")->items().size(), 3u);
  EXPECT_EQ(value.find("o")->find("k")->string(), "v");
  EXPECT_EQ(value.find("none"), nullptr);
  EXPECT_EQ(value.members().front().first, "n");
}

TEST(SdkJson, RefusesWhatIsNone) {
  for (const char* bad :
       {"", "{", "[1,]", "{\"a\" 1}", "nul", "01", "1.", "1e", "-", "\"a", "\"\\x\"", "\"\\ud800\"",
        "\"\\udc00\"", "1 2", "\"\n\"", "{a: 1}", "+1"}) {
    EXPECT_THROW(Json::parse(bad), std::runtime_error) << bad;
  }
  EXPECT_THROW(Json::parse(std::string(100000, '[')), std::runtime_error);
  EXPECT_THROW(Json::parse("1.5").integer(), std::runtime_error);
  EXPECT_THROW(Json::parse("1").string(), std::runtime_error);
  EXPECT_THROW(Json::parse("[]").to_argument(), std::runtime_error);
}

TEST(SdkJson, NumbersStayAsWritten) {
  EXPECT_EQ(Json::parse("0.1").to_argument(), "0.1");
  EXPECT_EQ(Json::parse("9223372036854775807").integer(), INT64_MAX);
  EXPECT_EQ(Json::parse("true").to_argument(), "true");
}

TEST(SdkJson, QuotedTextsSurvive) {
  const std::string hostile("a\"\\\n\t\x01é😀$(x)", 17);
  const auto back = boost::json::parse(runyard::json_quote(hostile));
  EXPECT_EQ(std::string(back.as_string()), hostile);
}

TEST(SdkParams, NullIsAbsent) {
  const runyard::Params params(Json::parse(
      R"({"a": null, "s": "x", "n": 3, "r": 2.5, "b": true, "list": ["a", 1, false]})"));
  EXPECT_FALSE(params.has("a"));
  EXPECT_FALSE(params.has("none"));
  EXPECT_EQ(params.text("a", "fallback"), "fallback");
  EXPECT_EQ(params.text("s"), "x");
  EXPECT_EQ(params.integer("n"), 3);
  EXPECT_EQ(params.integer("none", 7), 7);
  EXPECT_EQ(params.number("r"), 2.5);
  EXPECT_TRUE(params.flag("b"));
  EXPECT_FALSE(params.flag("a"));
  EXPECT_EQ(params.texts("list"), (std::vector<std::string>{"a", "1", "false"}));
  EXPECT_TRUE(params.texts("a").empty());
  runyard::Args args;
  args.option_from(params, "n", "--n").option_from(params, "a", "--a").add("-v");
  EXPECT_EQ(args.list(), (std::vector<std::string>{"--n", "3", "-v"}));
}

struct Scripted {
  runyard::Args argv(const runyard::Params& params) const {
    const std::string what = params.text("do");
    if (what == "invalid") throw runyard::Invalid("/a", "not \"so\"").add("/b", "nor this");
    if (what == "throw") throw std::runtime_error("it broke");
    if (what == "throw int") throw 3;
    return runyard::Args().option("--do", what);
  }
};

struct Called {
  std::int32_t status;
  std::string text;
};

Called call(const std::string& params) {
  Called called{};
  called.status = runyard::detail::argv<Scripted>(
      params.data(), params.size(),
      [](void* context, const char* data, size_t size) {
        static_cast<std::string*>(context)->append(data, size);
      },
      &called.text);
  return called;
}

TEST(SdkWrapper, StopsExceptions) {
  EXPECT_EQ(call(R"({"do": "a \"b\""})").text, R"(["--do","a \"b\""])");
  EXPECT_EQ(call(R"({"do": "x"})").status, RUNYARD_OK);
  EXPECT_EQ(call(R"({"do": "throw"})").status, RUNYARD_FAILED);
  EXPECT_EQ(call(R"({"do": "throw"})").text, "it broke");
  EXPECT_EQ(call(R"({"do": "throw int"})").status, RUNYARD_FAILED);
  EXPECT_EQ(call("no json").status, RUNYARD_FAILED);
  const Called invalid = call(R"({"do": "invalid"})");
  EXPECT_EQ(invalid.status, RUNYARD_INVALID);
  EXPECT_EQ(
      boost::json::parse(invalid.text),
      boost::json::parse(
          R"([{"pointer": "/a", "message": "not \"so\""}, {"pointer": "/b", "message": "nor this"}])"));
}

}  // namespace
