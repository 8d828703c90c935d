#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace runyard {

/// How often somebody may try a wrong token: token buckets, one for each address and one for all.
/// Memory is bounded. Any thread.
class AttemptLimiter {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr double kBurst = 10, kPerSecond = 1.0 / 8;  ///< of an address
  static constexpr double kBurstOfAll = 100, kPerSecondOfAll = 1;

  /// Takes one attempt of this address and returns nullopt; or, when none is left, the seconds
  /// until there is one. Addresses of one IPv6 network (/64) are one.
  std::optional<int> take(const std::string& address, Clock::time_point now = Clock::now());
  /// The attempt was none: its token was right.
  void give_back(const std::string& address);

 private:
  struct Bucket {
    double left;
    Clock::time_point at;
    void refill(double burst, double per_second, Clock::time_point now);
  };
  std::mutex mutex_;
  Bucket all_{kBurstOfAll, {}};
  std::map<std::string, Bucket> of_address_;
};

}  // namespace runyard
