#pragma once

#include <cstdint>
#include <string>

#include "core/base/result.h"

namespace runyard {

/// A part of a log, as `GET /api/jobs/<id>/log?offset=&tail=` answers it.
struct LogPage {
  std::string content;  ///< valid UTF-8; begins and ends between characters
  std::int64_t next_offset = 0;
  std::int64_t size = 0;
  bool is_truncated = false;  ///< something before or behind it was left out
};

constexpr std::int64_t kMaxLogPage = 1 << 20;
constexpr std::int64_t kDefaultLogTail = 20'000;

/// From byte `offset` to the end of what is there, at most kMaxLogPage bytes; with offset 0 the
/// last `tail` bytes. A character that is not complete at the end of a growing file is left for the
/// next page. `fd` is not moved. Any thread.
Result<LogPage> read_log_page(int fd, std::int64_t offset, std::int64_t tail);

/// The last `limit` bytes, as they are.
Result<std::string> read_log_tail(int fd, std::int64_t limit);

}  // namespace runyard
