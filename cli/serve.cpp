#include "cli/serve.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <thread>

#include "api/http_server.h"
#include "api/routes.h"
#include "cli/exposure.h"
#include "cli/server_options.h"
#include "core/base/log.h"
#include "core/base/open_files.h"
#include "core/base/version.h"
#include "core/service/job_service.h"

namespace runyard::cli {
namespace {

/// The configuration as it may be served.
Result<Config> configure(const ServerOptions& options) {
  const Settings settings = options.read();
  for (const auto& warning : settings.warnings()) spdlog::warn("{}", warning);
  return settings.config();
}

/// Who may call, as the configuration says.
Result<Guard> make_guard(const Config& config) {
  auto proxies = NetworkSet::parse(config.trusted_proxies);
  if (!proxies) return proxies.error();
  auto hosts = config.allowed_hosts;
  hosts.push_back(config.host);
  return Guard(
      {std::move(hosts), config.allowed_origins, std::move(*proxies), is_wildcard(config.host)});
}

}  // namespace

int run_serve(const Args& args) {
  ServerOptions options;
  CLI::App app("Run the server on a workspace", "runyard serve");
  options.declare_place(app);
  options.declare_settings(app);
  if (auto code = parse_args(app, args)) return *code;

  if (auto done = start_log({}); !done) return fail(done.error());

  raise_open_files();
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
  const bool with_tokens = asks_for_tokens(*config);
  if (auto done = check_exposed(*config); !done) return fail(done.error());
  // It outlives all that streams come from.
  StreamServer streams({config->max_streams, config->max_streams_per_client});
  auto service = JobService::open(*config, {"/proc/self/exe", program_folder() / "runyard-shim"},
                                  options.rereader());
  if (!service) return fail(service.error());
  const Config& settings = (*service)->config();

  auto guard = make_guard(settings);
  if (!guard) return fail(guard.error());
  Access access(settings.state_dir, with_tokens);
  HttpServer server({settings.host, settings.port, settings.http_threads, settings.log_access},
                    std::move(*guard), access, Router(all_routes(**service, access, streams)),
                    streams, (*service)->metrics());
  if (auto done = server.start(); !done) return fail(done.error());

  std::size_t loaded = 0;
  for (const auto& plugin : (*service)->plugins()) {
    if (plugin.state == PluginState::kLoaded) ++loaded;
  }
  if (loaded == 0) spdlog::warn("no job type is loaded: --plugin-dir names a folder of plugins");
  const bool is_v6 = settings.host.find(':') != std::string::npos;
  fmt::print("Runyard {} serves {} at http://{}:{} with {} job type(s)\n", kVersion,
             settings.workspace.string(), is_v6 ? "[" + settings.host + "]" : settings.host,
             server.port(), loaded);
  std::fflush(stdout);

  int signal = 0;
  ::sigwait(&signals, &signal);
  spdlog::info("stopping; jobs that run go on and are found again at the next start");
  // Requests end, then streams, then the engine: seconds at most. Whoever cannot wait signals
  // again; what is on disk is as good as after a crash, and that is good enough for jobs.
  std::thread([signals] {
    int again = 0;
    ::sigwait(&signals, &again);
    spdlog::warn("ended by a second signal");
    ::_exit(128 + again);
  }).detach();
  return kOk;
}

}  // namespace runyard::cli
