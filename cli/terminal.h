#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "core/base/text.h"

namespace runyard::cli {

/// How many columns the text takes on a terminal (wide characters take two, combining ones none).
std::size_t display_width(std::string_view text);
/// Cut to `width` columns, with an ellipsis when something was cut.
std::string fit(std::string_view text, std::size_t width);
/// Breaks lines at blanks so that none is longer than `width`, where that is possible.
std::string wrap(std::string_view text, std::size_t width);

bool is_terminal(std::FILE* file);
/// A terminal, NO_COLOR is not set, and TERM is not `dumb`.
bool wants_colour(std::FILE* file);
/// Columns and rows of the terminal on stdout; 0 when it is none.
std::size_t terminal_width();
std::size_t terminal_height();

/// Makes a log safe for a terminal: colours (SGR), newline, tab and carriage return pass, every
/// other control character and escape sequence is dropped. What is split between two calls is put
/// together again. Used by one thread.
class TerminalFilter {
 public:
  std::string filter(std::string_view chunk);
  /// "\x1b[0m" when a colour may still be on, else "".
  std::string finish();

 private:
  enum class State { kText, kEscape, kIntermediate, kSequence, kString, kStringEscape };
  void step(unsigned char c, std::string& out);
  void text(unsigned char c, std::string& out);
  void flush_partial(std::string& out);

  State state_ = State::kText;
  std::string sequence_;    ///< parameters of the control sequence that is being read
  std::string partial_;     ///< an incomplete UTF-8 sequence
  std::size_t wanted_ = 0;  ///< length of the sequence in partial_
  bool coloured_ = false;
};

/// The text without its colours (SGR), which is all that there is of sequences in lines of the API.
std::string without_colours(std::string_view text);

/// Where a log is printed: as it is, or through TerminalFilter when the file is a terminal.
class LogSink {
 public:
  explicit LogSink(std::FILE* file) : file_(file), terminal_(cli::is_terminal(file)) {}
  void write(std::string_view text);
  void flush() { std::fflush(file_); }
  bool is_terminal() const { return terminal_; }
  /// Ends the colours, and on a terminal the line, so that something else can be printed.
  void finish();

 private:
  std::FILE* file_;
  bool terminal_;
  bool in_line_ = false;  ///< the last character was not a newline
  TerminalFilter filter_;
};

}  // namespace runyard::cli
