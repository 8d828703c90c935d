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

TEST(Router, RefusesOtherPaths) {
  const Router all = router();
  for (const char* path : {"", "x", "/", "/api/jobs", "/api/jobs/x/", "/api/jobs/x/log/y",
                           "/api//jobs/x", "/api/jobs/%", "/api/jobs/%4", "/api/jobs/%zz"}) {
    EXPECT_FALSE(all.find("GET", path).route) << path;
  }
}

TEST(DecodeQuery, Decodes) {
  std::map<std::string, std::string> query;
  ASSERT_TRUE(decode_query("?a=1&b=x%20y+z&c&a=2&%71=%26", query));
  EXPECT_EQ(query, (std::map<std::string, std::string>{
                       {"a", "1"}, {"b", "x y z"}, {"c", ""}, {"q", "&"}}));
}

TEST(DecodeQuery, RefusesBadEncoding) {
  std::map<std::string, std::string> query;
  EXPECT_FALSE(decode_query("?a=%", query));
  EXPECT_FALSE(decode_query("?a=%g1", query));
}

}  // namespace
}  // namespace runyard
