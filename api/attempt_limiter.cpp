#include "api/attempt_limiter.h"

#include <algorithm>
#include <cmath>

#include "core/access/network_set.h"

namespace runyard {
namespace {

constexpr std::size_t kMostAddresses = 10'000;

/// Who has a /64 has all of its addresses.
std::string key_of(const std::string& address) {
  const auto parsed = parse_address(address);
  if (!parsed || parsed->is_v4()) return address;
  auto bytes = parsed->to_v6().to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
  return boost::asio::ip::make_address_v6(bytes).to_string();
}

}  // namespace

void AttemptLimiter::Bucket::refill(double burst, double per_second, Clock::time_point now) {
  const double seconds = std::chrono::duration<double>(now - at).count();
  left = std::min(burst, left + std::max(0.0, seconds) * per_second);
  at = now;
}

std::optional<int> AttemptLimiter::take(const std::string& address, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  const auto wait = [](const Bucket& bucket, double per_second) {
    return std::max(1, static_cast<int>(std::ceil((1 - bucket.left) / per_second)));
  };
  const std::string key = key_of(address);
  if (!of_address_.contains(key) && of_address_.size() >= kMostAddresses) {
    std::erase_if(of_address_, [&](auto entry) {
      entry.second.refill(kBurst, kPerSecond, now);
      return entry.second.left >= kBurst;
    });
    if (of_address_.size() >= kMostAddresses) return wait(Bucket{0, now}, kPerSecond);
  }
  Bucket& own = of_address_.try_emplace(key, Bucket{kBurst, now}).first->second;
  own.refill(kBurst, kPerSecond, now);
  if (own.left < 1) return wait(own, kPerSecond);
  all_.refill(kBurstOfAll, kPerSecondOfAll, now);
  if (all_.left < 1) return wait(all_, kPerSecondOfAll);
  own.left -= 1;
  all_.left -= 1;
  return std::nullopt;
}

void AttemptLimiter::give_back(const std::string& address) {
  const std::lock_guard lock(mutex_);
  const auto own = of_address_.find(key_of(address));
  if (own != of_address_.end()) own->second.left = std::min(kBurst, own->second.left + 1);
  all_.left = std::min(kBurstOfAll, all_.left + 1);
}

}  // namespace runyard
