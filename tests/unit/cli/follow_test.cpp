#include "cli/follow.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "tests/unit/cli/fake_server.h"

namespace runyard::cli {
namespace {

namespace json = boost::json;

/// A server with one job, whose log grows with every request by a few bytes. Of the requests for
/// which `drop` says so, it breaks the connection, in the middle of the answer if there is one.
class GrowingJob {
 public:
  GrowingJob(std::string log, std::size_t step, std::function<bool(int)> drop)
      : log_(std::move(log)), step_(step), drop_(std::move(drop)) {}

  std::string handle(const std::string& request) {
    const std::string reply = answer(request);
    return drop_(++count_) ? "close:" + reply.substr(0, reply.size() - 5) : reply;
  }

 private:
  std::string answer(const std::string& request) {
    if (request.starts_with("GET /api/jobs/j HTTP")) {
      const bool ended = size_ == log_.size();
      return FakeServer::answer(json::serialize(
          json::object{{"job_id", "j"}, {"status", ended ? "SUCCESS" : "RUNNING"}}));
    }
    const bool absent = size_ == 0;  // the log of a job that has not begun is empty
    size_ = std::min(log_.size(), size_ + step_);
    const auto range = request.find("Range: bytes=");
    if (range == std::string::npos) {
      return FakeServer::answer(absent ? "" : log_.substr(0, size_), "text/plain");
    }
    const auto from = std::stoul(request.substr(range + 13));
    if (from >= size_) return FakeServer::answer("{}", "application/json", "416 Bad Range");
    return FakeServer::answer(log_.substr(from, size_ - from), "text/plain", "206 Part");
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
  for (const std::size_t step : {25u, 1000u}) {
    GrowingJob job(sample(), step, [](int) { return false; });
    EXPECT_EQ(followed(job), sample()) << step;
  }
}

TEST(Follower, LosesAndRepeatsNothingWhenTheServerGoesAway) {
  GrowingJob job(sample(), 23, [](int count) { return count % 3 == 0; });
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

}  // namespace
}  // namespace runyard::cli
