#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace runyard {

/// `bytes=a-b`, `bytes=a-`, `bytes=-n` (RFC 9110, 14.1.2) of something of `size` bytes: the first
/// byte and the one behind the last, which is at most `size`; the first may be behind the end
/// (416). nullopt: not a range that is served (several, or malformed), so the whole is sent.
std::optional<std::pair<std::int64_t, std::int64_t>> parse_range(std::string_view text,
                                                                 std::int64_t size);

}  // namespace runyard
