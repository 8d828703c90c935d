#include "api/guard.h"

#include <gtest/gtest.h>

namespace runyard {
namespace {

using Headers = std::map<std::string, std::string>;

/// The status of the refusal, 0 when the call may go on.
int check(const std::string& method, Headers headers, const std::string& body = "") {
  const Guard guard({"lab.example", "fd00::1"}, {"http://localhost:5173"});
  headers.try_emplace("host", "127.0.0.1:8000");
  Call call;
  call.method = method;
  call.headers = std::move(headers);
  call.body = body;
  const auto refused = guard.check(call);
  return refused ? refused->status : 0;
}

TEST(Guard, AnswersForItsOwnNamesOnly) {
  for (const char* host :
       {"127.0.0.1", "127.0.0.1:8000", "localhost:1234", "LocalHost", "[::1]:8000", "127.1.2.3",
        "lab.example", "LAB.example:80", "[fd00::1]"}) {
    EXPECT_EQ(check("GET", {{"host", host}}), 0) << host;
  }
  for (const char* host : {"", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example",
                           "lab.example.evil", "10.0.0.1", "[::2]", "[::1", "127.0.0.1@evil"}) {
    EXPECT_EQ(check("GET", {{"host", host}}), 421) << host;
  }
}

TEST(Guard, KeepsOtherSitesFromChangingAnything) {
  const auto post = [](Headers headers) {
    headers["content-type"] = "application/json";
    return check("POST", std::move(headers), "{}");
  };
  EXPECT_EQ(post({}), 0);  // curl and programs send neither
  EXPECT_EQ(post({{"sec-fetch-site", "same-origin"}}), 0);
  EXPECT_EQ(post({{"sec-fetch-site", "none"}}), 0);
  EXPECT_EQ(post({{"sec-fetch-site", "cross-site"}}), 403);
  EXPECT_EQ(post({{"sec-fetch-site", "same-site"}}), 403);
  EXPECT_EQ(post({{"origin", "http://127.0.0.1:8000"}}), 0);
  EXPECT_EQ(post({{"origin", "http://localhost:5173"}}), 0);
  EXPECT_EQ(post({{"origin", "http://127.0.0.1:9999"}}), 403);
  EXPECT_EQ(post({{"origin", "http://evil.example"}}), 403);
  EXPECT_EQ(post({{"origin", "null"}}), 403);
  // The development server's pages are cross-origin, and allowed by name.
  EXPECT_EQ(post({{"sec-fetch-site", "same-site"}, {"origin", "http://localhost:5173"}}), 0);
  EXPECT_EQ(post({{"sec-fetch-site", "cross-site"}, {"origin", "http://evil.example"}}), 403);
  // Reading is no danger: without CORS the page cannot see the answer.
  EXPECT_EQ(check("GET", {{"origin", "http://evil.example"}}), 0);
}

TEST(Guard, RefusesProxies) {
  EXPECT_EQ(check("GET", {{"forwarded", "for=1"}}), 403);
  EXPECT_EQ(check("GET", {{"x-forwarded-for", "1"}}), 403);
  EXPECT_EQ(check("GET", {{"x-forwarded-host", "x"}}), 403);
}

TEST(Guard, WantsJson) {
  EXPECT_EQ(check("POST", {}, "{}"), 415);
  EXPECT_EQ(check("POST", {{"content-type", "text/plain"}}, "{}"), 415);
  EXPECT_EQ(check("POST", {{"content-type", "application/jsonp"}}, "{}"), 415);
  EXPECT_EQ(check("POST", {{"content-type", "application/json; charset=utf-8"}}, "{}"), 0);
  EXPECT_EQ(check("POST", {{"content-type", "Application/JSON"}}, "{}"), 0);
  EXPECT_EQ(check("POST", {}), 0);  // cancel has no body
}

TEST(IsLoopback, KnowsTheAddresses) {
  for (const char* host : {"127.0.0.1", "127.9.9.9", "::1", "localhost"})
    EXPECT_TRUE(is_loopback(host));
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "localhost.", "", "example"}) {
    EXPECT_FALSE(is_loopback(host)) << host;
  }
}

}  // namespace
}  // namespace runyard
