#pragma once

#include <string>
#include <string_view>

namespace runyard {

/// The text with every invalid UTF-8 sequence replaced by U+FFFD (one for each maximal part, as the
/// Unicode standard recommends in 3.9).
std::string sanitize_utf8(std::string_view bytes);

/// How many bytes at the end belong to a UTF-8 sequence that is not complete yet (0..3).
std::size_t incomplete_utf8_tail(std::string_view bytes);

/// Cut to at most `limit` bytes, not inside a character, with "…" when something was cut.
std::string ellipsize(std::string_view text, std::size_t limit);

/// Text from outside made safe for a terminal or a log: every control character, also the invisible
/// ones that turn the direction of writing, and every byte that is not UTF-8 becomes `\xNN`, `\n`,
/// ...
std::string escape_controls(std::string_view text);

/// Without blanks, tabs and line ends on both sides.
std::string_view trim(std::string_view text);

}  // namespace runyard
