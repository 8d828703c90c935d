#pragma once

#include <sys/types.h>

#include <atomic>
#include <boost/system/result.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/files.h"

namespace runyard {

/// What a plugin's function answered (runyard/plugin.h): its status and all that it emitted.
struct HostReply {
  enum class Status { kOk, kInvalid, kFailed, kNotLoaded };
  Status status = Status::kFailed;
  std::string text;  ///< kNotLoaded: why the library was refused, as a sentence
  int abi = 0;       ///< the ABI major of the library; 0: none
};

/// Why a call gave no reply. Only kCrashed and kDeadline are the plugin's fault.
struct HostFailure {
  enum class Kind { kCannotStart, kBusy, kCrashed, kDeadline };
  Kind kind = Kind::kCannotStart;
  std::string message;  ///< "crashed (Segmentation fault)": follows the plugin's name
};
/// boost::system::result asks for it; nobody calls value() on a failure.
[[noreturn]] void throw_exception_from_error(const HostFailure& failure,
                                             const boost::source_location& where);

/// The server's end of one plugin host: a child process that loads libraries and calls them, so
/// that a plugin which crashes, loops or eats memory takes that child and not the server.
///
/// Owned by a generation of the registry. Any thread may call; one call runs at a time, the others
/// wait in their order, so that no caller can keep the others out. No wait is without an end. The
/// child is started by the first call, and again by the next call after it has died or was killed
/// at a deadline. The destructor kills it. A child whose server has died ends by itself.
class HostClient {
 public:
  struct Options {
    std::vector<std::string> command;                         ///< the program and its arguments
    std::uint64_t memory_limit = 0;                           ///< address space in bytes; 0: none
    std::shared_ptr<std::atomic<std::uint64_t>> starts = {};  ///< if given, counts the children
  };
  using Reply = boost::system::result<HostReply, HostFailure>;
  using Clock = std::chrono::steady_clock;

  explicit HostClient(Options options);
  ~HostClient();
  HostClient(const HostClient&) = delete;
  HostClient& operator=(const HostClient&) = delete;

  /// describe() of the library at `path` (absolute), which is loaded when it is not yet.
  Reply describe(const std::filesystem::path& path, std::chrono::milliseconds deadline);
  /// argv() of it; `params` is a JSON object. Loading the library counts into the deadline, but not
  /// the start of the child, which is no plugin's fault and has 20 seconds; waiting for the calls
  /// before it has twice the deadline.
  Reply argv(const std::filesystem::path& path, std::string_view params,
             std::chrono::milliseconds deadline);

  /// For an old generation: the child ends after what it answers now, and each later call has a
  /// child of its own. So a job that holds its type for days keeps no process.
  void retire();

  /// The child's process id, 0 when none runs.
  pid_t pid() const;

 private:
  Reply call(const char* operation, const std::filesystem::path& path, std::string_view params,
             std::chrono::milliseconds deadline);
  /// Waits for the calls before this one; false when that takes longer.
  bool enter(std::chrono::milliseconds patience);
  void leave();
  Reply exchange(const char* operation, const std::filesystem::path& path, std::string_view params,
                 std::chrono::milliseconds deadline);
  /// errno; 0 when the child runs and has said so.
  int start();
  /// Kills the child, if there is one, and says how it ended: "crashed (Aborted)".
  std::string stop();

  const Options options_;
  mutable std::mutex mutex_;           // guards all down to pid_
  std::condition_variable turn_;       // busy_ or waiting_ has changed
  std::deque<std::uint64_t> waiting_;  // the tickets of those that wait, the oldest first
  std::uint64_t next_ticket_ = 0;
  bool busy_ = false;  // whoever set it alone uses socket_ and next_id_
  bool retired_ = false;
  pid_t pid_ = 0;
  UniqueFd socket_;
  std::uint64_t next_id_ = 1;
};

}  // namespace runyard
