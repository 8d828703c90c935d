#include "core/service/event_hub.h"

#include <gtest/gtest.h>

#include <thread>

#include "core/service/job_cache.h"

namespace runyard {
namespace {

using Kind = EventHub::Kind;

std::shared_ptr<Job> make_job(const std::string& id, const std::string& type = "train") {
  auto job = std::make_shared<Job>();
  job->job_id = id;
  job->job_type = type;
  job->status = JobStatus::kQueued;
  return job;
}

void add(EventHub& hub, const std::string& id, const std::string& text) {
  hub.add(Kind::kJobUpdated, make_job(id), std::make_shared<const std::string>(text), text.size());
}

std::string texts(const std::optional<std::vector<EventHub::Event>>& events) {
  if (!events) return "gone";
  std::string all;
  for (const auto& event : *events) all += std::to_string(event.number) + *event.data + " ";
  return all;
}

TEST(EventHub, GivesWhatIsBehindANumber) {
  EventHub hub;
  EXPECT_EQ(hub.last(), 0u);
  EXPECT_EQ(texts(hub.behind(0, 9, 999)), "");
  add(hub, "a", "A");
  add(hub, "b", "B");
  hub.add_deleted("a", "train");
  hub.add(Kind::kQueueChanged);
  EXPECT_EQ(hub.last(), 4u);
  EXPECT_EQ(texts(hub.behind(0, 9, 999)), "1A 2B 3{\"job_id\":\"a\"} 4{} ");
  EXPECT_EQ(texts(hub.behind(1, 1, 999)), "2B ");
  EXPECT_EQ(texts(hub.behind(4, 9, 999)), "");
  EXPECT_EQ(texts(hub.behind(5, 9, 999)), "gone");  // of another server
}

TEST(EventHub, KeepsTheNewestByNumberAndBySize) {
  EventHub hub;
  for (std::size_t i = 0; i < EventHub::kKept + 10; ++i) add(hub, "a", "x");
  EXPECT_EQ(texts(hub.behind(9, 1, 999)), "gone");
  EXPECT_EQ(texts(hub.behind(10, 1, 999)), "11x ");
  const std::string large(EventHub::kKeptBytes / 2, 'x');
  for (int i = 0; i < 3; ++i) add(hub, "a", large);
  const auto last = hub.last();
  EXPECT_EQ(texts(hub.behind(last - 3, 1, 1)), "gone");
  EXPECT_NE(texts(hub.behind(last - 2, 1, 1)), "gone");
  EXPECT_EQ(hub.behind(last - 2, 9, 1)->size(), 1u);  // about max_bytes
}

TEST(EventHub, WritesADocumentOnceForAllReaders) {
  EventHub hub;
  auto job = make_job("a");
  job->status = JobStatus::kRunning;
  job->started_at = 1;  // its duration ticks
  hub.add(Kind::kJobUpdated, job, nullptr, 100);
  const auto first = hub.behind(0, 1, 999);
  const auto second = hub.behind(0, 1, 999);
  ASSERT_TRUE(first && second);
  EXPECT_EQ((*first)[0].data, (*second)[0].data);
  EXPECT_NE((*first)[0].data->find("\"job_id\":\"a\""), std::string::npos);
}

TEST(EventHub, TellsItsListener) {
  EventHub hub;
  int told = 0;
  hub.set_listener([&] { ++told; });
  hub.add(Kind::kPluginsChanged);
  hub.add(Kind::kQueueChanged);
  hub.set_listener({});
  hub.add(Kind::kQueueChanged);
  EXPECT_EQ(told, 2);
}

TEST(EventHub, ReadersSeeOneSequenceWhileItGrows) {
  EventHub hub;
  std::thread writer([&] {
    for (int i = 1; i <= 3000; ++i) add(hub, "a", ":" + std::to_string(i));
  });
  std::uint64_t at = 0;
  while (at < 3000) {
    const auto events = hub.behind(at, 100, 100'000);
    ASSERT_TRUE(events);
    for (const auto& event : *events) {
      ASSERT_EQ(event.number, at + 1);
      ASSERT_EQ(*event.data, ":" + std::to_string(event.number));
      at = event.number;
    }
  }
  writer.join();
}

TEST(EventHub, HearsOfEveryChangeThatTheCacheAccepts) {
  EventHub hub;
  JobCache cache;
  cache.publish(make_job("old"));
  cache.tell(hub);
  auto job = make_job("a");
  cache.add(job);
  auto newer = std::make_shared<Job>(*job);
  newer->revision = 5;
  newer->status = JobStatus::kRunning;
  cache.publish(newer);
  cache.publish(job);  // older: not accepted
  cache.forget("a");
  cache.forget("evicted");
  const auto events = hub.behind(0, 99, 99'999);
  ASSERT_TRUE(events);
  std::string kinds;
  for (const auto& event : *events) {
    kinds += std::string(to_string(event.kind)) + ":" + event.job_type + " ";
  }
  EXPECT_EQ(kinds, "job_created:train job_updated:train job_deleted:train job_deleted: ");
  EXPECT_NE((*events)[1].data->find("RUNNING"), std::string::npos);
}

}  // namespace
}  // namespace runyard
