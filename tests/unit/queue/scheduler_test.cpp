// One test for each rule of the scheduler.

#include "core/queue/scheduler.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/unit/queue/request.h"

namespace runyard {
namespace {

using Limits = Scheduler::Limits;
using Dropped = Scheduler::Dropped;

Limits slots(int count) { return {.slots = count}; }

TEST(Scheduler, StartsInOrderOfSubmissionAsFarAsSlotsGo) {
  Scheduler scheduler(slots(2));
  for (int n : {2, 1, 3}) ASSERT_TRUE(scheduler.enqueue(Ask(n).at(0)));
  EXPECT_EQ(ids(scheduler.decide(0)), (Ids{"job_1", "job_2"}));
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{});
  scheduler.ended("job_1", true);
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{"job_3"});
}

TEST(Scheduler, HigherPriorityFirstAndItCanChange) {
  Scheduler scheduler(slots(1));
  ASSERT_TRUE(scheduler.enqueue(Ask(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(2).with_priority(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(3)));
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{"job_2"});
  EXPECT_TRUE(scheduler.set_priority("job_3", 7));
  EXPECT_FALSE(scheduler.set_priority("job_9", 7));
  scheduler.ended("job_2", true);
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{"job_3"});
}

TEST(Scheduler, PriorityOfARunningJobCountsWhenItIsTriedAgain) {
  Scheduler scheduler(slots(1));
  ASSERT_TRUE(scheduler.enqueue(Ask(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(2)));
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{"job_1"});
  EXPECT_TRUE(scheduler.set_priority("job_1", -5));
  EXPECT_TRUE(scheduler.requeue("job_1", std::nullopt));
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{"job_2"});
}

TEST(Scheduler, WaitingRaisesThePriority) {
  Scheduler scheduler({.slots = 1, .ageing = 1000});
  ASSERT_TRUE(scheduler.enqueue(Ask(1).at(0)));
  ASSERT_TRUE(scheduler.enqueue(Ask(2).at(1999).with_priority(2)));
  ASSERT_TRUE(scheduler.enqueue(Ask(3).at(2001).with_priority(2)));
  EXPECT_EQ(ids(scheduler.decide(9000)), Ids{"job_2"});
  scheduler.ended("job_2", true);
  EXPECT_EQ(ids(scheduler.decide(9000)), Ids{"job_1"});
}

TEST(Scheduler, WithoutAgeingOnlyPriorityAndNumberCount) {
  Scheduler scheduler({.slots = 1, .ageing = 0});
  ASSERT_TRUE(scheduler.enqueue(Ask(1).at(0)));
  ASSERT_TRUE(scheduler.enqueue(Ask(3).at(1'000'000'000).with_priority(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(2).at(2'000'000'000).with_priority(1)));
  EXPECT_EQ(ids(scheduler.decide(3'000'000'000)), Ids{"job_2"});
}

TEST(Scheduler, ExtremePrioritiesDoNotOverflow) {
  Scheduler scheduler({.slots = 1, .ageing = std::numeric_limits<TimeMs>::max()});
  ASSERT_TRUE(scheduler.enqueue(Ask(1).with_priority(std::numeric_limits<int>::min())));
  ASSERT_TRUE(scheduler.enqueue(Ask(2)));
  ASSERT_TRUE(scheduler.enqueue(Ask(3).with_priority(std::numeric_limits<int>::max())));
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{"job_3"});
  scheduler.ended("job_3", true);
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{"job_2"});
}

TEST(Scheduler, ABigJobIsNotPassedBySmallOnes) {
  Scheduler scheduler(slots(4));
  ASSERT_TRUE(scheduler.enqueue(Ask(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(2).with_slots(4)));
  ASSERT_TRUE(scheduler.enqueue(Ask(3)));
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{"job_1"});
  scheduler.ended("job_1", true);
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{"job_2"});
}

TEST(Scheduler, AFullGroupBlocksOnlyItself) {
  Scheduler scheduler({.slots = 8, .group_slots = {{"train", 2}}});
  ASSERT_TRUE(scheduler.enqueue(Ask(1).in("train")));
  ASSERT_TRUE(scheduler.enqueue(Ask(2).in("train").with_slots(2)));
  ASSERT_TRUE(scheduler.enqueue(Ask(3).in("train")));
  ASSERT_TRUE(scheduler.enqueue(Ask(4).in("eval")));
  ASSERT_TRUE(scheduler.enqueue(Ask(5)));
  EXPECT_EQ(ids(scheduler.decide(0)), (Ids{"job_1", "job_4", "job_5"}));
  scheduler.ended("job_1", true);
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{"job_2"});
}

TEST(Scheduler, GpusAreGivenExactly) {
  Scheduler scheduler({.slots = 8, .gpu_ids = {4, 2, 7}});
  ASSERT_TRUE(scheduler.enqueue(Ask(1).with_gpus(2)));
  ASSERT_TRUE(scheduler.enqueue(Ask(2)));
  ASSERT_TRUE(scheduler.enqueue(Ask(3).with_gpus(1)));
  EXPECT_EQ(scheduler.decide(0),
            (std::vector<Scheduler::Start>{{"job_1", {4, 2}}, {"job_2", {}}, {"job_3", {7}}}));
  scheduler.ended("job_1", true);
  ASSERT_TRUE(scheduler.enqueue(Ask(4).with_gpus(2)));
  EXPECT_EQ(scheduler.decide(0), (std::vector<Scheduler::Start>{{"job_4", {4, 2}}}));
}

TEST(Scheduler, SharedGpusGoToTheLeastUsedAndOneJobGetsDifferentOnes) {
  Scheduler scheduler({.slots = 8, .gpu_ids = {0, 1}, .jobs_per_gpu = 2});
  for (int n : {1, 2, 3}) ASSERT_TRUE(scheduler.enqueue(Ask(n).with_gpus(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(4).with_gpus(2)));
  EXPECT_EQ(scheduler.decide(0),
            (std::vector<Scheduler::Start>{{"job_1", {0}}, {"job_2", {1}}, {"job_3", {0}}}));
  scheduler.ended("job_2", true);
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{});  // two free shares of GPU 1, none of GPU 0
  scheduler.ended("job_1", true);
  EXPECT_EQ(scheduler.decide(0), (std::vector<Scheduler::Start>{{"job_4", {1, 0}}}));
}

TEST(Scheduler, AJobThatWaitsForGpusKeepsThemAndItsSlotsFromLaterOnes) {
  Scheduler scheduler({.slots = 4, .gpu_ids = {0, 1}});
  ASSERT_TRUE(scheduler.enqueue(Ask(1).with_gpus(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(2).with_gpus(2).with_slots(2)));
  ASSERT_TRUE(scheduler.enqueue(Ask(3).with_gpus(1)));  // GPU 1 is free, but not for it
  ASSERT_TRUE(scheduler.enqueue(Ask(4)));
  ASSERT_TRUE(scheduler.enqueue(Ask(5)));  // the slot that is left besides 2 is taken by job_4
  EXPECT_EQ(ids(scheduler.decide(0)), (Ids{"job_1", "job_4"}));
  scheduler.ended("job_1", true);
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{"job_2"});
}

TEST(Scheduler, AJobThatWaitsForGpusKeepsTheSlotsOfItsGroupToo) {
  Scheduler scheduler({.slots = 8, .group_slots = {{"train", 2}}, .gpu_ids = {0}});
  ASSERT_TRUE(scheduler.enqueue(Ask(1).with_gpus(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(2).with_gpus(1).in("train").with_slots(2)));
  ASSERT_TRUE(scheduler.enqueue(Ask(3).in("train")));
  ASSERT_TRUE(scheduler.enqueue(Ask(4)));
  EXPECT_EQ(ids(scheduler.decide(0)), (Ids{"job_1", "job_4"}));
  scheduler.ended("job_1", true);
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{"job_2"});
}

// Small jobs come for ever, each before the one before it ends; the big one starts all the same.
TEST(Scheduler, NothingStarvesUnderAnEndlessStream) {
  struct Case {
    const char* name;
    Ask big;
    Ask small;
  };
  const Ask model(0);
  std::vector<Case> cases{
      {"slots", Ask(1000).with_slots(4), model},
      {"group", Ask(1000).with_slots(3).in("g"), Ask(0).in("g")},
      {"GPUs", Ask(1000).with_gpus(3), Ask(0).with_gpus(1)},
      {"GPUs in a group", Ask(1000).with_gpus(3).with_slots(2).in("g"),
       Ask(0).with_gpus(1).in("g")},
      {"GPUs against jobs without", Ask(1000).with_gpus(3).with_slots(4), model},
      {"low priority", Ask(1000).with_priority(-3), Ask(0).with_priority(5)},
  };
  for (Case& each : cases) {
    SCOPED_TRACE(each.name);
    Scheduler scheduler(
        {.slots = 4, .group_slots = {{"g", 3}}, .gpu_ids = {0, 1, 2}, .ageing = 100});
    std::vector<std::string> running;
    bool started = false;
    int n = 1;
    for (TimeMs now = 0; now < 2000 && !started; now += 10) {
      if (now == 50) {
        ASSERT_TRUE(scheduler.enqueue(each.big.at(now)));
      }
      for (int i = 0; i < 2; ++i, ++n) {
        Ask small = each.small;
        small.job_id = "job_" + std::to_string(n);
        small.number = n;
        ASSERT_TRUE(scheduler.enqueue(small.at(now)));
      }
      if (!running.empty()) {
        scheduler.ended(running.front(), true);
        running.erase(running.begin());
      }
      for (const std::string& id : ids(scheduler.decide(now))) {
        started |= id == "job_1000";
        running.push_back(id);
      }
    }
    EXPECT_TRUE(started);
  }
}

TEST(Scheduler, AJobStartsWhenAllItIsAfterHaveSucceeded) {
  Scheduler scheduler(slots(4));
  ASSERT_TRUE(scheduler.enqueue(Ask(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(2)));
  ASSERT_TRUE(scheduler.enqueue(Ask(3).after_job(1).after_job(2)));
  EXPECT_EQ(ids(scheduler.decide(0)), (Ids{"job_1", "job_2"}));
  scheduler.ended("job_2", true);
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{});
  scheduler.ended("job_1", true);
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{"job_3"});
}

TEST(Scheduler, AFailureDropsAllThatDependOnItOnceEach) {
  Scheduler scheduler(slots(1));
  ASSERT_TRUE(scheduler.enqueue(Ask(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(2).after_job(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(3).after_job(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(4).after_job(2).after_job(3)));
  ASSERT_TRUE(scheduler.enqueue(Ask(5)));
  ASSERT_TRUE(scheduler.enqueue(Ask(6).after_job(5).after_job(4)));
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{"job_1"});
  EXPECT_EQ(scheduler.ended("job_1", false),
            (std::vector<Dropped>{
                {"job_2", "job_1"}, {"job_3", "job_1"}, {"job_4", "job_2"}, {"job_6", "job_4"}}));
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{"job_5"});
  EXPECT_EQ(scheduler.ended("job_5", true), std::vector<Dropped>{});
  EXPECT_EQ(scheduler.snapshot(0).queued, 0u);
  EXPECT_EQ(scheduler.ended("job_5", true), std::vector<Dropped>{});  // twice is no harm
}

TEST(Scheduler, ACancelledQueuedJobDropsItsDependants) {
  Scheduler scheduler(slots(1));
  ASSERT_TRUE(scheduler.enqueue(Ask(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(2).after_job(1)));
  EXPECT_EQ(scheduler.ended("job_1", false), (std::vector<Dropped>{{"job_2", "job_1"}}));
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{});
}

TEST(Scheduler, ACancelledDependantIsForgottenByItsDependency) {
  Scheduler scheduler(slots(1));
  ASSERT_TRUE(scheduler.enqueue(Ask(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(2).after_job(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(3).after_job(1)));
  scheduler.ended("job_2", false);
  EXPECT_EQ(scheduler.ended("job_1", false), (std::vector<Dropped>{{"job_3", "job_1"}}));
}

TEST(Scheduler, RefusesCyclesAndWhatIsNotThere) {
  Scheduler scheduler(slots(1));
  const auto self = scheduler.enqueue(Ask(1).after_job(1));
  ASSERT_FALSE(self);
  EXPECT_EQ(self.error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(self.error().message, "A job cannot be after itself: leave job_1 out.");
  // A cycle of two, as records edited by hand could hold it: the first is refused, so is the other.
  EXPECT_FALSE(scheduler.enqueue(Ask(1).after_job(2)));
  const auto second = scheduler.enqueue(Ask(2).after_job(1));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message, "job_1 is neither queued nor running: leave it out.");
  EXPECT_EQ(second.error().fields.at(0).pointer, "/_job/after");
  // Nothing of a refused job stays.
  ASSERT_TRUE(scheduler.enqueue(Ask(3)));
  EXPECT_FALSE(scheduler.enqueue(Ask(4).after_job(3).after_job(9)));
  EXPECT_EQ(scheduler.ended("job_3", false), std::vector<Dropped>{});
  EXPECT_TRUE(scheduler.snapshot(0).groups.empty());
}

TEST(Scheduler, RefusesTheSameJobTwice) {
  Scheduler scheduler(slots(1));
  ASSERT_TRUE(scheduler.enqueue(Ask(1)));
  EXPECT_EQ(scheduler.enqueue(Ask(1)).error().kind, ErrorKind::kConflict);
  EXPECT_EQ(scheduler.restore_running(Ask(1), {}).error().kind, ErrorKind::kConflict);
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{"job_1"});
  EXPECT_FALSE(scheduler.enqueue(Ask(1)));
}

TEST(Scheduler, ARetryWaitsForItsTimeAndKeepsItsPlace) {
  Scheduler scheduler({.slots = 1, .gpu_ids = {0}});
  ASSERT_TRUE(scheduler.enqueue(Ask(1).with_gpus(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(2)));
  ASSERT_TRUE(scheduler.enqueue(Ask(3)));
  ASSERT_TRUE(scheduler.enqueue(Ask(4).after_job(1)));
  EXPECT_FALSE(scheduler.requeue("job_1", 500));
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{"job_1"});
  EXPECT_EQ(scheduler.next_wakeup(), std::nullopt);
  EXPECT_TRUE(scheduler.requeue("job_1", 500));
  EXPECT_EQ(scheduler.next_wakeup(), 500);
  EXPECT_EQ(ids(scheduler.decide(499)), Ids{"job_2"});
  scheduler.ended("job_2", true);
  EXPECT_EQ(scheduler.decide(500), (std::vector<Scheduler::Start>{{"job_1", {0}}}));
  EXPECT_EQ(scheduler.next_wakeup(), std::nullopt);
  scheduler.ended("job_1", true);
  EXPECT_EQ(ids(scheduler.decide(500)), Ids{"job_3"});
}

TEST(Scheduler, StartsNothingWhilePausedOrDraining) {
  Scheduler scheduler(slots(4));
  ASSERT_TRUE(scheduler.enqueue(Ask(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(2).no_earlier(50)));
  for (auto mode : {Scheduler::Mode::kPaused, Scheduler::Mode::kDraining}) {
    scheduler.set_mode(mode);
    EXPECT_EQ(ids(scheduler.decide(100)), Ids{});
    EXPECT_EQ(scheduler.next_wakeup(), std::nullopt);
  }
  scheduler.set_mode(Scheduler::Mode::kOpen);
  EXPECT_EQ(scheduler.next_wakeup(), 50);
  EXPECT_EQ(ids(scheduler.decide(100)), (Ids{"job_1", "job_2"}));
}

TEST(Scheduler, RecoveredJobsHoldWhatTheyHadEvenAboveTheLimits) {
  Scheduler scheduler({.slots = 2, .group_slots = {{"g", 1}}, .gpu_ids = {0, 1}});
  ASSERT_TRUE(scheduler.restore_running(Ask(1).with_slots(3).in("g").with_gpus(2), {1, 8}));
  ASSERT_TRUE(scheduler.enqueue(Ask(2).after_job(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(3).with_gpus(1).in("g")));
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{});
  EXPECT_EQ(scheduler.snapshot(0).used, 3);
  scheduler.ended("job_1", true);
  EXPECT_EQ(scheduler.decide(0), (std::vector<Scheduler::Start>{{"job_2", {}}, {"job_3", {0}}}));
}

TEST(Scheduler, AGpuOfARecoveredJobIsNotGivenAgain) {
  Scheduler scheduler({.slots = 4, .gpu_ids = {0, 1}});
  ASSERT_TRUE(scheduler.restore_running(Ask(1).with_gpus(1), {0}));
  ASSERT_TRUE(scheduler.enqueue(Ask(2).with_gpus(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(3).with_gpus(1)));
  EXPECT_EQ(scheduler.decide(0), (std::vector<Scheduler::Start>{{"job_2", {1}}}));
}

TEST(Scheduler, AJobAboveTheLimitsBlocksNobodyAndStartsWhenTheyAllowIt) {
  Scheduler scheduler({.slots = 4, .group_slots = {{"g", 1}}});
  ASSERT_TRUE(scheduler.enqueue(Ask(1).in("g").with_slots(2)));
  ASSERT_TRUE(scheduler.enqueue(Ask(2).in("g")));
  ASSERT_TRUE(scheduler.enqueue(Ask(3).with_slots(5)));
  ASSERT_TRUE(scheduler.enqueue(Ask(4).with_gpus(1)));
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{"job_2"});
  scheduler.set_group_slots("g", 3);
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{"job_1"});
}

TEST(Scheduler, GroupLimitsChangeWhileJobsWait) {
  Scheduler scheduler(slots(8));
  for (int n = 1; n <= 6; ++n) ASSERT_TRUE(scheduler.enqueue(Ask(n).in("g")));
  scheduler.set_group_slots("g", 2);
  EXPECT_EQ(ids(scheduler.decide(0)), (Ids{"job_1", "job_2"}));
  scheduler.set_group_slots("g", 3);
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{"job_3"});
  scheduler.set_group_slots("g", 0);
  scheduler.ended("job_1", true);
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{});
  scheduler.set_group_slots("g", std::nullopt);
  EXPECT_EQ(ids(scheduler.decide(0)), (Ids{"job_4", "job_5", "job_6"}));
}

TEST(Scheduler, JobsThatRunElsewhereHoldNothingHere) {
  Scheduler scheduler({.slots = 2, .elsewhere_slots = 3, .group_slots = {{"narrow", 2}}});
  ASSERT_TRUE(scheduler.enqueue(Ask(1).with_slots(2)));
  ASSERT_TRUE(scheduler.enqueue(Ask(2)));  // no slot is left for it here
  ASSERT_TRUE(scheduler.enqueue(Ask(3).run_elsewhere()));
  ASSERT_TRUE(scheduler.enqueue(Ask(4).run_elsewhere().in("narrow").with_slots(2)));
  ASSERT_TRUE(scheduler.enqueue(Ask(5).run_elsewhere()));
  ASSERT_TRUE(scheduler.enqueue(Ask(6).in("narrow")));
  EXPECT_EQ(ids(scheduler.decide(0)), (Ids{"job_1", "job_3", "job_4"}));
  const auto all = scheduler.snapshot(0);
  EXPECT_EQ(all.used, 2);
  EXPECT_EQ(all.elsewhere_used, 3);
  EXPECT_EQ(scheduler.waiting_for("job_2", 0), "1 slot: 0 of 2 free");
  EXPECT_EQ(scheduler.waiting_for("job_5", 0), "1 slot of slurm.slots: 0 of 3 free");
  scheduler.ended("job_1", true);
  EXPECT_EQ(ids(scheduler.decide(0)), Ids{"job_2"}) << "the group is full with a job elsewhere";
  scheduler.ended("job_4", true);
  EXPECT_EQ(ids(scheduler.decide(0)), (Ids{"job_6", "job_5"}));
  EXPECT_FALSE(scheduler.check(Ask(7).run_elsewhere().with_slots(4)));
  EXPECT_FALSE(scheduler.check(Ask(8).with_slots(3)));
}

}  // namespace
}  // namespace runyard
