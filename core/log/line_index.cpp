#include "core/log/line_index.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/crc.hpp>
#include <cerrno>
#include <cstring>

namespace runyard {
namespace {

constexpr std::int64_t kSpacing = 64 * 1024;
constexpr std::size_t kPiece = 256 * 1024;  // read at once: it stays in the cache
constexpr std::int64_t kCountedAgain = 1 << 20;
constexpr std::size_t kPrint = 64;  // bytes before a mark that it is recognized by
constexpr char kMagic[8] = {'R', 'Y', 'L', 'I', 'N', 'E', 'S', '1'};

/// The header and each mark are one of these; integers as the machine has them (little endian).
struct Record {
  union {
    char magic[8];
    std::int64_t offset;
  };
  union {
    std::uint64_t inode;
    std::int64_t line;
  };
  std::uint32_t foreground, background, attributes;
  std::uint32_t at_start;
  std::uint32_t print;  // CRC-32 of the bytes before the mark
  std::uint32_t check;  // CRC-32 of all above
};
static_assert(sizeof(Record) == 40);

std::uint32_t crc(const void* data, std::size_t size) {
  boost::crc_32_type sum;
  sum.process_bytes(data, size);
  return sum.checksum();
}
std::uint32_t check_of(const Record& record) { return crc(&record, offsetof(Record, check)); }

std::size_t read_at(int fd, char* into, std::size_t size, std::int64_t offset) {
  std::size_t got = 0;
  while (got < size) {
    const ssize_t part = ::pread(fd, into + got, size - got, offset + static_cast<off_t>(got));
    if (part < 0 && errno == EINTR) continue;
    if (part <= 0) break;
    got += static_cast<std::size_t>(part);
  }
  return got;
}

std::uint32_t print_of(int log, std::int64_t offset) {
  char before[kPrint];
  const auto size = static_cast<std::size_t>(std::min<std::int64_t>(offset, kPrint));
  return crc(before, read_at(log, before, size, offset - static_cast<std::int64_t>(size)));
}

/// Behind the first line feed or carriage return; 0 for none.
std::size_t behind_line_end(std::string_view bytes) {
  const std::size_t newline = bytes.find('\n');
  const std::size_t back = bytes.substr(0, newline).find('\r');
  const std::size_t at = std::min(newline, back);
  return at == bytes.npos ? 0 : at + 1;
}

}  // namespace

/// Reads what an earlier server left; false when that is nothing of use.
bool LineIndex::open(int log) {
  fd_ = UniqueFd(::open(file_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd_) return false;
  Record header;
  struct stat info {
  }, own{};
  if (::fstat(log, &info) != 0 || ::fstat(fd_.get(), &own) != 0 ||
      read_at(fd_.get(), reinterpret_cast<char*>(&header), sizeof header, 0) != sizeof header ||
      std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 || check_of(header) != header.check ||
      header.inode != info.st_ino) {
    return false;
  }
  inode_ = header.inode;
  saved_ = own.st_size / static_cast<std::int64_t>(sizeof(Record)) - 1;
  if (saved_ == 0) return true;
  const auto last = read(saved_ - 1, log);
  if (!last || last->offset > info.st_size) return false;
  last_ = *last;
  counter_ = LineCounter(last_);
  return true;
}

void LineIndex::reset(int log) {
  struct stat info {};
  inode_ = ::fstat(log, &info) == 0 ? info.st_ino : 0;
  if (fd_ || ::access(file_.c_str(), F_OK) == 0) ::unlink(file_.c_str());
  fd_.reset();  // made with the first mark: most logs have none
  saved_ = 0;
  new_.clear();
  last_ = {};
  counter_ = LineCounter();
  damaged_ = false;
}

LineIndex::Extent LineIndex::extend(int log, Deadline deadline) {
  std::unique_lock lock(mutex_, deadline);
  struct stat info {};
  if (!lock || ::fstat(log, &info) != 0) return {counted_, lines_, false};
  if (!opened_ && !open(log)) reset(log);
  opened_ = true;
  const auto size = static_cast<std::int64_t>(info.st_size);
  const bool other = info.st_ino != inode_ || size < counter_.mark().offset;
  if (damaged_ || other || (saved_ > 0 && new_.empty() && !read(saved_ - 1, log))) reset(log);
  // What stands behind the last mark has nothing to recognize it by: counted again.
  if (counter_.mark().offset - last_.offset < kCountedAgain) counter_ = LineCounter(last_);

  static thread_local std::vector<char> buffer(kPiece);
  bool in_time = true;
  while (counter_.mark().offset < size && in_time) {
    const auto wanted = std::min<std::int64_t>(kPiece, size - counter_.mark().offset);
    const std::size_t got =
        read_at(log, buffer.data(), static_cast<std::size_t>(wanted), counter_.mark().offset);
    if (got == 0) break;  // it shrinks just now
    for (std::string_view bytes(buffer.data(), got); !bytes.empty();) {
      const std::int64_t until_mark = last_.offset + kSpacing - counter_.mark().offset;
      std::size_t take = 0;
      if (until_mark > 0) {
        take = std::min(bytes.size(), static_cast<std::size_t>(until_mark));
        counter_.feed(bytes.substr(0, take));
      } else {
        const std::size_t end = behind_line_end(bytes);
        take = end > 0 ? end : bytes.size();
        counter_.feed(bytes.substr(0, take));
        if (end > 0 && counter_.is_safe()) add(counter_.mark(), log);
      }
      bytes.remove_prefix(take);
    }
    in_time = std::chrono::steady_clock::now() < deadline;
  }
  save();
  counted_ = counter_.mark().offset;
  lines_ = counter_.lines();
  return {counted_, lines_, counted_ >= size};
}

void LineIndex::add(const LogMark& mark, int log) {
  Record record{};
  record.offset = mark.offset;
  record.line = mark.line;
  record.foreground = mark.style.foreground;
  record.background = mark.style.background;
  record.attributes = mark.style.attributes;
  record.at_start = mark.at_start;
  record.print = print_of(log, mark.offset);
  record.check = check_of(record);
  new_.emplace_back(reinterpret_cast<const char*>(&record), sizeof record);
  last_ = mark;
}

/// Appends the new marks. When the disk is full they stay in memory until there is room.
void LineIndex::save() {
  if (new_.empty()) return;
  if (!fd_) {
    if (!make_private_folders(file_.parent_path())) return;
    fd_ =
        UniqueFd(::open(file_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd_) return;
    Record header{};
    std::memcpy(header.magic, kMagic, sizeof kMagic);
    header.inode = inode_;
    header.check = check_of(header);
    if (write_all(fd_.get(), {reinterpret_cast<const char*>(&header), sizeof header}) != 0) {
      fd_.reset();
      return;
    }
  }
  std::string all;
  for (const std::string& record : new_) all += record;
  const auto end = static_cast<off_t>((saved_ + 1) * static_cast<std::int64_t>(sizeof(Record)));
  if (::lseek(fd_.get(), end, SEEK_SET) != end || write_all(fd_.get(), all) != 0) return;
  saved_ += static_cast<std::int64_t>(new_.size());
  new_.clear();
}

std::optional<LogMark> LineIndex::read(std::int64_t number, int log) {
  Record record;
  if (number < saved_) {
    const auto at = (number + 1) * static_cast<std::int64_t>(sizeof record);
    if (read_at(fd_.get(), reinterpret_cast<char*>(&record), sizeof record, at) != sizeof record) {
      return std::nullopt;
    }
  } else {
    std::memcpy(&record, new_[static_cast<std::size_t>(number - saved_)].data(), sizeof record);
  }
  if (check_of(record) != record.check || print_of(log, record.offset) != record.print) {
    return std::nullopt;
  }
  return LogMark{record.offset, record.line, record.at_start != 0,
                 TextStyle{record.foreground, record.background, record.attributes}};
}

template <class Holds>
std::optional<std::int64_t> LineIndex::count(int log, Holds holds) {
  std::int64_t low = 0, high = saved_ + static_cast<std::int64_t>(new_.size());
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    const auto mark = read(middle, log);
    if (!mark) {
      damaged_ = true;  // made anew at the next call
      return std::nullopt;
    }
    (holds(*mark) ? low : high) = holds(*mark) ? middle + 1 : middle;
  }
  return low;
}

LogMark LineIndex::before(std::int64_t line, int log) {
  const std::lock_guard lock(mutex_);
  const auto fitting = count(log, [line](const LogMark& mark) {
    return mark.line < line || (mark.line == line && mark.at_start);
  });
  if (!fitting || *fitting == 0) return {};
  return read(*fitting - 1, log).value_or(LogMark());
}

std::optional<LogMark> LineIndex::inside(std::int64_t line, int log) {
  const std::lock_guard lock(mutex_);
  const auto fitting = count(log, [line](const LogMark& mark) { return mark.line <= line; });
  if (!fitting) return std::nullopt;
  // Not the last one: between it and the end there may be nothing but a few bytes.
  for (std::int64_t back = 2; back >= 1; --back) {
    if (*fitting < back) continue;
    const auto mark = read(*fitting - back, log);
    if (mark && mark->line == line && !mark->at_start) return mark;
  }
  return std::nullopt;
}

std::shared_ptr<LineIndex> LineIndexes::of(const std::string& job_id) {
  const std::lock_guard lock(mutex_);
  Held& held = held_[job_id];
  if (!held.index) held.index = std::make_shared<LineIndex>(folder_ / job_id);
  held.used = ++uses_;
  const auto index = held.index;
  if (held_.size() > kHeld) {
    held_.erase(std::min_element(held_.begin(), held_.end(), [](const auto& a, const auto& b) {
      return a.second.used < b.second.used;
    }));
  }
  return index;
}

void LineIndexes::remove(const std::string& job_id) {
  const std::lock_guard lock(mutex_);
  held_.erase(job_id);
  std::error_code ignored;
  std::filesystem::remove(folder_ / job_id, ignored);
}

}  // namespace runyard
