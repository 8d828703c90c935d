#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/model/job.h"

namespace runyard {

/// Keeps `reports/jobs/<job_id>.json` in step with what is committed, off the hot path: a thread of
/// its own writes the newest state of each touched job at most 250 ms after the first touch, by
/// write and rename. Many changes of one job in that time are one write. What cannot be written
/// (disk full) is kept and tried again.
///
/// Owned by the service; touch and forget may be called from any thread.
class JsonMirror {
 public:
  /// `on_flushed(seq)`: every state touched with a seq up to that one is on disk. Called on the
  /// mirror's thread.
  JsonMirror(std::filesystem::path folder, std::function<void(std::int64_t)> on_flushed);
  /// Writes what waits, then stops.
  ~JsonMirror();
  JsonMirror(const JsonMirror&) = delete;
  JsonMirror& operator=(const JsonMirror&) = delete;

  /// A committed state; an older one of the same job that still waits is replaced.
  void touch(JobPtr job);
  /// Removes the record (DELETE).
  void forget(const std::string& job_id);

  /// What is committed and not in its record yet.
  struct Lag {
    std::size_t records = 0;
    double seconds = 0;  ///< age of the oldest
  };
  Lag lag() const;

 private:
  using Clock = std::chrono::steady_clock;

  void run();

  const std::filesystem::path folder_;
  const std::function<void(std::int64_t)> on_flushed_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::map<std::string, JobPtr> waiting_;  // null: remove the record
  std::size_t writing_ = 0;                // taken from waiting_, and not yet on disk
  std::optional<Clock::time_point> waiting_since_, writing_since_;
  bool stopping_ = false;
  std::thread thread_;
};

/// The record's text: the kRecord document, indented so that git shows readable differences.
std::string record_text(const Job& job);

/// One file of `reports/jobs`, read at start.
struct Record {
  std::string job_id;  ///< from the file's name
  Result<Job> job;     ///< an error when it is damaged or names another job
};
/// Calls `each` with every `<job_id>.json` of the folder (other names are not looked at), until it
/// returns false. The order is that of the folder.
void for_each_record(const std::filesystem::path& folder, const std::function<bool(Record)>& each);

}  // namespace runyard
