// A Range header for something of any size: the size is the input's first line.
#include "api/byte_range.h"

#include <charconv>

#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using runyard::fuzz::require;
  std::string_view input = runyard::fuzz::to_text(data, size);
  const std::string_view digits = runyard::fuzz::take_line(input);
  std::int64_t bytes = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), bytes);
  if (bytes < 0) return 0;
  const auto range = runyard::parse_range(input, bytes);
  if (!range) return 0;
  require(range->first >= 0 && range->second >= 0 && range->second <= bytes);
  require(range->first >= bytes || range->first < range->second);
  return 0;
}
