#include "core/log/log_search.h"

#include <fmt/format.h>
#include <re2/re2.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "core/base/text.h"
#include "core/log/byte_scan.h"
#include "core/log/line_filter.h"
#include "core/log/terminal_folder.h"

namespace runyard {
namespace {

constexpr std::size_t kPiece = 256 * 1024;
constexpr std::size_t kSearchedLine = 1 << 20;
constexpr std::size_t kShown = 2048;  // of a line
constexpr std::size_t kBefore = 200;  // of it before the match

/// What is looked for, in one line and in many.
class Needle {
 public:
  static Result<Needle> make(const LogQuery& query) {
    const auto refuse = [](const std::string& why) { return invalid_field("/q", why); };
    if (query.text.empty()) return refuse("'q' is empty: what is to be looked for?");
    if (query.text.size() > kMaxQuery) {
      return refuse(fmt::format("'q' has at most {} bytes", kMaxQuery));
    }
    for (const char c : query.text) {
      if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f) {
        return refuse("'q' is looked for within a line: it cannot have control characters");
      }
    }
    Needle needle;
    if (!query.regex && !query.ignore_case) {
      needle.text_ = query.text;
      return needle;
    }
    const std::string pattern = query.regex ? query.text : RE2::QuoteMeta(query.text);
    RE2::Options options;
    options.set_log_errors(false);
    options.set_case_sensitive(!query.ignore_case);
    needle.pattern_ = std::make_unique<RE2>(pattern, options);
    if (!needle.pattern_->ok()) {
      return refuse("'q' is no regular expression of RE2: " + needle.pattern_->error());
    }
    needle.filter_ = std::make_unique<LineFilter>(std::vector{pattern}, query.ignore_case);
    return needle;
  }

  /// Where it is in a line.
  std::optional<std::size_t> find(std::string_view line) const {
    if (!pattern_) {
      const void* hit = ::memmem(line.data(), line.size(), text_.data(), text_.size());
      if (!hit) return std::nullopt;
      return static_cast<std::size_t>(static_cast<const char*>(hit) - line.data());
    }
    re2::StringPiece match;
    if (!pattern_->Match({line.data(), line.size()}, 0, line.size(), RE2::UNANCHORED, &match, 1)) {
      return std::nullopt;
    }
    return static_cast<std::size_t>(match.data() - line.data());
  }

  /// As LineFilter::next().
  std::size_t next(std::string_view lines, std::size_t from, std::size_t& end) const {
    if (pattern_) return filter_->next(lines, from, end);
    const auto hit = find(lines.substr(from));
    if (!hit) return end = lines.size();
    const std::size_t at = from + *hit;
    const std::size_t newline = at == 0 ? lines.npos : lines.rfind('\n', at - 1);
    end = std::min(lines.find('\n', at), lines.size() - 1) + 1;
    return newline == lines.npos ? 0 : newline + 1;
  }

 private:
  std::string text_;
  std::unique_ptr<RE2> pattern_;  // null: the text as it is
  std::unique_ptr<LineFilter> filter_;
};

/// The part of a line that is shown: its begin, or what is around a match further behind.
std::string shown(std::string_view line, std::size_t match) {
  if (match + kBefore < kShown) return ellipsize(sanitize_utf8(line), kShown);
  std::size_t begin = match - kBefore;
  while (begin < match && (static_cast<unsigned char>(line[begin]) & 0xC0) == 0x80) ++begin;
  return "…" + ellipsize(sanitize_utf8(line.substr(begin, 2 * kShown)), kShown);
}

/// Goes through the log from a line's begin on.
class Search {
 public:
  Search(int log, const Needle& needle, const LogMark& from, std::int64_t limit)
      : log_(log),
        needle_(needle),
        limit_(limit),
        offset_(from.offset),
        line_(from.line),
        folder_(TerminalFolder::Unit::kLine, kSearchedLine) {}

  const std::vector<LogMatch>& matches() const { return matches_; }
  std::int64_t line() const { return line_; }
  bool is_full() const { return static_cast<std::int64_t>(matches_.size()) >= limit_; }

  /// Looks at the next piece; false at `end`.
  Result<bool> step(std::int64_t end) {
    static thread_local std::string buffer(kPiece, '\0');
    const auto wanted = std::min<std::int64_t>(kPiece, end - offset_);
    const ssize_t got =
        wanted <= 0 ? 0 : ::pread(log_, buffer.data(), static_cast<std::size_t>(wanted), offset_);
    if (got < 0 && errno == EINTR) return true;
    if (got < 0) return errno_error(errno, "the log cannot be read");
    if (got == 0) {  // the last line may have no end
      folder_.finish([this](const TerminalFolder::Line& line) { look(line.text); });
      return false;
    }
    std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    std::size_t used = 0;
    while (used < bytes.size() && !is_full()) {
      const std::string_view rest = bytes.substr(used);
      const std::size_t plain = folder_.pending() > 0 ? 0 : plain_lines(rest);
      used += plain > 0 ? look_at_plain(rest.substr(0, plain)) : fold(rest);
    }
    offset_ += static_cast<std::int64_t>(used);
    return true;
  }

 private:
  /// How many bytes are whole lines that are seen as they were printed.
  static std::size_t plain_lines(std::string_view bytes) {
    const std::size_t newline = bytes.substr(0, find_special(bytes)).rfind('\n');
    return newline == bytes.npos ? 0 : newline + 1;
  }

  void look(std::string_view line) {
    if (const auto at = needle_.find(line)) matches_.push_back({line_, shown(line, *at)});
    ++line_;
  }

  /// Uses all, or up to the line behind the last match that is wanted.
  std::size_t look_at_plain(std::string_view lines) {
    std::size_t at = 0;
    while (at < lines.size() && !is_full()) {
      std::size_t end = 0;
      const std::size_t begin = needle_.next(lines, at, end);
      line_ += count_newlines(lines.substr(at, begin - at));
      for (at = begin; at < end && !is_full();) {
        const std::size_t newline = lines.find('\n', at);
        look(lines.substr(at, std::min(newline - at, kSearchedLine)));
        at = newline + 1;
      }
    }
    return at;
  }

  /// Uses one raw line, or all when it has no end here.
  std::size_t fold(std::string_view bytes) {
    const std::size_t newline = bytes.find('\n');
    const std::size_t size = newline == bytes.npos ? bytes.size() : newline + 1;
    folder_.feed(bytes.substr(0, size),
                 [this](const TerminalFolder::Line& line) { look(line.text); });
    return size;
  }

  const int log_;
  const Needle& needle_;
  const std::int64_t limit_;
  std::int64_t offset_, line_;
  TerminalFolder folder_;
  std::vector<LogMatch> matches_;
};

}  // namespace

Result<LogMatches> search_log(int log, LineIndex& index, const LogQuery& query,
                              LineIndex::Deadline deadline) {
  const auto needle = Needle::make(query);
  if (!needle) return needle.error();
  const auto now = std::chrono::steady_clock::now();
  const auto extent = index.extend(log, now + (deadline - now) / 2);
  LogMatches result;
  result.total = extent.lines;
  if (query.from > extent.lines) {
    if (!extent.is_complete) result.next = query.from;
    return result;
  }
  LineCounter counter(index.before(query.from, log));
  while (counter.mark().line < query.from) {
    static thread_local std::string buffer(kPiece, '\0');
    const ssize_t got = ::pread(log, buffer.data(), buffer.size(), counter.mark().offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return result;
    counter.feed_until({buffer.data(), static_cast<std::size_t>(got)}, query.from);
  }
  // What is counted, and when that is not all, whatever there is: it counts for itself.
  const std::int64_t end = extent.is_complete ? extent.size : INT64_MAX;
  Search search(log, *needle, counter.mark(), query.limit);
  for (;;) {
    const auto more = search.step(end);
    if (!more) return more.error();
    const bool late = std::chrono::steady_clock::now() >= deadline;
    if (!*more && !search.is_full()) break;
    if (search.is_full() || (late && search.line() > query.from)) {
      result.next = search.line();
      break;
    }
    if (!*more) break;
  }
  result.matches = search.matches();
  if (result.next && extent.is_complete && *result.next > extent.lines) result.next.reset();
  return result;
}

}  // namespace runyard
