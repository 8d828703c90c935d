#pragma once

#include <boost/asio/ip/address.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace runyard {

/// An address in numbers, IPv4 in IPv6 (`::ffff:1.2.3.4`) as IPv4, brackets and a zone left out;
/// nullopt for anything else.
std::optional<boost::asio::ip::address> parse_address(std::string_view text);

/// Addresses and networks, such as those of trusted proxies. A value; immutable after parse().
class NetworkSet {
 public:
  /// Of texts such as `10.0.0.7`, `10.0.0.0/8`, `fd00::/8`; kInvalid names the first bad one.
  static Result<NetworkSet> parse(const std::vector<std::string>& texts);

  bool contains(const boost::asio::ip::address& address) const;
  bool empty() const { return networks_.empty(); }

 private:
  struct Network {
    std::vector<unsigned char> bytes;  ///< 4 or 16
    unsigned bits;                     ///< that count
  };
  std::vector<Network> networks_;
};

}  // namespace runyard
