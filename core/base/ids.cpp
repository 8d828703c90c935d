#include "core/base/ids.h"

#include <sys/random.h>

#include <cstdlib>
#include <vector>

namespace runyard {

std::string random_hex(std::size_t count) {
  std::vector<unsigned char> bytes(count);
  // Up to 256 bytes are never cut short by a signal (getrandom(2)); without them no id is safe.
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    std::abort();
  }
  std::string text;
  for (unsigned char byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

std::string make_job_id(TimeMs now) { return "job_" + format_compact(now) + "__" + random_hex(4); }

bool is_job_id(std::string_view text) {
  return text.starts_with("job_") && is_run_id(text.substr(4));
}

bool is_backtest_id(std::string_view text) {
  return text.starts_with("bt_") && is_run_id(text.substr(3));
}

bool is_run_id(std::string_view text) {
  constexpr std::string_view kForm = "dddddddd_dddddd__xxxxxxxx";
  if (text.size() != kForm.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    const bool hex = digit || (text[i] >= 'a' && text[i] <= 'f');
    if (kForm[i] == 'd' ? !digit : kForm[i] == 'x' ? !hex : text[i] != '_') return false;
  }
  return true;
}

}  // namespace runyard
