#include "api/byte_range.h"

#include <algorithm>
#include <charconv>

namespace runyard {

std::optional<std::pair<std::int64_t, std::int64_t>> parse_range(std::string_view text,
                                                                 std::int64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!text.starts_with(kUnit)) return std::nullopt;
  text.remove_prefix(kUnit.size());
  const auto dash = text.find('-');
  if (dash == std::string_view::npos || text.find(',') != std::string_view::npos) {
    return std::nullopt;
  }
  const auto number = [](std::string_view digits) -> std::optional<std::int64_t> {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool whole = error == std::errc() && end == digits.data() + digits.size() && value >= 0;
    return whole ? std::optional(value) : std::nullopt;
  };
  const auto first = number(text.substr(0, dash)), last = number(text.substr(dash + 1));
  if (dash == 0) {
    if (!last) return std::nullopt;
    return std::pair(std::max<std::int64_t>(0, size - *last), size);
  }
  if (!first || (dash + 1 < text.size() && (!last || *last < *first))) return std::nullopt;
  return std::pair(*first, last ? std::min(*last, size - 1) + 1 : size);
}

}  // namespace runyard
