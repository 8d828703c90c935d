#pragma once

#include <string>
#include <vector>

namespace runyard {

/// The known name nearest to a mistyped one; "" when none is near.
std::string nearest_name(const std::string& name, const std::vector<std::string>& known);

}  // namespace runyard
