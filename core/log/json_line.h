#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace runyard {

/// What a command says of itself in a line that is a JSON object with the key "runyard"
/// (docs/plugin-guide.md). Empty members were not said.
struct JsonLine {
  std::optional<std::pair<double, double>> progress;  ///< current and total, which is above 0
  std::optional<std::string> status;
  std::vector<std::pair<std::string, std::string>> artifacts;  ///< name and value
  std::vector<std::pair<std::string, double>> series;          ///< name and y
  std::optional<std::pair<std::string, double>> x;             ///< of all `series`: name and value
};

/// nullopt: not such a line. kInvalid, with what is wrong, when it is one but says it wrongly; then
/// nothing of it counts.
Result<std::optional<JsonLine>> read_json_line(std::string_view text);

}  // namespace runyard
