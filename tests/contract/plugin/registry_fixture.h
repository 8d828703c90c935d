#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/plugin/registry.h"

namespace runyard {

inline constexpr bool kSanitized =
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    true;
#else
    false;
#endif

/// A plugin folder of its own and a registry over it, with the real host.
class RegistryFixture : public testing::Test {
 protected:
  RegistryFixture()
      : base_(std::filesystem::temp_directory_path() / ("registry_test." + random_hex(6))),
        folder_(base_ / "plugins") {
    std::filesystem::create_directories(folder_);
    std::filesystem::create_directories(base_ / "workspace");
    config_.folders = {folder_, base_ / "not there"};
    config_.cache = base_ / "state/plugins";
    config_.host_command = {RUNYARD_TEST_HOST};
    // Only what never answers waits so long; a machine may be very busy.
    config_.probe_deadline = std::chrono::seconds(30);
    config_.call_deadline = std::chrono::seconds(30);
    config_.memory_limit = 512u << 20;
  }
  ~RegistryFixture() override {
    registry_.reset();
    std::filesystem::remove_all(base_);
  }

  PluginRegistry& registry() {
    if (!registry_) registry_ = std::make_unique<PluginRegistry>(config_);
    return *registry_;
  }

  /// A test plugin as a file of the folder; over what is there by `cp`, in place.
  void drop(const std::string& name, const std::string& file = "") {
    std::filesystem::copy_file(std::filesystem::path(RUNYARD_TEST_PLUGINS) / (name + ".so"),
                               folder_ / (file.empty() ? name + ".so" : file),
                               std::filesystem::copy_options::overwrite_existing);
  }
  void write(const std::string& file, const std::string& content) {
    std::ofstream(folder_ / file, std::ios::binary) << content;
  }
  bool rescan() {
    const auto result = registry().rescan();
    EXPECT_TRUE(result) << (result ? "" : result.error().message);
    return result && *result;
  }

  PluginInfo info(const std::string& file) {
    for (const PluginInfo& one : registry().list()) {
      if (one.path.filename() == file) return one;
    }
    ADD_FAILURE() << file << " is not listed";
    return {};
  }
  std::vector<std::string> types() {
    std::vector<std::string> out;
    for (const JobTypePtr& type : registry().job_types()) out.push_back(type->type);
    return out;
  }
  Result<std::vector<std::string>> argv(const std::string& what,
                                        const std::string& type = "scripted") {
    const JobTypePtr found = registry().find_type(type);
    if (!found) return make_error(ErrorKind::kNotFound, type + " is not offered");
    return registry().argv(*found, {{"do", what}});
  }
  /// True as soon as a call succeeds again: where the deadline is short, a busy machine may need
  /// more than one.
  bool works_again() {
    for (int i = 0; i < 100; ++i) {
      if (argv("ok")) return true;
    }
    return false;
  }
  /// The process id of the host that serves the current set.
  std::string host_pid() {
    const auto pid = argv("pid");
    return pid ? pid->front() : "none: " + pid.error().message;
  }

  const std::filesystem::path base_, folder_;
  PluginConfig config_;
  std::unique_ptr<PluginRegistry> registry_;
};

}  // namespace runyard
