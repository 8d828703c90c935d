#pragma once

#include <memory>
#include <string>

#include "api/stream_server.h"
#include "core/service/job_service.h"

namespace runyard {

/// The logs that are being followed: event streams of what a job prints, from any byte on, through
/// all its attempts, until it has ended. However many listeners a log has, it is watched once
/// (inotify; where that does not see a change, a look every second), and those that are at the same
/// byte are sent the same piece. A listener that is slow reads from the file where it is.
///
/// open() may be called by any thread; everything else happens on the stream thread. Service and
/// stream server must outlive it; it is destroyed after the stream server has stopped.
class LogStreams {
 public:
  LogStreams(JobService& service, StreamServer& streams);
  ~LogStreams();

  /// The job exists. Events: `id` (the byte behind it) and `data: {"text": "..."}`, never cut
  /// within a UTF-8 sequence; at last `event: end` with `{status, end_reason, exit_code}`.
  EventStream open(const std::string& job_id, std::int64_t offset);

 private:
  class Hub;
  std::shared_ptr<Hub> hub_;
};

}  // namespace runyard
