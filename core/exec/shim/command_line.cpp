#include "core/exec/shim/command_line.h"

#include <cstddef>

namespace runyard::shim {
namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_@%+=:,./-").find(c) != std::string_view::npos;
}

unsigned byte_at(std::string_view text, std::size_t i) {
  return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
}

// The length of the character at the front when it can be shown as it is, 0 when it must be
// escaped: control characters (C1 as well: terminals obey those, too), line and paragraph
// separators, and what is not well-formed UTF-8.
std::size_t printable_length(std::string_view text) {
  const unsigned a = byte_at(text, 0), b = byte_at(text, 1);
  const auto continues = [text](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      if ((byte_at(text, i) & 0xC0U) != 0x80U) return false;
    }
    return true;
  };
  if (a < 0x80) return a >= 0x20 && a != 0x7F ? 1 : 0;
  if (a >= 0xC2 && a <= 0xDF) return continues(1, 2) && !(a == 0xC2 && b < 0xA0) ? 2 : 0;
  if ((a & 0xF0U) == 0xE0) {
    if (!continues(1, 3) || (a == 0xE0 && b < 0xA0) || (a == 0xED && b >= 0xA0)) return 0;
    const bool separator = a == 0xE2 && b == 0x80 && (byte_at(text, 2) & 0xFEU) == 0xA8;
    return separator ? 0 : 3;
  }
  if (a >= 0xF0 && a <= 0xF4) {
    return continues(1, 4) && !(a == 0xF0 && b < 0x90) && !(a == 0xF4 && b >= 0x90) ? 4 : 0;
  }
  return 0;
}

bool is_printable(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = printable_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string ansi_c_quote(std::string_view word) {
  std::string out = "$'";
  while (!word.empty()) {
    const char c = word[0];
    const std::size_t length = printable_length(word);
    if (length > 0) {
      if (c == '\'' || c == '\\') out.push_back('\\');
      out.append(word.substr(0, length));
      word.remove_prefix(length);
      continue;
    }
    if (c == '\n') {
      out.append("\\n");
    } else if (c == '\r') {
      out.append("\\r");
    } else if (c == '\t') {
      out.append("\\t");
    } else {
      // Always three digits: whatever follows cannot be taken for a part of the number.
      const unsigned byte = static_cast<unsigned char>(c);
      out.push_back('\\');
      out.push_back(static_cast<char>('0' + (byte >> 6)));
      out.push_back(static_cast<char>('0' + ((byte >> 3) & 7U)));
      out.push_back(static_cast<char>('0' + (byte & 7U)));
    }
    word.remove_prefix(1);
  }
  out.push_back('\'');
  return out;
}

}  // namespace

std::string shell_quote(std::string_view word) {
  bool plain = !word.empty();
  for (const char c : word) plain = plain && is_plain(c);
  if (plain) return std::string(word);
  if (!is_printable(word)) return ansi_c_quote(word);
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'') {
      out.append("'\\''");
    } else {
      out.push_back(c);
    }
  }
  out.push_back('\'');
  return out;
}

std::string command_line(const std::vector<std::string>& args) {
  std::string line;
  for (const std::string& arg : args) {
    if (!line.empty()) line.push_back(' ');
    line.append(shell_quote(arg));
  }
  return line;
}

}  // namespace runyard::shim
