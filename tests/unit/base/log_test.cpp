#include "core/base/log.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <boost/json.hpp>
#include <sstream>

#include "core/base/clock.h"
#include "core/base/files.h"
#include "tests/unit/base/temp_folder.h"

namespace runyard {
namespace {

/// The default logger writes into a text while one of these lives.
class Capture {
 public:
  explicit Capture(bool json) : before_(spdlog::default_logger()) {
    auto logger = std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(out_));
    logger->set_formatter(make_log_formatter(json));
    spdlog::set_default_logger(logger);
  }
  ~Capture() { spdlog::set_default_logger(before_); }
  std::string text() const { return out_.str(); }

 private:
  std::ostringstream out_;
  std::shared_ptr<spdlog::logger> before_;
};

TEST(Log, IsALineOfTextWithItsFields) {
  Capture capture(false);
  log_event(spdlog::level::info, "job ended",
            {{"job_id", "job_1"},
             {"note", ""},
             {"exit_code", 3},
             {"seconds", 0.25},
             {"message", "two words"}});
  const std::string line = capture.text();
  const auto space = line.find(' ');
  EXPECT_TRUE(parse_time(line.substr(0, space))) << line;
  EXPECT_EQ(line.substr(space),
            " info job ended job_id=job_1 exit_code=3 seconds=0.25 message=\"two words\"\n");
}

TEST(Log, NothingFromOutsideCanForgeALine) {
  for (const bool json : {false, true}) {
    Capture capture(json);
    log_event(spdlog::level::warn, "bad\nname",
              {{"x", "a\n2026-01-01 info forged\x1b[31m\r\x7f"}, {"y", "q\"=\\ \xff"}});
    spdlog::info("plain {}", "with\nnewline");
    const std::string text = capture.text();
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
    for (const char c : text) EXPECT_TRUE(c == '\n' || (c >= 0x20 || c < 0)) << text;
    EXPECT_EQ(text.find('\x7f'), std::string::npos);
  }
}

TEST(Log, JsonHoldsExactlyWhatWasGiven) {
  Capture capture(true);
  const std::string nasty = "q\" \\ \n\t数据";
  log_event(spdlog::level::err, nasty, {{"text", nasty}, {"n", -7}, {"empty", ""}, {"f", 1.5}});
  const auto line = boost::json::parse(capture.text()).as_object();
  EXPECT_EQ(line.at("level").as_string(), "error");
  EXPECT_EQ(line.at("message").as_string(), nasty);
  EXPECT_EQ(line.at("text").as_string(), nasty);
  EXPECT_EQ(line.at("n").as_int64(), -7);
  EXPECT_EQ(line.at("f").as_double(), 1.5);
  EXPECT_FALSE(line.contains("empty"));
  EXPECT_TRUE(parse_time(line.at("time").as_string()));
}

TEST(Log, FieldsBelongToTheirEventAlone) {
  Capture capture(true);
  log_event(spdlog::level::info, "one", {{"x", 1}});
  spdlog::info("two");
  log_event(spdlog::level::debug, "below the level", {{"x", 2}});
  const std::string text = capture.text();
  EXPECT_EQ(text.find("\"x\"", text.find("two")), std::string::npos) << text;
  EXPECT_EQ(text.find("below"), std::string::npos);
}

TEST(Log, AFileIsRotatedAndItsOldPartsGo) {
  const auto before = spdlog::default_logger();
  TempFolder folder;
  LogOptions options;
  options.file = folder.path() / "logs/server.log";
  options.file_bytes = 1000;
  options.file_keep = 2;
  options.level = "warn";
  ASSERT_TRUE(start_log(options));
  for (int i = 0; i < 100; ++i) spdlog::warn("line {}", i);
  spdlog::info("not at this level");
  spdlog::set_default_logger(before);
  const auto newest = read_file(options.file);
  ASSERT_TRUE(newest);
  EXPECT_NE(newest->find("line 99"), std::string::npos);
  EXPECT_EQ(newest->find("not at"), std::string::npos);
  EXPECT_LE(newest->size(), 1000u);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "logs/server.2.log"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "logs/server.3.log"));

  options.file = folder.path();
  const auto refused = start_log(options);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("log.file"), std::string::npos);
}

}  // namespace
}  // namespace runyard
