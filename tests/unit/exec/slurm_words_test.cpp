#include "core/exec/slurm_words.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

#include "core/base/files.h"

namespace runyard {
namespace {

SlurmJob in_state(const std::string& state) { return {"7", "job", state, "None"}; }

AttemptResult explain(const std::string& state, const std::string& words,
                      EndReason before = EndReason::kNone) {
  AttemptResult result;
  result.reason = before;
  explain_end(in_state(state), words, 200, &result);
  return result;
}

TEST(SlurmWords, EveryEndedStateIsOver) {
  for (const char* state : {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL",
                            "OUT_OF_MEMORY", "PREEMPTED", "BOOT_FAIL", "DEADLINE", "REVOKED"}) {
    EXPECT_TRUE(is_over(state)) << state;
    EXPECT_FALSE(is_waiting(state)) << state;
  }
  for (const char* state : {"PENDING", "CONFIGURING", "REQUEUED"}) {
    EXPECT_TRUE(is_waiting(state)) << state;
    EXPECT_FALSE(is_over(state)) << state;
  }
  for (const char* state : {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "one of the future"}) {
    EXPECT_FALSE(is_over(state)) << state;
    EXPECT_FALSE(is_waiting(state)) << state;
  }
}

TEST(SlurmWords, AReasonThatIsNotKnownIsGivenAsItIs) {
  EXPECT_EQ(reason_in_words("Resources"), "Slurm: no node has what it asks for free");
  EXPECT_EQ(reason_in_words("QOSMaxJobsPerUserLimit"), "Slurm: QOSMaxJobsPerUserLimit");
  EXPECT_EQ(reason_in_words(""), "Slurm: it waits");
}

TEST(SlurmWords, MemoryIsSaidHoweverSlurmSaysIt) {
  for (const auto& result :
       {explain("OUT_OF_MEMORY", ""), explain("FAILED", "Exceeded job memory limit"),
        explain("FAILED", "Detected 1 oom_kill event in StepId=7.batch"),
        // The kernel has killed the command alone, and the supervisor has written its record.
        explain("OUT_OF_MEMORY", "", EndReason::kSignal),
        explain("", "Detected 1 oom-kill event(s)", EndReason::kSignal)}) {
    EXPECT_EQ(result.reason, EndReason::kSignal);
    EXPECT_EQ(result.signal, SIGKILL);
    EXPECT_NE(result.message.find("more memory than the 200 MB"), std::string::npos)
        << result.message;
  }
}

TEST(SlurmWords, WithoutARecordTheJobIsLost) {
  for (const char* state : {"NODE_FAIL", "FAILED", "COMPLETED", "CANCELLED", "PREEMPTED", ""}) {
    const auto result = explain(state, "");
    EXPECT_EQ(result.reason, EndReason::kLost) << state;
    EXPECT_NE(result.message.find("may go on until the node is back"), std::string::npos);
  }
  EXPECT_EQ(explain("TIMEOUT", "").reason, EndReason::kTimeout);
}

TEST(SlurmWords, ASupervisorThatWasToldToStop) {
  const auto lost = EndReason::kLost;
  EXPECT_EQ(explain("CANCELLED", "", lost).reason, EndReason::kCancelled);
  EXPECT_EQ(explain("TIMEOUT", "", lost).reason, EndReason::kTimeout);
  EXPECT_EQ(explain("PREEMPTED", "", lost).reason, EndReason::kLost);
  EXPECT_EQ(explain("PREEMPTED", "on n1", lost).message,
            "Slurm ended the job (PREEMPTED) (Slurm: on n1)");
}

TEST(SlurmWords, ASignalFromElsewhereStaysOne) {
  AttemptResult result;
  result.reason = EndReason::kSignal;
  result.signal = SIGKILL;
  result.message = "the command was killed by SIGKILL";
  explain_end(in_state("FAILED"), "", 0, &result);
  EXPECT_EQ(result.message, "the command was killed by SIGKILL");
  // Slurm's TERM goes to the command as well, which may be the first to end.
  EXPECT_EQ(explain("CANCELLED", "", EndReason::kSignal).reason, EndReason::kCancelled);
  EXPECT_EQ(explain("TIMEOUT", "", EndReason::kSignal).reason, EndReason::kTimeout);
  EXPECT_EQ(explain("PREEMPTED", "", EndReason::kSignal).reason, EndReason::kLost);
}

TEST(SlurmWords, SlurmsErrorsAreOneLine) {
  std::string folder = testing::TempDir() + "words-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  EXPECT_EQ(slurms_words(folder), "");
  ASSERT_TRUE(write_file_atomic(folder + "/slurm.out",
                                "slurmstepd-n1: error: exceeded memory limit\n\n"
                                "slurmstepd-n1: error: exceeded memory limit\nand more"));
  EXPECT_EQ(slurms_words(folder), "exceeded memory limit; and more");
}

}  // namespace
}  // namespace runyard
