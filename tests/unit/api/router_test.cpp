#include "api/router.h"

#include <gtest/gtest.h>

namespace runyard {
namespace {

Route route(std::string method, std::string path) {
  return {std::move(method), std::move(path), Role::kViewer, "",
          [](const Call&) { return Reply(); }};
}

Router router() {
  std::vector<Route> routes;
  routes.push_back(route("GET", "/api/jobs/:id"));  // before the fixed one, which must win
  routes.push_back(route("GET", "/api/jobs/recent"));
  routes.push_back(route("POST", "/api/jobs/:slug"));
  routes.push_back(route("GET", "/api/jobs/:id/log"));
  return Router(std::move(routes));
}

TEST(Router, PrefersTheFixedSegment) {
  const Router all = router();
  EXPECT_EQ(all.find("GET", "/api/jobs/recent").route->path, "/api/jobs/recent");
  const auto one = all.find("GET", "/api/jobs/job_1");
  ASSERT_TRUE(one.route);
  EXPECT_EQ(one.route->path, "/api/jobs/:id");
  EXPECT_EQ(one.path.at("id"), "job_1");
}

TEST(Router, TheRestGoesToTheRouteThatTakesIt) {
  std::vector<Route> routes;
  routes.push_back(route("GET", "/*path"));
  routes.push_back(route("GET", "/api/jobs/recent"));
  routes.push_back(route("GET", "/healthz"));
  const Router all(std::move(routes));
  const auto rest = [&](std::string_view path) {
    const auto match = all.find("GET", path);
    return match.route ? "[" + match.path.at("path") + "]" : "none";
  };
  EXPECT_EQ(rest("/"), "[]");
  EXPECT_EQ(rest("/jobs/job_1/log"), "[jobs/job_1/log]");
  EXPECT_EQ(rest("/a%20b/c"), "[a b/c]");
  EXPECT_EQ(rest("/apis"), "[apis]");
  EXPECT_EQ(rest("/api"), "none");
  EXPECT_EQ(rest("/api/jobs/unknown"), "none");
  EXPECT_EQ(rest("/healthz/x"), "none");
  EXPECT_EQ(all.find("GET", "/healthz").route->path, "/healthz");
  EXPECT_EQ(all.find("POST", "/x").allowed, std::vector<std::string>{"GET"});
  EXPECT_TRUE(all.find("POST", "/api/x").allowed.empty());
}

TEST(Router, TakesHeadAsGet) { EXPECT_TRUE(router().find("HEAD", "/api/jobs/x/log").route); }

TEST(Router, NamesTheMethodsOfAPath) {
  const Router all = router();
  const auto match = all.find("DELETE", "/api/jobs/x");
  EXPECT_FALSE(match.route);
  EXPECT_EQ(match.allowed, (std::vector<std::string>{"GET", "POST"}));
  EXPECT_EQ(all.find("POST", "/api/jobs/x/log").allowed, std::vector<std::string>{"GET"});
  EXPECT_TRUE(all.find("GET", "/elsewhere").allowed.empty());
}

TEST(Router, DecodesASegmentOnceAndNeverSplitsIt) {
  const Router all = router();
  EXPECT_EQ(all.find("GET", "/api/jobs/a%2Fb").path.at("id"), "a/b");
  EXPECT_EQ(all.find("GET", "/api/jobs/%252e").path.at("id"), "%2e");
  EXPECT_EQ(all.find("GET", "/api/jobs/%00").path.at("id"), std::string(1, '\0'));
  EXPECT_EQ(all.find("GET", "/api/jobs/..").path.at("id"), "..");
}

TEST(Router, AFixedSegmentMayBeEncodedToo) {
  const Router all = router();
  EXPECT_EQ(all.find("GET", "/%61pi/jobs/%72ecent").route->path, "/api/jobs/recent");
  EXPECT_EQ(all.find("GET", "/api/jobs/Recent").route->path, "/api/jobs/:id");
  EXPECT_EQ(all.find("GET", "/api/jobs/recent%20").route->path, "/api/jobs/:id");
  EXPECT_EQ(all.find("GET", "/api/jobs/a+b").path.at("id"), "a+b");  // a blank in queries alone
  EXPECT_EQ(all.find("GET", "/api/jobs/%E6%95%B0").path.at("id"), "数");
  EXPECT_EQ(all.find("GET", "/api/jobs/%ff").path.at("id"), "\xff");
  EXPECT_EQ(all.find("GET", "/api/jobs/:id").path.at("id"), ":id");
}

TEST(Router, MethodsAreExact) {
  const Router all = router();
  EXPECT_FALSE(all.find("get", "/api/jobs/recent").route);
  EXPECT_FALSE(all.find("", "/api/jobs/recent").route);
  EXPECT_FALSE(all.find("OPTIONS", "/api/jobs/recent").route);
  // A fixed segment of another method does not hide a placeholder of this one.
  EXPECT_EQ(all.find("POST", "/api/jobs/recent").route->path, "/api/jobs/:slug");
  EXPECT_EQ(all.find("PUT", "/api/jobs/recent").allowed, (std::vector<std::string>{"GET", "POST"}));
  EXPECT_TRUE(all.find("GET", "/api/jobs/recent").allowed.empty());
}

TEST(Router, IsTheSameAfterAMove) {
  Router first = router();
  const Router second = std::move(first);
  EXPECT_EQ(second.find("GET", "/api/jobs/x/log").route->path, "/api/jobs/:id/log");
  EXPECT_EQ(second.routes().size(), 4u);
}

TEST(Router, RefusesOtherPaths) {
  const Router all = router();
  for (const char* path :
       {"", "x", "/", "/api/jobs", "/api/jobs/", "/api/jobs//log", "/api/jobs/x/",
        "/api/jobs/x/log/y", "/api//jobs/x", "/api/jobs/%", "/api/jobs/%4", "/api/jobs/%zz"}) {
    EXPECT_FALSE(all.find("GET", path).route) << path;
  }
}

TEST(DecodeQuery, Decodes) {
  std::map<std::string, std::string> query;
  ASSERT_TRUE(decode_query("?a=1&b=x%20y+z&c&a=2&%71=%26", query));
  EXPECT_EQ(query, (std::map<std::string, std::string>{
                       {"a", "1"}, {"b", "x y z"}, {"c", ""}, {"q", "&"}}));
}

TEST(DecodeQuery, Corners) {
  const std::pair<const char*, std::map<std::string, std::string>> cases[] = {
      {"", {}},
      {"?", {}},
      {"&&", {}},
      {"=x&a=", {{"a", ""}}},
      {"a=b=c", {{"a", "b=c"}}},
      {"a=%2B%26%3D", {{"a", "+&="}}},
      {"a=%00", {{"a", std::string(1, '\0')}}},
      {"%E6%95%B0=%F0%9F%9A%80", {{"数", "🚀"}}},
      {"a=/?:@", {{"a", "/?:@"}}}};
  for (const auto& [text, expected] : cases) {
    std::map<std::string, std::string> query;
    EXPECT_TRUE(decode_query(text, query)) << text;
    EXPECT_EQ(query, expected) << text;
  }
}

TEST(DecodeQuery, RefusesBadEncoding) {
  for (const char* text : {"?a=%", "?a=%g1", "a=%4", "%=1", "a=b c", "a=数", "a=#", "a=\x01"}) {
    std::map<std::string, std::string> query;
    EXPECT_FALSE(decode_query(text, query)) << text;
  }
}

}  // namespace
}  // namespace runyard
