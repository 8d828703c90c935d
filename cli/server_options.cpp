#include "cli/server_options.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "core/service/state_dir.h"

namespace runyard::cli {
namespace {

namespace fs = std::filesystem;

/// Where an installation has the UI, else where a build in the source tree puts it.
fs::path default_web_dir() {
  const fs::path installed = program_folder().parent_path() / "share/runyard/web";
  std::error_code ignored;
  if (fs::is_directory(installed, ignored)) return installed;
  return program_folder().parent_path().parent_path() / "web";
}

fs::path default_plugin_dir() {
  const auto prefix = program_folder().parent_path();
  for (const char* relative : {"plugins", "lib/runyard/plugins"}) {
    std::error_code ignored;
    if (fs::is_directory(prefix / relative, ignored)) return prefix / relative;
  }
  return prefix / "plugins";
}

/// A path of the command line is of the caller's folder, not of the workspace.
std::string absolute(const std::string& path) {
  std::error_code ignored;
  return fs::absolute(path, ignored).string();
}

}  // namespace

fs::path program_folder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

void ServerOptions::declare_place(CLI::App& app) {
  app.add_option("--workspace", workspace_, "The repository to serve")
      ->type_name("DIR")
      ->capture_default_str();
  app.add_option("--config", file_,
                 "Configuration [default: configs/runyard.yaml of the workspace, if there is one]")
      ->type_name("FILE");
}

void ServerOptions::declare_state_dir(CLI::App& app) {
  app.add_option("--state-dir", state_dir_,
                 "Database and run folders, on a local disk [default: .runyard of the workspace]")
      ->type_name("DIR");
}

void ServerOptions::declare_settings(CLI::App& app) {
  app.add_option("--host", host_, "Address to listen on [default: 127.0.0.1]")
      ->type_name("ADDRESS");
  app.add_option("--port", port_, "Port to listen on, 0 for any free one [default: 8000]")
      ->check(CLI::Range(0, 65'535).description(""))
      ->type_name("N");
  app.add_option("--plugin-dir", plugin_dirs_, "Folder of plugins; may be repeated")
      ->type_name("DIR");
  declare_state_dir(app);
  app.add_option("--web-dir", web_dir_, "The built web UI [default: beside the program]")
      ->type_name("DIR");
  app.add_option("--slots", slots_, "Jobs that run at once [default: half of the cores]")
      ->check(CLI::Range(1, 100'000).description(""))
      ->type_name("N");
}

fs::path ServerOptions::file() const {
  if (!file_.empty()) return file_;
  const fs::path usual = fs::path(workspace_) / "configs/runyard.yaml";
  std::error_code ignored;
  return fs::exists(usual, ignored) ? usual : fs::path();
}

Settings ServerOptions::read() const {
  Settings settings;
  if (const auto path = file(); !path.empty()) settings.read_file(path);
  settings.read_environment(::environ);
  if (!host_.empty()) settings.set("server.host", host_, "option --host");
  if (port_) settings.set("server.port", std::to_string(*port_), "option --port");
  if (slots_) settings.set("queue.slots", std::to_string(*slots_), "option --slots");
  if (!state_dir_.empty()) {
    settings.set("server.state_dir", absolute(state_dir_), "option --state-dir");
  }
  if (!web_dir_.empty()) settings.set("server.web_dir", absolute(web_dir_), "option --web-dir");
  if (!plugin_dirs_.empty()) {
    boost::json::array dirs;
    for (const auto& dir : plugin_dirs_) dirs.emplace_back(absolute(dir));
    settings.set("plugins.dirs", boost::json::serialize(dirs), "option --plugin-dir");
  }
  const fs::path state = default_state_dir(workspace_);
  const bool is_usual = state == fs::path(workspace_) / ".runyard";
  settings.set_default("server.state_dir", is_usual ? ".runyard" : state.string(),
                       is_usual ? "of the workspace" : "as the workspace is on a Windows drive");
  settings.set_default("server.web_dir", default_web_dir().string(), "beside the program");
  settings.set_default("plugins.dirs",
                       boost::json::serialize(boost::json::array{default_plugin_dir().string()}),
                       "beside the program");
  settings.finish(workspace_);
  return settings;
}

std::function<std::optional<Config>()> ServerOptions::rereader() const {
  const auto stamp = [path = file()] {
    std::error_code error;
    const auto time = fs::last_write_time(path, error);
    return error ? std::nullopt : std::optional(std::pair(time, fs::file_size(path, error)));
  };
  return [options = *this, stamp, last = stamp()]() mutable -> std::optional<Config> {
    const auto now = stamp();
    if (now == last) return std::nullopt;
    last = now;
    const Settings settings = options.read();
    for (const auto& mistake : settings.mistakes()) {
      spdlog::warn("the configuration was changed and is not used: {}", mistake);
    }
    if (!settings.mistakes().empty()) return std::nullopt;
    spdlog::info("the configuration was read again for the plugins; the rest counts at a restart");
    return settings.values();
  };
}

}  // namespace runyard::cli
