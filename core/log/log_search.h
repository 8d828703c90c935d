#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/log/line_index.h"

namespace runyard {

/// What is looked for, and how far.
struct LogQuery {
  std::string text;
  bool regex = false;  ///< RE2, else the text as it is
  bool ignore_case = false;
  std::int64_t from = 1;  ///< the first line to look into
  std::int64_t limit = 100;
};

struct LogMatch {
  std::int64_t line = 1;
  std::string text;  ///< the folded line without colours, valid UTF-8, cut to about 2 KiB
};

/// A part of a search, as `GET /api/jobs/<id>/log/search` answers it.
struct LogMatches {
  std::vector<LogMatch> matches;     ///< a line each
  std::optional<std::int64_t> next;  ///< the line to go on from; nullopt: to the end
  std::int64_t total = 0;            ///< lines of the log, as far as they are counted
};

constexpr std::int64_t kMaxMatches = 1000;
constexpr std::size_t kMaxQuery = 1000;

/// Looks for lines that match, as they are seen: folded, without colours, of each the first MiB.
/// Ends at the limit, at the end of the log, or at the deadline, but never without having gone on.
/// kInvalid for a query that is empty, too long, of several lines, or no RE2. Any thread.
Result<LogMatches> search_log(int log, LineIndex& index, const LogQuery& query,
                              LineIndex::Deadline deadline);

}  // namespace runyard
