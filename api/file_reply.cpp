#include "api/file_reply.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "api/byte_range.h"
#include "core/base/text.h"

namespace runyard {
namespace {

constexpr std::int64_t kSmall = 64 * 1024;

std::string etag_of(const struct stat& info) {
  return fmt::format("\"{:x}-{:x}{:08x}\"", info.st_size, info.st_mtim.tv_sec,
                     info.st_mtim.tv_nsec);
}

/// If-None-Match compares weakly: `W/` does not matter.
bool names(std::string_view list, std::string_view etag) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    std::string_view one = trim(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
    if (one == "*") return true;
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == etag) return true;
  }
  return false;
}

Result<std::string> read_part(int fd, std::int64_t offset, std::int64_t size) {
  std::string content(static_cast<std::size_t>(size), '\0');
  std::size_t have = 0;
  while (have < content.size()) {
    const ssize_t got = ::pread(fd, content.data() + have, content.size() - have,
                                offset + static_cast<std::int64_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "the file cannot be read");
    if (got == 0) break;  // it has shrunk
    have += static_cast<std::size_t>(got);
  }
  content.resize(have);
  return content;
}

}  // namespace

std::pair<std::string, std::string> save_as(std::string name) {
  std::replace_if(
      name.begin(), name.end(),
      [](char c) {
        return !std::isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '-' && c != '_';
      },
      '_');
  return {"Content-Disposition", "attachment; filename=\"" + name + "\""};
}

Reply file_reply(const Call& call, UniqueFd fd, FileLook look) {
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return problem(errno_error(errno, "the file cannot be read"));
  const auto size = static_cast<std::int64_t>(info.st_size);
  const std::string etag = etag_of(info);
  Reply reply;
  reply.content_type = std::move(look.content_type);
  reply.headers = std::move(look.headers);
  reply.headers.emplace_back("ETag", etag);
  if (names(call.header("if-none-match"), etag)) {
    reply.status = 304;
    return reply;
  }
  reply.headers.emplace_back("Accept-Ranges", "bytes");
  std::int64_t begin = 0, end = size;
  const std::string range = call.header("range"), condition = call.header("if-range");
  if (!range.empty() && (condition.empty() || condition == etag)) {
    if (const auto wanted = parse_range(range, size)) {
      if (wanted->first >= size) {
        Reply refused = problem(416, fmt::format("there are {} bytes", size));
        refused.headers.emplace_back("Content-Range", fmt::format("bytes */{}", size));
        return refused;
      }
      std::tie(begin, end) = *wanted;
      reply.status = 206;
      reply.headers.emplace_back("Content-Range",
                                 fmt::format("bytes {}-{}/{}", begin, end - 1, size));
    }
  }
  if (end - begin > kSmall) {
    reply.file = FileBody{std::move(fd), begin, end - begin};
    return reply;
  }
  auto content = read_part(fd.get(), begin, end - begin);
  if (!content) return problem(content.error());
  reply.body = std::move(*content);
  return reply;
}

}  // namespace runyard
