#pragma once

#include <filesystem>
#include <string>

namespace runyard {

/// Where the curves of an ended job are kept, as the API answers them (docs/formats.md).
inline std::filesystem::path series_file(const std::filesystem::path& state,
                                         const std::string& job_id) {
  return state / "series" / (job_id + ".json");
}

}  // namespace runyard
