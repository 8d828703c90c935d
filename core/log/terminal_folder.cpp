#include "core/log/terminal_folder.h"

#include <algorithm>
#include <utility>

#include "core/base/text.h"
#include "core/log/byte_scan.h"

namespace runyard {
namespace {

constexpr std::size_t kMaxChanges = 1000;    // of style, in one line
constexpr std::size_t kKeptRoom = 4 * 1024;  // of a long line's memory

/// Where character number `column` begins; the end when there are fewer.
std::size_t offset_of(std::string_view text, std::size_t column) {
  constexpr std::size_t kStep = 256;
  std::size_t at = 0;
  for (; at + kStep <= text.size(); at += kStep) {
    const std::size_t characters = count_characters(text.substr(at, kStep));
    if (characters > column) break;
    column -= characters;
  }
  for (; at < text.size(); ++at) {
    if ((static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) continue;
    if (column-- == 0) return at;
  }
  return text.size();
}

}  // namespace

void TerminalFolder::Row::clear() {
  if (text.capacity() > kKeptRoom) text.shrink_to_fit();
  text.clear();
  changes.clear();
  cut = false;
}

TextStyle TerminalFolder::Row::style_at(std::size_t at) const {
  TextStyle style;
  for (const Change& change : changes) {
    if (change.at > at) break;
    style = change.style;
  }
  return style;
}

void TerminalFolder::Row::replace(std::size_t at, std::size_t count, const Row& with) {
  if (!changes.empty() || !with.changes.empty()) {
    std::vector<Change> merged;
    const auto add = [&](std::size_t where, const TextStyle& style) {
      if (!merged.empty() && merged.back().at == where) merged.pop_back();
      const TextStyle before = merged.empty() ? TextStyle() : merged.back().style;
      if (style != before && merged.size() < kMaxChanges) merged.push_back({where, style});
    };
    for (const Change& change : changes) {
      if (change.at < at) add(change.at, change.style);
    }
    if (!with.empty()) add(at, with.style_at(0));
    for (const Change& change : with.changes) add(at + change.at, change.style);
    if (at + count < text.size()) {
      add(at + with.text.size(), style_at(at + count));
      for (const Change& change : changes) {
        if (change.at > at + count) add(change.at - count + with.text.size(), change.style);
      }
    }
    changes = std::move(merged);
  }
  text.replace(at, count, with.text);
  cut |= with.cut;
}

TerminalFolder::TerminalFolder(Unit unit, std::size_t max_bytes, bool colours, TextStyle style)
    : unit_(unit), max_bytes_(max_bytes), colours_(colours), style_(style) {}

void TerminalFolder::feed(std::string_view bytes, const Sink& sink) {
  const std::int64_t before = position_;
  for (std::size_t at = 0; at < bytes.size();) {
    if (escape_.active()) {
      const auto step = escape_.step(bytes[at]);
      if (step == EscapeParser::Step::kControl) {
        sequence(before + static_cast<std::int64_t>(at) + 1, sink);
      }
      if (step != EscapeParser::Step::kBroken) {
        ++at;
        continue;
      }
    }
    const std::string_view rest = bytes.substr(at);
    const std::size_t size = find_control(rest);
    const bool whole = size < rest.size() && rest[size] == '\n';
    if (whole && ups_ == 0 && size <= max_bytes_ && is_blank() &&
        (!colours_ || style_.is_plain())) {
      // A plain line, the usual case: given as it is, without a copy.
      at += size + 1;
      begin_ = position_ = before + static_cast<std::int64_t>(at);
      if (size > 0 || unit_ == Unit::kLine) sink({rest.substr(0, size), false});
      continue;
    }
    if (size > 0) write(rest.substr(0, size));
    at += size;
    if (size < rest.size()) {
      ++at;
      control(rest[size], before + static_cast<std::int64_t>(at), sink);
    }
  }
  position_ = before + static_cast<std::int64_t>(bytes.size());
}

void TerminalFolder::finish(const Sink& sink) {
  escape_ = {};
  ups_ = 0;
  if (pending() > 0) end_unit(position_, sink);
}

void TerminalFolder::write(std::string_view run) {
  ups_ = 0;
  const std::size_t used = over_.text.size() + (at_end_ ? base_.text.size() : 0);
  const std::size_t room = max_bytes_ - std::min(max_bytes_, used);
  if (run.size() > room) {
    over_.cut = true;
    run = run.substr(0, room);
  }
  if (run.empty()) return;
  if (colours_) {
    const TextStyle last = over_.changes.empty() ? TextStyle() : over_.changes.back().style;
    if (style_ != last && over_.changes.size() < kMaxChanges) {
      over_.changes.push_back({over_.text.size(), style_});
    }
  }
  over_.text += run;
}

/// Puts what was written over what was there; the cursor stands behind it.
void TerminalFolder::commit() {
  if (over_.empty()) {
    base_.cut |= std::exchange(over_.cut, false);
    return;
  }
  const auto append = [&] {
    if (base_.empty()) {
      std::swap(base_, over_);
      columns_ = kUnknown;
    } else {
      if (columns_ != kUnknown) columns_ += count_characters(over_.text);
      base_.replace(base_.text.size(), 0, over_);
    }
    at_end_ = true;
  };
  if (at_end_ || base_.empty()) {
    if (at_ > 0 && !at_end_) base_.text.assign(at_, ' ');  // the cursor had been moved there
    append();
  } else if (const std::size_t before = columns(); before > kMaxEdited) {
    base_.clear();
    append();
  } else {
    if (at_ > before) base_.text.append(at_ - before, ' ');
    const std::size_t written = count_characters(over_.text);
    const std::size_t begin = offset_of(base_.text, at_);
    const std::size_t size = offset_of(std::string_view(base_.text).substr(begin), written);
    base_.replace(begin, size, over_);
    at_ += written;
    at_end_ = at_ >= before;
    columns_ = std::max(before, at_);
  }
  if (base_.text.size() > max_bytes_) {
    base_.text.resize(max_bytes_);
    base_.cut = true;
    columns_ = kUnknown;
  }
  over_.clear();
}

/// How many characters `base_` has.
std::size_t TerminalFolder::columns() {
  if (columns_ == kUnknown) columns_ = count_characters(base_.text);
  return columns_;
}

/// The column of the cursor; everything is in `base_` then.
std::size_t TerminalFolder::cursor() {
  commit();
  return at_end_ ? columns() : at_;
}

bool TerminalFolder::is_edited() {
  commit();
  return columns() <= kMaxEdited;
}

void TerminalFolder::move_to(std::size_t column) {
  if (!is_edited()) return;
  at_ = std::min(column, kMaxEdited);
  at_end_ = at_ == columns();
}

void TerminalFolder::control(char c, std::int64_t end, const Sink& sink) {
  if (c == '\x1b') return escape_.begin();
  if (c == '\n' && ups_ == 0) return end_unit(end, sink);
  const bool back_from_below = c == '\r' && ups_ > 0;  // what comes belongs to another line
  if (c == '\n') {
    --ups_;
  } else if (c == '\r' || c == '\b') {
    ups_ = 0;
  }
  if (c == '\n' || c == '\r') {
    if (unit_ == Unit::kState) return end_unit(end, sink);
    commit();
    if (back_from_below) {
      base_.clear();
      columns_ = kUnknown;
    }
    at_ = 0;
    at_end_ = base_.empty();
  } else if (c == '\b' && is_edited()) {
    const std::size_t column = cursor();
    move_to(column > 0 ? column - 1 : 0);
  }
}

void TerminalFolder::sequence(std::int64_t end, const Sink& sink) {
  const auto count = static_cast<std::size_t>(std::max(1, escape_.number(1)));
  switch (escape_.final()) {
    case 'm':
      if (colours_) style_.apply(escape_.parameters());
      break;
    case 'A':
      ups_ = std::min(ups_ + static_cast<int>(count), 1000);
      break;
    case 'C':
      if (is_edited()) move_to(cursor() + count);
      break;
    case 'D':
      if (is_edited()) move_to(cursor() - std::min(cursor(), count));
      break;
    case 'G':
      move_to(count - 1);
      break;
    case 'K':
      erase(escape_.number(0), end, sink);
      break;
    case 'J':
      if (escape_.number(0) == 0) erase(0, end, sink);
      break;
    default:
      break;
  }
}

void TerminalFolder::erase(int mode, std::int64_t end, const Sink& sink) {
  if (!is_edited()) {
    // As a carriage return in such a line: erased from its begin, it begins anew.
    if (mode == 2 || (mode == 0 && !at_end_)) {
      if (unit_ == Unit::kState) return end_unit(end, sink);
      base_.clear();
      columns_ = kUnknown;
      at_ = 0;
      at_end_ = true;
    }
    return;
  }
  const std::size_t column = cursor();
  const bool removes = !base_.empty() && (mode == 1 || mode == 2 || (mode == 0 && !at_end_));
  if (!removes) return;
  if (unit_ == Unit::kState) return end_unit(end, sink);  // it has been seen
  if (mode == 2) {
    base_.clear();
  } else if (mode == 0) {
    const std::size_t begin = offset_of(base_.text, column);
    base_.replace(begin, base_.text.size() - begin, {});
  } else {
    const std::size_t size = offset_of(base_.text, column + 1);
    Row blanks;
    blanks.text.assign(count_characters(std::string_view(base_.text).substr(0, size)), ' ');
    base_.replace(0, size, blanks);
  }
  columns_ = kUnknown;
  move_to(column);
}

void TerminalFolder::end_unit(std::int64_t end, const Sink& sink) {
  commit();
  // All cleared before the call: the sink may ask for pending().
  begin_ = position_ = end;
  at_ = 0;
  at_end_ = true;
  columns_ = kUnknown;
  Row row;
  std::swap(row, base_);
  if (row.cut) row.text.resize(row.text.size() - incomplete_utf8_tail(row.text));
  if (row.empty() && unit_ == Unit::kState) return;
  if (row.changes.empty()) {
    sink({row.text, row.cut});
  } else {
    shown_.clear();
    std::size_t at = 0;
    TextStyle style;
    for (const Row::Change& change : row.changes) {
      if (change.at >= row.text.size()) break;
      shown_.append(row.text, at, change.at - at);
      at = change.at;
      const std::string parameters = change.style.parameters();
      shown_ += style.is_plain()     ? "\x1b[" + parameters + "m"
                : parameters.empty() ? "\x1b[0m"
                                     : "\x1b[0;" + parameters + "m";
      style = change.style;
    }
    shown_.append(row.text, at);
    if (!style.is_plain()) shown_ += "\x1b[0m";
    sink({shown_, row.cut});
  }
  row.clear();
  std::swap(row, base_);  // keeps the room
}

}  // namespace runyard
