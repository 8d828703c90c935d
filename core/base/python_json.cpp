#include "core/base/python_json.h"

#include <cctype>

namespace runyard {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

}  // namespace

std::string without_nan(std::string_view text) {
  constexpr std::string_view kWords[] = {"-Infinity", "Infinity", "NaN"};
  std::string plain;
  plain.reserve(text.size());
  bool quoted = false;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (quoted && c == '\\') {
      plain += text.substr(at, 2);
      at += 2;
      continue;
    }
    if (c == '"') quoted = !quoted;
    std::string_view found;
    if (!quoted && (c == '-' || c == 'I' || c == 'N')) {
      for (const std::string_view word : kWords) {
        const std::size_t end = at + word.size();
        if (text.substr(at).starts_with(word) && (end == text.size() || !is_word(text[end]))) {
          found = word;
          break;
        }
      }
    }
    if (found.empty()) {
      plain += c;
      ++at;
    } else {
      plain += "null";
      at += found.size();
    }
  }
  return plain;
}

}  // namespace runyard
