#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "api/access.h"
#include "api/guard.h"
#include "api/router.h"
#include "api/stream_server.h"
#include "core/service/metrics.h"

namespace runyard {

/// The HTTP server: Pistache with the replaced members of api/pistache, one chain (limits, guard,
/// access, route, observer) and the hand-over of files and streams to the StreamServer. Owned by
/// `runyard serve`.
class HttpServer {
 public:
  struct Options {
    std::string host = "127.0.0.1";
    std::uint16_t port = 8000;  ///< 0: any free one
    int threads = 8;
    bool log_access = false;  ///< a line of the log for each request, not only at level debug
  };
  /// `access`, `streams` and `metrics` must outlive the server.
  HttpServer(Options options, Guard guard, Access& access, Router router, StreamServer& streams,
             Metrics& metrics);
  /// Answers what is in flight, lets files be sent and streams say goodbye, then closes; a limit of
  /// seconds each.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Listens. kConflict when the address is in use, kInvalid when it is none.
  Result<> start();
  std::uint16_t port() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runyard
