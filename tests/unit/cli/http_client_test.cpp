#include "cli/http_client.h"

#include <gtest/gtest.h>

#include "tests/unit/cli/fake_server.h"

namespace runyard::cli {
namespace {

TEST(HttpClient, TakesOnlyAddressesOfServers) {
  EXPECT_EQ(HttpClient::create("127.0.0.1:8000", "")->url(), "http://127.0.0.1:8000");
  EXPECT_EQ(HttpClient::create("http://host/prefix/", "")->url(), "http://host/prefix");
  EXPECT_EQ(HttpClient::create("http://[::1]:8000", "")->url(), "http://[::1]:8000");
  for (const char* bad : {"", "http://", "https://host", "ftp://host", "http://host?x", "a b",
                          "http://user:secret@host"}) {
    EXPECT_EQ(HttpClient::create(bad, "").error().kind, ErrorKind::kInvalid) << bad;
  }
  EXPECT_FALSE(HttpClient::create("http://host", "to\r\nken"));
}

TEST(HttpClient, SendsWhatTheContractAsksFor) {
  std::string seen;
  FakeServer server([&](const std::string& request) {
    seen = request;
    return FakeServer::answer("{}");
  });
  auto client = HttpClient::create(server.url() + "/base", "secret");
  const auto response = client->send({"POST", "/api/x?y=%20", R"({"a":1})", "key", 0});
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "{}");
  EXPECT_TRUE(seen.starts_with("POST /base/api/x?y=%20 HTTP/1.1\r\n")) << seen;
  EXPECT_NE(seen.find("Host: " + server.url().substr(7) + "\r\n"), seen.npos) << seen;
  EXPECT_NE(seen.find("Authorization: Bearer secret\r\n"), seen.npos) << seen;
  EXPECT_NE(seen.find("Content-Type: application/json\r\n"), seen.npos) << seen;
  EXPECT_NE(seen.find("Idempotency-Key: key\r\n"), seen.npos) << seen;
  EXPECT_TRUE(seen.ends_with(R"({"a":1})"));
}

TEST(HttpClient, KeepsTheConnection) {
  FakeServer server([](const std::string&) { return FakeServer::answer("1"); });
  auto client = HttpClient::create(server.url(), "");
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(client->send({}));
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, AConnectionThatTheServerClosedIsReplaced) {
  FakeServer server([](const std::string&) { return "close:" + FakeServer::answer("1"); });
  auto client = HttpClient::create(server.url(), "");
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(client->send({"GET", "/", "", "", 0}));
  EXPECT_EQ(server.connections(), 3);
}

TEST(HttpClient, APostWithoutAKeyIsNotSentTwice) {
  int posts = 0;
  FakeServer server([&](const std::string& request) {
    if (!request.starts_with("POST")) return FakeServer::answer("1");
    return ++posts == 1 ? std::string() : FakeServer::answer("2");
  });
  auto client = HttpClient::create(server.url(), "");
  ASSERT_TRUE(client->send({"GET", "/", "", "", 0}));
  EXPECT_FALSE(client->send({"POST", "/", "{}", "", 0}));
  EXPECT_EQ(posts, 1);
  posts = 0;
  ASSERT_TRUE(client->send({"GET", "/", "", "", 0}));
  EXPECT_TRUE(client->send({"POST", "/", "{}", "key", 0}));
  EXPECT_EQ(posts, 2);
}

TEST(HttpClient, StreamsTheBodyOfASuccessAlone) {
  bool ok = true;
  FakeServer server([&](const std::string&) {
    if (!ok) return FakeServer::answer("no", "text/plain", "404 Not Found");
    return std::string(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
  });
  auto client = HttpClient::create(server.url(), "");
  std::string streamed;
  const auto sink = [&](std::string_view chunk) { streamed += chunk; };
  EXPECT_EQ(client->send({}, sink)->body, "");
  EXPECT_EQ(streamed, "abcdefg");
  ok = false;
  EXPECT_EQ(client->send({}, sink)->body, "no");
  EXPECT_EQ(streamed, "abcdefg");
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, ARangeThatIsIgnoredDoesNotReachTheSink) {
  std::string status = "206 Partial Content", seen;
  FakeServer server([&](const std::string& request) {
    seen = request;
    return FakeServer::answer("abc", "text/plain", status);
  });
  auto client = HttpClient::create(server.url(), "");
  std::string streamed;
  const auto sink = [&](std::string_view chunk) { streamed += chunk; };
  EXPECT_EQ(client->send({"GET", "/", "", "", 7}, sink)->status, 206);
  EXPECT_NE(seen.find("Range: bytes=7-\r\n"), seen.npos) << seen;
  EXPECT_EQ(streamed, "abc");
  status = "200 OK";
  EXPECT_EQ(client->send({"GET", "/", "", "", 7}, sink)->body, "abc");
  EXPECT_EQ(streamed, "abc");
}

TEST(HttpClient, NobodyListens) {
  std::string url;
  {
    FakeServer server([](const std::string&) { return std::string(); });
    url = server.url();
  }
  auto client = HttpClient::create(url, "");
  const auto response = client->send({});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, ErrorKind::kUnavailable);
  EXPECT_NE(response.error().message.find("runyard serve"), std::string::npos);
}

TEST(PercentEncode, EverythingButPlainCharacters) {
  EXPECT_EQ(percent_encode("a-Z_0.~"), "a-Z_0.~");
  EXPECT_EQ(percent_encode("a b/ü&"), "a%20b%2F%C3%BC%26");
}

}  // namespace
}  // namespace runyard::cli
