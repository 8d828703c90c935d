#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/model/job.h"

namespace runyard {

/// What happens to jobs, plugins and the queue, for those who want to hear of it: a ring of the
/// newest events, numbered 1, 2, ... since the start of this server. Owned by JobService; any
/// thread. Bounded in number and in bytes, so a listener that is away for long has to begin anew.
class EventHub {
 public:
  static constexpr std::size_t kKept = 4096;
  static constexpr std::size_t kKeptBytes = 32UL << 20;

  enum class Kind { kJobCreated, kJobUpdated, kJobDeleted, kPluginsChanged, kQueueChanged };

  struct Event {
    std::uint64_t number = 0;
    Kind kind = Kind::kJobUpdated;
    std::string job_type;                     ///< "": of no single type
    std::shared_ptr<const std::string> data;  ///< a JSON document: the job, {"job_id"}, or {}
  };

  EventHub();

  /// A job in its new state. `text` is its document, or null: then it is written when somebody
  /// first asks for the event. `size`: about that of the document.
  void add(Kind kind, JobPtr job, std::shared_ptr<const std::string> text, std::size_t size);
  void add_deleted(const std::string& job_id, std::string job_type);
  /// kPluginsChanged or kQueueChanged.
  void add(Kind kind);

  /// Tells this server's numbers from those of an earlier one.
  const std::string& start() const { return start_; }
  /// The newest number; 0 when nothing has happened yet.
  std::uint64_t last() const;
  /// The events behind `number`, at most `limit` of them and about `max_bytes`; each reader sees
  /// the same ones. nullopt when some of them are not kept any more, or there is no such number.
  std::optional<std::vector<Event>> behind(std::uint64_t number, std::size_t limit,
                                           std::size_t max_bytes);

  /// Called for every event, by the thread that adds it; must be quick and call nothing of this
  /// class. When this returns, the one before is not called any more.
  void set_listener(std::function<void()> added);

 private:
  struct Entry {
    Event event;
    JobPtr job;  // while `data` is not written
    std::size_t size = 0;
  };
  void push(Entry entry);

  const std::string start_;
  mutable std::mutex mutex_;  // guards what follows
  std::deque<Entry> ring_;    // the numbers last_ - size + 1 ... last_
  std::uint64_t last_ = 0;
  std::size_t bytes_ = 0;
  std::function<void()> added_;
};

std::string_view to_string(EventHub::Kind kind);

}  // namespace runyard
