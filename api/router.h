#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/http.h"

namespace runyard {

/// Finds the route of a request. Immutable after construction; any thread. It stands in the place
/// of Pistache's router, which decodes nothing and answers errors in its own words
/// (docs/decisions.md).
class Router {
 public:
  explicit Router(std::vector<Route> routes);
  Router(Router&&) = default;  // moving keeps what the entries point to, copying would not

  struct Match {
    const Route* route = nullptr;  ///< null: none fits
    std::map<std::string, std::string> path;
    std::vector<std::string> allowed;  ///< methods of other routes at this path: 405
  };
  /// `path` in its encoded form. A HEAD is a GET.
  Match find(std::string_view method, std::string_view path) const;

  const std::vector<Route>& routes() const { return routes_; }

 private:
  struct Entry {
    std::vector<std::string> segments;
    const Route* route;
  };
  std::vector<Route> routes_;
  std::vector<Entry> entries_;            // those with fixed segments first, `/*name` last
  std::set<std::string> first_segments_;  // fixed ones; `/*name` has nothing below them
};

/// The query `a=1&b=%20` decoded; of a repeated key the first one; false when it is malformed.
bool decode_query(std::string_view query, std::map<std::string, std::string>& into);

}  // namespace runyard
