#include "core/service/event_hub.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "core/base/clock.h"
#include "core/base/plain_json.h"

namespace runyard {
namespace {

const auto kNothing = std::make_shared<const std::string>("{}");

}  // namespace

EventHub::EventHub() : start_(fmt::format("{:x}", now_ms())) {}

void EventHub::add(Kind kind, JobPtr job, std::shared_ptr<const std::string> text,
                   std::size_t size) {
  Entry entry;
  entry.event.kind = kind;
  entry.event.job_type = job->job_type;
  entry.size = size;
  if (!text) entry.job = std::move(job);
  entry.event.data = std::move(text);
  push(std::move(entry));
}

void EventHub::add_deleted(const std::string& job_id, std::string job_type) {
  Entry entry;
  entry.event = {0, Kind::kJobDeleted, std::move(job_type),
                 std::make_shared<const std::string>(
                     boost::json::serialize(boost::json::object{{"job_id", job_id}}))};
  entry.size = entry.event.data->size();
  push(std::move(entry));
}

void EventHub::add(Kind kind) {
  Entry entry;
  entry.event = {0, kind, "", kNothing};
  push(std::move(entry));
}

void EventHub::push(Entry entry) {
  const std::lock_guard lock(mutex_);
  entry.event.number = ++last_;
  bytes_ += entry.size;
  ring_.push_back(std::move(entry));
  while (ring_.size() > kKept || (bytes_ > kKeptBytes && ring_.size() > 1)) {
    bytes_ -= ring_.front().size;
    ring_.pop_front();
  }
  if (added_) added_();
}

std::uint64_t EventHub::last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

std::optional<std::vector<EventHub::Event>> EventHub::behind(std::uint64_t number,
                                                             std::size_t limit,
                                                             std::size_t max_bytes) {
  std::vector<Event> events;
  std::vector<JobPtr> unwritten;
  {
    const std::lock_guard lock(mutex_);
    if (number > last_ || last_ - number > ring_.size()) return std::nullopt;
    std::size_t bytes = 0;
    for (std::size_t at = ring_.size() - (last_ - number);
         at < ring_.size() && events.size() < limit && bytes < max_bytes; ++at) {
      events.push_back(ring_[at].event);
      unwritten.push_back(ring_[at].job);
      bytes += ring_[at].size;
    }
  }
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (events[i].data) continue;
    auto text = std::make_shared<const std::string>(plain_json(to_json(*unwritten[i], Form::kApi)));
    const std::lock_guard lock(mutex_);
    const std::uint64_t first = last_ - ring_.size() + 1;
    if (events[i].number >= first) {
      // What ticks in a document is told once, so that all readers are told the same.
      Entry& entry = ring_[events[i].number - first];
      if (!entry.event.data) {
        entry.event.data = std::move(text);
        entry.job.reset();
      }
      text = entry.event.data;
    }
    events[i].data = std::move(text);
  }
  return events;
}

void EventHub::set_listener(std::function<void()> added) {
  const std::lock_guard lock(mutex_);
  added_ = std::move(added);
}

std::string_view to_string(EventHub::Kind kind) {
  switch (kind) {
    case EventHub::Kind::kJobCreated:
      return "job_created";
    case EventHub::Kind::kJobUpdated:
      return "job_updated";
    case EventHub::Kind::kJobDeleted:
      return "job_deleted";
    case EventHub::Kind::kPluginsChanged:
      return "plugins_changed";
    case EventHub::Kind::kQueueChanged:
      break;
  }
  return "queue_changed";
}

}  // namespace runyard
