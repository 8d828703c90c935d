#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/base/files.h"
#include "core/log/line_counter.h"

namespace runyard {

/// Where the lines of one log are: a mark about every 64 KiB, in a file of its own
/// (docs/formats.md), so that any line of a log of any size is found by reading little. It is built
/// when somebody asks, from where it ended the time before; a log that nobody looks into costs
/// nothing. What it says depends on the log alone, so it may be thrown away at any time. A log that
/// was replaced or truncated, and a file that is damaged, are noticed, and it begins anew.
///
/// Any thread; a call waits for another one of the same log, but not beyond its deadline.
class LineIndex {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  explicit LineIndex(std::filesystem::path file) : file_(std::move(file)) {}

  /// How far it reaches.
  struct Extent {
    std::int64_t size = 0;     ///< bytes of the log that are counted
    std::int64_t lines = 0;    ///< lines in them; one without an end counts
    bool is_complete = false;  ///< to the end that the log had when this was asked
  };
  /// Goes on to the log's present end, or until the deadline.
  Extent extend(int log, Deadline deadline);

  /// The last mark at or before the begin of the line; the log's begin when there is none.
  LogMark before(std::int64_t line, int log);
  /// Of a line that is so long that there are marks within it: one close to its end.
  std::optional<LogMark> inside(std::int64_t line, int log);

 private:
  bool open(int log);
  void reset(int log);
  void add(const LogMark& mark, int log);
  void save();
  std::optional<LogMark> read(std::int64_t number, int log);
  /// Of the marks, which are in order, the number of those for which `holds`; they are the first.
  template <class Holds>
  std::optional<std::int64_t> count(int log, Holds holds);

  const std::filesystem::path file_;
  std::timed_mutex mutex_;  // guards all below
  UniqueFd fd_;
  bool opened_ = false, damaged_ = false;
  std::uint64_t inode_ = 0;       // of the log
  std::int64_t saved_ = 0;        // marks in the file
  std::vector<std::string> new_;  // records that are not there yet
  LogMark last_;
  LineCounter counter_;
  std::atomic<std::int64_t> counted_ = 0, lines_ = 0;  // of counter_, for those who cannot wait
};

/// The line indexes of all logs, those used last held open. Any thread.
class LineIndexes {
 public:
  /// `folder` is made when the first index is written.
  explicit LineIndexes(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::shared_ptr<LineIndex> of(const std::string& job_id);
  /// The job is gone.
  void remove(const std::string& job_id);

 private:
  static constexpr std::size_t kHeld = 64;
  const std::filesystem::path folder_;
  std::mutex mutex_;  // guards all below
  struct Held {
    std::shared_ptr<LineIndex> index;
    std::int64_t used = 0;
  };
  std::map<std::string, Held> held_;
  std::int64_t uses_ = 0;
};

}  // namespace runyard
