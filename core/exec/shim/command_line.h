// A command as one line of text that a person can paste into a shell.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace runyard::shim {

// One word. Plain where it can be, 'single quotes' where it must be, and $'ANSI-C quotes' where
// the word holds control characters or bytes that are not UTF-8: the result never holds a line
// break or anything that a terminal would obey.
std::string shell_quote(std::string_view word);

// All words, separated by single spaces, no line break at the end.
std::string command_line(const std::vector<std::string>& args);

}  // namespace runyard::shim
