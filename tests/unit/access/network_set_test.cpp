#include "core/access/network_set.h"

#include <gtest/gtest.h>

namespace runyard {
namespace {

bool contains(const std::vector<std::string>& set, const char* address) {
  const auto parsed = NetworkSet::parse(set);
  return parsed && parsed->contains(*parse_address(address));
}

TEST(NetworkSet, ContainsItsAddressesAndNetworks) {
  EXPECT_TRUE(contains({"10.0.0.7"}, "10.0.0.7"));
  EXPECT_FALSE(contains({"10.0.0.7"}, "10.0.0.8"));
  EXPECT_TRUE(contains({"10.0.0.0/8"}, "10.255.1.2"));
  EXPECT_FALSE(contains({"10.0.0.0/8"}, "11.0.0.0"));
  EXPECT_TRUE(contains({"192.168.1.128/25"}, "192.168.1.200"));
  EXPECT_FALSE(contains({"192.168.1.128/25"}, "192.168.1.100"));
  EXPECT_TRUE(contains({"1.2.3.4", "fd00::/8"}, "fdab::1"));
  EXPECT_FALSE(contains({"1.2.3.4", "fd00::/8"}, "fe80::1"));
  EXPECT_TRUE(contains({"0.0.0.0/0"}, "8.8.8.8"));
  EXPECT_FALSE(contains({"0.0.0.0/0"}, "::1"));
  EXPECT_FALSE(contains({}, "127.0.0.1"));
}

TEST(NetworkSet, AnIpv4AddressInIpv6IsTheIpv4Address) {
  EXPECT_TRUE(contains({"127.0.0.1"}, "::ffff:127.0.0.1"));
  EXPECT_TRUE(contains({"::ffff:10.0.0.1"}, "10.0.0.1"));
  EXPECT_EQ(parse_address("[fd00::1]")->to_string(), "fd00::1");
  EXPECT_EQ(parse_address("fe80::1%eth0")->to_string(), "fe80::1");
}

TEST(NetworkSet, RefusesWhatIsNone) {
  for (const char* text : {"", "localhost", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1",
                           "10.0.0.0/8x", "/8", "fd00::/129", "1.2.3.4/8/8", "1.2.3.4:80"}) {
    EXPECT_FALSE(NetworkSet::parse({text})) << text;
  }
}

}  // namespace
}  // namespace runyard
