#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "core/plugin/registry.h"

namespace runyard {

/// Looks through the plugin folders three times a second, so that what is dropped there is offered
/// within a second. It looks instead of waiting for inotify: that sees nothing on network disks nor
/// in folders that do not exist yet, and a look is one stat for each library. Owned by the service,
/// with a thread of its own.
class FolderWatch {
 public:
  /// `before` is called before each look, `changed` after one that took something over; both on the
  /// thread of the watch. The registry must outlive it.
  FolderWatch(PluginRegistry& registry, std::function<void()> before,
              std::function<void()> changed);
  ~FolderWatch();
  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;

 private:
  void run();

  PluginRegistry& registry_;
  const std::function<void()> before_, changed_;
  std::mutex mutex_;  // guards stopping_
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace runyard
