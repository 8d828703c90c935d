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
#include "cli/server_options.h"
#include "core/access/ownership.h"
#include "core/access/token_store.h"
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

/// True when whoever calls must have a token: beyond loopback, behind a proxy, or by the setting.
bool asks_for_tokens(const Config& config) {
  return !is_loopback(config.host) || !config.trusted_proxies.empty() || config.auth == "required";
}

/// What must be so before a server may listen that asks for tokens.
Result<> check_exposed(const Config& config) {
  const auto tokens = TokenStore(config.state_dir).list();
  if (!tokens) return tokens.error();
  const TimeMs now = now_ms();
  if (std::none_of(tokens->begin(), tokens->end(),
                   [&](const Token& token) { return token.is_valid_at(now); })) {
    const std::string why =
        !is_loopback(config.host)
            ? fmt::format("listening on {} lets everyone on the network try to call this server",
                          config.host)
            : "the configuration asks for tokens ('server.auth' or 'server.trusted_proxies')";
    return make_error(
        ErrorKind::kInvalid,
        fmt::format("{}, and there is no token yet. Make one: `runyard token add NAME --role admin "
                    "--state-dir {}`; or listen on 127.0.0.1 and forward the port: ssh -L "
                    "{}:127.0.0.1:{} THIS-MACHINE",
                    why, config.state_dir.string(), config.port, config.port));
  }
  if (is_loopback(config.host) && config.trusted_proxies.empty()) return {};
  // On loopback alone this is the users' own affair; and on WSL's drives everything looks writable.
  std::vector<std::filesystem::path> folders = config.plugin_dirs;
  folders.push_back(config.state_dir);
  for (const auto& folder : folders) {
    if (auto done = check_only_ours(folder); !done) return done;
  }
  return {};
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
  if (with_tokens) {
    if (auto done = check_exposed(*config); !done) return fail(done.error());
  }
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
  fmt::print("Runyard {} serves {} at http://{}:{} with {} job type(s)\n", kVersion,
             settings.workspace.string(), settings.host, server.port(), loaded);
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
