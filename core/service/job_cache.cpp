#include "core/service/job_cache.h"

#include <algorithm>
#include <boost/json.hpp>
#include <mutex>

#include "core/base/plain_json.h"

namespace runyard {
namespace {

constexpr std::size_t kUnknownSize = 2048;  // of a document that is not written yet

std::string write(const Job& job) { return plain_json(to_json(job, Form::kApi)); }

}  // namespace

std::string JobCache::View::document() const { return text ? *text : write(*job); }

void JobCache::add(JobPtr job) {
  {
    std::unique_lock lock(mutex_);
    ++total_;
  }
  put(std::move(job), EventHub::Kind::kJobCreated);
}

void JobCache::publish(JobPtr job) { put(std::move(job), EventHub::Kind::kJobUpdated); }

void JobCache::tell(EventHub& events) {
  std::unique_lock lock(mutex_);
  events_ = &events;
}

void JobCache::put(JobPtr job, EventHub::Kind kind) {
  View view{job, job->status == JobStatus::kRunning
                     ? nullptr
                     : std::make_shared<const std::string>(write(*job))};
  std::unique_lock lock(mutex_);
  auto [entry, is_new] = views_.try_emplace(job->job_id);
  if (!is_new && entry->second.job->revision > job->revision) return;
  view.size = view.text ? view.text->size() : std::max(entry->second.size, kUnknownSize);
  if (events_) events_->add(kind, job, view.text, view.size);
  entry->second = std::move(view);
  const Key key{job->created_at, job->number, job->job_id};
  if (is_new) order_.insert(key);
  if (is_terminal(job->status)) {
    ended_.insert(key);
    evict();
  }
}

void JobCache::evict() {
  while (order_.size() > kNewest && !ended_.empty()) {
    const Key oldest = *ended_.begin();
    ended_.erase(ended_.begin());
    order_.erase(oldest);
    views_.erase(oldest.job_id);
    evicted_ = std::max(evicted_.value_or(oldest), oldest);
  }
}

void JobCache::forget(const std::string& job_id) {
  std::unique_lock lock(mutex_);
  --total_;
  const auto entry = views_.find(job_id);
  if (events_) {
    events_->add_deleted(job_id, entry == views_.end() ? "" : entry->second.job->job_type);
  }
  if (entry == views_.end()) return;
  const Job& job = *entry->second.job;
  const Key key{job.created_at, job.number, job.job_id};
  order_.erase(key);
  ended_.erase(key);
  views_.erase(entry);
}

std::optional<JobCache::View> JobCache::find(std::string_view job_id) const {
  std::shared_lock lock(mutex_);
  const auto entry = views_.find(std::string(job_id));
  if (entry == views_.end()) return std::nullopt;
  return entry->second;
}

std::optional<std::vector<JobCache::View>> JobCache::newest(std::size_t limit) const {
  std::shared_lock lock(mutex_);
  std::vector<View> result;
  for (auto at = order_.rbegin(); at != order_.rend() && result.size() < limit; ++at) {
    if (evicted_ && *at < *evicted_) return std::nullopt;
    result.push_back(views_.at(at->job_id));
  }
  if (result.size() < limit && static_cast<std::int64_t>(order_.size()) < total_) {
    return std::nullopt;
  }
  return result;
}

std::int64_t JobCache::total() const {
  std::shared_lock lock(mutex_);
  return total_;
}

void JobCache::set_total(std::int64_t total) {
  std::unique_lock lock(mutex_);
  total_ = total;
  // What is older than the oldest ended job held here may be in the database alone.
  if (static_cast<std::int64_t>(order_.size()) < total_ && !ended_.empty()) {
    evicted_ = *ended_.begin();
  }
}

}  // namespace runyard
