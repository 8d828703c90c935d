#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http.h"
#include "core/access/network_set.h"

namespace runyard {

/// What stands in front of every route: keeps web pages of other sites, forged host names and
/// proxies that nobody configured away (docs/api.md, "Who may call"). Immutable; any thread.
class Guard {
 public:
  struct Rules {
    /// The names under which this server may be addressed, beside the loopback ones.
    std::vector<std::string> hosts;
    /// Web pages elsewhere that may call it, e.g. those of a development server.
    std::vector<std::string> origins;
    NetworkSet proxies = {};  ///< whose X-Forwarded-For, -Proto and -Host are believed
    /// Also any address in numbers, for a server that listens on all of its machine's: a name is
    /// what a forged host needs.
    bool any_address = false;
  };
  explicit Guard(Rules rules);

  /// Finds out what the chain has to know of where a call comes from (`client`, `host`, `is_https`,
  /// `is_own_page`), and refuses it, or nullopt when it may go on. `is_stream`: the route would
  /// answer with a stream.
  std::optional<Reply> check(Call& call, bool is_stream) const;

 private:
  std::optional<Reply> check_host(std::string_view host) const;
  std::optional<Reply> read_proxy(Call& call) const;
  bool is_own_page(const Call& call) const;
  Rules rules_;
};

/// True for 127.0.0.0/8, ::1 and localhost.
bool is_loopback(std::string_view host);
/// True for 0.0.0.0 and ::, which stand for all addresses of a machine.
bool is_wildcard(std::string_view host);

}  // namespace runyard
