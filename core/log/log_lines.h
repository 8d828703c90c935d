#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/log/line_index.h"

namespace runyard {

/// A part of a log by line numbers, as `GET /api/jobs/<id>/log/lines` answers it.
struct LogLines {
  std::int64_t start = 1;          ///< the number of the first of `lines`
  std::vector<std::string> lines;  ///< folded, with colours, valid UTF-8, without line ends
  std::vector<std::int64_t> cut;   ///< numbers of those that were cut at kMaxShownLine
  std::int64_t total = 0;          ///< lines of the log; one without an end counts
  std::int64_t size = 0;           ///< bytes that are counted in `total`
  bool is_complete = true;         ///< false: the log is still being counted, ask again
};

constexpr std::size_t kMaxShownLine = 16 * 1024;
constexpr std::int64_t kMaxLines = 5000;
constexpr std::int64_t kDefaultLines = 500;

/// `count` lines from number `start` on, fewer when they are more than about 1 MiB of text. Reads
/// little, wherever they are; of a line of more than 256 KiB the begin and what was printed last.
/// For `start` 0: the last `count` lines. Any thread.
Result<LogLines> read_log_lines(int log, LineIndex& index, std::int64_t start, std::int64_t count,
                                LineIndex::Deadline deadline);

}  // namespace runyard
