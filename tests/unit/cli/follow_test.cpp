#include "cli/follow.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "cli/event_reader.h"
#include "core/base/text.h"
#include "tests/unit/cli/fake_server.h"

namespace runyard::cli {
namespace {

namespace json = boost::json;

/// A server with one job, whose log grows by a few bytes with each connection of a follower, and
/// which goes away after them. Of the requests for which `drop` says so, it breaks the connection,
/// in the middle of the answer if there is one.
class GrowingJob {
 public:
  GrowingJob(std::string log, std::size_t step, std::function<bool(int)> drop)
      : log_(std::move(log)), step_(step), drop_(std::move(drop)) {}

  std::string handle(const std::string& request) {
    const std::string reply = answer(request);
    if (!drop_(++count_)) return reply;
    return (reply.starts_with("close:") ? "" : "close:") + reply.substr(0, reply.size() - 5);
  }

 private:
  std::string answer(const std::string& request) {
    if (request.starts_with("GET /api/jobs/j HTTP")) {
      const bool ended = size_ == log_.size();
      const char* status = ended ? "SUCCESS" : count_ < 2 ? "QUEUED" : "RUNNING";
      return FakeServer::answer(json::serialize(
          json::object{{"job_id", "j"}, {"status", status}, {"waiting_for", "a slot"}}));
    }
    const auto from_header = request.find("Range: bytes=");
    if (from_header != std::string::npos) {
      const auto from = std::stoul(request.substr(from_header + 13));
      const auto until = std::stoul(request.substr(request.find('-', from_header) + 1)) + 1;
      // Closed, because this server talks to one connection at a time.
      return "close:" +
             FakeServer::answer(log_.substr(from, until - from), "text/plain", "206 Part");
    }
    auto at = std::stoul(request.substr(request.find("offset=") + 7));
    size_ = std::min(log_.size(), size_ + step_);
    std::string events = "retry: 2000\n\n: heartbeat\n\n";
    while (at < size_) {
      std::string_view text =
          std::string_view(log_).substr(at, std::min<std::size_t>(size_ - at, 17));
      if (const auto rest = incomplete_utf8_tail(text); rest < text.size())
        text.remove_suffix(rest);
      at += text.size();
      events += fmt::format("id: {}\ndata: {}\n\n", at,
                            json::serialize(json::object{{"text", sanitize_utf8(text)}}));
    }
    if (size_ == log_.size()) events += "event: end\ndata: {\"status\": \"SUCCESS\"}\n\n";
    return "close:HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" +
           events;
  }

  std::string log_;
  std::size_t step_, size_ = 0;
  std::function<bool(int)> drop_;
  int count_ = 0;
};

std::string followed(GrowingJob& job, std::int64_t offset = 0) {
  FakeServer server([&](const std::string& request) { return job.handle(request); });
  Api api(std::move(*HttpClient::create(server.url(), "")));
  std::FILE* file = std::tmpfile();
  LogSink sink(file);
  const auto last = Follower(api, "j", sink, offset).run();
  EXPECT_TRUE(last) << last.error().message;
  std::string text(static_cast<std::size_t>(std::ftell(file)), '\0');
  std::rewind(file);
  EXPECT_EQ(std::fread(text.data(), 1, text.size(), file), text.size());
  std::fclose(file);
  return text;
}

std::string sample() {
  std::string log;
  for (int i = 0; i < 6; ++i) log += fmt::format("{} 日本 📈 \x1b[31m\xff\r\n", i);
  return log;
}

TEST(Follower, PrintsEveryByteOnce) {
  for (const std::size_t step : {60u, 1000u}) {
    GrowingJob job(sample(), step, [](int) { return false; });
    EXPECT_EQ(followed(job), sample()) << step;
  }
}

TEST(Follower, LosesAndRepeatsNothingWhenTheServerGoesAway) {
  GrowingJob job(sample(), 50, [](int count) { return count % 4 == 0; });
  EXPECT_EQ(followed(job), sample());
}

TEST(Follower, BeginsAtAnOffset) {
  GrowingJob job(sample(), 1000, [](int) { return false; });
  // As after `--tail`: what is before it has been printed.
  EXPECT_EQ(followed(job, 2), sample().substr(2));
}

TEST(Follower, AServerThatWasNeverThereIsAnError) {
  Api api(std::move(*HttpClient::create("http://127.0.0.1:1", "")));
  LogSink sink(stdout);
  const auto last = Follower(api, "j", sink).run();
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().kind, ErrorKind::kUnavailable);
}

TEST(Follower, AJobThatIsGoneIsAnError) {
  FakeServer server([](const std::string&) {
    return FakeServer::answer(R"({"detail": "there is no such job"})", "application/problem+json",
                              "404 Not Found");
  });
  Api api(std::move(*HttpClient::create(server.url(), "")));
  LogSink sink(stdout);
  const auto last = Follower(api, "j", sink).run();
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().message, "there is no such job");
}

std::vector<std::string> events(std::string_view stream, std::size_t piece) {
  EventReader reader;
  std::vector<std::string> seen;
  for (; !stream.empty(); stream.remove_prefix(std::min(piece, stream.size()))) {
    reader.feed(stream.substr(0, piece), [&](const EventReader::Event& event) {
      seen.push_back(event.name + "|" + event.id + "|" + event.data);
    });
  }
  return seen;
}

TEST(EventReader, ReadsEventsInAnyPieces) {
  const std::string stream =
      ": comment\n\nretry: 5\n\nid: 7\ndata: {\"a\": 1}\n\ndata:two\r\ndata: lines\r\n\r\n"
      "event: end\nid:\n\ndata: not complete";
  for (const std::size_t piece : {1u, 2u, 5u, 1000u}) {
    EXPECT_EQ(events(stream, piece),
              (std::vector<std::string>{"|7|{\"a\": 1}", "|7|two\nlines", "end||"}))
        << piece;
  }
}

}  // namespace
}  // namespace runyard::cli
