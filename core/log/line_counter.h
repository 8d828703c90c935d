#pragma once

#include <cstdint>
#include <string_view>

#include "core/log/terminal_codes.h"

namespace runyard {

/// A place in a log from which it can be read: directly behind a line feed or a carriage return.
struct LogMark {
  std::int64_t offset = 0;
  std::int64_t line = 1;  ///< the number of the line that the byte at `offset` belongs to
  bool at_start = true;   ///< that byte is the line's first
  TextStyle style;        ///< what the bytes before have set
  bool operator==(const LogMark&) const = default;
};

/// Counts lines as TerminalFolder cuts them, without folding them: at the speed of memory, but for
/// escape sequences. A plain value, used by one thread. Its state depends on the bytes alone, not
/// on how they were split.
class LineCounter {
 public:
  explicit LineCounter(LogMark from = {}) : mark_(from) {}

  void feed(std::string_view bytes) { feed_until(bytes, INT64_MAX); }
  /// Stops at the first byte of line `line`; the number of bytes used.
  std::size_t feed_until(std::string_view bytes, std::int64_t line);

  /// Where it is.
  const LogMark& mark() const { return mark_; }
  /// Whether counting can begin again here: not within a sequence.
  bool is_safe() const { return !escape_.active() && ups_ == 0; }
  /// Lines so far; one without an end counts.
  std::int64_t lines() const { return mark_.at_start ? mark_.line - 1 : mark_.line; }

 private:
  LogMark mark_;
  EscapeParser escape_;
  int ups_ = 0;
};

}  // namespace runyard
