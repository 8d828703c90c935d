#include "api/http.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <set>

namespace runyard {
namespace {

TEST(Problem, HasTheStatusOfTheKind) {
  const std::pair<ErrorKind, int> all[] = {
      {ErrorKind::kMalformed, 400}, {ErrorKind::kForbidden, 403},   {ErrorKind::kNotFound, 404},
      {ErrorKind::kConflict, 409},  {ErrorKind::kInvalid, 422},     {ErrorKind::kBusy, 429},
      {ErrorKind::kInternal, 500},  {ErrorKind::kUnavailable, 503}, {ErrorKind::kNoSpace, 507}};
  for (const auto& [kind, status] : all) {
    const Reply reply = problem(make_error(kind, "do this"));
    EXPECT_EQ(reply.status, status);
    EXPECT_EQ(reply.content_type, "application/problem+json");
    const auto document = boost::json::parse(reply.body).as_object();
    EXPECT_EQ(document.at("status"), status);
    EXPECT_EQ(document.at("detail"), "do this");
    EXPECT_TRUE(document.at("title").is_string());
    EXPECT_EQ(document.at("type"), "about:blank");
    EXPECT_FALSE(document.contains("errors"));
    EXPECT_EQ(!reply.headers.empty(), status == 429 || status == 503) << "Retry-After";
  }
}

TEST(Problem, NamesEveryField) {
  const Reply reply = problem(422, "two", {{"/a", "is wrong"}, {"/b", "too"}});
  const auto errors = boost::json::parse(reply.body).at("errors").as_array();
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_EQ(errors[1].at("pointer"), "/b");
  EXPECT_EQ(errors[1].at("message"), "too");
}

TEST(Problem, IsValidUtf8WhateverItCites) {
  const Reply reply = problem(421, "the host '\xff\x1b' is unknown", {{"/\xc3", "\xe6\x95"}});
  boost::system::error_code error;
  const auto document = boost::json::parse(reply.body, error);
  ASSERT_FALSE(error);
  EXPECT_EQ(document.at("detail"), "the host '\xEF\xBF\xBD\x1b' is unknown");
  for (char c : reply.body) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
}

TEST(Problem, EveryStatusOfTheContractHasATitle) {
  std::set<std::string> titles;
  const int all[] = {400, 401, 403, 404, 405, 409, 413, 414,
                     415, 416, 421, 422, 429, 500, 503, 507};
  for (const int status : all) {
    titles.emplace(boost::json::parse(problem(status, "x").body).at("title").as_string());
  }
  EXPECT_EQ(titles.size(), std::size(all));
}

TEST(Replies, AreJson) {
  const Reply reply = json_reply({{"a", {1, nullptr}}}, 201);
  EXPECT_EQ(reply.status, 201);
  EXPECT_EQ(reply.body, R"({"a":[1,null]})");
  EXPECT_EQ(reply.content_type, "application/json");
  EXPECT_EQ(json_text("[]").status, 200);
}

TEST(ReadObject, TakesObjectsAlone) {
  Call call;
  EXPECT_TRUE(read_object(call)->empty());
  call.body = R"({"a": 1})";
  EXPECT_EQ(read_object(call)->at("a"), 1);
  for (const char* body : {"{", "[]", "1", "nul", "{} x", "\"text\"", "{\"a\": \"\xff\"}",
                           "{'a': 1}", "{\"a\": 1,}", "\xEF\xBB\xBF{}"}) {
    call.body = body;
    const auto read = read_object(call);
    ASSERT_FALSE(read) << body;
    EXPECT_EQ(read.error().kind, ErrorKind::kMalformed);
  }
  call.body = std::string(100'000, '[');  // deeper than anyone needs
  EXPECT_FALSE(read_object(call));
}

TEST(ReadNumber, StaysInItsRange) {
  Call call;
  EXPECT_EQ(*read_number(call, "limit", 50, 1, 500), 50);
  call.query["limit"] = "500";
  EXPECT_EQ(*read_number(call, "limit", 50, 1, 500), 500);
  for (const char* text : {"", "0", "501", "-1", "1.5", "1x", " 1", "99999999999999999999"}) {
    call.query["limit"] = text;
    EXPECT_FALSE(read_number(call, "limit", 50, 1, 500)) << text;
  }
}

}  // namespace
}  // namespace runyard
