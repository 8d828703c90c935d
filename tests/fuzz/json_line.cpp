// A line that may be one with the key "runyard".
#include "core/log/json_line.h"

#include <cmath>

#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using runyard::fuzz::require;
  const auto line = runyard::read_json_line(runyard::fuzz::to_text(data, size));
  if (!line) {
    require(!line.error().message.empty());
    return 0;
  }
  if (!*line) return 0;
  if ((*line)->progress) {
    require((*line)->progress->first >= 0 && (*line)->progress->second > 0);
    require(std::isfinite((*line)->progress->first) && std::isfinite((*line)->progress->second));
  }
  for (const auto& [name, y] : (*line)->series) {
    require(!name.empty() && name.size() <= 64 && std::isfinite(y));
  }
  require((*line)->series.size() <= 64 && (*line)->artifacts.size() <= 64);
  return 0;
}
