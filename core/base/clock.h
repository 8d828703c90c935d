#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace runyard {

/// Milliseconds since the Unix epoch: the one form in which times are kept and compared.
using TimeMs = std::int64_t;

/// The wall clock. Any thread.
inline TimeMs now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

/// ISO 8601 with milliseconds and the local zone: `2026-11-22T10:15:30.123+08:00`. Any thread.
std::string format_time(TimeMs time);
/// Reads what format_time writes (any zone, `Z` too); nullopt for anything else.
std::optional<TimeMs> parse_time(std::string_view text);
/// Local `YYYYMMDD_HHMMSS`, the first part of the ids of jobs.
std::string format_compact(TimeMs time);
/// True for what format_compact writes; false for anything else, such as the 13th month.
bool is_compact_time(std::string_view text);
/// Reads it; nullopt when it is none.
std::optional<TimeMs> parse_compact(std::string_view text);

}  // namespace runyard
