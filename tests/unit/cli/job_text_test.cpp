#include "cli/job_text.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace runyard::cli {
namespace {

boost::json::object job(const std::string& text) { return boost::json::parse(text).as_object(); }

TEST(ExitCodeOfJob, IsTheJobsOwn) {
  EXPECT_EQ(exit_code_of_job(job(R"({"status": "SUCCESS", "exit_code": 0})")), 0);
  EXPECT_EQ(exit_code_of_job(job(R"({"status": "FAILED", "exit_code": 2})")), 2);
  EXPECT_EQ(exit_code_of_job(job(R"({"status": "FAILED", "signal": 9})")), 137);
  EXPECT_EQ(exit_code_of_job(job(R"({"status": "CANCELLED", "signal": 15})")), 130);
  EXPECT_EQ(exit_code_of_job(job(R"({"status": "FAILED", "exit_code": null})")), 1);
  // Failed although the command ended with 0: never a success.
  EXPECT_EQ(exit_code_of_job(job(R"({"status": "FAILED", "exit_code": 0})")), 1);
  EXPECT_EQ(exit_code_of_job(job(R"({"status": "FAILED", "exit_code": 256})")), 1);
}

TEST(Outcome, SaysHowItEnded) {
  EXPECT_EQ(outcome(job(R"({"status": "SUCCESS", "duration_sec": 65})")), "SUCCESS after 1m05s");
  EXPECT_EQ(outcome(job(R"({"status": "FAILED", "end_reason": "exit_code", "exit_code": 2,
                            "error_message": "[ERROR] x"})")),
            "FAILED (exit code 2): [ERROR] x");
  EXPECT_EQ(outcome(job(R"({"status": "FAILED", "end_reason": "signal", "signal": 9})")),
            "FAILED (signal 9)");
  EXPECT_EQ(outcome(job(R"({"status": "FAILED", "end_reason": "timeout", "signal": 15})")),
            "FAILED (timeout)");
  EXPECT_EQ(outcome(job(R"({"status": "CANCELLED", "end_reason": "cancelled"})")), "CANCELLED");
}

TEST(HasEnded, OnlyTerminalStates) {
  EXPECT_TRUE(has_ended(job(R"({"status": "CANCELLED"})")));
  EXPECT_FALSE(has_ended(job(R"({"status": "RUNNING"})")));
  EXPECT_FALSE(has_ended(job(R"({"status": "SOMETHING"})")));
  EXPECT_FALSE(has_ended({}));
}

TEST(ProgressText, OnlyWhileItRuns) {
  const char* running = R"({"status": "RUNNING", "progress": {"fraction": 0.451, "eta_sec": 130}})";
  EXPECT_EQ(progress_text(job(running)), "45% 2m10s left");
  EXPECT_EQ(progress_text(job(R"({"status": "SUCCESS", "progress": {"fraction": 1}})")), "");
  EXPECT_EQ(progress_text(job(R"({"status": "RUNNING", "progress": null})")), "");
}

TEST(LinkLines, LinksWithTheirAddressAndHintsWithout) {
  EXPECT_EQ(link_lines(job(R"({"links": [{"name": "run_id", "value": "r1", "href": "/runs/r1"},
                               {"name": "run_id", "value": "r2", "href": null}],
                               "artifacts_hint": {"run_id": "r2", "other": "o\u001b"}})"),
                       "http://h"),
            "run_id       r1  http://h/runs/r1\n"
            "run_id       r2\n"
            "other        o\\x1b\n");
}

TEST(DescribeJob, NeverPrintsControlCharactersOfTheServer) {
  const auto hostile = job(R"({"job_id": "j\u001b[2J", "job_type": "t\u0007", "status": "FAILED",
    "error_message": "a\nb\u001b]0;x\u0007", "name": "\u202e", "params": {"k": "\u001b"},
    "command": ["x\u001b"], "tags": ["\u009b"], "after": ["\r"], "note": "\u001b",
    "artifacts_hint": {"\u001b": "\u001b"}, "end_reason": "\u001b"})");
  const std::string text = describe_job(hostile, "http://h", 0, false);
  for (const char c : text) {
    EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << text;
  }
  EXPECT_EQ(text.find("\xc2\x9b"), std::string::npos);
  EXPECT_EQ(text.find("\xe2\x80\xae"), std::string::npos);
}

TEST(JobTable, TakesWhateverComes) {
  const auto jobs = boost::json::parse(R"([{"job_id": "a", "status": "QUEUED",
    "waiting_for": "1 slot", "name": "n"}, 5, {}, {"status": 7}])")
                        .as_array();
  const std::string text = job_table(jobs, 0).render(false, 0);
  EXPECT_NE(text.find("a    QUEUED  1 slot"), std::string::npos) << text;
}

TEST(ShellQuote, PlainWordsStay) {
  EXPECT_EQ(shell_quote("a.b=[1]"), "'a.b=[1]'");
  EXPECT_EQ(shell_quote("configs/base.yaml"), "configs/base.yaml");
  EXPECT_EQ(shell_quote("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_quote(""), "''");
}

}  // namespace
}  // namespace runyard::cli
