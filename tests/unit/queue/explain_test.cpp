// What the scheduler says: refusals, reasons for waiting, the administrator's view.

#include <gtest/gtest.h>

#include <limits>

#include "core/queue/scheduler.h"
#include "tests/unit/queue/request.h"

namespace runyard {
namespace {

using Limits = Scheduler::Limits;

std::string refusal(const Scheduler& scheduler, const Ask& ask) {
  const auto result = scheduler.check(ask);
  if (result) return "";
  return result.error().fields.empty()
             ? result.error().message
             : result.error().fields[0].pointer + " " + result.error().message;
}

TEST(Check, RefusesWhatCouldNeverStart) {
  Scheduler scheduler({.slots = 4, .group_slots = {{"train", 2}, {"", 3}}, .gpu_ids = {0, 1}});
  EXPECT_EQ(refusal(scheduler, Ask(1).with_slots(4).in("other").with_gpus(2)), "");
  EXPECT_EQ(refusal(scheduler, Ask(1).with_slots(5)),
            "/_job/slots The job asks for 5 slots, but the server has 4: it could never start.");
  EXPECT_EQ(refusal(scheduler, Ask(1).with_slots(3).in("train")),
            "/_job/slots The job asks for 3 slots of group train, but its limit is 2: it could "
            "never start.");
  EXPECT_EQ(refusal(scheduler, Ask(1).with_slots(4)),
            "/_job/slots The job asks for 4 slots of the default group, but its limit is 3: it "
            "could never start.");
  EXPECT_EQ(refusal(scheduler, Ask(1).with_gpus(3)),
            "/_job/gpus The job asks for 3 GPUs, but the server has 2: it could never start.");
  EXPECT_EQ(refusal(Scheduler({.slots = 1}), Ask(1).with_gpus(1)),
            "/_job/gpus The job asks for 1 GPU, but the server has none configured: it could "
            "never start.");
  EXPECT_EQ(refusal(scheduler, Ask(1).with_slots(0)),
            "/_job/slots A job needs at least 1 slot: set slots to 1 or more.");
  EXPECT_EQ(refusal(scheduler, Ask(1).with_gpus(-1)),
            "/_job/gpus gpus is a number of GPUs: set it to 0 or more.");
  EXPECT_EQ(refusal(scheduler, Ask(1).with_priority(1'000'001)),
            "/_job/priority priority must be between -1000000 and 1000000.");
  EXPECT_EQ(refusal(scheduler, Ask(1).with_priority(std::numeric_limits<int>::min())),
            "/_job/priority priority must be between -1000000 and 1000000.");
}

TEST(Check, RefusesWhenTheQueueIsFullOrTheServerDrains) {
  Scheduler scheduler({.slots = 1, .max_queued = 2});
  ASSERT_TRUE(scheduler.enqueue(Ask(1)));
  EXPECT_TRUE(scheduler.check(Ask(2)));
  EXPECT_EQ(scheduler.check(Ask(2), 2).error().kind, ErrorKind::kBusy);
  ASSERT_TRUE(scheduler.enqueue(Ask(2)));
  EXPECT_EQ(refusal(scheduler, Ask(3)),
            "The queue is full (2 of 2 jobs): try again when some have started.");
  ASSERT_EQ(scheduler.decide(0).size(), 1u);  // a running job is not in the queue
  EXPECT_TRUE(scheduler.check(Ask(3)));
  scheduler.set_mode(Scheduler::Mode::kPaused);
  EXPECT_TRUE(scheduler.check(Ask(3)));
  scheduler.set_mode(Scheduler::Mode::kDraining);
  EXPECT_EQ(scheduler.check(Ask(3)).error().kind, ErrorKind::kUnavailable);
}

/// The reasons of all jobs from `first` to `last`, after a decision at `now`.
std::vector<std::string> reasons(Scheduler& scheduler, int first, int last, TimeMs now = 0) {
  std::vector<std::string> result;
  for (int n = first; n <= last; ++n) {
    result.push_back(scheduler.waiting_for("job_" + std::to_string(n), now));
  }
  return result;
}

TEST(WaitingFor, NothingForJobsThatDoNotWait) {
  Scheduler scheduler({.slots = 2});
  ASSERT_TRUE(scheduler.enqueue(Ask(1)));
  EXPECT_EQ(scheduler.waiting_for("job_1", 0), "");  // the next decision starts it
  scheduler.decide(0);
  EXPECT_EQ(scheduler.waiting_for("job_1", 0), "");
  EXPECT_EQ(scheduler.waiting_for("job_2", 0), "");
}

TEST(WaitingFor, Slots) {
  Scheduler scheduler({.slots = 4});
  ASSERT_TRUE(scheduler.enqueue(Ask(1).with_slots(3)));
  ASSERT_TRUE(scheduler.enqueue(Ask(2).with_slots(2)));
  ASSERT_TRUE(scheduler.enqueue(Ask(3)));
  ASSERT_TRUE(scheduler.enqueue(Ask(4).in("g")));
  ASSERT_EQ(ids(scheduler.decide(0)), Ids{"job_1"});
  EXPECT_EQ(reasons(scheduler, 2, 4),
            (Ids{"2 slots: 1 of 4 free", "1 job before it", "2 jobs before it"}));
}

TEST(WaitingFor, GroupSlots) {
  Scheduler scheduler({.slots = 4, .group_slots = {{"train", 2}, {"", 1}}});
  ASSERT_TRUE(scheduler.enqueue(Ask(1).in("train")));
  ASSERT_TRUE(scheduler.enqueue(Ask(2).in("train").with_slots(2)));
  ASSERT_TRUE(scheduler.enqueue(Ask(3)));
  ASSERT_TRUE(scheduler.enqueue(Ask(4)));
  ASSERT_TRUE(scheduler.enqueue(Ask(5).in("train")));
  ASSERT_TRUE(scheduler.enqueue(Ask(6).in("train")));
  ASSERT_EQ(ids(scheduler.decide(0)), (Ids{"job_1", "job_3"}));
  EXPECT_EQ(reasons(scheduler, 4, 6),
            (Ids{"1 slot of the default group: 0 of 1 free", "1 job of group train before it",
                 "2 jobs of group train before it"}));
  EXPECT_EQ(scheduler.waiting_for("job_2", 0), "2 slots of group train: 1 of 2 free");
}

TEST(WaitingFor, JobsOfOtherFullGroupsAreNotBeforeIt) {
  Scheduler scheduler({.slots = 2, .group_slots = {{"g", 1}}});
  ASSERT_TRUE(scheduler.enqueue(Ask(1).in("g")));
  ASSERT_TRUE(scheduler.enqueue(Ask(2).in("g")));
  ASSERT_TRUE(scheduler.enqueue(Ask(3).with_slots(2)));
  ASSERT_TRUE(scheduler.enqueue(Ask(4)));
  ASSERT_EQ(ids(scheduler.decide(0)), Ids{"job_1"});
  EXPECT_EQ(reasons(scheduler, 2, 4),
            (Ids{"1 slot of group g: 0 of 1 free", "2 slots: 1 of 2 free", "1 job before it"}));
}

TEST(WaitingFor, GpusAndTheSlotsKeptMeanwhile) {
  Scheduler scheduler({.slots = 4, .group_slots = {{"g", 3}}, .gpu_ids = {0, 1}});
  ASSERT_TRUE(scheduler.enqueue(Ask(1).with_gpus(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(2).with_gpus(2).with_slots(2).in("g")));
  ASSERT_TRUE(scheduler.enqueue(Ask(3).with_gpus(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(4).with_slots(2).in("g")));
  ASSERT_TRUE(scheduler.enqueue(Ask(5).with_slots(2)));
  ASSERT_TRUE(scheduler.enqueue(Ask(6).with_gpus(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(7)));
  ASSERT_EQ(ids(scheduler.decide(0)), Ids{"job_1"});
  EXPECT_EQ(reasons(scheduler, 2, 7), (Ids{"2 GPUs: 1 of 2 free", "1 GPU job before it",
                                           "2 slots of group g: 3 of 3 free, 2 kept for job_2",
                                           "2 slots: 3 of 4 free, 2 kept for job_2",
                                           "2 GPU jobs before it", "1 job before it"}));
}

TEST(WaitingFor, ManyJobsBeforeItAreNotCounted) {
  Scheduler scheduler({.slots = 1});
  for (int n = 1; n <= 103; ++n) ASSERT_TRUE(scheduler.enqueue(Ask(n)));
  ASSERT_EQ(ids(scheduler.decide(0)), Ids{"job_1"});
  EXPECT_EQ(reasons(scheduler, 102, 103),
            (Ids{"100 jobs before it", "more than 100 jobs before it"}));
}

TEST(WaitingFor, OtherJobs) {
  Scheduler scheduler({.slots = 4});
  for (int n : {1, 2, 3}) ASSERT_TRUE(scheduler.enqueue(Ask(n)));
  ASSERT_TRUE(scheduler.enqueue(Ask(4).after_job(1).after_job(2).after_job(3)));
  scheduler.decide(0);
  EXPECT_EQ(scheduler.waiting_for("job_4", 0), "job_1 and 2 other jobs to succeed");
  scheduler.ended("job_1", true);
  EXPECT_EQ(scheduler.waiting_for("job_4", 0), "job_2 and 1 other job to succeed");
  scheduler.ended("job_3", true);
  EXPECT_EQ(scheduler.waiting_for("job_4", 0), "job_2 to succeed");
}

TEST(WaitingFor, TheTimeOfARetry) {
  const TimeMs time = *parse_time("2026-11-22T10:15:30.000+00:00");
  const std::string local = format_time(time);
  Scheduler scheduler({.slots = 4});
  ASSERT_TRUE(scheduler.enqueue(Ask(1).no_earlier(time)));
  scheduler.decide(time - 1);
  EXPECT_EQ(scheduler.waiting_for("job_1", time - 1),
            "retry at " + local.substr(0, 10) + " " + local.substr(11, 8));
  EXPECT_EQ(scheduler.waiting_for("job_1", time), "");
}

TEST(WaitingFor, Mode) {
  Scheduler scheduler({.slots = 4});
  ASSERT_TRUE(scheduler.enqueue(Ask(1)));
  scheduler.set_mode(Scheduler::Mode::kPaused);
  EXPECT_EQ(scheduler.waiting_for("job_1", 0), "paused");
  scheduler.set_mode(Scheduler::Mode::kDraining);
  EXPECT_EQ(scheduler.waiting_for("job_1", 0), "draining");
}

TEST(WaitingFor, LimitsThatShrank) {
  Scheduler scheduler({.slots = 4, .gpu_ids = {0}});
  ASSERT_TRUE(scheduler.enqueue(Ask(1).with_slots(5)));
  ASSERT_TRUE(scheduler.enqueue(Ask(2).with_gpus(2)));
  ASSERT_TRUE(scheduler.enqueue(Ask(3).in("g").with_slots(2)));
  scheduler.set_group_slots("g", 1);
  ASSERT_EQ(ids(scheduler.decide(0)), Ids{});
  EXPECT_EQ(reasons(scheduler, 1, 3),
            (Ids{"5 slots, but the server has 4", "2 GPUs, but the server has 1",
                 "2 slots of group g, but its limit is 1"}));
}

TEST(Snapshot, ShowsWhatRunsWhatWaitsAndWhatIsUsed) {
  Scheduler scheduler(
      {.slots = 4, .group_slots = {{"train", 2}}, .gpu_ids = {3, 5}, .jobs_per_gpu = 2});
  ASSERT_TRUE(scheduler.enqueue(Ask(1).in("train").with_slots(2).with_gpus(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(2)));
  ASSERT_TRUE(scheduler.enqueue(Ask(3).in("train")));
  ASSERT_TRUE(scheduler.enqueue(Ask(4).after_job(1)));
  ASSERT_TRUE(scheduler.enqueue(Ask(5).no_earlier(1000)));
  ASSERT_TRUE(scheduler.enqueue(Ask(6).in("train").with_priority(1)));
  scheduler.set_priority("job_6", -1);
  ASSERT_EQ(ids(scheduler.decide(0)), (Ids{"job_1", "job_2"}));

  const auto all = scheduler.snapshot(0);
  EXPECT_EQ(all.mode, Scheduler::Mode::kOpen);
  EXPECT_EQ(all.slots, 4);
  EXPECT_EQ(all.used, 3);
  EXPECT_EQ(all.jobs_per_gpu, 2);
  ASSERT_EQ(all.gpus.size(), 2u);
  EXPECT_EQ(all.gpus[0].id, 3);
  EXPECT_EQ(all.gpus[0].jobs, 1);
  EXPECT_EQ(all.gpus[1].jobs, 0);
  ASSERT_EQ(all.groups.size(), 2u);
  EXPECT_EQ(all.groups[0].name, "");
  EXPECT_EQ(all.groups[0].slots, std::nullopt);
  EXPECT_EQ(all.groups[0].used, 1);
  EXPECT_EQ(all.groups[0].jobs, 3u);
  EXPECT_EQ(all.groups[1].name, "train");
  EXPECT_EQ(all.groups[1].slots, 2);
  EXPECT_EQ(all.groups[1].used, 2);
  ASSERT_EQ(all.running.size(), 2u);
  EXPECT_EQ(all.running[0].job_id, "job_1");
  EXPECT_EQ(all.running[0].gpu_ids, std::vector<int>{3});
  EXPECT_EQ(all.running[0].slots, 2);
  EXPECT_EQ(all.queued, 4u);
  ASSERT_EQ(all.waiting.size(), 4u);
  EXPECT_EQ(all.waiting[0].job_id, "job_3");
  EXPECT_EQ(all.waiting[0].waiting_for, "1 slot of group train: 0 of 2 free");
  EXPECT_EQ(all.waiting[1].job_id, "job_6");
  EXPECT_EQ(all.waiting[2].job_id, "job_5");
  EXPECT_EQ(all.waiting[3].job_id, "job_4");
  EXPECT_EQ(all.waiting[3].waiting_for, "job_1 to succeed");

  const auto some = scheduler.snapshot(0, 1);
  EXPECT_EQ(some.waiting.size(), 1u);
  EXPECT_EQ(some.queued, 4u);
}

TEST(Explain, ASingletonIsNoGroupOfTheUser) {
  Scheduler scheduler({.slots = 4});
  const std::string group = Scheduler::group_of_singleton("index_runs");
  scheduler.set_group_slots(group, 1);
  ASSERT_TRUE(scheduler.enqueue(Ask(1).in(group)));
  ASSERT_TRUE(scheduler.enqueue(Ask(2).in(group)));
  ASSERT_TRUE(scheduler.enqueue(Ask(3).in(group)));
  ASSERT_EQ(ids(scheduler.decide(0)), (Ids{"job_1"}));
  const std::string words = "another index_runs job to end: they run one at a time";
  EXPECT_EQ(scheduler.waiting_for("job_2", 0), words);
  EXPECT_EQ(scheduler.waiting_for("job_3", 0), words);
  EXPECT_TRUE(scheduler.snapshot(0).groups.empty());
}

}  // namespace
}  // namespace runyard
