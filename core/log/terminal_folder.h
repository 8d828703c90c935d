#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/log/terminal_codes.h"

namespace runyard {

/// Turns what a command printed into what a terminal would show: a carriage return goes back to the
/// line's begin, and what comes overwrites character by character; backspace, cursor left, right
/// and to a column, and erase-line do what they say; colours stay or go; every other control
/// character and escape sequence is dropped. So a progress bar is one line with its last state. A
/// character is one column, whatever its width. A plain value, used by one thread.
///
/// A line ends at a line feed, with one exception: a line feed that directly follows a cursor-up
/// takes it back and is as a carriage return. That is how tqdm draws the inner one of nested bars;
/// so it is one line until the outer bar is drawn again, which then takes that line (a carriage
/// return that directly follows a cursor-up begins the line anew). Otherwise a cursor-up is
/// dropped: earlier lines stay as they are. So the number of a line is known from the bytes before
/// it alone.
///
/// Bounded memory: of a longer line only the first `max_bytes` bytes are kept. A line of more than
/// kMaxEdited characters is not edited: a carriage return begins it anew, cursor moves are dropped.
///
/// Invariant: what is given does not depend on how the bytes were split into feed() calls.
class TerminalFolder {
 public:
  enum class Unit {
    kLine,  ///< each line when it ends, empty ones too
    /// What a reader has seen: each line, and each state of it before it is overwritten or erased,
    /// as far as it was printed since the state before; empty ones are left out.
    kState,
  };
  static constexpr std::size_t kMaxEdited = 4096;

  /// `max_bytes` is at least 16 KiB. With `colours`, lines have SGR sequences in them and each
  /// stands for itself: it begins plain and ends plain. `style` is the one at the first byte.
  TerminalFolder(Unit unit, std::size_t max_bytes, bool colours = false, TextStyle style = {});

  struct Line {
    std::string_view text;  ///< valid until the sink returns; any bytes, also no UTF-8
    bool cut = false;       ///< it was longer
  };
  using Sink = std::function<void(const Line& line)>;

  /// Gives what ends in these bytes.
  void feed(std::string_view bytes, const Sink& sink);
  /// Gives what is there without an end, as at the end of a log.
  void finish(const Sink& sink);
  /// For who goes on at another place of the log.
  void set_style(const TextStyle& style) { style_ = style; }
  /// Bytes fed since the end of what was given last: where a restart has to begin again.
  std::int64_t pending() const { return position_ - begin_; }
  /// Bytes fed in all; within the sink, up to the end of what is given.
  std::int64_t position() const { return position_; }

 private:
  /// What is on a line, or a part of it: text, and where its style changes.
  struct Row {
    struct Change {
      std::size_t at;
      TextStyle style;
    };
    std::string text;
    std::vector<Change> changes;  // ordered; before the first one it is plain
    bool cut = false;

    bool empty() const { return text.empty(); }
    void clear();
    TextStyle style_at(std::size_t at) const;
    /// Replaces `count` bytes at `at`.
    void replace(std::size_t at, std::size_t count, const Row& with);
  };

  void write(std::string_view run);
  void control(char c, std::int64_t end, const Sink& sink);
  void sequence(std::int64_t end, const Sink& sink);
  void erase(int mode, std::int64_t end, const Sink& sink);
  void end_unit(std::int64_t end, const Sink& sink);
  void commit();
  std::size_t columns();
  std::size_t cursor();
  bool is_edited();
  void move_to(std::size_t column);
  bool is_blank() const { return base_.empty() && over_.empty() && at_end_; }

  Unit unit_;
  std::size_t max_bytes_;
  bool colours_;
  TextStyle style_;
  EscapeParser escape_;
  // The line is `base_`, overwritten from column `at_` (or its end) on by `over_`.
  static constexpr std::size_t kUnknown = SIZE_MAX;
  Row base_, over_;
  std::size_t columns_ = kUnknown;  // of base_
  std::size_t at_ = 0;
  bool at_end_ = true;
  int ups_ = 0;  // cursor-ups that nothing but line feeds has followed
  std::int64_t begin_ = 0, position_ = 0;
  std::string shown_;  // a line with its colours
};

}  // namespace runyard
