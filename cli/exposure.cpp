#include "cli/exposure.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/guard.h"
#include "core/access/ownership.h"
#include "core/access/token_store.h"
#include "core/base/clock.h"

namespace runyard::cli {

bool asks_for_tokens(const Config& config) {
  return !is_loopback(config.host) || !config.trusted_proxies.empty() || config.auth == "required";
}

Result<> check_exposed(const Config& config) {
  if (!asks_for_tokens(config)) return {};
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
    const std::string instead =
        is_loopback(config.host)
            ? ""
            : fmt::format(
                  "; or listen on 127.0.0.1 and forward the port: ssh -L {0}:127.0.0.1:{0} "
                  "THIS-MACHINE",
                  config.port == 0 ? 8000 : config.port);
    return make_error(
        ErrorKind::kInvalid,
        fmt::format("{}, and there is no token yet. Make one: `runyard token add NAME --role admin "
                    "--state-dir {}`{}",
                    why, config.state_dir.string(), instead));
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

}  // namespace runyard::cli
