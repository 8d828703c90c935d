#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "api/http.h"
#include "api/router.h"
#include "core/service/metrics.h"

namespace runyard {

/// The end of the chain: sees each answer before it is sent, measures it by route and class of
/// status, and writes the access log. Owned by the HTTP server; any thread. It allocates nothing
/// for the figures, and text only when the line of the log is written.
class Observer {
 public:
  using Clock = std::chrono::steady_clock;

  /// `router` must outlive it. `log_access`: the lines at level info, else at debug.
  Observer(Metrics& metrics, const Router& router, bool log_access);

  /// The request's id: what the client has sent as X-Request-Id if that is one (1 to 64 letters,
  /// digits and `-._`), else a new one.
  std::string id_of(const Call& call);

  /// `route`: null when there is none. `is_head`: the call's method was HEAD.
  void answered(const Call& call, bool is_head, const Route* route, const Reply& reply,
                std::string_view id, Clock::time_point begun);

 private:
  static constexpr std::size_t kClasses = 5;  // 1xx to 5xx
  /// Made when they are needed first: most routes have one class or two.
  using Histograms = std::array<std::atomic<prometheus::Histogram*>, kClasses>;

  Metrics& metrics_;
  const bool log_access_;
  const std::string id_prefix_;  // tells this server's run from others
  std::atomic<std::uint64_t> next_id_ = 1;
  std::unordered_map<const Route*, Histograms>
      histograms_;  // its keys never change; null: no route
};

}  // namespace runyard
