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
  const int id = ::inotify_add_watch(inotify_.native_handle(), file.c_str(), IN_MODIFY);
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
                        alignas(inotify_event) char buffer[16384];
                        std::set<int> changed;
                        for (;;) {
                          const ssize_t got =
                              ::read(inotify_.native_handle(), buffer, sizeof buffer);
                          if (got <= 0) break;
                          for (ssize_t at = 0; at < got;) {
                            inotify_event event;
                            std::memcpy(&event, buffer + at, sizeof event);
                            changed.insert(event.wd);
                            at += static_cast<ssize_t>(sizeof event + event.len);
                          }
                        }
                        for (const int id : changed) {
                          const auto watch = watches_.find(id);
                          if (watch == watches_.end()) continue;
                          const auto call = watch->second;  // it may remove itself
                          call();
                        }
                        wait();
                      });
}

}  // namespace runyard
