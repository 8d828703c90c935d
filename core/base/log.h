#pragma once

#include <spdlog/common.h>

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/base/result.h"

namespace runyard {

/// How the server's own log is written; the settings below `log:`.
struct LogOptions {
  std::string level = "info";   ///< debug, info, warn, error
  bool json = false;            ///< one JSON object a line instead of text
  std::filesystem::path file;   ///< empty: standard error
  std::int64_t file_bytes = 0;  ///< rotated above it
  int file_keep = 1;            ///< rotated files that are kept
};

/// Makes spdlog's default logger write so. kInternal when the file cannot be written. Main thread,
/// before others log.
Result<> start_log(const LogOptions& options);

/// One member of an event, beside its message.
struct LogField {
  std::string_view name;
  std::variant<std::string_view, std::int64_t, double> value;

  LogField(std::string_view field, std::string_view text) : name(field), value(text) {}
  LogField(std::string_view field, const std::string& text)
      : name(field), value(std::string_view(text)) {}
  LogField(std::string_view field, const char* text) : name(field), value(std::string_view(text)) {}
  template <class Int, class = std::enable_if_t<std::is_integral_v<Int>>>
  LogField(std::string_view field, Int number)
      : name(field), value(static_cast<std::int64_t>(number)) {}
  LogField(std::string_view field, double number) : name(field), value(number) {}
  LogField(std::string_view field, const std::optional<int>& number) : name(field) {
    if (number) value = static_cast<std::int64_t>(*number);
  }
};

/// A line of the default logger with structured fields: `message name=value ...` in text, members
/// beside `message` in JSON. Texts may hold anything: what could forge a line is escaped, as it is
/// for every message. A field with an empty text is left out. Any thread.
void log_event(spdlog::level::level_enum level, std::string_view message,
               std::initializer_list<LogField> fields);

/// What start_log() gives its sinks; for tests.
std::unique_ptr<spdlog::formatter> make_log_formatter(bool json);

}  // namespace runyard
