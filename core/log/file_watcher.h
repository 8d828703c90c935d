#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <filesystem>
#include <functional>
#include <map>

namespace runyard {

/// Tells when a quiet file grows, by one inotify descriptor for all of them. Owned and used by one
/// thread alone, that of the io_context; the callbacks run on it. A file that cannot be watched (no
/// inotify on this file system, too many watches) is not an error: its owner polls at its own pace.
/// A watch ends with the first write, and its owner looks by itself while the file grows: being
/// told of each of a million lines would cost the command that prints them a fifth of its time.
class FileWatcher {
 public:
  explicit FileWatcher(boost::asio::io_context& engine);

  /// Calls `changed` once, after the next write to the file, if it is not removed before. The id,
  /// or -1 when not possible. What was written before is not told: look once more.
  int add(const std::filesystem::path& file, std::function<void()> changed);
  void remove(int id);

 private:
  void wait();
  /// Calls those whose files changed.
  void tell();

  boost::asio::posix::stream_descriptor inotify_;
  std::map<int, std::function<void()>> watches_;
};

}  // namespace runyard
