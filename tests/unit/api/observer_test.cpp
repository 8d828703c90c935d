#include "api/observer.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <boost/json.hpp>
#include <set>
#include <sstream>

#include "core/base/log.h"

namespace runyard {
namespace {

class ObserverTest : public testing::Test {
 protected:
  ObserverTest()
      : before_(spdlog::default_logger()),
        router_(
            {{"GET", "/api/jobs/:id", Role::kViewer, "", [](const Call&) { return Reply(); }, {}},
             {"POST",
              "/api/jobs/:id/cancel",
              Role::kOperator,
              "",
              [](const Call&) { return Reply(); },
              {}}}) {
    auto logger = std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_));
    logger->set_formatter(make_log_formatter(true));
    spdlog::set_default_logger(logger);
  }
  ~ObserverTest() override { spdlog::set_default_logger(before_); }

  void answer(Observer& observer, int status, const std::string& target, std::string body = "") {
    Call call;
    call.method = "GET";
    call.target = target;
    call.client = "127.0.0.1";
    Reply reply;
    reply.status = status;
    reply.body = std::move(body);
    const auto match = router_.find("GET", target);
    observer.answered(call, false, match.route, reply, observer.id_of(call),
                      Observer::Clock::now());
  }
  std::vector<boost::json::object> lines() {
    std::vector<boost::json::object> all;
    std::istringstream text(log_.str());
    for (std::string line; std::getline(text, line);) {
      all.push_back(boost::json::parse(line).as_object());
    }
    return all;
  }

  std::ostringstream log_;
  std::shared_ptr<spdlog::logger> before_;
  Metrics metrics_;
  Router router_;
};

TEST_F(ObserverTest, MeasuresByRouteAndClassAndNeverByAddress) {
  Observer observer(metrics_, router_, false);
  answer(observer, 200, "/api/jobs/job_1");
  answer(observer, 204, "/api/jobs/job_2");
  answer(observer, 404, "/api/jobs/job_3");
  answer(observer, 404, "/nothing/here\"\n");
  answer(observer, 200, "/api/jobs/job_1/cancel");  // no GET of it
  const std::string text = metrics_.text();
  const auto has = [&](const std::string& line) { return text.find(line) != std::string::npos; };
  const std::string name = "runyard_http_request_seconds_count";
  EXPECT_TRUE(has(name + R"({method="GET",route="/api/jobs/:id",status="2xx"} 2)")) << text;
  EXPECT_TRUE(has(name + R"({method="GET",route="/api/jobs/:id",status="4xx"} 1)")) << text;
  EXPECT_TRUE(has(name + R"({method="",route="",status="4xx"} 1)")) << text;
  EXPECT_FALSE(has("job_1"));
  EXPECT_FALSE(has("nothing"));
  EXPECT_TRUE(lines().empty()) << "at debug, which is not logged";
}

TEST_F(ObserverTest, WritesALineForEachRequestWhenAsked) {
  Observer observer(metrics_, router_, true);
  answer(observer, 200, "/api/jobs/job_1", "12345");
  answer(observer, 404, "/a\nforged line");
  const auto all = lines();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].at("message"), "request");
  EXPECT_EQ(all[0].at("method"), "GET");
  EXPECT_EQ(all[0].at("route"), "/api/jobs/:id");
  EXPECT_EQ(all[0].at("path"), "/api/jobs/job_1");
  EXPECT_EQ(all[0].at("status"), 200);
  EXPECT_EQ(all[0].at("bytes"), 5);
  EXPECT_EQ(all[0].at("peer"), "127.0.0.1");
  EXPECT_TRUE(all[0].contains("us"));
  EXPECT_EQ(all[1].at("path"), "/a\nforged line");
  EXPECT_FALSE(all[1].contains("route"));
  EXPECT_NE(all[0].at("request_id"), all[1].at("request_id"));
}

TEST_F(ObserverTest, KeepsAnIdThatIsOneAndMakesOneOtherwise) {
  Observer observer(metrics_, router_, false);
  const auto id_for = [&](const std::string& sent) {
    Call call;
    if (!sent.empty()) call.headers["x-request-id"] = sent;
    return observer.id_of(call);
  };
  EXPECT_EQ(id_for("abc-1.2_Z"), "abc-1.2_Z");
  EXPECT_EQ(id_for(std::string(64, 'a')), std::string(64, 'a'));
  std::set<std::string> made;
  for (const std::string& bad : std::vector<std::string>{
           "", "a b", "a\r\nX: y", std::string(65, 'a'), "\xff", "<script>", "a\"b"}) {
    const std::string id = id_for(bad);
    EXPECT_NE(id, bad);
    EXPECT_TRUE(made.insert(id).second) << id;
    EXPECT_EQ(id_for(id), id) << "what is made is an id";
  }
}

}  // namespace
}  // namespace runyard
