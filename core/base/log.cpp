#include "core/base/log.h"

#include <fmt/format.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cmath>
#include <span>

#include "core/base/clock.h"
#include "core/base/text.h"

namespace runyard {
namespace {

/// The fields of the event that this thread is logging. spdlog passes text alone to its formatters;
/// its loggers here are synchronous, so the formatter runs within log_event().
thread_local std::span<const LogField> current_fields;

TimeMs time_of(const spdlog::details::log_msg& message) {
  using namespace std::chrono;
  return duration_cast<milliseconds>(message.time.time_since_epoch()).count();
}

std::string_view view(spdlog::string_view_t text) { return {text.data(), text.size()}; }

bool is_empty(const LogField& field) {
  const auto* text = std::get_if<std::string_view>(&field.value);
  return text && text->empty();
}

void append(spdlog::memory_buf_t& out, std::string_view text) {
  out.append(text.data(), text.data() + text.size());
}

/// `2026-11-22T10:15:30.123+08:00 info message name=value`.
class TextFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    append(out, format_time(time_of(message)));
    out.push_back(' ');
    message.color_range_start = out.size();
    append(out, view(spdlog::level::to_string_view(message.level)));
    message.color_range_end = out.size();
    out.push_back(' ');
    append(out, escape_controls(view(message.payload)));
    for (const LogField& field : current_fields) {
      if (is_empty(field)) continue;
      out.push_back(' ');
      append(out, field.name);
      out.push_back('=');
      std::visit([&](const auto& value) { append_value(value, out); }, field.value);
    }
    out.push_back('\n');
  }
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<TextFormatter>();
  }

 private:
  /// Quoted when it would not be one word.
  static void append_value(std::string_view text, spdlog::memory_buf_t& out) {
    const std::string safe = escape_controls(text);
    if (safe.find_first_of(" \"=\\") == std::string::npos) return append(out, safe);
    out.push_back('"');
    for (const char c : safe) {
      if (c == '"') out.push_back('\\');
      out.push_back(c);
    }
    out.push_back('"');
  }
  template <class Number>
  static void append_value(Number number, spdlog::memory_buf_t& out) {
    append(out, fmt::format("{}", number));
  }
};

/// {"time": ..., "level": ..., "message": ..., fields...}
class JsonFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    append(out, R"({"time":")");
    append(out, format_time(time_of(message)));
    append(out, R"(","level":")");
    append(out, view(spdlog::level::to_string_view(message.level)));
    append(out, R"(","message":)");
    append_value(view(message.payload), out);
    for (const LogField& field : current_fields) {
      if (is_empty(field)) continue;
      append(out, ",\"");
      append(out, field.name);
      append(out, "\":");
      std::visit([&](const auto& value) { append_value(value, out); }, field.value);
    }
    append(out, "}\n");
  }
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>();
  }

 private:
  static void append_value(std::string_view text, spdlog::memory_buf_t& out) {
    out.push_back('"');
    for (const char c : sanitize_utf8(text)) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') out.push_back('\\');
      if (byte < 0x20 || byte == 0x7f) {
        append(out, fmt::format("\\u{:04x}", byte));
      } else {
        out.push_back(c);
      }
    }
    out.push_back('"');
  }
  static void append_value(double number, spdlog::memory_buf_t& out) {
    append(out, std::isfinite(number) ? fmt::format("{}", number) : "null");
  }
  static void append_value(std::int64_t number, spdlog::memory_buf_t& out) {
    append(out, fmt::format("{}", number));
  }
};

}  // namespace

std::unique_ptr<spdlog::formatter> make_log_formatter(bool json) {
  if (json) return std::make_unique<JsonFormatter>();
  return std::make_unique<TextFormatter>();
}

Result<> start_log(const LogOptions& options) {
  std::shared_ptr<spdlog::logger> logger;
  try {
    if (options.file.empty()) {
      logger = std::make_shared<spdlog::logger>(
          "runyard", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    } else {
      logger = std::make_shared<spdlog::logger>(
          "runyard", std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
                         options.file.string(), static_cast<std::size_t>(options.file_bytes),
                         static_cast<std::size_t>(options.file_keep)));
    }
  } catch (const spdlog::spdlog_ex& error) {
    return make_error(ErrorKind::kInternal,
                      fmt::format("the log {} cannot be written: {}; set 'log.file'",
                                  options.file.string(), error.what()));
  }
  logger->set_formatter(make_log_formatter(options.json));
  logger->set_level(spdlog::level::from_str(options.level == "error" ? "err" : options.level));
  // A line is there when it is looked for; a log this size costs nothing by it.
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  return {};
}

void log_event(spdlog::level::level_enum level, std::string_view message,
               std::initializer_list<LogField> fields) {
  auto* logger = spdlog::default_logger_raw();
  if (!logger->should_log(level)) return;
  current_fields = {fields.begin(), fields.size()};
  logger->log(level, "{}", message);
  current_fields = {};
}

}  // namespace runyard
