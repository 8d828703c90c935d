#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/http.h"

namespace runyard {

/// What stands in front of every route: keeps web pages of other sites and forged host names away
/// from a server that trusts whoever reaches it (docs/api.md, "Who may call"). Immutable; any
/// thread.
class Guard {
 public:
  /// `hosts`: the names under which this server may be addressed, beside the loopback ones.
  /// `origins`: web pages elsewhere that may call it, e.g. a development server.
  Guard(std::vector<std::string> hosts, std::vector<std::string> origins);

  /// The refusal, or nullopt when the call may go on to its route.
  std::optional<Reply> check(const Call& call) const;

 private:
  bool is_allowed_host(std::string_view host) const;
  std::vector<std::string> hosts_, origins_;
};

/// True for 127.0.0.0/8, ::1 and localhost.
bool is_loopback(std::string_view host);

}  // namespace runyard
