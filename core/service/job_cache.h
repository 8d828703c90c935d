#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/model/job.h"
#include "core/service/event_hub.h"

namespace runyard {

/// The active jobs and the newest thousand of all, as immutable snapshots with their kApi document
/// already written, so that reads touch neither the database nor the engine. Any thread may read;
/// publish and forget are called in the order of the changes (the engine and the store's writer).
class JobCache {
 public:
  static constexpr std::size_t kNewest = 1000;

  /// A published state of a job. `text` is its document; while the job runs it is made for each
  /// reader, because its duration ticks.
  struct View {
    JobPtr job;
    std::shared_ptr<const std::string> text;
    std::size_t size = 0;  ///< about that of the document
    std::string document() const;
  };

  /// From here on every change is an event, too. The hub must outlive this.
  void tell(EventHub& events);

  /// A job that is new in the database.
  void add(JobPtr job);
  /// A newer state of a job; an older `revision` than the known one is ignored.
  void publish(JobPtr job);
  /// A job that is no longer in the database.
  void forget(const std::string& job_id);

  std::optional<View> find(std::string_view job_id) const;
  /// The newest `limit` jobs; nullopt when they reach further back than what is held.
  std::optional<std::vector<View>> newest(std::size_t limit) const;

  /// Jobs there are in all, held here or not.
  std::int64_t total() const;
  /// After the start's jobs were published: how many the database has.
  void set_total(std::int64_t total);

 private:
  struct Key {
    TimeMs created_at;
    std::int64_t number;
    std::string job_id;
    auto operator<=>(const Key&) const = default;
  };
  void put(JobPtr job, EventHub::Kind kind);
  void evict();

  mutable std::shared_mutex mutex_;  // guards all below
  std::unordered_map<std::string, View> views_;
  std::set<Key> order_;  // of views_; the newest thousand and the active ones
  std::set<Key> ended_;  // of order_: what may be evicted
  std::int64_t total_ = 0;
  EventHub* events_ = nullptr;  // told under the lock, so in the order of the changes
  std::optional<Key> evicted_;  // the newest job that is not held
};

}  // namespace runyard
