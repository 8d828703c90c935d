#include "api/guard.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>

#include "core/base/text.h"

namespace runyard {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

/// `Host` without its port, which an SSH forward changes; IPv6 without its brackets.
std::string host_name(std::string_view host) {
  if (host.starts_with('[')) {
    const auto close = host.find(']');
    return close == std::string_view::npos ? std::string() : lower(host.substr(1, close - 1));
  }
  return lower(host.substr(0, host.rfind(':')));
}

}  // namespace

bool is_loopback(std::string_view host) {
  if (lower(host) == "localhost") return true;
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(std::string(host), error);
  return !error && address.is_loopback();
}

Guard::Guard(std::vector<std::string> hosts, std::vector<std::string> origins)
    : hosts_(std::move(hosts)), origins_(std::move(origins)) {
  for (auto& host : hosts_) host = lower(host);
  for (auto& origin : origins_) origin = lower(origin);
}

bool Guard::is_allowed_host(std::string_view host) const {
  const std::string name = host_name(host);
  return is_loopback(name) || std::find(hosts_.begin(), hosts_.end(), name) != hosts_.end();
}

std::optional<Reply> Guard::check(const Call& call) const {
  const std::string host = call.header("host");
  if (host.empty() || !is_allowed_host(host)) {
    return problem(421, "this server does not answer for the host '" + host.substr(0, 100) +
                            "'; use its own address, or add it to 'server.allowed_hosts'");
  }
  for (const auto& [name, value] : call.headers) {
    if (name == "forwarded" || name.starts_with("x-forwarded-")) {
      return problem(403, "requests through a proxy are refused: no trusted proxy is configured");
    }
  }
  if (call.method == "GET") return std::nullopt;
  const std::string site = call.header("sec-fetch-site");
  const std::string origin = call.header("origin");
  const bool same_site = site == "same-origin" || site == "none";
  const bool allowed_origin =
      origin.empty() || lower(origin) == "http://" + lower(host) ||
      std::find(origins_.begin(), origins_.end(), lower(origin)) != origins_.end();
  // A browser's own word about the site counts more than the origin that it sends.
  if (site.empty() ? !allowed_origin : !same_site && (origin.empty() || !allowed_origin)) {
    return problem(403, "a web page of another site may not call this server");
  }
  const std::string type = lower(call.header("content-type"));
  const std::string_view media = trim(std::string_view(type).substr(0, type.find(';')));
  if (!call.body.empty() && media != "application/json") {
    return problem(415, "send the body as Content-Type: application/json");
  }
  return std::nullopt;
}

}  // namespace runyard
