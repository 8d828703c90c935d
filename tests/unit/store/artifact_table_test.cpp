#include "core/store/artifact_table.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "tests/unit/base/temp_folder.h"
#include "tests/unit/store/store_helpers.h"

namespace runyard {
namespace {

const std::string kRun = "20260217_171416__0e304dfc";
const std::string kBacktest = "bt_20260217_201717__e5ce1595";

class ArtifactTableTest : public ::testing::Test {
 protected:
  ArtifactTableTest() : store_(open_store(folder_.path()).store) {}

  /// `+number` for a job that produced it, `-number` for one that used it, the newest first.
  std::string jobs_of(const std::string& artifact, std::size_t limit = 10) {
    const auto jobs = store_->jobs_of(artifact, limit);
    if (!jobs) return "ERROR " + jobs.error().message;
    std::string all;
    for (const ArtifactJob& job : *jobs) {
      all += (all.empty() ? "" : " ") +
             std::string(job.relation == Relation::kProduced ? "+" : "-") +
             std::to_string(job.number);
    }
    return all;
  }
  static Job using_run(int n) {
    Job job = numbered(n);
    job.params = {{"run_id", kRun}};
    return job;
  }

  TempFolder folder_;
  std::unique_ptr<JobStore> store_;
};

TEST_F(ArtifactTableTest, ComesWithTheJob) {
  Job job = numbered(1);
  job.options.name = "nightly";
  ASSERT_TRUE(insert(*store_, {share(job), share(using_run(2))}));
  EXPECT_EQ(jobs_of(kRun), "-2");
  job.status = JobStatus::kRunning;
  job.seq = 3;
  job.links = {{"run_id", kRun, ""}};
  ASSERT_TRUE(update(*store_, job));
  EXPECT_EQ(jobs_of(kRun), "-2 +1");
  job.status = JobStatus::kSuccess;
  job.seq = 4;
  job.links.push_back({"bt_run_id", kBacktest, ""});
  ASSERT_TRUE(update(*store_, job));
  EXPECT_EQ(jobs_of(kRun), "-2 +1");
  EXPECT_EQ(jobs_of(kBacktest), "+1");
  const auto found = store_->jobs_of(kBacktest, 10);
  ASSERT_TRUE(found && found->size() == 1);
  EXPECT_EQ((*found)[0].job_id, job.job_id);
  EXPECT_EQ((*found)[0].job_type, "train");
  EXPECT_EQ((*found)[0].status, JobStatus::kSuccess);
  EXPECT_EQ((*found)[0].created_at, job.created_at);
  EXPECT_EQ((*found)[0].name, "nightly");
}

TEST_F(ArtifactTableTest, FollowsWhatChanges) {
  Job job = using_run(1);
  ASSERT_TRUE(insert(*store_, {share(job)}));
  job.params = {{"run_id", "20260217_171416__00000000"}};
  job.seq = 2;
  ASSERT_TRUE(update(*store_, job));
  EXPECT_EQ(jobs_of(kRun), "");
  EXPECT_EQ(jobs_of("20260217_171416__00000000"), "-1");
  job.params = {{"run_id", kRun}};
  ASSERT_TRUE(take(*store_, job));  // from its record
  EXPECT_EQ(jobs_of(kRun), "-1");
  ASSERT_TRUE(take(*store_, using_run(5)));
  EXPECT_EQ(jobs_of(kRun), "-5 -1");
  ASSERT_TRUE(remove(*store_, job.job_id));
  EXPECT_EQ(jobs_of(kRun), "-5");
}

TEST_F(ArtifactTableTest, LeavesNothingOfARefusedInsert) {
  ASSERT_TRUE(insert(*store_, {share(numbered(1))}));
  EXPECT_FALSE(insert(*store_, {share(using_run(2)), share(using_run(1))}));
  EXPECT_EQ(jobs_of(kRun), "");
}

TEST_F(ArtifactTableTest, KeepsTheProducerAmongManyUsers) {
  Job producer = numbered(1);
  producer.links = {{"run_id", kRun, ""}};
  std::vector<JobPtr> jobs{share(producer)};
  for (int n = 2; n <= 50; ++n) jobs.push_back(share(using_run(n)));
  ASSERT_TRUE(insert(*store_, jobs));
  EXPECT_EQ(jobs_of(kRun, 3), "-50 -49 -48 +1");
}

TEST_F(ArtifactTableTest, IsFilledWhenAnOldDatabaseIsOpened) {
  Job job = using_run(1);
  ASSERT_TRUE(insert(*store_, {share(job), share(numbered(2))}));
  store_.reset();
  {
    auto database =
        *sqlite::Database::open(folder_ / "jobs.db", sqlite::Database::Mode::kReadWrite);
    ASSERT_TRUE(
        database.execute("DROP TABLE job_artifacts; PRAGMA user_version=1;"
                         "UPDATE jobs SET doc='{' WHERE number=2"));
  }
  // A damaged document of a job that is to go on would make the whole file count as damaged.
  {
    auto database =
        *sqlite::Database::open(folder_ / "jobs.db", sqlite::Database::Mode::kReadWrite);
    ASSERT_TRUE(database.execute("UPDATE jobs SET status='SUCCESS' WHERE number=2"));
  }
  auto opened = JobStore::open(folder_.path());
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->moved_aside, "");
  store_ = std::move(opened->store);
  EXPECT_EQ(jobs_of(kRun), "-1");
}

}  // namespace
}  // namespace runyard
