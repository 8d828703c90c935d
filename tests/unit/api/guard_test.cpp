#include "api/guard.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace runyard {
namespace {

using Headers = std::map<std::string, std::string>;

/// The status of the refusal, 0 when the call may go on.
int check(const std::string& method, Headers headers, const std::string& body = "") {
  const Guard guard({{"lab.example", "fd00::1"}, {"http://localhost:5173"}});
  headers.try_emplace("host", "127.0.0.1:8000");
  Call call;
  call.method = method;
  call.headers = std::move(headers);
  call.body = body;
  const auto refused = guard.check(call, false);
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

TEST(Guard, SitesAndOriginsInEveryCombination) {
  const std::string absent = "(absent)";
  for (const std::string host : {"127.0.0.1:8000", "localhost:9000", "[::1]:8000", "lab.example"}) {
    for (const std::string& site :
         {absent, std::string("same-origin"), std::string("none"), std::string("same-site"),
          std::string("cross-site"), std::string("nonsense")}) {
      for (const auto& [origin, is_allowed] :
           std::map<std::string, bool>{{absent, true},
                                       {"http://" + host, true},
                                       {"http://localhost:5173", true},  // configured
                                       {"HTTP://LOCALHOST:5173", true},
                                       {"http://localhost:5174", false},
                                       {"https://" + host, false},  // nothing here speaks TLS
                                       {"http://evil.example", false},
                                       {"http://" + host + ".evil.example", false},
                                       {"null", false}}) {
        Headers headers = {{"host", host}};
        if (site != absent) headers["sec-fetch-site"] = site;
        if (origin != absent) headers["origin"] = origin;
        // What the browser says about the site decides; else the origin; a page of another site may
        // call only when its origin is one that is allowed.
        const bool own = site == "same-origin" || site == "none";
        const bool expected = site == absent ? is_allowed : own || (origin != absent && is_allowed);
        for (const char* method : {"POST", "PATCH", "DELETE", "PUT", "OPTIONS"}) {
          EXPECT_EQ(check(method, headers), expected ? 0 : 403)
              << method << " " << host << " " << site << " " << origin;
        }
        EXPECT_EQ(check("GET", headers), 0);
      }
    }
  }
}

TEST(Guard, ConfiguredNamesAreComparedWithoutTheirCase) {
  const Guard guard({{"Lab.Example"}, {"http://Dev.Example:5173"}});
  Call call;
  call.method = "POST";
  call.headers = {{"host", "lab.example:80"}, {"origin", "http://dev.example:5173"}};
  EXPECT_FALSE(guard.check(call, false));
}

TEST(Guard, TheHostIsLookedAtFirst) {
  EXPECT_EQ(check("POST", {{"host", "evil.example"}, {"x-forwarded-for", "1"}}, "{}"), 421);
  EXPECT_EQ(check("POST", {{"origin", "http://evil.example"}}, "{}"), 403);  // before the body
}

TEST(Guard, ARefusalCitesABoundedValidText) {
  Call call;
  call.method = "GET";
  call.headers = {{"host", "\xff" + std::string(5000, 'x')}};
  const auto refused = Guard({}).check(call, false);
  ASSERT_TRUE(refused);
  EXPECT_LT(refused->body.size(), 500u);
  boost::system::error_code error;
  (void)boost::json::parse(refused->body, error);
  EXPECT_FALSE(error);
}

TEST(Guard, RefusesProxies) {
  EXPECT_EQ(check("GET", {{"forwarded", "for=1"}}), 403);
  EXPECT_EQ(check("GET", {{"x-forwarded-for", "1"}}), 403);
  EXPECT_EQ(check("GET", {{"x-forwarded-host", "x"}}), 403);
  EXPECT_EQ(check("POST", {{"x-forwarded-proto", ""}}), 403);
  EXPECT_EQ(check("GET", {{"x-forwarded", "1"}, {"via", "1.1 x"}, {"x-real-ip", "1"}}), 0);
}

/// A call behind a proxy at 10.0.0.1, which is trusted, as are those of 10.1.0.0/16.
struct Proxied {
  explicit Proxied(Headers headers, const std::string& method = "GET",
                   const std::string& peer = "10.0.0.1") {
    const Guard guard(
        {{"lab.example"}, {}, *NetworkSet::parse({"10.0.0.1", "10.1.0.0/16"}), false});
    headers.try_emplace("host", "lab.example");
    call.method = method;
    call.client = peer;
    call.headers = std::move(headers);
    const auto refused = guard.check(call, false);
    status = refused ? refused->status : 0;
  }
  Call call;
  int status;
};

TEST(Guard, BelievesATrustedProxyAlone) {
  const Headers headers{{"x-forwarded-for", "192.0.2.9"}};
  EXPECT_EQ(Proxied(headers).status, 0);
  EXPECT_EQ(Proxied(headers).call.client, "192.0.2.9");
  EXPECT_EQ(Proxied(headers, "GET", "::ffff:10.0.0.1").call.client, "192.0.2.9");
  for (const char* peer : {"10.0.0.2", "127.0.0.1", "::1", "", "10.0.0.1.evil"}) {
    EXPECT_EQ(Proxied(headers, "GET", peer).status, 403) << peer;
  }
  EXPECT_EQ(Proxied(Headers{}, "GET", "10.0.0.2").call.client, "10.0.0.2")
      << "and who comes directly";
}

TEST(Guard, TheClientIsWhoTheNearestTrustedProxiesSay) {
  const auto client = [](const std::string& chain) {
    return Proxied(Headers{{"x-forwarded-for", chain}}).call.client;
  };
  EXPECT_EQ(client("1.1.1.1, 192.0.2.9"), "192.0.2.9") << "what stands before may be invented";
  EXPECT_EQ(client("rubbish, 192.0.2.9"), "192.0.2.9");
  EXPECT_EQ(client("1.1.1.1, 192.0.2.9, 10.1.2.3"), "192.0.2.9");
  EXPECT_EQ(client("10.1.2.3,10.1.2.4"), "10.1.2.3") << "all are ours: the first";
  EXPECT_EQ(client("2001:db8::7"), "2001:db8::7");
  EXPECT_EQ(client(""), "10.0.0.1");
  EXPECT_EQ(Proxied(Headers{{"x-forwarded-for", "192.0.2.9, rubbish"}}).status, 400);
  EXPECT_EQ(Proxied(Headers{{"x-forwarded-for", "192.0.2.9,"}}).status, 400);
}

TEST(Guard, TheOriginOfAPageBehindTlsIsHttps) {
  const auto post = [](Headers headers) {
    headers.try_emplace("x-forwarded-for", "192.0.2.9");
    headers.try_emplace("x-forwarded-proto", "https");
    headers.try_emplace("x-forwarded-host", "lab.example");
    headers.try_emplace("host", "127.0.0.1:8000");  // what nginx sends when nobody tells it
    return Proxied(headers, "POST").status;
  };
  EXPECT_EQ(post({{"origin", "https://lab.example"}}), 0);
  EXPECT_EQ(post({{"origin", "http://lab.example"}}), 403);
  EXPECT_EQ(post({{"origin", "https://127.0.0.1:8000"}}), 403);
  EXPECT_EQ(post({{"origin", "https://lab.example:8443"}}), 403);
  EXPECT_EQ(
      post({{"origin", "https://lab.example:8443"}, {"x-forwarded-host", "lab.example:8443"}}), 0);
  EXPECT_EQ(post({{"origin", "https://lab.example"}, {"x-forwarded-host", "lab.example:443"}}), 0);
  EXPECT_EQ(post({{"origin", "https://lab.example"}, {"x-forwarded-proto", "http"}}), 403);
  EXPECT_EQ(post({{"origin", "https://lab.example"}, {"x-forwarded-proto", "http, https"}}), 0);
  EXPECT_EQ(post({{"x-forwarded-host", "evil.example"}}), 421);
  EXPECT_EQ(post({{"x-forwarded-host", "lab.example, evil.example"}}), 421);
  EXPECT_EQ(post({{"host", "evil.example"}}), 421);
}

TEST(Guard, AStreamIsGuardedAsAChange) {
  const auto open = [](Headers headers) {
    headers.try_emplace("host", "127.0.0.1:8000");
    Call call;
    call.method = "GET";
    call.headers = std::move(headers);
    const auto refused = Guard({{}, {"http://localhost:5173"}}).check(call, true);
    return refused ? refused->status : 0;
  };
  EXPECT_EQ(open({}), 0);
  EXPECT_EQ(open({{"sec-fetch-site", "same-origin"}}), 0);
  EXPECT_EQ(open({{"origin", "http://localhost:5173"}}), 0);
  EXPECT_EQ(open({{"sec-fetch-site", "cross-site"}}), 403);
  EXPECT_EQ(open({{"origin", "http://evil.example"}}), 403);
}

TEST(Guard, TellsThePagesOfOtherSitesFromItsOwn) {
  const auto is_own = [](Headers headers) {
    headers.try_emplace("host", "127.0.0.1:8000");
    Call call;
    call.method = "GET";
    call.headers = std::move(headers);
    EXPECT_FALSE(Guard({}).check(call, false)) << "it may read, without its cookie";
    return call.is_own_page;
  };
  EXPECT_TRUE(is_own({}));
  EXPECT_TRUE(is_own({{"sec-fetch-site", "same-origin"}}));
  EXPECT_FALSE(is_own({{"sec-fetch-site", "same-site"}}));
  EXPECT_FALSE(is_own({{"origin", "http://127.0.0.1:9000"}}));
}

TEST(Guard, OnAllAddressesANumberIsNoForgedName) {
  const auto status = [](const std::string& host) {
    Call call;
    call.method = "GET";
    call.headers = {{"host", host}};
    const auto refused = Guard({{"0.0.0.0"}, {}, {}, true}).check(call, false);
    return refused ? refused->status : 0;
  };
  for (const char* host : {"10.1.2.3:8000", "[fd00::7]:8000", "localhost", "192.0.2.1"}) {
    EXPECT_EQ(status(host), 0) << host;
  }
  for (const char* host : {"evil.example", "10.1.2.3.evil.example", "", ":8000"}) {
    EXPECT_EQ(status(host), 421) << host;
  }
}

TEST(Guard, WantsJson) {
  EXPECT_EQ(check("POST", {}, "{}"), 415);
  EXPECT_EQ(check("POST", {{"content-type", "text/plain"}}, "{}"), 415);
  for (const char* type : {"application/jsonp", "application/problem+json", "text/json", "json",
                           ";", "multipart/form-data", "application/x-www-form-urlencoded",
                           "text/plain; application/json"}) {
    EXPECT_EQ(check("POST", {{"content-type", type}}, "{}"), 415) << type;
    EXPECT_EQ(check("DELETE", {{"content-type", type}}, "x"), 415) << type;
    EXPECT_EQ(check("GET", {{"content-type", type}}, "{}"), 0) << type;
  }
  EXPECT_EQ(check("POST", {{"content-type", "application/json ; charset=utf-8"}}, "{}"), 0);
  EXPECT_EQ(check("POST", {{"content-type", "application/json; charset=utf-8"}}, "{}"), 0);
  EXPECT_EQ(check("POST", {{"content-type", "Application/JSON"}}, "{}"), 0);
  EXPECT_EQ(check("POST", {}), 0);  // cancel has no body
}

TEST(IsWildcard, KnowsTheAddresses) {
  EXPECT_TRUE(is_wildcard("0.0.0.0") && is_wildcard("::"));
  for (const char* host : {"127.0.0.1", "::1", "10.0.0.1", "localhost", ""}) {
    EXPECT_FALSE(is_wildcard(host)) << host;
  }
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
