#include "core/access/network_set.h"

#include <algorithm>
#include <boost/asio/ip/address_v6.hpp>
#include <charconv>

namespace runyard {
namespace {

namespace ip = boost::asio::ip;

std::vector<unsigned char> bytes_of(const ip::address& address) {
  if (address.is_v4()) {
    const auto bytes = address.to_v4().to_bytes();
    return {bytes.begin(), bytes.end()};
  }
  const auto bytes = address.to_v6().to_bytes();
  return {bytes.begin(), bytes.end()};
}

bool same_bits(const std::vector<unsigned char>& a, const std::vector<unsigned char>& b,
               unsigned bits) {
  for (unsigned bit = 0; bit < bits; ++bit) {
    const auto mask = static_cast<unsigned char>(0x80u >> (bit % 8));
    if ((a[bit / 8] & mask) != (b[bit / 8] & mask)) return false;
  }
  return true;
}

}  // namespace

std::optional<ip::address> parse_address(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  text = text.substr(0, text.find('%'));
  boost::system::error_code error;
  const auto address = ip::make_address(std::string(text), error);
  if (error) return std::nullopt;
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return ip::make_address_v4(ip::v4_mapped, address.to_v6());
  }
  return address;
}

Result<NetworkSet> NetworkSet::parse(const std::vector<std::string>& texts) {
  NetworkSet set;
  for (const std::string& text : texts) {
    const auto slash = text.find('/');
    const auto address = parse_address(std::string_view(text).substr(0, slash));
    const auto bytes = address ? bytes_of(*address) : std::vector<unsigned char>();
    auto bits = static_cast<unsigned>(bytes.size() * 8);
    bool good = address.has_value();
    if (good && slash != std::string::npos) {
      const unsigned most = bits;
      const char* const end = text.data() + text.size();
      const auto read = std::from_chars(text.data() + slash + 1, end, bits);
      good = read.ec == std::errc() && read.ptr == end && bits <= most;
    }
    if (!good) {
      return make_error(ErrorKind::kInvalid, "'" + text +
                                                 "' is no address; write one as 10.0.0.7, or a "
                                                 "network as 10.0.0.0/8");
    }
    set.networks_.push_back({bytes, bits});
  }
  return set;
}

bool NetworkSet::contains(const ip::address& address) const {
  const auto bytes = bytes_of(address);
  return std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
    return network.bytes.size() == bytes.size() && same_bits(network.bytes, bytes, network.bits);
  });
}

}  // namespace runyard
