#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <functional>
#include <map>

namespace runyard {

/// Tells when files grow, by one inotify descriptor for all of them. Owned and used by one thread
/// alone, that of the io_context; the callbacks run on it. A file that cannot be watched (no
/// inotify on this file system, too many watches) is not an error: its owner polls at its own pace.
/// The first write to a quiet file is told at once, later ones at most every 20 ms: a command that
/// prints a million lines must not wake the server for each.
class FileWatcher {
 public:
  explicit FileWatcher(boost::asio::io_context& engine);

  /// Calls `changed` after writes to the file, until remove(). The id, or -1 when not possible.
  int add(const std::filesystem::path& file, std::function<void()> changed);
  void remove(int id);

 private:
  void wait();
  /// Calls those whose files changed.
  void tell();

  boost::asio::posix::stream_descriptor inotify_;
  boost::asio::steady_timer pause_;
  std::map<int, std::function<void()>> watches_;
};

}  // namespace runyard
