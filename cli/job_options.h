#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/api.h"
#include "core/base/result.h"

namespace CLI {
class App;
}

namespace runyard::cli {

/// The options of `_job` on a command line: --priority, --timeout, --after, ... Only what was given
/// is sent; the rest is the job type's default.
class JobOptionFlags {
 public:
  void declare(CLI::App& app, const std::string& group);
  /// The `_job` object, empty when nothing was given. Resolves the jobs of --after.
  Result<boost::json::object> to_json(Api& api) const;

 private:
  std::optional<int> priority_, retries_, slots_, gpus_;
  std::optional<std::string> timeout_, memory_, group_, name_;
  std::vector<std::string> after_;
  bool retry_lost_ = false;
};

/// Seconds from `90`, `90s`, `15m`, `2h`, `1d`; nullopt for anything else.
std::optional<std::int64_t> parse_seconds(const std::string& text);

/// Megabytes from `500`, `500M`, `4G`, `1T`; nullopt for anything else.
std::optional<std::int64_t> parse_megabytes(const std::string& text);

/// The object of --params: JSON, `@file`, or `-` for stdin. kInvalid when it is no object.
Result<boost::json::object> read_params(const std::string& argument);

}  // namespace runyard::cli
