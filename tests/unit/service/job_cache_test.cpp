#include "core/service/job_cache.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

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

TEST(JobCache, HoldsTheNewestThousandExactly) {
  JobCache cache;
  for (int i = 1; i <= kMore; ++i) cache.add(job(i, JobStatus::kSuccess));
  const auto newest = cache.newest(JobCache::kNewest);
  ASSERT_TRUE(newest);
  ASSERT_EQ(newest->size(), JobCache::kNewest);
  for (std::size_t i = 0; i < newest->size(); ++i) {
    ASSERT_EQ((*newest)[i].job->number, kMore - static_cast<int>(i));
  }
  EXPECT_FALSE(cache.newest(JobCache::kNewest + 1));
  EXPECT_FALSE(cache.find(job(50, JobStatus::kSuccess)->job_id));
  EXPECT_TRUE(cache.find(job(51, JobStatus::kSuccess)->job_id));
}

TEST(JobCache, AnActiveJobIsNotGivenAsTheNextWhenOthersAreBetween) {
  JobCache cache;
  cache.add(job(0, JobStatus::kQueued));
  for (int i = 1; i <= kMore; ++i) cache.add(job(i, JobStatus::kSuccess));
  // 999 ended ones and the active one are held; between them lie evicted ones.
  EXPECT_EQ(cache.newest(JobCache::kNewest - 1)->size(), JobCache::kNewest - 1);
  EXPECT_FALSE(cache.newest(JobCache::kNewest));
  cache.publish(job(0, JobStatus::kCancelled, 2));  // now it may go
  cache.add(job(kMore + 1, JobStatus::kQueued));
  cache.publish(job(kMore + 1, JobStatus::kFailed, 2));
  EXPECT_FALSE(cache.find(job(0, JobStatus::kQueued)->job_id));
}

TEST(JobCache, MoreActiveJobsThanItWouldHoldOfOthers) {
  JobCache cache;
  for (int i = 1; i <= kMore; ++i) cache.add(job(i, JobStatus::kQueued));
  for (int i = 1; i <= kMore; ++i) ASSERT_TRUE(cache.find(job(i, JobStatus::kQueued)->job_id)) << i;
  EXPECT_EQ(cache.newest(kMore)->size(), static_cast<std::size_t>(kMore));
  cache.publish(job(7, JobStatus::kSuccess, 2));
  EXPECT_FALSE(cache.find(job(7, JobStatus::kQueued)->job_id));
  EXPECT_EQ(cache.newest(500)->size(), 500u);
  EXPECT_EQ(cache.total(), kMore);
}

TEST(JobCache, ReadersSeeWholeStatesWhileItChanges) {
  JobCache cache;
  for (int i = 0; i < 100; ++i) cache.add(job(i, JobStatus::kQueued));
  std::atomic<bool> stop = false;
  std::thread reader([&] {
    while (!stop) {
      const auto newest = cache.newest(50);
      ASSERT_TRUE(newest);
      ASSERT_EQ(newest->size(), 50u);
      for (std::size_t i = 1; i < 50; ++i) {
        ASSERT_GT((*newest)[i - 1].job->number, (*newest)[i].job->number);
      }
      ASSERT_NE((*newest)[0].document().find(to_string((*newest)[0].job->status)),
                std::string::npos);
    }
  });
  for (int round = 2; round < 12; ++round) {
    for (int i = 0; i < 100; ++i) {
      cache.publish(job(i, round % 2 ? JobStatus::kRunning : JobStatus::kQueued, round));
    }
  }
  stop = true;
  reader.join();
}

TEST(JobCache, ForgetsWhatItDoesNotHold) {
  JobCache cache;
  for (int i = 1; i <= kMore; ++i) cache.add(job(i, JobStatus::kSuccess));
  cache.forget(job(1, JobStatus::kSuccess)->job_id);
  EXPECT_EQ(cache.total(), kMore - 1);
  EXPECT_EQ(cache.newest(500)->size(), 500u);
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
