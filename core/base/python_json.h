#pragma once

#include <string>
#include <string_view>

namespace runyard {

/// JSON with null in the place of NaN, Infinity and -Infinity, which Python writes for what JSON
/// has no number for. What stands in quotes stays.
std::string without_nan(std::string_view text);

}  // namespace runyard
