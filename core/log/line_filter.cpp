#include "core/log/line_filter.h"

namespace runyard {
namespace {

/// A pattern means the same within many lines as in one, if `^` and `$` are those of lines; but
/// `\A`, `\z` and flags of its own would not be.
bool is_local(std::string_view pattern) {
  for (std::size_t at = 0; at + 1 < pattern.size(); ++at) {
    if (pattern[at] == '\\') {
      const char next = pattern[++at];
      if (next == 'A' || next == 'z' || next == 'Q' || next == 'C') return false;
    } else if (pattern[at] == '(' && pattern[at + 1] == '?' && pattern.substr(at, 3) != "(?:") {
      return false;  // a name, which may be there twice, or flags
    }
  }
  return true;
}

}  // namespace

LineFilter::LineFilter(const std::vector<std::string>& patterns, bool ignore_case) {
  std::string all;
  for (const std::string& pattern : patterns) {
    if (!is_local(pattern)) return;
    all += (all.empty() ? "(?m:" : "|(?m:") + pattern + ")";
  }
  if (all.empty()) return;
  RE2::Options options;
  options.set_log_errors(false);
  options.set_case_sensitive(!ignore_case);
  options.set_never_capture(true);
  all_ = std::make_unique<RE2>(all, options);
  if (!all_->ok()) all_.reset();
}

std::size_t LineFilter::next(std::string_view lines, std::size_t from, std::size_t& end) const {
  const auto line_end = [&](std::size_t at) {
    const std::size_t newline = lines.find('\n', at);
    return newline == lines.npos ? lines.size() : newline + 1;
  };
  if (!all_) {
    end = from < lines.size() ? line_end(from) : lines.size();
    return from;
  }
  re2::StringPiece match;
  if (!all_->Match({lines.data(), lines.size()}, from, lines.size(), RE2::UNANCHORED, &match, 1)) {
    end = lines.size();
    return lines.size();
  }
  // It may reach over several lines: each of them may have a match of its own.
  const auto at = static_cast<std::size_t>(match.data() - lines.data());
  const std::size_t newline = at == 0 ? lines.npos : lines.rfind('\n', at - 1);
  const std::size_t begin = std::max(from, newline == lines.npos ? 0 : newline + 1);
  end = line_end(match.empty() ? std::max(at, begin) : at + match.size() - 1);
  return begin;
}

bool LineFilter::may_match(std::string_view line) const {
  return !all_ ||
         all_->Match({line.data(), line.size()}, 0, line.size(), RE2::UNANCHORED, nullptr, 0);
}

}  // namespace runyard
