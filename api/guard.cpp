#include "api/guard.h"

#include <algorithm>

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

bool is_numeric(const std::string& name) {
  boost::system::error_code error;
  boost::asio::ip::make_address(name, error);
  return !error;
}

/// The last item of a list such as `a, b`: the one that the nearest proxy has written.
std::string_view last_item(std::string_view list) {
  const auto comma = list.rfind(',');
  return trim(comma == std::string_view::npos ? list : list.substr(comma + 1));
}

/// The origin of the pages that this server serves, as a browser writes it: in lower case and
/// without the scheme's own port.
std::string own_origin(const Call& call) {
  std::string host = lower(call.host);
  const std::string_view usual = call.is_https ? ":443" : ":80";
  if (host.ends_with(usual)) host.resize(host.size() - usual.size());
  return (call.is_https ? "https://" : "http://") + host;
}

}  // namespace

bool is_loopback(std::string_view host) {
  if (lower(host) == "localhost") return true;
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(std::string(host), error);
  return !error && address.is_loopback();
}

bool is_wildcard(std::string_view host) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(std::string(host), error);
  return !error && address.is_unspecified();
}

Guard::Guard(Rules rules) : rules_(std::move(rules)) {
  for (auto& host : rules_.hosts) host = lower(host);
  for (auto& origin : rules_.origins) origin = lower(origin);
}

std::optional<Reply> Guard::check(Call& call, bool is_stream) const {
  call.host = call.header("host");
  if (auto refused = check_host(call.host)) return refused;
  if (auto refused = read_proxy(call)) return refused;
  const bool may_change = call.method != "GET";
  call.is_own_page = is_own_page(call);
  if ((may_change || is_stream) && !call.is_own_page) {
    return problem(403, "a web page of another site may not call this server");
  }
  const std::string type = lower(call.header("content-type"));
  const std::string_view media = trim(std::string_view(type).substr(0, type.find(';')));
  if (may_change && !call.body.empty() && media != "application/json") {
    return problem(415, "send the body as Content-Type: application/json");
  }
  return std::nullopt;
}

std::optional<Reply> Guard::check_host(std::string_view host) const {
  const std::string name = host_name(host);
  if (is_loopback(name) || (rules_.any_address && is_numeric(name)) ||
      (!name.empty() &&
       std::find(rules_.hosts.begin(), rules_.hosts.end(), name) != rules_.hosts.end())) {
    return std::nullopt;
  }
  return problem(421, "this server does not answer for the host '" +
                          std::string(host.substr(0, 100)) +
                          "'; use its own address, or add it to 'server.allowed_hosts'");
}

std::optional<Reply> Guard::read_proxy(Call& call) const {
  const auto peer = parse_address(call.client);
  if (peer) call.client = peer->to_string();
  const bool is_forwarded =
      std::any_of(call.headers.begin(), call.headers.end(), [](const auto& field) {
        return field.first == "forwarded" || field.first.starts_with("x-forwarded-");
      });
  if (!is_forwarded) return std::nullopt;
  if (!peer || !rules_.proxies.contains(*peer)) {
    return problem(403, rules_.proxies.empty()
                            ? "requests through a proxy are refused: no trusted proxy is configured"
                            : "requests through this proxy are refused: its address is not in "
                              "'server.trusted_proxies'");
  }
  // Each proxy appends whom it got the request from. What stands before the last one that we do not
  // trust may be anybody's invention.
  const std::string chain = call.header("x-forwarded-for");
  for (std::string_view left = chain; !left.empty();) {
    const auto address = parse_address(last_item(left));
    if (!address) return problem(400, "the proxy sent an X-Forwarded-For that is no address");
    call.client = address->to_string();
    if (!rules_.proxies.contains(*address)) break;
    const auto comma = left.rfind(',');
    left = left.substr(0, comma == std::string_view::npos ? 0 : comma);
  }
  call.is_https = lower(last_item(call.header("x-forwarded-proto"))) == "https";
  if (const std::string host = call.header("x-forwarded-host"); !host.empty()) {
    call.host = last_item(host);
    return check_host(call.host);
  }
  return std::nullopt;
}

bool Guard::is_own_page(const Call& call) const {
  const std::string site = call.header("sec-fetch-site");
  const std::string origin = lower(call.header("origin"));
  const bool is_allowed =
      origin.empty() || origin == own_origin(call) ||
      std::find(rules_.origins.begin(), rules_.origins.end(), origin) != rules_.origins.end();
  // A browser's own word about the site counts more than the origin that it sends.
  if (site.empty()) return is_allowed;
  return site == "same-origin" || site == "none" || (!origin.empty() && is_allowed);
}

}  // namespace runyard
