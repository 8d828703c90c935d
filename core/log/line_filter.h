#pragma once

#include <re2/re2.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace runyard {

/// Finds, among many plain lines at once, those in which one of several patterns may match: so most
/// of a log is passed over at a pace that line by line could not keep. Immutable; any thread.
class LineFilter {
 public:
  /// The patterns are RE2 and compile. Some cannot be looked for in many lines at once; then every
  /// line may match.
  LineFilter(const std::vector<std::string>& patterns, bool ignore_case);

  /// The first line at or after `from` in which a match is possible. `lines` is whole lines without
  /// control characters but tab, each with its line feed; `from` is the begin of one. Its begin, or
  /// lines.size() for none; `end` becomes the end of the last line that must be looked at.
  std::size_t next(std::string_view lines, std::size_t from, std::size_t& end) const;

  /// Whether one may match in this line.
  bool may_match(std::string_view line) const;

 private:
  std::unique_ptr<RE2> all_;  // null: every line may match
};

}  // namespace runyard
