#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace runyard {

// What has to be fast when a log of gigabytes is read: many bytes at once, no byte by itself. Pure
// functions.

/// How many line feeds there are.
std::int64_t count_newlines(std::string_view bytes);

/// How many characters valid UTF-8 has: the bytes that do not continue one.
std::size_t count_characters(std::string_view bytes);

/// The first control character but tab (so also the first line feed); bytes.size() for none.
std::size_t find_control(std::string_view bytes);

/// The first control character but tab and line feed: up to there, what is printed is what is seen;
/// bytes.size() for none.
std::size_t find_special(std::string_view bytes);

/// Whether every byte is below 0x80.
bool is_ascii(std::string_view bytes);

}  // namespace runyard
