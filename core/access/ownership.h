#pragma once

#include <filesystem>

#include "core/base/result.h"

namespace runyard {

/// Fails (kForbidden, with what to do) when another user of this machine than root could change
/// what is in `folder`: by writing to it or to a file in it, or by putting another folder in its
/// place. Looks at owners and mode bits of the folder, its files and its parents.
Result<> check_only_ours(const std::filesystem::path& folder);

}  // namespace runyard
