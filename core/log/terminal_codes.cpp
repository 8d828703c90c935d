#include "core/log/terminal_codes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace runyard {
namespace {

constexpr std::size_t kMaxParameters = 64;  // bytes; nobody sets more at once

struct Number {
  int value = 0;
  bool sub = false;  ///< behind a colon: belongs to the one before
};

/// The numbers of SGR parameters; an empty one is 0.
std::size_t read_numbers(std::string_view text, std::array<Number, 32>& into) {
  std::size_t count = 0;
  Number number;
  for (std::size_t at = 0; at <= text.size() && count < into.size(); ++at) {
    const char c = at < text.size() ? text[at] : ';';
    if (c >= '0' && c <= '9') {
      number.value = std::min(number.value * 10 + (c - '0'), 9999);
    } else if (c == ';' || c == ':') {
      into[count++] = number;
      number = {0, c == ':'};
    } else {
      return 0;  // private parameters: no SGR
    }
  }
  return count;
}

std::uint32_t byte_of(int value) { return static_cast<std::uint32_t>(std::clamp(value, 0, 255)); }

/// `38;5;n`, `38;2;r;g;b`, and with colons also `38:2::r:g:b`: reads it from `at` on, which it
/// moves to the last number used.
void read_colour(const std::array<Number, 32>& numbers, std::size_t count, std::size_t& at,
                 std::uint32_t& colour) {
  if (at + 1 >= count) return;
  std::size_t end = at + 1;  // the last of this colour
  if (numbers[at + 1].sub) {
    while (end + 1 < count && numbers[end + 1].sub) ++end;
  } else {
    end = std::min(count - 1, at + (numbers[at + 1].value == 2 ? 4 : 2));
  }
  const std::size_t kind = at + 1, given = end - kind;
  if (numbers[kind].value == 5 && given >= 1) {
    colour = TextStyle::kIndexed | byte_of(numbers[kind + 1].value);
  } else if (numbers[kind].value == 2 && given >= 3) {
    // The last three: a colour space may stand before them.
    const std::size_t red = numbers[kind].sub && given >= 4 ? kind + 2 : kind + 1;
    colour = TextStyle::kRgb | byte_of(numbers[red].value) << 16 |
             byte_of(numbers[red + 1].value) << 8 | byte_of(numbers[red + 2].value);
  }
  at = end;
}

void add(std::string& text, const std::string& part) {
  if (!text.empty()) text += ';';
  text += part;
}

void add_colour(std::string& text, std::uint32_t colour, int base) {
  const auto value = colour & 0xFFFFFFu;
  if (colour & TextStyle::kRgb) {
    add(text, fmt::format("{};2;{};{};{}", base + 8, value >> 16, value >> 8 & 0xFF, value & 0xFF));
  } else if (colour & TextStyle::kIndexed) {
    add(text, value < 8    ? fmt::format("{}", base + static_cast<int>(value))
              : value < 16 ? fmt::format("{}", base + 60 + static_cast<int>(value) - 8)
                           : fmt::format("{};5;{}", base + 8, value));
  }
}

}  // namespace

void TextStyle::apply(std::string_view parameters) {
  std::array<Number, 32> numbers;
  const std::size_t count = read_numbers(parameters, numbers);
  for (std::size_t i = 0; i < count; ++i) {
    const int n = numbers[i].value;
    if (n == 0) {
      *this = {};
    } else if (n >= 1 && n <= 9) {
      // `4:0` is "no underline", `4:3` a curly one.
      const bool off = i + 1 < count && numbers[i + 1].sub && numbers[i + 1].value == 0;
      attributes = off ? attributes & ~(1u << n) : attributes | 1u << n;
    } else if (n == 21) {
      attributes |= 1u << 4;
    } else if (n == 22) {
      attributes &= ~(1u << 1 | 1u << 2);
    } else if (n == 25) {
      attributes &= ~(1u << 5 | 1u << 6);
    } else if (n >= 23 && n <= 29) {
      attributes &= ~(1u << (n - 20));
    } else if (n >= 30 && n <= 37) {
      foreground = kIndexed | static_cast<std::uint32_t>(n - 30);
    } else if (n >= 40 && n <= 47) {
      background = kIndexed | static_cast<std::uint32_t>(n - 40);
    } else if (n >= 90 && n <= 97) {
      foreground = kIndexed | static_cast<std::uint32_t>(n - 90 + 8);
    } else if (n >= 100 && n <= 107) {
      background = kIndexed | static_cast<std::uint32_t>(n - 100 + 8);
    } else if (n == 39) {
      foreground = 0;
    } else if (n == 49) {
      background = 0;
    } else if (n == 38) {
      read_colour(numbers, count, i, foreground);
    } else if (n == 48) {
      read_colour(numbers, count, i, background);
    } else if (n == 58) {  // the colour of underlines: read over
      std::uint32_t ignored = 0;
      read_colour(numbers, count, i, ignored);
    }
    while (i + 1 < count && numbers[i + 1].sub) ++i;
  }
}

std::string TextStyle::parameters() const {
  std::string text;
  for (int n = 1; n <= 9; ++n) {
    if (attributes & 1u << n) add(text, std::to_string(n));
  }
  add_colour(text, foreground, 30);
  add_colour(text, background, 40);
  return text;
}

EscapeParser::Step EscapeParser::step(char c) {
  if (c == '\n' || c == '\r') {
    state_ = State::kNone;
    return Step::kBroken;
  }
  const auto byte = static_cast<unsigned char>(c);
  switch (state_) {
    case State::kNone:
      return Step::kBroken;
    case State::kStringEscape:
      if (c == '\\') {
        state_ = State::kNone;
        return Step::kDone;
      }
      [[fallthrough]];  // another sequence breaks the string off
    case State::kStarted:
      if (c == '[') {
        parameters_.clear();
        state_ = State::kControl;
        return Step::kMore;
      }
      if (c == ']' || c == 'P' || c == '^' || c == '_' || c == 'X') {
        state_ = State::kString;
        return Step::kMore;
      }
      if (c == '\x1b') {
        state_ = State::kStarted;
        return Step::kMore;
      }
      [[fallthrough]];
    case State::kIntermediate:
      state_ = byte >= 0x20 && byte <= 0x2f ? State::kIntermediate : State::kNone;
      return active() ? Step::kMore : Step::kDone;
    case State::kControl:
      if (byte >= 0x20 && byte <= 0x3f) {
        if (parameters_.size() < kMaxParameters) parameters_ += c;
        return Step::kMore;
      }
      if (c == '\x1b') {
        state_ = State::kStarted;
        return Step::kMore;
      }
      if (byte >= 0x80) {
        state_ = State::kNone;
        return Step::kBroken;
      }
      if (byte < 0x40 || byte == 0x7f) return Step::kMore;  // a control character in its middle
      state_ = State::kNone;
      final_ = c;
      return Step::kControl;
    case State::kString:
      if (c == '\x07') {
        state_ = State::kNone;
        return Step::kDone;
      }
      if (c == '\x1b') state_ = State::kStringEscape;
      return Step::kMore;
  }
  return Step::kBroken;
}

int EscapeParser::number(int fallback) const {
  int value = 0;
  std::size_t at = 0;
  for (; at < parameters_.size() && parameters_[at] >= '0' && parameters_[at] <= '9'; ++at) {
    value = std::min(value * 10 + (parameters_[at] - '0'), 99'999);
  }
  return at == 0 ? fallback : value;
}

}  // namespace runyard
