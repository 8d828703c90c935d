#include "core/log/file_watcher.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <cstring>
#include <set>

namespace runyard {

FileWatcher::FileWatcher(boost::asio::io_context& engine) : inotify_(engine) {
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) return;
  inotify_.assign(fd);
  wait();
}

int FileWatcher::add(const std::filesystem::path& file, std::function<void()> changed) {
  if (!inotify_.is_open()) return -1;
  const int id =
      ::inotify_add_watch(inotify_.native_handle(), file.c_str(), IN_MODIFY | IN_ONESHOT);
  if (id >= 0) watches_[id] = std::move(changed);
  return id;
}

void FileWatcher::remove(int id) {
  if (watches_.erase(id) > 0) ::inotify_rm_watch(inotify_.native_handle(), id);
}

void FileWatcher::wait() {
  inotify_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [this](const boost::system::error_code& error) {
                        if (error) return;
                        tell();
                        wait();
                      });
}

void FileWatcher::tell() {
  alignas(inotify_event) char buffer[16384];
  std::set<int> changed;
  for (;;) {
    const ssize_t got = ::read(inotify_.native_handle(), buffer, sizeof buffer);
    if (got <= 0) break;
    for (ssize_t at = 0; at < got;) {
      inotify_event event;
      std::memcpy(&event, buffer + at, sizeof event);
      at += static_cast<ssize_t>(sizeof event + event.len);
      if (event.mask & IN_Q_OVERFLOW) {  // some were dropped: it may have been any file
        for (const auto& [id, call] : watches_) {
          changed.insert(id);
          ::inotify_rm_watch(inotify_.native_handle(), id);
        }
      } else {
        changed.insert(event.wd);
      }
    }
  }
  for (const int id : changed) {
    const auto watch = watches_.find(id);
    if (watch == watches_.end()) continue;
    const auto call = std::move(watch->second);
    watches_.erase(watch);
    call();
  }
}

}  // namespace runyard
