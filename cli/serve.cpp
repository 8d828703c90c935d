#include "cli/serve.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>

#include "api/http_server.h"
#include "api/routes.h"
#include "core/base/version.h"
#include "core/service/job_service.h"

namespace runyard::cli {
namespace {

struct ServeOptions {
  std::string workspace = ".";
  std::string config;
  std::string host, state_dir;
  std::optional<std::uint16_t> port;
  std::optional<int> slots;
  std::vector<std::string> plugin_dirs;
};

/// The folder of this program's file; what is installed beside it is found from there.
std::filesystem::path program_folder() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
}

std::filesystem::path default_plugin_dir() {
  const auto prefix = program_folder().parent_path();
  for (const char* relative : {"plugins", "lib/runyard/plugins"}) {
    std::error_code ignored;
    if (std::filesystem::is_directory(prefix / relative, ignored)) return prefix / relative;
  }
  return prefix / "plugins";
}

Result<Config> configure(const ServeOptions& options) {
  Config config;
  config.workspace = options.workspace;
  std::filesystem::path file = options.config;
  std::error_code ignored;
  if (file.empty()) {
    file = config.workspace / "configs/runyard.yaml";
    if (!std::filesystem::exists(file, ignored)) file.clear();
  }
  if (!file.empty()) {
    auto loaded = load_config(file, std::move(config));
    if (!loaded) return loaded.error();
    config = std::move(*loaded);
  }
  // Paths of the configuration are of the workspace, those of the command line of the caller.
  const auto workspace = std::filesystem::absolute(options.workspace, ignored);
  const auto resolve = [&](std::filesystem::path& path) {
    if (!path.empty() && path.is_relative()) path = workspace / path;
  };
  resolve(config.state_dir);
  for (auto& path : config.roots) resolve(path);
  for (auto& path : config.plugin_dirs) resolve(path);

  if (!options.host.empty()) config.host = options.host;
  if (options.port) config.port = *options.port;
  if (options.slots) config.slots = *options.slots;
  if (!options.state_dir.empty()) config.state_dir = options.state_dir;
  if (!options.plugin_dirs.empty()) {
    config.plugin_dirs.assign(options.plugin_dirs.begin(), options.plugin_dirs.end());
  }
  if (config.plugin_dirs.empty()) config.plugin_dirs.push_back(default_plugin_dir());
  if (!is_loopback(config.host)) {
    return make_error(ErrorKind::kInvalid,
                      fmt::format("listening on {} would let everyone on the network run commands "
                                  "here. Listen on 127.0.0.1 and forward the port: "
                                  "ssh -L {}:127.0.0.1:{} THIS-MACHINE",
                                  config.host, config.port, config.port));
  }
  return config;
}

}  // namespace

int run_serve(const Args& args) {
  ServeOptions options;
  CLI::App app("Run the server on a workspace", "runyard serve");
  app.add_option("--workspace", options.workspace, "The repository to serve")
      ->type_name("DIR")
      ->capture_default_str();
  app.add_option("--host", options.host, "Address to listen on [default: 127.0.0.1]");
  app.add_option("--port", options.port, "Port to listen on, 0 for any free one [default: 8000]");
  app.add_option("--config", options.config,
                 "Configuration [default: configs/runyard.yaml of the workspace, if there is one]")
      ->type_name("FILE");
  app.add_option("--plugin-dir", options.plugin_dirs, "Folder of plugins; may be repeated")
      ->type_name("DIR");
  app.add_option("--state-dir", options.state_dir,
                 "Database and run folders, on a local disk [default: .runyard of the workspace]")
      ->type_name("DIR");
  app.add_option("--slots", options.slots, "Jobs that run at once [default: half of the cores]")
      ->check(CLI::Range(1, 100'000));
  if (auto code = parse_args(app, args)) return *code;

  spdlog::set_default_logger(spdlog::stderr_color_mt("runyard"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");

  // Every thread inherits the mask: only sigwait() below sees these.
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  auto config = configure(options);
  if (!config) return fail(config.error());
  auto service = JobService::open(*config, {"/proc/self/exe", program_folder() / "runyard-shim"});
  if (!service) return fail(service.error());
  const Config& settings = (*service)->config();

  auto hosts = settings.allowed_hosts;
  hosts.push_back(settings.host);
  HttpServer server({settings.host, settings.port, settings.http_threads},
                    Guard(std::move(hosts), settings.allowed_origins),
                    Router(all_routes(**service)));
  if (auto done = server.start(); !done) return fail(done.error());

  std::size_t loaded = 0;
  for (const auto& plugin : (*service)->plugins()) {
    if (plugin.state == PluginState::kLoaded) {
      ++loaded;
    } else {
      spdlog::warn("plugin {}: {}: {}", plugin.path.string(), to_string(plugin.state),
                   plugin.reason);
    }
  }
  if (loaded == 0) spdlog::warn("no job type is loaded: --plugin-dir names a folder of plugins");
  fmt::print("Runyard {} serves {} at http://{}:{} with {} job type(s)\n", kVersion,
             settings.workspace.string(), settings.host, server.port(), loaded);
  std::fflush(stdout);

  int signal = 0;
  ::sigwait(&signals, &signal);
  spdlog::info("stopping; jobs that run go on and are found again at the next start");
  return kOk;
}

}  // namespace runyard::cli
