#include "core/log/log_page.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/text.h"

namespace runyard {
namespace {

Result<std::string> read_at(int fd, std::int64_t offset, std::int64_t count) {
  std::string bytes(static_cast<std::size_t>(count), '\0');
  std::size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t part =
        ::pread(fd, bytes.data() + got, bytes.size() - got, offset + static_cast<off_t>(got));
    if (part < 0 && errno == EINTR) continue;
    if (part < 0) return errno_error(errno, "the log cannot be read");
    if (part == 0) break;
    got += static_cast<std::size_t>(part);
  }
  bytes.resize(got);
  return bytes;
}

Result<std::int64_t> size_of(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return errno_error(errno, "the log cannot be read");
  return static_cast<std::int64_t>(info.st_size);
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

Result<LogPage> read_log_page(int fd, std::int64_t offset, std::int64_t tail) {
  const auto size = size_of(fd);
  if (!size) return size.error();
  LogPage page;
  page.size = *size;
  std::int64_t begin = std::clamp<std::int64_t>(offset, 0, page.size);
  if (offset <= 0)
    begin = page.size - std::clamp<std::int64_t>(tail, 0, std::min(page.size, kMaxLogPage));
  auto bytes = read_at(fd, begin, std::min(kMaxLogPage, page.size - begin));
  if (!bytes) return bytes.error();
  std::string_view view = *bytes;
  page.next_offset = begin + static_cast<std::int64_t>(view.size());
  if (offset <= 0 && begin > 0) {
    // A tail begins wherever it falls: not inside a character.
    for (int skipped = 0; skipped < 3 && !view.empty() && is_continuation(view.front());
         ++skipped) {
      view.remove_prefix(1);
    }
  }
  const std::size_t rest = incomplete_utf8_tail(view);
  // A sequence that never gets complete must not hold the reader for ever.
  if (rest < view.size()) {
    view.remove_suffix(rest);
    page.next_offset -= static_cast<std::int64_t>(rest);
  }
  page.content = sanitize_utf8(view);
  page.is_truncated = begin > 0 || page.next_offset + static_cast<std::int64_t>(rest) < page.size;
  return page;
}

Result<std::string> read_log_tail(int fd, std::int64_t limit) {
  const auto size = size_of(fd);
  if (!size) return size.error();
  const std::int64_t count = std::min(limit, *size);
  return read_at(fd, *size - count, count);
}

}  // namespace runyard
