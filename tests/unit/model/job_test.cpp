#include "core/model/job.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

namespace runyard {
namespace {

using enum JobStatus;

constexpr JobStatus kAll[] = {kQueued, kRunning, kSuccess, kFailed, JobStatus::kCancelled};

TEST(StateMachine, AllTwentyFiveTransitions) {
  const std::set<std::pair<JobStatus, JobStatus>> allowed = {{kQueued, kRunning},
                                                             {kQueued, kFailed},
                                                             {kQueued, JobStatus::kCancelled},
                                                             {kRunning, kQueued},
                                                             {kRunning, kSuccess},
                                                             {kRunning, kFailed},
                                                             {kRunning, JobStatus::kCancelled}};
  for (const JobStatus from : kAll) {
    for (const JobStatus to : kAll) {
      const bool expected = allowed.contains({from, to});
      EXPECT_EQ(is_allowed(from, EndReason::kNone, to), expected)
          << to_string(from) << " -> " << to_string(to);
      Job job;
      job.status = from;
      EXPECT_EQ(job.transition(to), expected);
      EXPECT_EQ(job.status, expected ? to : from);
    }
  }
}

TEST(StateMachine, ALostJobIsCorrectedByItsResult) {
  for (const JobStatus from : kAll) {
    for (const JobStatus to : kAll) {
      const bool before = is_allowed(from, EndReason::kNone, to);
      const bool corrected = from == kFailed && is_terminal(to);
      EXPECT_EQ(is_allowed(from, EndReason::kLost, to), before || corrected)
          << to_string(from) << " -> " << to_string(to);
      EXPECT_EQ(is_allowed(from, EndReason::kExitCode, to), before);
    }
  }
}

TEST(StateMachine, TerminalIsWhatNothingFollows) {
  for (const JobStatus from : kAll) {
    bool any = false;
    for (const JobStatus to : kAll) any = any || is_allowed(from, EndReason::kNone, to);
    EXPECT_EQ(is_terminal(from), !any) << to_string(from);
  }
}

TEST(Names, OfStatuses) {
  EXPECT_EQ(to_string(kQueued), "QUEUED");
  EXPECT_EQ(to_string(kRunning), "RUNNING");
  EXPECT_EQ(to_string(kSuccess), "SUCCESS");
  EXPECT_EQ(to_string(kFailed), "FAILED");
  EXPECT_EQ(to_string(JobStatus::kCancelled), "CANCELLED");
  for (const JobStatus status : kAll) EXPECT_EQ(parse_status(to_string(status)), status);
  for (const char* text : {"", "queued", "DONE", "SUCCESS ", "CANCELED"}) {
    EXPECT_EQ(parse_status(text), std::nullopt) << text;
  }
}

TEST(Names, OfEndReasons) {
  const std::pair<EndReason, const char*> names[] = {{EndReason::kNone, ""},
                                                     {EndReason::kExitCode, "exit_code"},
                                                     {EndReason::kSignal, "signal"},
                                                     {EndReason::kTimeout, "timeout"},
                                                     {EndReason::kLogLimit, "log_limit"},
                                                     {EndReason::kLost, "lost"},
                                                     {EndReason::kSpawnError, "spawn_error"},
                                                     {EndReason::kDependency, "dependency"},
                                                     {EndReason::kCancelled, "cancelled"}};
  for (const auto& [reason, name] : names) {
    EXPECT_EQ(to_string(reason), name);
    EXPECT_EQ(parse_end_reason(name), reason);
  }
  EXPECT_EQ(parse_end_reason("EXIT_CODE"), std::nullopt);
  EXPECT_EQ(parse_end_reason("other"), std::nullopt);
}

TEST(Duration, FromTheStartToTheEndOrNow) {
  Job job;
  EXPECT_EQ(job.duration_sec(), std::nullopt);
  job.started_at = 1000;
  job.ended_at = 3500;
  EXPECT_EQ(job.duration_sec(), 2.5);
  job.ended_at = 500;  // a clock that was set back
  EXPECT_EQ(job.duration_sec(), 0.0);
  job.ended_at.reset();
  job.started_at = now_ms() - 60'000;
  EXPECT_GE(*job.duration_sec(), 60.0);
  EXPECT_LT(*job.duration_sec(), 120.0);
}

TEST(ProgressFraction, IsNeverAboveOne) {
  EXPECT_EQ((Progress{5, 20, {}}.fraction()), 0.25);
  EXPECT_EQ((Progress{30, 20, {}}.fraction()), 1.0);
  EXPECT_EQ((Progress{5, 0, {}}.fraction()), 0.0);
}

TEST(Paths, AreRelativeToTheWorkspace) {
  Job job;
  job.job_id = "job_20261122_101530__0af39c7e";
  EXPECT_EQ(job.log_path(), "reports/jobs/job_20261122_101530__0af39c7e.log");
  EXPECT_EQ(job.meta_path(), "reports/jobs/job_20261122_101530__0af39c7e.json");
}

}  // namespace
}  // namespace runyard
