#include "core/plugin/folder_watch.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <string>

namespace runyard {
namespace {

/// Twice this, for two looks that agree, and the probe stay below a second.
constexpr auto kEvery = std::chrono::milliseconds(300);

}  // namespace

FolderWatch::FolderWatch(PluginRegistry& registry, std::function<void()> before,
                         std::function<void()> changed)
    : registry_(registry),
      before_(std::move(before)),
      changed_(std::move(changed)),
      thread_([this] { run(); }) {}

FolderWatch::~FolderWatch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void FolderWatch::run() {
  std::string last_error;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kEvery, [this] { return stopping_; })) {
    lock.unlock();
    before_();
    const auto looked = registry_.look_again();
    const std::string error = looked ? "" : looked.error().message;
    if (!error.empty() && error != last_error) {
      spdlog::error("the plugin folders cannot be looked at: {}", error);
    }
    last_error = error;
    if (looked && *looked) changed_();
    lock.lock();
  }
}

}  // namespace runyard
