#include "api/web_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/base/temp_folder.h"

namespace runyard {
namespace {

TEST(MediaType, GoesByTheEnding) {
  EXPECT_EQ(media_type("index.html"), "text/html; charset=utf-8");
  EXPECT_EQ(media_type("assets/a.b.js"), "text/javascript; charset=utf-8");
  EXPECT_EQ(media_type("a.woff2"), "font/woff2");
  EXPECT_EQ(media_type("a.js/LICENSE"), "application/octet-stream");
  EXPECT_EQ(media_type("js"), "application/octet-stream");
}

TEST(IsHashed, KnowsNamesWithAHash) {
  for (const char* path : {"assets/index-B3xk9f2Q.js", "assets/index-B3xk9f2Q.js.map",
                           "assets/vendor.react-a-_4Zz12.css", "assets/a-b-12345678.woff2"}) {
    EXPECT_TRUE(is_hashed(path)) << path;
  }
  for (const char* path : {"index.html", "index-B3xk9f2Q.js", "assets/logo.svg",
                           "assets/job-settings.js", "assets/index-B3xk9f2Q", "assets/-", "assets/",
                           "assets/index-B3xk9f2.js", "assets/index-B3xk9f2Q1.js"}) {
    EXPECT_FALSE(is_hashed(path)) << path;
  }
}

TEST(AcceptsCoding, ReadsTheList) {
  EXPECT_TRUE(accepts_coding("gzip, deflate, br", "br"));
  EXPECT_TRUE(accepts_coding("br;q=0.1", "br"));
  EXPECT_TRUE(accepts_coding("*", "br"));
  EXPECT_FALSE(accepts_coding("", "br"));
  EXPECT_FALSE(accepts_coding("gzip", "br"));
  EXPECT_FALSE(accepts_coding("br;q=0", "br"));
  EXPECT_FALSE(accepts_coding("*, br; q=0.000", "br"));
  EXPECT_FALSE(accepts_coding("brotli", "br"));
}

class WebFilesTest : public testing::Test {
 protected:
  WebFilesTest() {
    web_.put("web/index.html", "<html>");
    web_.put("web/assets/app-B3xk9f2Q.js", "plain");
    web_.put("web/assets/app-B3xk9f2Q.js.br", "brotli");
    web_.put("web/assets/app-B3xk9f2Q.js.gz", "gzip");
    web_.put("web/.env", "secret");
    web_.put("secret.html", "secret");
  }
  Reply ask(const std::string& path, std::map<std::string, std::string> headers = {}) {
    Call call;
    call.headers = std::move(headers);
    return WebFiles(web_ / "web").answer(call, path);
  }
  static std::string header(const Reply& reply, const std::string& name) {
    for (const auto& [known, value] : reply.headers) {
      if (known == name) return value;
    }
    return "";
  }
  TempFolder web_;
};

TEST_F(WebFilesTest, ServesTheIndexAndNeverFromACacheUnasked) {
  for (const char* path : {"", "index.html"}) {
    const Reply reply = ask(path);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "<html>");
    EXPECT_EQ(reply.content_type, "text/html; charset=utf-8");
    EXPECT_EQ(header(reply, "Cache-Control"), "no-cache");
  }
}

TEST_F(WebFilesTest, ServesTheVariantThatTheClientTakes) {
  const std::string path = "assets/app-B3xk9f2Q.js";
  const auto served = [&](const char* accepted) {
    const Reply reply = ask(path, {{"accept-encoding", accepted}});
    EXPECT_EQ(reply.content_type, "text/javascript; charset=utf-8");
    EXPECT_EQ(header(reply, "Vary"), "Accept-Encoding");
    EXPECT_EQ(header(reply, "Cache-Control"), "public, max-age=31536000, immutable");
    return header(reply, "Content-Encoding") + ":" + reply.body;
  };
  EXPECT_EQ(served("gzip, br"), "br:brotli");
  EXPECT_EQ(served("gzip"), "gzip:gzip");
  EXPECT_EQ(served("identity"), ":plain");
  EXPECT_EQ(header(ask(path), "Content-Encoding"), "");
}

TEST_F(WebFilesTest, DeepLinksAreTheIndexForBrowsersOnly) {
  const std::map<std::string, std::string> browser = {{"accept", "text/html,*/*;q=0.8"}};
  EXPECT_EQ(ask("jobs/job_1", browser).body, "<html>");
  EXPECT_EQ(ask("jobs/job_1").status, 404);
  EXPECT_EQ(ask("assets/gone-12345678.js", {{"accept", "*/*"}}).status, 404);
  EXPECT_EQ(ask("other.html", browser).status, 404);
}

TEST_F(WebFilesTest, StaysInItsFolder) {
  ASSERT_EQ(::symlink((web_ / "secret.html").c_str(), (web_ / "web/link.html").c_str()), 0);
  for (const char* path : {"../secret.html", "assets/../../secret.html", "link.html", ".env",
                           "assets/../.env", "/etc/passwd", "assets", "assets/.", "a\x01"}) {
    const Reply reply = ask(path);
    EXPECT_EQ(reply.status, 404) << path;
    EXPECT_EQ(reply.body.find("secret\""), std::string::npos);
  }
  EXPECT_EQ(ask(std::string("index.html\0x", 12)).status, 404);
}

TEST_F(WebFilesTest, WithoutAnIndexItSaysHowToGetIt) {
  Call call;
  for (const auto& folder : {std::filesystem::path(), web_ / "absent", web_ / "web/assets"}) {
    const WebFiles files(folder);
    const Reply reply = files.answer(call, "");
    EXPECT_EQ(reply.status, 200);
    EXPECT_NE(reply.body.find("npm run build"), std::string::npos);
    EXPECT_EQ(files.answer(call, "app.js").status, 404);
  }
  // A build that comes later needs no restart.
  const WebFiles files(web_ / "later");
  EXPECT_NE(files.answer(call, "").body, "<html>");
  web_.put("later/index.html", "<html>");
  EXPECT_EQ(files.answer(call, "").body, "<html>");
}

}  // namespace
}  // namespace runyard
