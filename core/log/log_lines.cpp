#include "core/log/log_lines.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/text.h"
#include "core/log/byte_scan.h"
#include "core/log/terminal_folder.h"

namespace runyard {
namespace {

constexpr std::size_t kMaxText = 1 << 20;       // of an answer
constexpr std::int64_t kLongLine = 256 * 1024;  // of which the middle is left out
constexpr std::size_t kSearched = 64 * 1024;    // read at once on the way to a line
constexpr std::size_t kFolded = 16 * 1024;      // and behind its begin

Result<std::string_view> read_at(int log, std::int64_t offset, std::int64_t end, std::size_t most) {
  static thread_local std::string buffer(kSearched, '\0');
  const auto wanted = std::min<std::int64_t>(static_cast<std::int64_t>(most), end - offset);
  for (;;) {
    const ssize_t got = ::pread(log, buffer.data(), static_cast<std::size_t>(wanted), offset);
    if (got >= 0) return std::string_view(buffer).substr(0, static_cast<std::size_t>(got));
    if (errno != EINTR) return errno_error(errno, "the log cannot be read");
  }
}

}  // namespace

Result<LogLines> read_log_lines(int log, LineIndex& index, std::int64_t start, std::int64_t count,
                                LineIndex::Deadline deadline) {
  const auto extent = index.extend(log, deadline);
  LogLines page;
  page.total = extent.lines;
  page.size = extent.size;
  page.is_complete = extent.is_complete;
  page.start = start > 0 ? start : std::max<std::int64_t>(1, page.total - count + 1);
  if (page.start > page.total || count == 0) return page;

  LineCounter counter(index.before(page.start, log));
  while (counter.mark().line < page.start) {
    const auto bytes = read_at(log, counter.mark().offset, page.size, kSearched);
    if (!bytes) return bytes.error();
    if (bytes->empty()) return page;  // it shrinks just now
    counter.feed_until(*bytes, page.start);
  }

  std::int64_t offset = counter.mark().offset;
  TerminalFolder folder(TerminalFolder::Unit::kLine, kMaxShownLine, true, counter.mark().style);
  std::size_t text = 0;
  bool jumped = false;
  const auto is_full = [&] {
    return static_cast<std::int64_t>(page.lines.size()) == count || text >= kMaxText;
  };
  const auto take = [&](const TerminalFolder::Line& line) {
    if (is_full()) return;
    jumped = false;
    if (line.cut) page.cut.push_back(page.start + static_cast<std::int64_t>(page.lines.size()));
    page.lines.push_back(is_ascii(line.text) ? std::string(line.text) : sanitize_utf8(line.text));
    text += line.text.size();
  };
  while (!is_full() && offset < page.size) {
    const auto bytes = read_at(log, offset, page.size, kFolded);
    if (!bytes) return bytes.error();
    if (bytes->empty()) break;
    offset += static_cast<std::int64_t>(bytes->size());
    folder.feed(*bytes, take);
    if (is_full() || jumped || folder.pending() < kLongLine) continue;
    const auto line = page.start + static_cast<std::int64_t>(page.lines.size());
    if (const auto mark = index.inside(line, log); mark && mark->offset > offset) {
      folder.feed("\r", take);
      folder.set_style(mark->style);
      offset = mark->offset;
      jumped = true;
    }
  }
  if (!is_full() && offset >= page.size) folder.finish(take);
  return page;
}

}  // namespace runyard
