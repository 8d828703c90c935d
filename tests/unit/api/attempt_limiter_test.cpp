#include "api/attempt_limiter.h"

#include <gtest/gtest.h>

namespace runyard {
namespace {

using Clock = AttemptLimiter::Clock;
using std::chrono::seconds;

const Clock::time_point kStart = Clock::time_point() + std::chrono::hours(1000);

int taken_at_once(AttemptLimiter& limiter, const std::string& address, Clock::time_point at) {
  int count = 0;
  while (count < 10'000 && !limiter.take(address, at)) ++count;
  return count;
}

TEST(AttemptLimiter, LimitsAnAddressAndNotItsNeighbour) {
  AttemptLimiter limiter;
  EXPECT_EQ(taken_at_once(limiter, "10.0.0.1", kStart), AttemptLimiter::kBurst);
  EXPECT_EQ(limiter.take("10.0.0.1", kStart), 8);
  EXPECT_EQ(taken_at_once(limiter, "10.0.0.2", kStart), AttemptLimiter::kBurst);
}

TEST(AttemptLimiter, TimeGivesAttemptsBack) {
  AttemptLimiter limiter;
  taken_at_once(limiter, "a", kStart);
  EXPECT_EQ(limiter.take("a", kStart + seconds(7)), 1);
  EXPECT_EQ(taken_at_once(limiter, "a", kStart + seconds(8)), 1);
  EXPECT_EQ(taken_at_once(limiter, "a", kStart + seconds(3600)), AttemptLimiter::kBurst);
  EXPECT_EQ(taken_at_once(limiter, "a", kStart), 0) << "a clock never gives by going back";
}

TEST(AttemptLimiter, ARightTokenCostsNothing) {
  AttemptLimiter limiter;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_FALSE(limiter.take("a", kStart)) << i;
    limiter.give_back("a");
  }
  limiter.give_back("a");
  EXPECT_EQ(taken_at_once(limiter, "a", kStart), AttemptLimiter::kBurst);
}

TEST(AttemptLimiter, LimitsAllTogether) {
  AttemptLimiter limiter;
  int total = 0;
  for (int i = 0; i < 100; ++i) {
    total += taken_at_once(limiter, "10.0.0." + std::to_string(i), kStart);
  }
  EXPECT_EQ(total, AttemptLimiter::kBurstOfAll);
}

TEST(AttemptLimiter, ANetworkOfIpv6IsOneAddress) {
  AttemptLimiter limiter;
  taken_at_once(limiter, "2001:db8::1", kStart);
  EXPECT_TRUE(limiter.take("2001:db8::ffff:2", kStart));
  EXPECT_FALSE(limiter.take("2001:db8:0:1::1", kStart));
}

TEST(AttemptLimiter, ItsMemoryIsBounded) {
  AttemptLimiter limiter;
  auto now = kStart;
  for (int i = 0; i < 30'000; ++i) {  // each a stranger, slow enough for the limit of all
    now += seconds(1);
    (void)limiter.take(std::to_string(i), now);
  }
  EXPECT_FALSE(limiter.take("a newcomer", now)) << "those that have all back were forgotten";
}

}  // namespace
}  // namespace runyard
