#include "core/base/text.h"

#include <algorithm>

namespace runyard {
namespace {

/// Length of the sequence that a lead byte announces; 0 for a byte that cannot lead.
std::size_t sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

/// Whether `byte` may follow at `index` (1..3) behind `lead`: Unicode 15, table 3-7.
bool may_follow(unsigned char lead, std::size_t index, unsigned char byte) {
  if (index == 1) {
    if (lead == 0xE0) return byte >= 0xA0 && byte <= 0xBF;
    if (lead == 0xED) return byte >= 0x80 && byte <= 0x9F;
    if (lead == 0xF0) return byte >= 0x90 && byte <= 0xBF;
    if (lead == 0xF4) return byte >= 0x80 && byte <= 0x8F;
  }
  return byte >= 0x80 && byte <= 0xBF;
}

/// Bytes at `at` that form (a valid part of) one sequence, and whether it is whole.
struct Part {
  std::size_t size = 1;
  bool whole = false;
};
Part part_at(std::string_view bytes, std::size_t at) {
  const auto lead = static_cast<unsigned char>(bytes[at]);
  const std::size_t length = sequence_length(lead);
  if (length == 0) return {};
  std::size_t size = 1;
  while (size < length && at + size < bytes.size() &&
         may_follow(lead, size, static_cast<unsigned char>(bytes[at + size]))) {
    ++size;
  }
  return {size, size == length};
}

char32_t code_of(std::string_view sequence) {
  const auto lead = static_cast<unsigned char>(sequence[0]);
  char32_t code = sequence.size() == 1 ? lead : lead & (0xFFu >> (sequence.size() + 1));
  for (const char c : sequence.substr(1)) code = (code << 6) | (static_cast<unsigned>(c) & 0x3Fu);
  return code;
}

bool is_control(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029;
}
bool is_direction_mark(char32_t code) {
  return code == 0x200E || code == 0x200F || (code >= 0x202A && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

}  // namespace

std::string sanitize_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const Part part = part_at(bytes, at);
    if (part.whole) {
      text.append(bytes.substr(at, part.size));
    } else {
      text += "\xEF\xBF\xBD";
    }
    at += part.size;
  }
  return text;
}

std::size_t incomplete_utf8_tail(std::string_view bytes) {
  for (std::size_t back = 1; back <= 3 && back <= bytes.size(); ++back) {
    const std::size_t at = bytes.size() - back;
    const auto byte = static_cast<unsigned char>(bytes[at]);
    if (byte < 0x80) return 0;
    if (byte < 0xC0) continue;  // a continuation: its lead is further back
    const Part part = part_at(bytes, at);
    const bool runs_to_end = part.size == back;
    return runs_to_end && !part.whole && sequence_length(byte) > back ? back : 0;
  }
  return 0;
}

std::string ellipsize(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return std::string(text);
  text = text.substr(0, limit);
  text.remove_suffix(incomplete_utf8_tail(text));
  return std::string(text) + "…";
}

std::string escape_controls(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Part part = part_at(text, at);
    const std::string_view bytes = text.substr(at, part.size);
    at += part.size;
    const char32_t code = part.whole ? code_of(bytes) : 0;
    if (part.whole && !is_control(code) && !is_direction_mark(code)) {
      out += bytes;
    } else if (code == '\n') {
      out += "\\n";
    } else if (code == '\r') {
      out += "\\r";
    } else if (code == '\t') {
      out += "\\t";
    } else {
      for (const char byte : bytes) {
        static constexpr std::string_view kDigits = "0123456789abcdef";
        out += "\\x";
        out += kDigits[static_cast<unsigned char>(byte) >> 4];
        out += kDigits[static_cast<unsigned char>(byte) & 15];
      }
    }
  }
  return out;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

}  // namespace runyard
