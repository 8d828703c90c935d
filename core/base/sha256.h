#pragma once

#include <string>
#include <string_view>

namespace runyard {

/// SHA-256 as 64 lower-case hex digits. Any thread.
std::string sha256_hex(std::string_view bytes);

}  // namespace runyard
