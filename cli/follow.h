#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

#include "cli/api.h"
#include "cli/terminal.h"
#include "core/base/result.h"

namespace runyard::cli {

/// Prints the log of one job while it grows, until the job has ended. Used once, by one thread.
///
/// While the job waits it looks every half a second and says why; then the server sends what is
/// printed. `offset_` is the first byte that is not printed yet, so that a lost connection (the
/// server restarts) neither loses nor repeats anything. It tries again for ever once the server has
/// answered; only interrupted() ends that.
class Follower {
 public:
  Follower(Api& api, std::string job_id, LogSink& sink, std::int64_t offset = 0)
      : api_(api), job_id_(std::move(job_id)), sink_(sink), offset_(offset) {}

  /// The job's last document. kUnavailable when interrupted, or when the server was never reached.
  Result<boost::json::object> run();

 private:
  /// Prints what comes; true when that was all.
  Result<bool> print_stream();
  Result<> print_exactly(std::int64_t until);
  /// After a failure: notes it, waits, and says whether to try again.
  bool try_again(const Error& error);
  void note_waiting(const boost::json::object& job);

  Api& api_;
  std::string job_id_;
  LogSink& sink_;
  std::int64_t offset_;
  std::optional<Api> exact_;  // for bytes that are no text
  bool lost_ = false;
  std::string waiting_for_;
};

/// Follows a job on `log`, and says on stderr how it ended and what it produced. Returns the
/// command's exit code; on Ctrl-C 130 with a word how to go on. `final_job` becomes the last
/// document when the job has ended. catch_interrupts() has been called.
int follow_job(Api& api, const std::string& job_id, std::FILE* log, std::int64_t offset,
               boost::json::object& final_job);

}  // namespace runyard::cli
