#include "core/store/schema.h"

#include <gtest/gtest.h>

#include "core/base/files.h"
#include "tests/unit/base/temp_folder.h"
#include "tests/unit/store/store_helpers.h"

namespace runyard {
namespace {

using Mode = sqlite::Database::Mode;

sqlite::Database database_at(const std::filesystem::path& path) {
  auto database = sqlite::Database::open(path, Mode::kReadWrite);
  if (!database) throw std::runtime_error(database.error().message);
  return std::move(*database);
}
void execute(sqlite::Database& database, const std::string& sql) {
  const auto done = database.execute(sql);
  ASSERT_TRUE(done) << done.error().message;
}
std::int64_t number(sqlite::Database& database, const std::string& sql) {
  auto query = database.prepare(sql);
  if (!query || !query->step()) return -1;
  return query->integer(0);
}

/// Every table, index and column, to compare two databases.
std::vector<std::string> shape(sqlite::Database& database) {
  auto query = database.prepare(
      "SELECT type||' '||name||' '||coalesce(sql,'') FROM sqlite_schema"
      " ORDER BY 1");
  std::vector<std::string> lines;
  while (query && *query->step()) lines.emplace_back(query->text(0));
  return lines;
}

TEST(Schema, MakesAnEmptyDatabaseTheNewest) {
  TempFolder folder;
  auto database = database_at(folder / "jobs.db");
  ASSERT_TRUE(migrate(database));
  EXPECT_EQ(number(database, "PRAGMA user_version"), schema_version());
  const auto lines = shape(database);
  ASSERT_TRUE(migrate(database));
  EXPECT_EQ(shape(database), lines);
}

TEST(Schema, AFailedMigrationLeavesTheVersionBefore) {
  TempFolder folder;
  auto database = database_at(folder / "jobs.db");
  execute(database, "CREATE TABLE notes(in_the_way)");  // the last table of the first migration
  EXPECT_FALSE(migrate(database));
  EXPECT_EQ(number(database, "PRAGMA user_version"), 0);
  EXPECT_EQ(shape(database).size(), 1u);
  execute(database, "BEGIN IMMEDIATE; ROLLBACK");  // no transaction was left open
}

TEST(Schema, ANewerDatabaseIsRefusedUntouched) {
  TempFolder folder;
  open_store(folder.path()).store.reset();
  {
    auto database = database_at(folder / "jobs.db");
    execute(database, "PRAGMA user_version=" + std::to_string(schema_version() + 1));
    execute(database, "PRAGMA wal_checkpoint(TRUNCATE)");
  }
  const std::string before = *read_file(folder / "jobs.db");
  const auto refused = JobStore::open(folder.path());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInternal);
  EXPECT_NE(refused.error().message.find("newer"), std::string::npos) << refused.error().message;
  EXPECT_EQ(*read_file(folder / "jobs.db"), before);
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    EXPECT_EQ(entry.path().string().find("damaged"), std::string::npos) << entry.path();
  }
}

/// One text file for each schema that was ever released (core/store/schema.cpp).
class Fixtures : public ::testing::TestWithParam<int> {};

TEST_P(Fixtures, OpensWithTheJobsInIt) {
  TempFolder folder;
  const auto sql = read_file(std::filesystem::path(RUNYARD_FIXTURES) /
                             ("v" + std::to_string(GetParam()) + ".sql"));
  ASSERT_TRUE(sql) << sql.error().message;
  {
    auto database = database_at(folder / "jobs.db");
    execute(database, *sql);
    ASSERT_EQ(number(database, "PRAGMA user_version"), GetParam());
    ASSERT_EQ(number(database, "SELECT count(*) FROM jobs"), 6);
  }
  auto opened = JobStore::open(folder.path());
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->moved_aside, "");
  JobStore& store = *opened->store;
  const std::string instance = "00112233445566aa";

  const auto jobs = store.list({}, 10);
  ASSERT_TRUE(jobs);
  ASSERT_EQ(jobs->size(), 6u);
  EXPECT_EQ(numbers(store.active(instance)), (Numbers{4, 5}));
  EXPECT_EQ(store.counters(instance)->number, 5);
  EXPECT_EQ(store.counters(instance)->seq, 42);
  EXPECT_EQ(*store.count(Only().in("nightly")), 1);
  EXPECT_TRUE(*store.is_removed("job_20260301_080000__0000dead"));
  EXPECT_EQ(*store.note("paused"), "1");
  const auto key = store.find_key("retry-1", 0);
  ASSERT_TRUE(key && *key);
  EXPECT_EQ((*key)->job_ids, std::vector<std::string>{"job_20260301_090005__00000005"});

  const auto makers = store.jobs_of("20260301_090002__0e304dfc", 10);
  ASSERT_TRUE(makers && makers->size() == 1);
  EXPECT_EQ(makers->front().job_id, "job_20260301_090001__00000001");
  EXPECT_EQ(makers->front().relation, Relation::kProduced);

  const auto trained = store.find("job_20260301_090001__00000001");
  ASSERT_TRUE(trained && *trained);
  const Job& job = **trained;
  EXPECT_EQ(job.status, JobStatus::kSuccess);
  EXPECT_EQ(job.job_type, "train");
  EXPECT_EQ(job.created_at, *parse_time("2026-03-01T09:00:01.250+08:00"));
  EXPECT_EQ(job.artifacts_hint.at("run_id"), "20260301_090002__0e304dfc");
  ASSERT_EQ(job.links.size(), 1u);
  EXPECT_EQ(job.links[0].href, "/runs/20260301_090002__0e304dfc");
  ASSERT_EQ(job.attempts.size(), 2u);
  EXPECT_EQ(job.attempts[0].end_reason, EndReason::kSignal);
  EXPECT_EQ(job.attempts[1].log_end, 20'480);
  EXPECT_EQ(job.options.max_retries, 1);
  EXPECT_EQ(job.params.at("config_path"), "configs/base.yaml");
  EXPECT_EQ(job.note, "下一版 \"best\"");
  EXPECT_EQ(job.exit_code, 0);

  const auto failed = store.find("job_20260301_090002__00000002");
  ASSERT_TRUE(failed && *failed);
  EXPECT_EQ((*failed)->end_reason, EndReason::kExitCode);
  EXPECT_EQ((*failed)->error_message, "[ERROR] no data for TSM: data/stocks/TSM.csv is missing");

  const auto running = store.find("job_20260301_090004__00000004");
  ASSERT_TRUE(running && *running);
  EXPECT_EQ((*running)->status, JobStatus::kRunning);
  EXPECT_EQ((*running)->scan_offset, 900);
  ASSERT_TRUE((*running)->progress);
  EXPECT_EQ((*running)->progress->current, 20'480);
  EXPECT_EQ((*running)->gpu_ids, std::vector<int>{1});

  // It can be worked with: the queued one starts, another one comes.
  Job next = **store.find("job_20260301_090005__00000005");
  EXPECT_EQ(next.options.after, std::vector<std::string>{"job_20260301_090004__00000004"});
  next.status = JobStatus::kRunning;
  next.seq = 43;
  ASSERT_TRUE(update(store, next));
  ASSERT_TRUE(insert(store, {share(numbered(7))}));

  // And it has become what a new database is.
  TempFolder other;
  open_store(other.path()).store.reset();
  auto fresh = database_at(other / "jobs.db");
  auto migrated = database_at(folder / "jobs.db");
  EXPECT_EQ(shape(migrated), shape(fresh));
}

INSTANTIATE_TEST_SUITE_P(EveryVersion, Fixtures, ::testing::Range(1, schema_version() + 1),
                         [](const auto& version) { return "v" + std::to_string(version.param); });

}  // namespace
}  // namespace runyard
