#include "api/stream_server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <thread>

namespace runyard {
namespace {

using namespace std::chrono_literals;

constexpr int kPatienceMs = 10'000;

/// The two ends of a TCP connection, as the server and a client have them.
std::pair<UniqueFd, UniqueFd> make_connection() {
  UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(::bind(listener.get(), plain, size), 0);
  EXPECT_EQ(::listen(listener.get(), 1), 0);
  EXPECT_EQ(::getsockname(listener.get(), plain, &size), 0);
  UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(client.get(), plain, size), 0);
  UniqueFd server(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  EXPECT_TRUE(server);
  return {std::move(server), std::move(client)};
}

/// Reads until `enough` says so, or the other side closes.
std::string read_until(const UniqueFd& fd, const std::function<bool(const std::string&)>& enough) {
  std::string text;
  while (!enough(text)) {
    pollfd wait{fd.get(), POLLIN, 0};
    if (::poll(&wait, 1, kPatienceMs) != 1) {
      ADD_FAILURE() << "nothing more came after " << text.size() << " bytes";
      break;
    }
    char buffer[65536];
    const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text;
}

std::string read_all(const UniqueFd& fd) {
  return read_until(fd, [](const std::string&) { return false; });
}

std::string read_past(const UniqueFd& fd, const std::string& end) {
  return read_until(fd, [&](const std::string& text) { return text.find(end) != text.npos; });
}

void wait_for(const std::function<bool()>& condition) {
  for (int i = 0; i < kPatienceMs && !condition(); ++i) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(condition());
}

/// A text that grows; every listener gets all of it, a piece at a time.
struct Growing {
  std::mutex mutex;
  std::string text;
  bool is_over = false;
  std::atomic<int> sources = 0;

  void add(const std::string& more, bool last = false) {
    const std::lock_guard lock(mutex);
    text += more;
    is_over = last;
  }
};

class GrowingSource : public StreamSource {
 public:
  explicit GrowingSource(Growing& growing) : growing_(growing) { ++growing_.sources; }
  ~GrowingSource() override { --growing_.sources; }
  Piece next() override {
    const std::lock_guard lock(growing_.mutex);
    auto piece = std::make_shared<const std::string>(growing_.text.substr(at_, 40'000));
    at_ += piece->size();
    return {piece, growing_.is_over && at_ == growing_.text.size()};
  }

 private:
  Growing& growing_;
  std::size_t at_ = 0;
};

class StreamServerTest : public testing::Test {
 protected:
  void serve(StreamServer::Options options) {
    server_ = std::make_unique<StreamServer>(options);
    channel_ = server_->make_channel();
  }
  UniqueFd listen(const std::string& as = "") {
    auto place = server_->admit(as);
    EXPECT_TRUE(place);
    auto [socket, client] = make_connection();
    server_->send(std::move(socket), "HEAD\r\n\r\n",
                  {std::make_unique<GrowingSource>(growing_), channel_}, std::move(*place));
    return std::move(client);
  }

  const std::string opening_ = "HEAD\r\n\r\nretry: 2000\n\n";
  Growing growing_;
  std::unique_ptr<StreamServer> server_;
  std::shared_ptr<StreamChannel> channel_;
};

TEST_F(StreamServerTest, SendsWhatIsThereThenWhatComesThenEnds) {
  serve({});
  growing_.add("data: 1\n\n");
  const UniqueFd client = listen();
  EXPECT_EQ(read_past(client, "1\n\n"), opening_ + "data: 1\n\n");
  growing_.add("data: 2\n\n");
  channel_->wake();
  EXPECT_EQ(read_past(client, "2\n\n"), "data: 2\n\n");
  EXPECT_EQ(server_->streams(), 1);
  growing_.add("data: 3\n\n", true);
  channel_->wake();
  EXPECT_EQ(read_all(client), "data: 3\n\n");
  wait_for([&] { return server_->streams() == 0 && growing_.sources == 0; });
}

TEST_F(StreamServerTest, NoWakeIsLost) {
  serve({});
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(listen());
  std::string expected = opening_;
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([&] {
      for (int n = 0; n < 500; ++n) {
        growing_.add("data: x\n\n");
        channel_->wake();
      }
    });
  }
  for (auto& writer : writers) writer.join();
  for (int n = 0; n < 2000; ++n) expected += "data: x\n\n";
  for (const auto& client : clients) {
    EXPECT_EQ(read_until(client, [&](const auto& text) { return text.size() >= expected.size(); }),
              expected);
  }
}

TEST_F(StreamServerTest, OneThatDoesNotReadCatchesUpAndHoldsUpNobody) {
  serve({});
  const UniqueFd lazy = listen();
  const UniqueFd eager = listen();
  std::string expected = opening_;
  for (int n = 0; n < 200; ++n) {
    const std::string event = "data: " + std::string(100'000, 'a') + std::to_string(n) + "\n\n";
    growing_.add(event);
    expected += event;
    channel_->wake();
  }
  const auto whole = [&](const std::string& text) { return text.size() >= expected.size(); };
  EXPECT_TRUE(read_until(eager, whole) == expected);
  EXPECT_TRUE(read_until(lazy, whole) == expected);
}

TEST_F(StreamServerTest, SilentStreamsGetHeartbeats) {
  serve({.heartbeat = 30ms});
  const UniqueFd client = listen();
  EXPECT_EQ(read_past(client, ": \n\n: \n\n"), opening_ + ": \n\n: \n\n");
}

TEST_F(StreamServerTest, OneThatReadsNothingForTooLongIsGivenUp) {
  serve({.heartbeat = 15s, .stall_limit = 100ms});
  growing_.add(std::string(64u << 20, 'x'));
  const UniqueFd client = listen();
  wait_for([&] { return server_->sockets() == 1; });
  wait_for([&] { return server_->sockets() == 0; });
  EXPECT_EQ(growing_.sources, 0);
  EXPECT_EQ(server_->streams(), 0);
}

TEST_F(StreamServerTest, ClientsThatGoLeaveNothingBehind) {
  serve({});
  for (int i = 0; i < 200; ++i) listen();
  wait_for([&] { return server_->sockets() == 0; });
  EXPECT_EQ(growing_.sources, 0);
  EXPECT_EQ(server_->streams(), 0);
}

TEST_F(StreamServerTest, HalfClosedClientGetsWhatIsThere) {
  serve({});
  growing_.add("data: 1\n\n");
  auto place = server_->admit("");
  auto [socket, client] = make_connection();
  ::shutdown(client.get(), SHUT_WR);
  server_->send(std::move(socket), "HEAD\r\n\r\n",
                {std::make_unique<GrowingSource>(growing_), channel_}, std::move(*place));
  EXPECT_EQ(read_all(client), opening_ + "data: 1\n\n");
}

TEST_F(StreamServerTest, AStreamThatFailsEndsAlone) {
  struct Bad : StreamSource {
    Piece next() override { throw std::runtime_error("on purpose"); }
  };
  serve({});
  const UniqueFd good = listen();
  auto place = server_->admit("");
  auto [socket, client] = make_connection();
  server_->send(std::move(socket), "HEAD\r\n\r\n", {std::make_unique<Bad>(), channel_},
                std::move(*place));
  EXPECT_EQ(read_all(client), opening_);
  growing_.add("data: 1\n\n", true);
  channel_->wake();
  EXPECT_EQ(read_all(good), opening_ + "data: 1\n\n");
}

TEST_F(StreamServerTest, LimitsInAllAndOfOneClient) {
  serve({.max_streams = 3, .max_streams_per_client = 2});
  {
    const auto first = server_->admit("ada");
    const auto second = server_->admit("ada");
    ASSERT_TRUE(first && second);
    const auto third = server_->admit("ada");
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error().kind, ErrorKind::kUnavailable);
    EXPECT_NE(third.error().message.find("max_streams_per_client"), std::string::npos);
    const auto other = server_->admit("");
    ASSERT_TRUE(other);
    const auto fourth = server_->admit("bob");
    ASSERT_FALSE(fourth);
    EXPECT_NE(fourth.error().message.find("server.max_streams'"), std::string::npos);
    EXPECT_EQ(server_->streams(), 3);
  }
  EXPECT_EQ(server_->streams(), 0);
  EXPECT_TRUE(server_->admit("ada"));
}

TEST_F(StreamServerTest, StopEndsStreamsAfterWhatIsOnItsWay) {
  serve({});
  growing_.add("data: 1\n\n");
  const UniqueFd idle = listen();
  EXPECT_EQ(read_past(idle, "1\n\n"), opening_ + "data: 1\n\n");
  server_->stop(10s);
  EXPECT_EQ(read_all(idle), "retry: 2000\nevent: shutdown\ndata: {}\n\n");
  EXPECT_EQ(growing_.sources, 0);
  EXPECT_FALSE(server_->admit(""));
}

class FileTest : public StreamServerTest {
 protected:
  FileBody make_file(std::int64_t size) {
    std::string pattern = testing::TempDir() + "fileXXXXXX";
    UniqueFd fd(::mkstemp(pattern.data()));
    ::unlink(pattern.c_str());
    content_.clear();
    while (static_cast<std::int64_t>(content_.size()) < size) {
      content_ += std::to_string(content_.size()) + std::string(100, ' ');
    }
    content_.resize(static_cast<std::size_t>(size));
    EXPECT_EQ(write_all(fd.get(), content_), 0);
    return {std::move(fd), 0, size};
  }
  UniqueFd send(FileBody body) {
    auto [socket, client] = make_connection();
    server_->send(std::move(socket), "HEAD\r\n\r\n", std::move(body));
    return std::move(client);
  }
  std::string content_;
};

TEST_F(FileTest, SendsAPartOfAFile) {
  serve({});
  FileBody body = make_file(8'000'000);
  body.offset = 100;
  body.size = 7'000'000;
  const UniqueFd client = send(std::move(body));
  EXPECT_TRUE(read_all(client) == "HEAD\r\n\r\n" + content_.substr(100, 7'000'000));
  ::shutdown(client.get(), SHUT_WR);
  wait_for([&] { return server_->sockets() == 0; });
}

TEST_F(FileTest, AFileThatShrinksEndsShort) {
  serve({});
  FileBody body = make_file(100);
  body.size = 1000;
  const UniqueFd client = send(std::move(body));
  EXPECT_EQ(read_all(client).substr(0, 108), "HEAD\r\n\r\n" + content_);
}

TEST_F(FileTest, StopLetsAFileBeSentWithinItsLimit) {
  serve({});
  const UniqueFd client = send(make_file(8'000'000));
  std::thread stopping([&] { server_->stop(20s); });
  EXPECT_TRUE(read_all(client) == "HEAD\r\n\r\n" + content_);
  stopping.join();
}

TEST_F(FileTest, StopDropsAClientThatDoesNotRead) {
  serve({});
  const UniqueFd client = send(make_file(8'000'000));
  server_->stop(50ms);
  EXPECT_EQ(server_->sockets(), 0);
}

}  // namespace
}  // namespace runyard
