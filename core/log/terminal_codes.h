#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace runyard {

/// How characters look: the colours and attributes that SGR sequences (`ESC [ ... m`) have set so
/// far. A plain value.
struct TextStyle {
  // 0: the terminal's own; kIndexed | 0..255; kRgb | 0xrrggbb.
  static constexpr std::uint32_t kIndexed = 0x0100'0000, kRgb = 0x0200'0000;
  std::uint32_t foreground = 0, background = 0;
  std::uint32_t attributes = 0;  ///< bit n: SGR n, 1 (bold) to 9 (struck out)

  bool operator==(const TextStyle&) const = default;
  bool is_plain() const { return *this == TextStyle(); }
  /// What SGR with these parameters (`1;31`, `38:2::255:0:0`, ``) does; unknown ones do nothing.
  void apply(std::string_view parameters);
  /// `1;31`: the parameters that give this style after a reset; "" for a plain one.
  std::string parameters() const;
};

/// Finds the end of escape sequences (ECMA-48): `ESC [ parameters final`, the strings OSC, DCS,
/// SOS, PM and APC up to BEL or `ESC \`, and `ESC` with one more byte. A line feed or a carriage
/// return ends a broken one, so that it cannot swallow the rest of a log. A plain value.
class EscapeParser {
 public:
  enum class Step {
    kMore,     ///< the byte belongs to the sequence, and it goes on
    kDone,     ///< the sequence has ended with this byte
    kControl,  ///< so it has, and it is `ESC [`: final() and parameters() say which
    kBroken,   ///< the sequence has ended before this byte, which is not part of it
  };
  bool active() const { return state_ != State::kNone; }
  /// At an ESC.
  void begin() { state_ = State::kStarted; }
  Step step(char c);

  char final() const { return final_; }
  std::string_view parameters() const { return parameters_; }
  /// The first parameter as a number; `fallback` when it is missing.
  int number(int fallback) const;

 private:
  enum class State { kNone, kStarted, kIntermediate, kControl, kString, kStringEscape };
  State state_ = State::kNone;
  char final_ = 0;
  std::string parameters_;
};

}  // namespace runyard
