#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <fstream>

#include "core/base/files.h"
#include "core/log/line_index.h"
#include "core/log/log_search.h"
#include "core/log/terminal_folder.h"
#include "tests/unit/base/temp_folder.h"

namespace runyard {

/// A log on the disk with its index, and no hurry.
class LogFile {
 public:
  explicit LogFile(std::string_view content = "") {
    append(content);
    reopen();
  }
  void append(std::string_view content) const {
    std::ofstream(path(), std::ios::binary | std::ios::app) << content;
  }
  /// In place: the same file.
  void overwrite(std::string_view content) const {
    std::ofstream(path(), std::ios::binary | std::ios::trunc) << content;
  }
  void reopen() { fd_ = UniqueFd(::open(path().c_str(), O_RDONLY)); }
  int fd() const { return fd_.get(); }
  std::filesystem::path path() const { return folder_ / "log"; }
  std::filesystem::path index_path() const { return folder_ / "state/logindex/log"; }
  static LineIndex::Deadline in_time() {
    return std::chrono::steady_clock::now() + std::chrono::hours(1);
  }
  static LineIndex::Deadline too_late() { return std::chrono::steady_clock::now(); }

 private:
  TempFolder folder_;
  UniqueFd fd_;
};

/// What a whole reading gives: the measure for everything that reads parts.
inline std::vector<std::string> fold_all(std::string_view log, std::size_t most, bool colours) {
  TerminalFolder folder(TerminalFolder::Unit::kLine, most, colours);
  std::vector<std::string> lines;
  const auto sink = [&](const TerminalFolder::Line& line) { lines.emplace_back(line.text); };
  folder.feed(log, sink);
  folder.finish(sink);
  return lines;
}

}  // namespace runyard
