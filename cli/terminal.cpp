#include "cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <cstdlib>
#include <cwchar>
#include <utility>

namespace runyard::cli {
namespace {

/// One character: its bytes and code point, or one byte that is not UTF-8.
struct Character {
  std::string_view bytes;
  char32_t code = 0;
  bool valid = false;
};

/// Length that a lead byte promises; 0 for a byte that cannot lead.
std::size_t utf8_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

Character next_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const Character bad{text.substr(0, 1), byte(0), false};
  const std::size_t length = utf8_length(byte(0));
  if (length == 0 || length > text.size()) return bad;
  char32_t code = length == 1 ? byte(0) : byte(0) & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return bad;
    code = (code << 6) | (byte(i) & 0x3Fu);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  if (overlong || (code >= 0xD800 && code <= 0xDFFF) || code > 0x10FFFF) return bad;
  return {text.substr(0, length), code, true};
}

bool is_control(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029;
}
std::size_t character_width(const Character& character) {
  if (!character.valid) return 1;
  if (character.code < 0x80) return 1;
  static const bool ready = std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr;
  const int width = ready ? ::wcwidth(static_cast<wchar_t>(character.code)) : 1;
  return width < 0 ? 1 : static_cast<std::size_t>(width);
}

winsize window() {
  winsize size{};
  if (::isatty(STDOUT_FILENO) == 0 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return {};
  return size;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const Character c = next_character(text);
    text.remove_prefix(c.bytes.size());
    width += character_width(c);
  }
  return width;
}

std::string fit(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  if (width == 0) return "";
  std::string out;
  std::size_t used = 0;
  while (!text.empty()) {
    const Character c = next_character(text);
    used += character_width(c);
    if (used > width - 1) break;  // one column is the ellipsis's
    out += c.bytes;
    text.remove_prefix(c.bytes.size());
  }
  return out + "…";
}

std::string wrap(std::string_view text, std::size_t width) {
  std::string out;
  std::size_t column = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
    const std::string_view word = text.substr(0, end);
    const std::size_t length = display_width(word);
    if (column > 0 && length > 0) {
      const bool fits = column + 1 + length <= width;
      out += fits ? ' ' : '\n';
      column = fits ? column + 1 : 0;
    }
    out += word;
    column += length;
    if (end < text.size() && text[end] == '\n') {
      out += '\n';
      column = 0;
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

bool is_terminal(std::FILE* file) { return ::isatty(::fileno(file)) != 0; }

bool wants_colour(std::FILE* file) {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return is_terminal(file) && (!no_colour || *no_colour == '\0') &&
         !(term && std::string_view(term) == "dumb");
}

std::size_t terminal_width() { return window().ws_col; }
std::size_t terminal_height() { return window().ws_row; }

std::string TerminalFilter::filter(std::string_view chunk) {
  std::string out;
  out.reserve(chunk.size());
  for (const char c : chunk) step(static_cast<unsigned char>(c), out);
  return out;
}

std::string TerminalFilter::finish() {
  std::string out;
  flush_partial(out);
  state_ = State::kText;
  if (std::exchange(coloured_, false)) out += "\x1b[0m";
  return out;
}

void TerminalFilter::flush_partial(std::string& out) {
  if (partial_.empty()) return;
  out += "\xEF\xBF\xBD";
  partial_.clear();
}

void TerminalFilter::step(unsigned char c, std::string& out) {
  // A newline ends whatever sequence there is: a broken one may not swallow the rest of the log.
  if (c == '\n') state_ = State::kText;
  switch (state_) {
    case State::kText:
      text(c, out);
      return;
    case State::kEscape:
      if (c == '[') {
        sequence_.clear();
        state_ = State::kSequence;
      } else if (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_') {
        state_ = State::kString;
      } else if (c >= 0x20 && c <= 0x2F) {
        state_ = State::kIntermediate;
      } else if (c != 0x1B) {
        state_ = State::kText;
      }
      return;
    case State::kIntermediate:
      if (c < 0x20 || c > 0x2F) state_ = State::kText;
      return;
    case State::kSequence:
      if (c >= 0x20 && c <= 0x3F && sequence_.size() < 64) {
        sequence_ += static_cast<char>(c);
        return;
      }
      state_ = c == 0x1B ? State::kEscape : State::kText;
      if (c == 'm' && sequence_.find_first_not_of("0123456789;:") == std::string::npos) {
        out += "\x1b[" + sequence_ + "m";
        coloured_ = !sequence_.empty() && sequence_ != "0";
      }
      return;
    case State::kString:
      if (c == 0x07) state_ = State::kText;
      if (c == 0x1B) state_ = State::kStringEscape;
      return;
    case State::kStringEscape:
      state_ = State::kText;
      if (c != '\\') {
        state_ = State::kEscape;
        step(c, out);
      }
      return;
  }
}

void TerminalFilter::text(unsigned char c, std::string& out) {
  if (!partial_.empty()) {
    if ((c & 0xC0) == 0x80) {
      partial_ += static_cast<char>(c);
      if (partial_.size() < wanted_) return;
      const Character whole = next_character(partial_);
      if (!whole.valid) {
        out += "\xEF\xBF\xBD";
      } else if (!is_control(whole.code)) {
        out += partial_;
      }
      partial_.clear();
      return;
    }
    flush_partial(out);
  }
  if (c == 0x1B) {
    state_ = State::kEscape;
  } else if (c == '\n' || c == '\t' || c == '\r' || (c >= 0x20 && c < 0x7F)) {
    out += static_cast<char>(c);
  } else if (c >= 0x80) {
    wanted_ = utf8_length(c);
    partial_ = static_cast<char>(c);
    if (wanted_ == 0) flush_partial(out);
  }
}

std::string without_colours(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t begin = text.find("\x1b[");
    out += text.substr(0, begin);
    if (begin == text.npos) break;
    const std::size_t end = text.find('m', begin);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return out;
}

void LogSink::write(std::string_view text) {
  if (text.empty()) return;
  const std::string filtered = terminal_ ? filter_.filter(text) : std::string();
  const std::string_view shown = terminal_ ? std::string_view(filtered) : text;
  if (shown.empty()) return;
  std::fwrite(shown.data(), 1, shown.size(), file_);
  in_line_ = shown.back() != '\n';
}

void LogSink::finish() {
  if (terminal_) {
    const std::string end = filter_.finish();
    std::fwrite(end.data(), 1, end.size(), file_);
    if (in_line_) std::fputc('\n', file_);
    in_line_ = false;
  }
  flush();
}

}  // namespace runyard::cli
