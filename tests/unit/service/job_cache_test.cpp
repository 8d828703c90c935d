#include "core/service/job_cache.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace runyard {
namespace {

JobPtr job(int number, JobStatus status, std::int64_t revision = 1) {
  Job job;
  job.job_id = fmt::format("job_20260101_000000__{:08x}", number);
  job.job_type = "t";
  job.number = number;
  job.created_at = 1'000'000 + number;
  job.status = status;
  job.revision = revision;
  if (is_terminal(status)) job.ended_at = job.created_at;
  return std::make_shared<const Job>(std::move(job));
}

constexpr int kMore = static_cast<int>(JobCache::kNewest) + 50;

TEST(JobCache, GivesTheNewestFirst) {
  JobCache cache;
  for (int i : {2, 3, 1}) cache.add(job(i, JobStatus::kQueued));
  const auto newest = cache.newest(2);
  ASSERT_TRUE(newest);
  ASSERT_EQ(newest->size(), 2u);
  EXPECT_EQ((*newest)[0].job->number, 3);
  EXPECT_EQ((*newest)[1].job->number, 2);
  EXPECT_EQ(cache.newest(500)->size(), 3u);
  EXPECT_EQ(cache.total(), 3);
}

TEST(JobCache, IgnoresAnOlderRevision) {
  JobCache cache;
  cache.add(job(1, JobStatus::kQueued, 1));
  cache.publish(job(1, JobStatus::kSuccess, 5));
  cache.publish(job(1, JobStatus::kRunning, 4));
  EXPECT_EQ(cache.find(job(1, JobStatus::kQueued)->job_id)->job->status, JobStatus::kSuccess);
  EXPECT_EQ(cache.total(), 1);
}

TEST(JobCache, EvictsEndedJobsAndKeepsActiveOnes) {
  JobCache cache;
  cache.add(job(0, JobStatus::kRunning));
  for (int i = 1; i <= kMore; ++i) cache.add(job(i, JobStatus::kSuccess));
  EXPECT_EQ(cache.total(), kMore + 1);
  EXPECT_TRUE(cache.find(job(0, JobStatus::kRunning)->job_id)) << "the oldest, but active";
  EXPECT_FALSE(cache.find(job(1, JobStatus::kSuccess)->job_id));
  EXPECT_EQ(cache.newest(500)->size(), 500u);
  // Behind the evicted ones the cache does not know what comes next.
  EXPECT_FALSE(cache.newest(JobCache::kNewest + 10));
}

TEST(JobCache, DoesNotCountAnOldJobThatChangesTwice) {
  JobCache cache;
  for (int i = 1; i <= kMore; ++i) cache.add(job(i, JobStatus::kSuccess));
  cache.publish(job(1, JobStatus::kSuccess, 2));  // a note on an evicted job
  EXPECT_EQ(cache.total(), kMore);
  EXPECT_EQ(cache.newest(500)->size(), 500u);
}

TEST(JobCache, KnowsThatTheDatabaseHasMore) {
  JobCache cache;
  for (int i = 1; i <= 3; ++i) cache.publish(job(i, JobStatus::kSuccess));
  cache.set_total(10);
  EXPECT_EQ(cache.newest(2)->size(), 2u);
  EXPECT_FALSE(cache.newest(4));
}

TEST(JobCache, Forgets) {
  JobCache cache;
  cache.add(job(1, JobStatus::kSuccess));
  cache.add(job(2, JobStatus::kSuccess));
  cache.forget(job(2, JobStatus::kSuccess)->job_id);
  EXPECT_EQ(cache.total(), 1);
  EXPECT_EQ(cache.newest(10)->size(), 1u);
}

TEST(JobCache, WritesADocumentForEachReaderWhileAJobRuns) {
  JobCache cache;
  cache.add(job(1, JobStatus::kRunning));
  cache.add(job(2, JobStatus::kSuccess));
  EXPECT_FALSE(cache.find(job(1, JobStatus::kRunning)->job_id)->text);
  EXPECT_TRUE(cache.find(job(2, JobStatus::kRunning)->job_id)->text);
  EXPECT_NE(cache.find(job(1, JobStatus::kRunning)->job_id)->document().find("RUNNING"),
            std::string::npos);
}

}  // namespace
}  // namespace runyard
