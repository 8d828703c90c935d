#include "cli/serve.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>

#include "api/http_server.h"
#include "api/routes.h"
#include "cli/server_options.h"
#include "core/base/log.h"
#include "core/base/version.h"
#include "core/service/job_service.h"

namespace runyard::cli {
namespace {

/// The configuration as it may be served.
Result<Config> configure(const ServerOptions& options) {
  const Settings settings = options.read();
  for (const auto& warning : settings.warnings()) spdlog::warn("{}", warning);
  auto config = settings.config();
  if (!config) return config.error();
  if (!is_loopback(config->host)) {
    return make_error(ErrorKind::kInvalid,
                      fmt::format("listening on {} would let everyone on the network run commands "
                                  "here. Listen on 127.0.0.1 and forward the port: "
                                  "ssh -L {}:127.0.0.1:{} THIS-MACHINE",
                                  config->host, config->port, config->port));
  }
  return config;
}

}  // namespace

int run_serve(const Args& args) {
  ServerOptions options;
  CLI::App app("Run the server on a workspace", "runyard serve");
  options.declare_place(app);
  options.declare_settings(app);
  if (auto code = parse_args(app, args)) return *code;

  if (auto done = start_log({}); !done) return fail(done.error());

  // Every thread inherits the mask: only sigwait() below sees these.
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  auto config = configure(options);
  if (!config) return fail(config.error());
  const LogOptions log{config->log_level, config->log_format == "json", config->log_file,
                       config->log_file_bytes, config->log_file_keep};
  if (auto done = start_log(log); !done) return fail(done.error());
  // It outlives all that streams come from.
  StreamServer streams({config->max_streams, config->max_streams_per_client});
  auto service = JobService::open(*config, {"/proc/self/exe", program_folder() / "runyard-shim"});
  if (!service) return fail(service.error());
  const Config& settings = (*service)->config();

  auto hosts = settings.allowed_hosts;
  hosts.push_back(settings.host);
  HttpServer server({settings.host, settings.port, settings.http_threads},
                    Guard(std::move(hosts), settings.allowed_origins),
                    Router(all_routes(**service, streams)), streams);
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
