#include "cli/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <ctime>

#include "cli/terminal.h"
#include "core/base/plain_json.h"

namespace runyard::cli {
namespace {

constexpr std::string_view kGap = "  ";

std::string_view code_of(Colour colour) {
  switch (colour) {
    case Colour::kNone:
      return "";
    case Colour::kGreen:
      return "\x1b[32m";
    case Colour::kRed:
      return "\x1b[31m";
    case Colour::kYellow:
      return "\x1b[33m";
    case Colour::kBlue:
      return "\x1b[34m";
    case Colour::kGrey:
      return "\x1b[90m";
    case Colour::kBold:
      return "\x1b[1m";
  }
  return "";
}

std::tm local_time(TimeMs time) {
  const auto seconds = static_cast<std::time_t>(time / 1000);
  std::tm tm{};
  ::localtime_r(&seconds, &tm);
  return tm;
}

}  // namespace

std::string paint(std::string_view text, Colour colour, bool on) {
  if (!on || colour == Colour::kNone || text.empty()) return std::string(text);
  return fmt::format("{}{}\x1b[0m", code_of(colour), text);
}

Colour colour_of_status(std::string_view status) {
  if (status == "SUCCESS" || status == "loaded") return Colour::kGreen;
  if (status == "FAILED" || status == "quarantined") return Colour::kRed;
  if (status == "RUNNING") return Colour::kBlue;
  if (status == "CANCELLED") return Colour::kYellow;
  if (status == "QUEUED" || status == "superseded" || status == "removed") return Colour::kGrey;
  return Colour::kNone;
}

std::string Table::render(bool colour, std::size_t width) const {
  std::vector<std::size_t> widths(columns_.size(), 0);
  std::vector<std::vector<std::string>> texts;
  for (const auto& row : rows_) {
    auto& line = texts.emplace_back();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      line.push_back(i < row.size() ? escape_controls(row[i].text) : "");
      widths[i] = std::max(widths[i], display_width(line.back()));
    }
  }
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (widths[i] > 0) widths[i] = std::max(widths[i], display_width(columns_[i].title));
  }

  std::string out;
  const auto add_line = [&](auto&& text_at, auto&& colour_at) {
    std::size_t used = 0;
    std::string line, blanks;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (widths[i] == 0) continue;
      std::string text = text_at(i);
      const std::size_t start = used == 0 ? 0 : used + kGap.size();
      if (width > 0 && start >= width) break;
      const std::size_t cell = width > 0 ? std::min(widths[i], width - start) : widths[i];
      text = fit(text, cell);
      if (used > 0) blanks += kGap;
      const std::size_t shown = display_width(text);
      const std::string padding(cell - std::min(cell, shown), ' ');
      if (columns_[i].right) blanks += padding;
      if (!text.empty()) {
        line += blanks + paint(text, colour_at(i), colour);
        blanks.clear();
      }
      if (!columns_[i].right) blanks += padding;  // dropped at the end of the line
      used = start + cell;
    }
    out += line + "\n";
  };
  add_line([&](std::size_t i) { return columns_[i].title; },
           [](std::size_t) { return Colour::kBold; });
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    add_line(
        [&](std::size_t i) { return texts[r][i]; },
        [&](std::size_t i) { return i < rows_[r].size() ? rows_[r][i].colour : Colour::kNone; });
  }
  return out;
}

std::string format_duration(std::optional<double> seconds) {
  if (!seconds || !std::isfinite(*seconds) || *seconds < 0) return "";
  if (*seconds < 9.95) return fmt::format("{:.1f}s", *seconds);
  const auto total = static_cast<long long>(std::min(*seconds + 0.5, 1e12));
  if (total < 60) return fmt::format("{}s", total);
  if (total < 3600) return fmt::format("{}m{:02}s", total / 60, total % 60);
  if (total < 86400) return fmt::format("{}h{:02}m", total / 3600, total % 3600 / 60);
  return fmt::format("{}d{:02}h", total / 86400, total % 86400 / 3600);
}

std::string short_time(std::string_view iso, TimeMs now) {
  const auto time = parse_time(iso);
  if (!time) return "";
  const std::tm then = local_time(*time), today = local_time(now);
  if (then.tm_year != today.tm_year) {
    return fmt::format("{:04}-{:02}-{:02}", then.tm_year + 1900, then.tm_mon + 1, then.tm_mday);
  }
  if (then.tm_yday != today.tm_yday) {
    return fmt::format("{:02}-{:02} {:02}:{:02}", then.tm_mon + 1, then.tm_mday, then.tm_hour,
                       then.tm_min);
  }
  return fmt::format("{:02}:{:02}:{:02}", then.tm_hour, then.tm_min, then.tm_sec);
}

std::string bar(double fraction, std::size_t cells) {
  const double bounded = std::isfinite(fraction) ? std::clamp(fraction, 0.0, 1.0) : 0.0;
  const auto full = static_cast<std::size_t>(bounded * static_cast<double>(cells));
  return "[" + std::string(full, '#') + std::string(cells - full, '-') + "]";
}

std::string format_bytes(double bytes) {
  constexpr std::string_view kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < std::size(kUnits)) {
    bytes /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

std::string compact_json(const boost::json::value& value) {
  std::string out;
  if (const auto* object = value.if_object()) {
    for (const auto& [key, member] : *object) {
      out += fmt::format("{}{}: {}", out.empty() ? "" : ", ",
                         boost::json::serialize(boost::json::value(key)), compact_json(member));
    }
    return "{" + out + "}";
  }
  if (const auto* array = value.if_array()) {
    for (const auto& item : *array) {
      if (!out.empty()) out += ", ";
      out += compact_json(item);
    }
    return "[" + out + "]";
  }
  return plain_json(value);
}

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void print_json(const boost::json::value& document) { print(plain_json(document) + "\n"); }

void note(std::string_view text) { fmt::print(stderr, "runyard: {}\n", escape_controls(text)); }

}  // namespace runyard::cli
