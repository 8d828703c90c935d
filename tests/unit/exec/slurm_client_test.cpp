#include "core/exec/slurm_client.h"

#include <gtest/gtest.h>

namespace runyard {
namespace {

TEST(SlurmClient, ReadsSqueue) {
  const auto jobs = SlurmClient::parse(
      "12|job_20261122_101530__00000001-1-1|PENDING|(Resources)|0|\n"
      "13|other|FAILED|NonZeroExitCode|2304|\n"
      "half a line|\n\n"
      "14|x|CANCELLED|None|15|");
  ASSERT_EQ(jobs.size(), 3u);
  EXPECT_EQ(jobs[0].id, "12");
  EXPECT_EQ(jobs[0].name, "job_20261122_101530__00000001-1-1");
  EXPECT_EQ(jobs[0].state, "PENDING");
  EXPECT_EQ(jobs[1].wait_status, 2304);
  EXPECT_EQ(jobs[2].id, "14");
  EXPECT_EQ(jobs[2].wait_status, 15);
  EXPECT_TRUE(SlurmClient::parse("").empty());
}

}  // namespace
}  // namespace runyard
