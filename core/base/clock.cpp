#include "core/base/clock.h"

#include <fmt/format.h>

#include <ctime>

namespace runyard {
namespace {

std::tm local_time(TimeMs time) {
  std::tm tm{};
  const auto seconds = static_cast<std::time_t>(time >= 0 ? time / 1000 : (time - 999) / 1000);
  ::localtime_r(&seconds, &tm);
  return tm;
}

/// The number in `count` digits at `at`; -1 when they are not digits.
int digits(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return -1;
  int value = 0;
  for (char c : text.substr(at, count)) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

}  // namespace

std::string format_time(TimeMs time) {
  const std::tm tm = local_time(time);
  const auto ms = static_cast<int>(((time % 1000) + 1000) % 1000);
  const long offset = tm.tm_gmtoff / 60;
  const long minutes = offset < 0 ? -offset : offset;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}{}{:02}:{:02}", tm.tm_year + 1900,
                     tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, ms,
                     offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

std::optional<TimeMs> parse_time(std::string_view text) {
  // YYYY-MM-DDTHH:MM:SS[.fff...](Z|+HH:MM|-HH:MM)
  std::tm tm{};
  const int year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  const int hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  if (year < 0 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 ||
      minute < 0 || minute > 59 || second < 0 || second > 59 || text[4] != '-' || text[7] != '-' ||
      text[10] != 'T' || text[13] != ':' || text[16] != ':') {
    return std::nullopt;
  }
  std::size_t at = 19;
  TimeMs ms = 0;
  if (at < text.size() && text[at] == '.') {
    if (digits(text, at + 1, 1) < 0) return std::nullopt;
    int scale = 100;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10) {
      ms += (text[at] - '0') * scale;
    }
  }
  const std::string_view zone = text.substr(at);
  TimeMs offset_min = 0;
  if (zone != "Z") {
    const int zone_hour = digits(zone, 1, 2), zone_minute = digits(zone, 4, 2);
    if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':' || zone_hour < 0 ||
        zone_hour > 23 || zone_minute < 0 || zone_minute > 59) {
      return std::nullopt;
    }
    offset_min = (zone_hour * 60 + zone_minute) * (zone[0] == '-' ? -1 : 1);
  }
  tm.tm_year = year - 1900;
  tm.tm_mon = month - 1;
  tm.tm_mday = day;
  tm.tm_hour = hour;
  tm.tm_min = minute;
  tm.tm_sec = second;
  const auto seconds = static_cast<TimeMs>(::timegm(&tm));
  if (tm.tm_mday != day) return std::nullopt;  // the 31st of a shorter month
  return seconds * 1000 + ms - offset_min * 60'000;
}

std::string format_compact(TimeMs time) {
  const std::tm tm = local_time(time);
  return fmt::format("{:04}{:02}{:02}_{:02}{:02}{:02}", tm.tm_year + 1900, tm.tm_mon + 1,
                     tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

bool is_compact_time(std::string_view text) {
  if (text.size() != 15 || text[8] != '_') return false;
  const int year = digits(text, 0, 4), month = digits(text, 4, 2), day = digits(text, 6, 2);
  const int hour = digits(text, 9, 2), minute = digits(text, 11, 2), second = digits(text, 13, 2);
  if (year < 1900 || month < 1 || day < 1 || hour < 0 || minute < 0 || second < 0) return false;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  return date.ok() && hour < 24 && minute < 60 && second < 60;
}

std::optional<TimeMs> parse_compact(std::string_view text) {
  if (!is_compact_time(text)) return std::nullopt;
  std::tm tm{};
  tm.tm_year = digits(text, 0, 4) - 1900;
  tm.tm_mon = digits(text, 4, 2) - 1;
  tm.tm_mday = digits(text, 6, 2);
  tm.tm_hour = digits(text, 9, 2);
  tm.tm_min = digits(text, 11, 2);
  tm.tm_sec = digits(text, 13, 2);
  tm.tm_isdst = -1;
  return static_cast<TimeMs>(std::mktime(&tm)) * 1000;
}

}  // namespace runyard
