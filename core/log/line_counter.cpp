#include "core/log/line_counter.h"

#include <algorithm>
#include <cstring>

#include "core/log/byte_scan.h"

namespace runyard {
namespace {

/// Behind the first `count` line feeds, or the end.
std::size_t behind_newlines(std::string_view bytes, std::int64_t count) {
  std::size_t at = 0;
  while (count-- > 0) {
    const std::size_t newline = bytes.find('\n', at);
    if (newline == bytes.npos) return bytes.size();
    at = newline + 1;
  }
  return at;
}

}  // namespace

std::size_t LineCounter::feed_until(std::string_view bytes, std::int64_t line) {
  std::size_t at = 0;
  while (at < bytes.size() && !(mark_.line >= line && mark_.at_start)) {
    if (escape_.active()) {
      const auto step = escape_.step(bytes[at]);
      if (step == EscapeParser::Step::kControl && escape_.final() == 'm') {
        mark_.style.apply(escape_.parameters());
      } else if (step == EscapeParser::Step::kControl && escape_.final() == 'A') {
        ups_ = std::min(ups_ + std::max(1, escape_.number(1)), 1000);
      }
      if (step != EscapeParser::Step::kBroken) {
        ++at;
        continue;
      }
    }
    if (ups_ > 0 && bytes[at] != '\x1b') {
      // As the folder does: characters, carriage return and backspace end it, others do nothing.
      const auto byte = static_cast<unsigned char>(bytes[at]);
      const bool seen =
          (byte >= 0x20 && byte != 0x7f) || byte == '\t' || byte == '\r' || byte == '\b';
      ups_ = bytes[at] == '\n' ? ups_ - 1 : seen ? 0 : ups_;
      ++at;
      continue;
    }
    std::string_view run = bytes.substr(at);
    if (const void* escape = std::memchr(run.data(), '\x1b', run.size())) {
      run = run.substr(0, static_cast<std::size_t>(static_cast<const char*>(escape) - run.data()));
    }
    if (run.empty()) {  // at an ESC
      escape_.begin();
      mark_.at_start = false;
      ++at;
      continue;
    }
    std::int64_t lines = count_newlines(run);
    if (line - mark_.line <= lines) {
      run = run.substr(0, behind_newlines(run, line - mark_.line));
      lines = line - mark_.line;
    }
    mark_.line += lines;
    mark_.at_start = run.back() == '\n';
    at += run.size();
  }
  mark_.offset += static_cast<std::int64_t>(at);
  return at;
}

}  // namespace runyard
