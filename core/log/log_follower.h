#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <functional>
#include <memory>

#include "core/base/files.h"
#include "core/log/file_watcher.h"
#include "core/log/log_scanner.h"

namespace runyard {

/// Reads one job's log as it grows and feeds its scanner. Wakes up by the FileWatcher when a quiet
/// log grows, then looks ten times a second until it is quiet again, and reads in pieces, so that
/// no log keeps the engine from its other work. Where the file cannot be watched it looks every
/// second. Engine thread only.
class LogFollower : public std::enable_shared_from_this<LogFollower> {
 public:
  /// Called after something was read: `found` when the scanner's findings changed.
  using Changed = std::function<void(bool found)>;

  LogFollower(boost::asio::io_context& engine, FileWatcher& watcher, std::filesystem::path file,
              std::unique_ptr<LogScanner> scanner, std::int64_t offset, Changed changed);
  ~LogFollower();

  /// Opens the file (an empty one when it is not there yet) and begins. `watch`: is told of writes,
  /// where the file system can; else, and for a file that another machine writes, looks each
  /// second.
  void start(bool watch = true);
  /// Reads to the end of the file as it is now, then calls `done` and reads no more.
  void finish(std::function<void()> done);
  /// Reads no more and calls nothing more.
  void stop();

  const LogScanner& scanner() const { return *scanner_; }
  /// Bytes read, and where a restart has to begin again.
  std::int64_t offset() const { return offset_; }
  std::int64_t scan_offset() const { return offset_ - scanner_->pending(); }
  /// The open log, -1 when it could not be opened.
  int fd() const { return fd_.get(); }

 private:
  void watch();
  void read_some();
  void schedule(int delay_ms);

  boost::asio::io_context& engine_;
  FileWatcher& watcher_;
  const std::filesystem::path file_;
  const std::unique_ptr<LogScanner> scanner_;
  const Changed changed_;
  boost::asio::steady_timer timer_;
  UniqueFd fd_;
  std::int64_t offset_;
  bool may_watch_ = false;
  int watch_ = -1;  // -1: there is none now
  bool scheduled_ = false;
  bool stopped_ = false;
  std::function<void()> finished_;
};

}  // namespace runyard
