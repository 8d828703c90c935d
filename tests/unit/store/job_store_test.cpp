#include "core/store/job_store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/json.hpp>
#include <fstream>
#include <thread>

#include "core/base/files.h"
#include "core/store/clean_mark.h"
#include "tests/unit/base/small_disk.h"
#include "tests/unit/base/temp_folder.h"
#include "tests/unit/model/sample_job.h"
#include "tests/unit/store/store_helpers.h"

namespace runyard {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using Key = IdempotencyKey;

class JobStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { reopen(); }

  void reopen() {
    store_.reset();
    auto opened = open_store(folder_.path());
    store_ = std::move(opened.store);
  }
  /// Changes the database beside the store.
  void execute(const std::string& sql) const {
    auto database = sqlite::Database::open(folder_ / "jobs.db", sqlite::Database::Mode::kReadWrite);
    ASSERT_TRUE(database);
    const auto done = database->execute(sql);
    ASSERT_TRUE(done) << done.error().message;
  }
  bool has(int n) const {
    const auto found = store_->find(numbered(n).job_id);
    EXPECT_TRUE(found);
    return found && *found;
  }
  Job get(int n) const {
    const auto found = store_->find(numbered(n).job_id);
    EXPECT_TRUE(found && *found) << n;
    return found && *found ? **found : Job();
  }

  TempFolder folder_;
  std::unique_ptr<JobStore> store_;
};

// ---- Writing ----

TEST_F(JobStoreTest, KeepsAWholeJob) {
  const Job job = full_job();
  ASSERT_TRUE(insert(*store_, {share(job)}));
  for (int round = 0; round < 2; ++round) {
    const auto found = store_->find(job.job_id);
    ASSERT_TRUE(found && *found);
    EXPECT_EQ(to_json(**found, Form::kStore), to_json(job, Form::kStore));
    reopen();
  }
  EXPECT_FALSE(*store_->find("job_20000101_000000__00000000"));
  EXPECT_FALSE(*store_->find(""));
}

TEST_F(JobStoreTest, KeepsInputsAsDeepAsARequestMayBe) {
  Job job = numbered(1);
  job.params =
      json::parse("{\"deep\":" + std::string(31, '[') + std::string(31, ']') + "}").as_object();
  ASSERT_TRUE(insert(*store_, {share(job)}));
  EXPECT_EQ(get(1).params, job.params);
  EXPECT_EQ(numbers(store_->active(kInstance)), Numbers{1});
}

TEST_F(JobStoreTest, InsertIsAllOrNone) {
  ASSERT_TRUE(insert(*store_, {share(numbered(1))}));
  const auto refused = insert(*store_, {share(numbered(2)), share(numbered(1)), share(numbered(3))},
                              Key{"key", "hash"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInternal);
  EXPECT_EQ(numbers(store_->list({}, 10)), Numbers{1});
  EXPECT_FALSE(*store_->find_key("key", 0));
  EXPECT_FALSE(store_->is_failing());
  ASSERT_TRUE(insert(*store_, {share(numbered(2)), share(numbered(3))}, Key{"key", "hash"}));
  EXPECT_EQ(numbers(store_->list({}, 10)), (Numbers{3, 2, 1}));
}

TEST_F(JobStoreTest, WhatCannotBeInsertedDoesNotFailItsNeighbours) {
  ASSERT_TRUE(insert(*store_, {share(numbered(0))}));
  // The writer is held up, so that all of these come into one transaction.
  std::promise<void> holding, go;
  store_->flush([&](const Result<>&) {
    holding.set_value();
    go.get_future().wait();
  });
  holding.get_future().wait();
  std::vector<std::promise<bool>> answers(9);
  for (int i = 0; i < 9; ++i) {
    store_->insert({share(numbered(i % 3 == 0 ? 0 : i))}, {}, [&answers, i](const Result<>& done) {
      answers[static_cast<std::size_t>(i)].set_value(static_cast<bool>(done));
    });
  }
  go.set_value();
  for (int i = 0; i < 9; ++i) {
    EXPECT_EQ(answers[static_cast<std::size_t>(i)].get_future().get(), i % 3 != 0) << i;
  }
  EXPECT_EQ(numbers(store_->list({}, 20)), (Numbers{8, 7, 5, 4, 2, 1, 0}));
}

TEST_F(JobStoreTest, UpdatesReplaceTheWholeState) {
  Job job = numbered(1);
  ASSERT_TRUE(insert(*store_, {share(job)}));
  job.status = JobStatus::kRunning;
  job.seq = 10;
  job.options.group = "g";
  job.note = "noted";
  ASSERT_TRUE(update(*store_, job));
  EXPECT_EQ(get(1).note, "noted");
  EXPECT_EQ(get(1).status, JobStatus::kRunning);
  EXPECT_EQ(numbers(store_->list(Only().with(JobStatus::kRunning), 10)), Numbers{1});
  EXPECT_EQ(numbers(store_->list(Only().in("g"), 10)), Numbers{1});
  EXPECT_EQ(store_->counters(kInstance)->seq, 10);
}

TEST_F(JobStoreTest, OldUpdatesAreRefused) {
  Job job = numbered(5);
  ASSERT_TRUE(insert(*store_, {share(job)}));
  job.note = "late";
  for (const std::int64_t seq : {std::int64_t{4}, std::int64_t{5}, std::int64_t{-1}}) {
    job.seq = seq;
    const auto refused = update(*store_, job);
    ASSERT_FALSE(refused) << seq;
    EXPECT_EQ(refused.error().kind, ErrorKind::kConflict);
  }
  EXPECT_EQ(get(5).note, "");
  Job unknown = numbered(6);
  unknown.seq = 100;
  EXPECT_EQ(update(*store_, unknown).error().kind, ErrorKind::kConflict);
  EXPECT_FALSE(has(6));
  EXPECT_FALSE(store_->is_failing());
}

TEST_F(JobStoreTest, ForbiddenTransitionsAreRefused) {
  using enum JobStatus;
  const JobStatus all[] = {kQueued, kRunning, kSuccess, kFailed, JobStatus::kCancelled};
  int n = 0;
  for (const JobStatus from : all) {
    for (const JobStatus to : all) {
      Job job = numbered(++n, from);
      ASSERT_TRUE(insert(*store_, {share(job)}));
      job.status = to;
      job.seq = 1000 + n;
      const bool allowed = from == to || is_allowed(from, EndReason::kNone, to);
      const auto done = update(*store_, job);
      EXPECT_EQ(static_cast<bool>(done), allowed) << to_string(from) << " -> " << to_string(to);
      if (!allowed) {
        EXPECT_EQ(done.error().kind, ErrorKind::kConflict);
      }
      EXPECT_EQ(get(n).status, allowed ? to : from);
    }
  }
}

TEST_F(JobStoreTest, ALostJobIsCorrectedOnce) {
  for (const EndReason reason : {EndReason::kLost, EndReason::kExitCode}) {
    Job job = numbered(reason == EndReason::kLost ? 1 : 2, JobStatus::kFailed);
    job.end_reason = reason;
    ASSERT_TRUE(insert(*store_, {share(job)}));
    job.seq = 1000;
    job.status = JobStatus::kSuccess;
    job.end_reason = EndReason::kNone;
    EXPECT_EQ(static_cast<bool>(update(*store_, job)), reason == EndReason::kLost);
    job.seq = 1001;
    job.status = JobStatus::kCancelled;
    EXPECT_FALSE(update(*store_, job));
  }
}

TEST_F(JobStoreTest, ARefusedUpdateDoesNotTouchItsNeighbours) {
  for (int n = 1; n <= 3; ++n) ASSERT_TRUE(insert(*store_, {share(numbered(n))}));
  std::vector<std::future<bool>> answers;
  for (int n = 1; n <= 3; ++n) {
    Job job = numbered(n, n == 2 ? JobStatus::kSuccess : JobStatus::kRunning);
    job.seq = 10 + n;
    auto promise = std::make_shared<std::promise<bool>>();
    answers.push_back(promise->get_future());
    store_->update(share(job), [promise](const Result<>& done) {
      promise->set_value(static_cast<bool>(done));
    });
  }
  EXPECT_TRUE(answers[0].get());
  EXPECT_FALSE(answers[1].get());
  EXPECT_TRUE(answers[2].get());
  EXPECT_EQ(numbers(store_->list(Only().with(JobStatus::kRunning), 10)), (Numbers{3, 1}));
}

TEST_F(JobStoreTest, TakesRecordsAsTheyAre) {
  Job job = numbered(1, JobStatus::kSuccess);
  job.seq = 50;
  ASSERT_TRUE(take(*store_, job));
  EXPECT_EQ(get(1).status, JobStatus::kSuccess);
  job.status = JobStatus::kQueued;
  job.seq = 1;
  ASSERT_TRUE(take(*store_, job));
  EXPECT_EQ(get(1).status, JobStatus::kQueued);
  EXPECT_EQ(*store_->count({}), 1);
}

TEST_F(JobStoreTest, WritesAreAppliedAndAnsweredInTheOrderOfTheCalls) {
  Job job = numbered(0);
  std::vector<int> answered;
  store_->insert({share(job)}, {}, [&](const Result<>& done) {
    EXPECT_TRUE(done);
    answered.push_back(0);
  });
  for (int i = 1; i <= 200; ++i) {
    job.seq = i;
    job.note = std::to_string(i);
    store_->update(share(job), [&answered, i](const Result<>& done) {
      EXPECT_TRUE(done) << i;
      answered.push_back(i);
    });
  }
  ASSERT_TRUE(flush(*store_));
  ASSERT_EQ(answered.size(), 201u);
  EXPECT_TRUE(std::is_sorted(answered.begin(), answered.end()));
  EXPECT_EQ(get(0).note, "200");
}

TEST_F(JobStoreTest, WhatIsWrittenTogetherIsOneTransaction) {
  store_.reset();
  std::atomic<int> transactions = 0;
  std::atomic<std::size_t> writes = 0;
  auto opened = JobStore::open(folder_.path(), [&](double, std::size_t count) {
    ++transactions;
    writes += count;
  });
  ASSERT_TRUE(opened);
  store_ = std::move(opened->store);
  {
    const JobStore::Together together(*store_);
    for (int n = 1; n <= 3; ++n) store_->insert({share(numbered(n))}, {}, {});
    std::this_thread::sleep_for(50ms);  // time enough for a writer that does not wait
    EXPECT_EQ(transactions, 0);
  }
  ASSERT_TRUE(wait_for([&](auto done) { store_->flush(std::move(done)); }));
  EXPECT_TRUE(has(1) && has(2) && has(3));
  EXPECT_LE(transactions, 2);  // the three, and perhaps the flush by itself
  EXPECT_EQ(writes, 4U);
}

TEST_F(JobStoreTest, ManyThreadsSubmitAtOnce) {
  constexpr int kThreads = 8, kEach = 40;
  std::vector<std::thread> threads;
  std::atomic<int> committed = 0;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const int n = 1 + t * kEach + i;
        if (!insert(*store_, {share(numbered(n))})) continue;
        ++committed;
        EXPECT_TRUE(has(n));  // what was answered can be read
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(committed, kThreads * kEach);
  reopen();
  EXPECT_EQ(*store_->count({}), kThreads * kEach);
  EXPECT_EQ(store_->counters(kInstance)->number, kThreads * kEach);
}

TEST_F(JobStoreTest, TheDestructorWritesWhatWaits) {
  for (int n = 1; n <= 100; ++n) store_->insert({share(numbered(n))}, {}, {});
  store_->put_note("last", "one");
  reopen();
  EXPECT_EQ(*store_->count({}), 100);
  EXPECT_EQ(*store_->note("last"), "one");
}

TEST_F(JobStoreTest, CallsWithoutAnAnswerAreFine) {
  store_->insert({share(numbered(1))}, {}, {});
  store_->insert({share(numbered(1))}, {}, {});  // refused
  Job job = numbered(1);
  job.seq = 7;
  store_->update(share(job), {});
  store_->update(share(job), {});  // refused
  store_->remove(numbered(2).job_id, {});
  store_->flush({});
  ASSERT_TRUE(flush(*store_));
  EXPECT_EQ(get(1).seq, 7);
}

// ---- Removing, notes, keys, counters ----

TEST_F(JobStoreTest, RemovingLeavesATombstone) {
  ASSERT_TRUE(insert(*store_, {share(numbered(1)), share(numbered(2))}));
  EXPECT_FALSE(*store_->is_removed(numbered(1).job_id));
  ASSERT_TRUE(remove(*store_, numbered(1).job_id));
  ASSERT_TRUE(remove(*store_, numbered(1).job_id));  // twice is once
  for (int round = 0; round < 2; ++round) {
    EXPECT_FALSE(has(1));
    EXPECT_TRUE(*store_->is_removed(numbered(1).job_id));
    EXPECT_FALSE(*store_->is_removed(numbered(2).job_id));
    EXPECT_EQ(numbers(store_->list({}, 10)), Numbers{2});
    reopen();
  }
  Job late = numbered(1);
  late.seq = 100;
  EXPECT_EQ(update(*store_, late).error().kind, ErrorKind::kConflict);
  EXPECT_FALSE(has(1));
}

TEST_F(JobStoreTest, Notes) {
  EXPECT_EQ(*store_->note("paused"), "");
  store_->put_note("paused", "1");
  store_->put_note("follow:a", "index_runs");
  store_->put_note("follow:b", std::string("数\0据", 7));
  store_->put_note("followed", "no");
  ASSERT_TRUE(flush(*store_));
  EXPECT_EQ(*store_->note("paused"), "1");
  using Notes = std::vector<std::pair<std::string, std::string>>;
  const Notes expected = {{"follow:a", "index_runs"}, {"follow:b", std::string("数\0据", 7)}};
  EXPECT_EQ(*store_->notes("follow:"), expected);
  EXPECT_EQ(store_->notes("")->size(), 4u);
  EXPECT_TRUE(store_->notes("%")->empty());
  reopen();
  EXPECT_EQ(*store_->notes("follow:"), expected);
  store_->put_note("paused", "2");
  store_->put_note("follow:a", "");
  ASSERT_TRUE(flush(*store_));
  EXPECT_EQ(*store_->note("paused"), "2");
  EXPECT_EQ(store_->notes("follow:")->size(), 1u);
}

TEST_F(JobStoreTest, IdempotencyKeys) {
  ASSERT_TRUE(insert(*store_, {share(numbered(1)), share(numbered(2))}, Key{"k1", "h1"}));
  ASSERT_TRUE(insert(*store_, {share(numbered(3))}));
  for (int round = 0; round < 2; ++round) {
    const auto found = store_->find_key("k1", now_ms() - 60'000);
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->body_hash, "h1");
    EXPECT_EQ((*found)->job_ids,
              (std::vector<std::string>{numbered(1).job_id, numbered(2).job_id}));
    EXPECT_FALSE(*store_->find_key("k2", 0));
    EXPECT_FALSE(*store_->find_key("", 0));
    EXPECT_FALSE(*store_->find_key("k1", now_ms() + 60'000));  // too old for who asks
    reopen();
  }
}

TEST_F(JobStoreTest, IdempotencyKeysAreForgottenAfterADay) {
  ASSERT_TRUE(insert(*store_, {share(numbered(1))}, Key{"old", "h"}));
  ASSERT_TRUE(insert(*store_, {share(numbered(2))}, Key{"young", "h"}));
  const TimeMs hour = 3'600'000;
  execute(fmt::format("UPDATE idempotency SET at={} WHERE key='old'", now_ms() - 25 * hour));
  execute(fmt::format("UPDATE idempotency SET at={} WHERE key='young'", now_ms() - 23 * hour));
  EXPECT_TRUE(*store_->find_key("old", 0));
  ASSERT_TRUE(insert(*store_, {share(numbered(3))}, Key{"new", "h"}));
  EXPECT_FALSE(*store_->find_key("old", 0));
  EXPECT_TRUE(*store_->find_key("young", 0));
  EXPECT_TRUE(*store_->find_key("new", 0));
}

TEST_F(JobStoreTest, CountersAreOfOneInstance) {
  EXPECT_EQ(store_->counters(kInstance)->number, 0);
  EXPECT_EQ(store_->counters(kInstance)->seq, 0);
  Job other = numbered(99);
  other.instance = "fedcba9876543210";
  Job mine = numbered(3);
  mine.seq = 30;
  ASSERT_TRUE(insert(*store_, {share(other), share(mine), share(numbered(7))}));
  EXPECT_EQ(store_->counters(kInstance)->number, 7);
  EXPECT_EQ(store_->counters(kInstance)->seq, 30);
  EXPECT_EQ(store_->counters(other.instance)->number, 99);
}

// ---- Reading ----

TEST_F(JobStoreTest, ListsTheNewestFirst) {
  // 2 and 3 of the same millisecond; 5 was submitted first by another server's clock.
  Job second = numbered(2), third = numbered(3), fifth = numbered(5);
  third.created_at = second.created_at;
  fifth.created_at = kFirstDay - 1;
  ASSERT_TRUE(insert(*store_, {share(third), share(fifth), share(numbered(1)), share(numbered(4)),
                               share(second)}));
  EXPECT_EQ(numbers(store_->list({}, 10)), (Numbers{4, 3, 2, 1, 5}));
  EXPECT_EQ(numbers(store_->list({}, 2)), (Numbers{4, 3}));
  EXPECT_EQ(numbers(store_->list({}, 0)), Numbers{});
  EXPECT_EQ(numbers(store_->list(Only().older_than(third.job_id), 10)), (Numbers{2, 1, 5}));
  EXPECT_EQ(numbers(store_->list(Only().older_than(fifth.job_id), 10)), Numbers{});
  EXPECT_EQ(numbers(store_->list(Only().older_than("job_20000101_000000__00000000"), 10)),
            Numbers{});
}

TEST_F(JobStoreTest, PagesHaveEveryJobOnce) {
  // Three servers' jobs of the same numbers and instants.
  std::vector<JobPtr> jobs;
  for (int n = 0; n < 60; ++n) {
    Job job = numbered(n);
    job.created_at = kFirstDay + n / 12;
    job.number = n % 4;
    jobs.push_back(share(std::move(job)));
  }
  ASSERT_TRUE(insert(*store_, jobs));
  std::vector<std::string> paged, whole;
  JobFilter filter;
  for (;;) {
    const auto page = store_->list(filter, 7);
    ASSERT_TRUE(page);
    if (page->empty()) break;
    for (const Job& job : *page) paged.push_back(job.job_id);
    filter.before = page->back().job_id;
    ASSERT_LE(paged.size(), 60u);
  }
  const auto all = store_->list({}, 100);
  for (const Job& job : *all) whole.push_back(job.job_id);
  EXPECT_EQ(paged, whole);
  EXPECT_EQ(paged.size(), 60u);
}

TEST_F(JobStoreTest, Filters) {
  std::vector<JobPtr> jobs;
  for (int n = 1; n <= 12; ++n) {
    Job job = numbered(n, n % 2 ? JobStatus::kQueued : JobStatus::kSuccess);
    job.job_type = n % 3 ? "train" : "backtest";
    job.options.group = n % 4 ? "" : "night";
    jobs.push_back(share(std::move(job)));
  }
  ASSERT_TRUE(insert(*store_, jobs));
  const auto check = [&](const JobFilter& filter, const Numbers& expected) {
    EXPECT_EQ(numbers(store_->list(filter, 100)), expected);
    EXPECT_EQ(*store_->count(filter), static_cast<std::int64_t>(expected.size()));
  };
  check(Only().with(JobStatus::kSuccess), {12, 10, 8, 6, 4, 2});
  check(Only().with(JobStatus::kRunning), {});
  check(Only().of_type("backtest"), {12, 9, 6, 3});
  check(Only().in("night"), {12, 8, 4});
  check(Only().with(JobStatus::kSuccess).of_type("train").in("night"), {8, 4});
  check(Only().with(JobStatus::kSuccess).older_than(numbered(8).job_id), {6, 4, 2});
  check(Only().of_type("train' OR 1=1 --"), {});
  check({}, {12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1});
}

TEST_F(JobStoreTest, TextIsLookedForInTheIdTheNameTheNoteAndTheInputs) {
  Job first = numbered(0x1111), second = numbered(0x2222), third = numbered(0x3333);
  first.options.name = "Über Nacht";
  first.cwd = "/somewhere";
  second.note = "a \"quoted\" note\nof two lines";
  third.params = {{"overrides", {"label.Horizon_days=40", "数据=100%_x"}}, {"ticker", "NVDA"}};
  ASSERT_TRUE(insert(*store_, {share(first), share(second), share(third)}));
  const auto find = [&](const std::string& text) {
    const auto found = numbers(store_->list(Only().saying(text), 10));
    EXPECT_EQ(*store_->count(Only().saying(text)), static_cast<std::int64_t>(found.size()));
    return found;
  };
  EXPECT_EQ(find("__00001111"), Numbers{0x1111});
  EXPECT_EQ(find("JOB_2026"), (Numbers{0x3333, 0x2222, 0x1111}));
  EXPECT_EQ(find("nacht"), Numbers{0x1111});
  EXPECT_EQ(find("Über"), Numbers{0x1111});
  EXPECT_EQ(find("\"Quoted\" note"), Numbers{0x2222});
  EXPECT_EQ(find("of two"), Numbers{0x2222});
  EXPECT_EQ(find("label.horizon_days=40"), Numbers{0x3333});
  EXPECT_EQ(find("数据=100%_"), Numbers{0x3333});
  EXPECT_EQ(find("nvda"), Numbers{0x3333});
  EXPECT_EQ(find("100%%"), Numbers{});
  EXPECT_EQ(find("' OR 1 --"), Numbers{});
  // Not in the rest of the document, where every job has the same words.
  for (const char* text :
       {"queued", "executor", "local", "null", "somewhere", "exit_code", "seq"}) {
    EXPECT_EQ(find(text), Numbers{}) << text;
  }
}

TEST_F(JobStoreTest, ActiveJobsOfOneInstance) {
  using enum JobStatus;
  std::vector<JobPtr> jobs;
  int n = 0;
  for (const JobStatus status :
       {kSuccess, kRunning, kFailed, kQueued, JobStatus::kCancelled, kQueued}) {
    jobs.push_back(share(numbered(++n, status)));
  }
  Job foreign = numbered(50, kRunning);
  foreign.instance = "fedcba9876543210";
  jobs.push_back(share(foreign));
  ASSERT_TRUE(insert(*store_, jobs));
  EXPECT_EQ(numbers(store_->active(kInstance)), (Numbers{2, 4, 6}));
  EXPECT_EQ(numbers(store_->active("none")), Numbers{});
}

TEST_F(JobStoreTest, WrittenAfterASeq) {
  std::vector<JobPtr> jobs;
  for (int n = 1; n <= 5; ++n) {
    Job job = numbered(n);
    job.seq = 100 - n;
    jobs.push_back(share(std::move(job)));
  }
  Job foreign = numbered(50);
  foreign.instance = "fedcba9876543210";
  foreign.seq = 1000;
  jobs.push_back(share(foreign));
  ASSERT_TRUE(insert(*store_, jobs));
  EXPECT_EQ(numbers(store_->written_after(kInstance, 0)), (Numbers{5, 4, 3, 2, 1}));
  EXPECT_EQ(numbers(store_->written_after(kInstance, 97)), (Numbers{2, 1}));
  EXPECT_EQ(numbers(store_->written_after(kInstance, 99)), Numbers{});
}

TEST_F(JobStoreTest, OldestEnded) {
  std::vector<JobPtr> jobs;
  for (int n = 1; n <= 5; ++n) {
    Job job = numbered(n, n == 3 ? JobStatus::kRunning : JobStatus::kFailed);
    if (n != 3) job.ended_at = kFirstDay + 100 - n;
    jobs.push_back(share(std::move(job)));
  }
  ASSERT_TRUE(insert(*store_, jobs));
  EXPECT_EQ(numbers(store_->oldest_ended(kInstance, 10)), (Numbers{5, 4, 2, 1}));
  EXPECT_EQ(numbers(store_->oldest_ended(kInstance, 2)), (Numbers{5, 4}));
  EXPECT_EQ(numbers(store_->oldest_ended("none", 2)), Numbers{});
  EXPECT_EQ(*store_->count_ended(kInstance), 4);
  EXPECT_EQ(*store_->count_ended("none"), 0);
}

TEST_F(JobStoreTest, ReadersSeeWholeCommitsWhileItWrites) {
  std::atomic<bool> stop = false;
  std::thread reader([&] {
    std::int64_t before = 0;
    while (!stop) {
      const auto count = store_->count({});
      ASSERT_TRUE(count);
      ASSERT_EQ(*count % 5, 0);
      ASSERT_GE(*count, before);
      before = *count;
    }
  });
  for (int i = 0; i < 40; ++i) {
    std::vector<JobPtr> five;
    for (int j = 0; j < 5; ++j) five.push_back(share(numbered(i * 5 + j)));
    ASSERT_TRUE(insert(*store_, std::move(five)));
  }
  stop = true;
  reader.join();
}

// ---- Opening ----

TEST_F(JobStoreTest, AFileThatIsNoDatabaseIsMovedAside) {
  store_.reset();
  const std::string garbage = "This is no database.\n" + std::string(5000, '\xfe');
  ASSERT_TRUE(write_file_atomic(folder_ / "jobs.db", garbage));
  auto opened = JobStore::open(folder_.path());
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_NE(opened->moved_aside.find("jobs.db.damaged-"), std::string::npos);
  EXPECT_EQ(*read_file(opened->moved_aside), garbage);
  ASSERT_TRUE(insert(*opened->store, {share(numbered(1))}));
  opened->store.reset();
  reopen();
  EXPECT_TRUE(has(1));
}

TEST_F(JobStoreTest, AFileIsMarkedAsCleanOnlyWhileItIsClosed) {
  const auto mark = folder_ / "jobs.db.clean";
  EXPECT_FALSE(std::filesystem::exists(mark));
  ASSERT_TRUE(insert(*store_, {share(numbered(1))}));
  store_.reset();
  EXPECT_TRUE(CleanMark(folder_ / "jobs.db").take());
  EXPECT_FALSE(CleanMark(folder_ / "jobs.db").take());  // it holds once
  reopen();
  store_.reset();
  std::ofstream(folder_ / "jobs.db", std::ios::app) << "x";
  EXPECT_FALSE(CleanMark(folder_ / "jobs.db").take());
}

TEST_F(JobStoreTest, DamagedPagesAreFoundAtTheOpening) {
  std::vector<JobPtr> jobs;
  for (int n = 1; n <= 300; ++n) jobs.push_back(share(numbered(n)));
  ASSERT_TRUE(insert(*store_, jobs));
  store_.reset();
  const auto path = folder_ / "jobs.db";
  const std::string sound = *read_file(path);
  ASSERT_GT(sound.size(), 100u * 4096);
  for (const std::size_t page : {std::size_t{1}, std::size_t{2}, sound.size() / 4096 / 2}) {
    std::string damaged = sound;
    for (std::size_t i = 0; i < 4096; ++i) damaged[page * 4096 + i] ^= 0x5a;
    ASSERT_TRUE(write_file_atomic(path, damaged));
    auto opened = JobStore::open(folder_.path());
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(*read_file(opened->moved_aside), damaged) << page;
    EXPECT_EQ(*opened->store->count({}), 0);
    opened->store.reset();
    std::filesystem::remove(opened->moved_aside);
    std::filesystem::remove(path);
  }
  ASSERT_TRUE(write_file_atomic(path, sound));
  reopen();
  EXPECT_EQ(*store_->count({}), 300);
}

TEST_F(JobStoreTest, ADatabaseCutShortIsMovedAside) {
  std::vector<JobPtr> jobs;
  for (int n = 1; n <= 100; ++n) jobs.push_back(share(numbered(n)));
  ASSERT_TRUE(insert(*store_, jobs));
  store_.reset();
  const auto path = folder_ / "jobs.db";
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  auto opened = JobStore::open(folder_.path());
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_FALSE(opened->moved_aside.empty());
}

TEST_F(JobStoreTest, AnEmptyFileIsANewDatabase) {
  // What a crash between the file's creation and the first migration leaves.
  store_.reset();
  std::filesystem::remove(folder_ / "jobs.db");
  folder_.put("jobs.db", "");
  reopen();
  EXPECT_EQ(*store_->count({}), 0);
  EXPECT_TRUE(insert(*store_, {share(numbered(1))}));
}

TEST_F(JobStoreTest, ADamagedDocumentOfAnEndedJobIsLeftOut) {
  ASSERT_TRUE(insert(
      *store_, {share(numbered(1, JobStatus::kSuccess)), share(numbered(2, JobStatus::kSuccess))}));
  execute("UPDATE jobs SET doc='{\"job_id\"' WHERE number=1");
  EXPECT_EQ(numbers(store_->list({}, 10)), Numbers{2});
  EXPECT_EQ(numbers(store_->list(Only().saying("base.yaml"), 10)), Numbers{2});
  EXPECT_FALSE(has(1));
  reopen();
  EXPECT_TRUE(has(2));
}

TEST_F(JobStoreTest, AFolderThatIsMissingIsAnError) {
  const auto refused = JobStore::open(folder_ / "none");
  ASSERT_FALSE(refused);
  EXPECT_FALSE(refused.error().message.empty());
}

TEST_F(JobStoreTest, WhatWasCommittedSurvivesAKill) {
  // The files as they are while the writer lives: that is all that a killed server leaves.
  ASSERT_TRUE(insert(*store_, {share(numbered(1)), share(numbered(2))}, Key{"k", "h"}));
  Job job = numbered(1);
  job.seq = 9;
  job.note = "changed";
  ASSERT_TRUE(update(*store_, job));
  TempFolder copy;
  for (const char* name : {"jobs.db", "jobs.db-wal"}) {
    std::filesystem::copy_file(folder_ / name, copy / name);
  }
  auto opened = open_store(copy.path());
  EXPECT_EQ(numbers(opened.store->list({}, 10)), (Numbers{2, 1}));
  EXPECT_EQ((*opened.store->find(job.job_id))->note, "changed");
  EXPECT_TRUE(*opened.store->find_key("k", 0));
}

// ---- A full disk ----

TEST(JobStoreOnAFullDisk, RefusesInsertsAndKeepsUpdates) {
  TempFolder folder;
  SmallDisk disk(folder.path(), 2 << 20);
  if (!disk) GTEST_SKIP() << "only root can mount a small disk";
  auto store = open_store(folder.path()).store;
  ASSERT_TRUE(insert(*store, {share(numbered(1)), share(numbered(2))}));
  {
    std::ofstream filler(folder / "filler", std::ios::binary);
    const std::string block(4096, 'x');
    while (filler.write(block.data(), 4096).flush()) {
    }
  }
  // Both need more room than the files of the database have left.
  Job large = numbered(3);
  large.note = std::string(300'000, 'n');
  const auto refused = insert(*store, {share(numbered(4)), share(large)}, Key{"k", "h"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kNoSpace);

  // What becomes of a new job goes with its insert.
  std::promise<Result<>> of_start;
  {
    const JobStore::Together together(*store);
    Job started = large;
    started.status = JobStatus::kRunning;
    started.seq = 10;
    store->insert({share(large)}, {}, {});
    store->update(share(started), [&of_start](const Result<>& done) { of_start.set_value(done); });
  }
  const auto start = of_start.get_future().get();
  ASSERT_FALSE(start);
  EXPECT_EQ(start.error().kind, ErrorKind::kNoSpace);

  Job grown = numbered(1, JobStatus::kRunning);
  grown.seq = 10;
  grown.note = large.note;
  auto answer = std::make_shared<std::promise<bool>>();
  auto answered = answer->get_future();
  store->update(share(grown), [answer](const Result<>& done) { answer->set_value(bool(done)); });
  // A later change of the same job waits behind it; an insert is refused meanwhile.
  Job later = grown;
  later.seq = 11;
  later.status = JobStatus::kSuccess;
  store->update(share(later), {});
  const auto again = insert(*store, {share(numbered(5))});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::kNoSpace);
  EXPECT_TRUE(store->is_failing());
  EXPECT_EQ(answered.wait_for(0s), std::future_status::timeout);

  // Nothing of what was refused is there, and reading goes on.
  EXPECT_EQ(numbers(store->list({}, 10)), (Numbers{2, 1}));
  EXPECT_FALSE(*store->find_key("k", 0));
  EXPECT_EQ((*store->find(numbered(1).job_id))->status, JobStatus::kQueued);

  std::filesystem::remove(folder / "filler");
  ASSERT_EQ(answered.wait_for(20s), std::future_status::ready);
  EXPECT_TRUE(answered.get());
  ASSERT_TRUE(flush(*store));
  EXPECT_FALSE(store->is_failing());
  EXPECT_EQ((*store->find(numbered(1).job_id))->status, JobStatus::kSuccess);
  EXPECT_EQ((*store->find(numbered(1).job_id))->seq, 11);
  ASSERT_TRUE(insert(*store, {share(numbered(4))}));
  EXPECT_EQ(numbers(store->list({}, 10)), (Numbers{4, 2, 1}));
  store.reset();
}

TEST(JobStoreOnAFullDisk, AClosingStoreDoesNotWaitForRoom) {
  TempFolder folder;
  SmallDisk disk(folder.path(), 2 << 20);
  if (!disk) GTEST_SKIP() << "only root can mount a small disk";
  auto store = open_store(folder.path()).store;
  ASSERT_TRUE(insert(*store, {share(numbered(1))}));
  Job grown = numbered(1);
  grown.seq = 10;
  grown.note = std::string(4 << 20, 'n');  // more than the whole disk
  store->update(share(grown), {});
  store.reset();
  auto opened = open_store(folder.path());
  EXPECT_EQ(numbers(opened.store->list({}, 10)), Numbers{1});
  EXPECT_EQ((*opened.store->find(numbered(1).job_id))->note, "");
}

}  // namespace
}  // namespace runyard
