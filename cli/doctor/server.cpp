#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstring>

#include "api/guard.h"
#include "cli/command.h"
#include "cli/doctor/checks.h"
#include "cli/exposure.h"
#include "cli/json_access.h"
#include "core/base/files.h"
#include "core/plugin/registry.h"

namespace runyard::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

/// Tries to listen there; errno, 0 when that works.
int try_port(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
    return EADDRNOTAVAIL;
  }
  const UniqueFd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  int code = fd ? 0 : errno;
  if (fd) {
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0) code = errno;
  }
  ::freeaddrinfo(found);
  return code;
}

/// Where a client on this machine reaches the server.
std::string url_of(const Config& config) {
  std::string host = config.host;
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::") host = "::1";
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return fmt::format("http://{}:{}", host, config.port);
}

Finding finding_of(const std::string& path, const std::string& state, const std::string& type,
                   const std::string& version, const std::string& reason) {
  const std::string name = fs::path(path).filename().string();
  if (state == "loaded") return good("plugin", fmt::format("{}: {} {}", name, type, version));
  if (state == "superseded") return note("plugin", name + " is not used: " + reason);
  if (state == "removed") return note("plugin", name + ": " + reason);
  return bad("plugin", fmt::format("{}: {}", name, reason),
             "runyard plugin check " + path + " says more");
}

/// What a running server knows of the libraries; nullopt when it does not say (a token is asked
/// for).
std::optional<std::vector<Finding>> ask_server(const Config& config) {
  auto api = connect_to({url_of(config), ""});
  if (!api) return std::nullopt;
  const auto answer = api->get("/api/admin/plugins");
  const auto* list = answer ? answer->if_array() : nullptr;
  if (!list) return std::nullopt;
  std::vector<Finding> findings;
  for (const auto& item : *list) {
    const auto* one = item.if_object();
    if (!one) continue;
    findings.push_back(finding_of(text_of(*one, "path"), text_of(*one, "state"),
                                  text_of(*one, "type"), text_of(*one, "version"),
                                  text_of(*one, "reason")));
  }
  return findings;
}

/// Loads the libraries as the server would, in a plugin host of our own.
std::vector<Finding> try_libraries(const Config& config) {
  std::string cache = (fs::temp_directory_path() / "runyard-doctor-XXXXXX").string();
  if (!::mkdtemp(cache.data())) {
    return {bad("plugin", "the libraries cannot be tried: no folder can be made in /tmp",
                "make room in /tmp")};
  }
  std::vector<Finding> findings;
  {
    PluginConfig plugins;
    plugins.folders = config.plugin_dirs;
    plugins.cache = cache;
    plugins.host_command = {"/proc/self/exe", "plugin-host"};
    plugins.allow = config.allow;
    PluginRegistry registry(std::move(plugins));
    if (const auto done = registry.rescan(); !done) {
      findings.push_back(bad("plugin", done.error().message, "install 'runyard' again"));
    }
    for (const auto& info : registry.list()) {
      findings.push_back(finding_of(info.path.string(), std::string(to_string(info.state)),
                                    info.type, info.version, info.reason));
    }
  }
  std::error_code ignored;
  fs::remove_all(cache, ignored);
  return findings;
}

}  // namespace

ServerState check_server(const Config& config) {
  ServerState state;
  const std::string url = url_of(config);
  const int code = config.port == 0 ? 0 : try_port(config.host, config.port);
  if (code == 0) {
    state.findings.push_back(
        good("server", fmt::format("none runs; port {} of {} is free", config.port, config.host)));
    return state;
  }
  const std::string mend = "another port: --port, or 'server.port'";
  if (code != EADDRINUSE) {
    state.findings.push_back(
        bad("server",
            fmt::format("nothing can listen on {} port {}: {}", config.host, config.port,
                        std::strerror(code)),
            code == EACCES ? mend : "set 'server.host' to an address of this machine"));
    return state;
  }
  auto api = connect_to({url, ""});
  const auto health = api ? api->get("/healthz") : Result<json::value>(api.error());
  const auto* object = health ? health->if_object() : nullptr;
  if (!object || text_of(*object, "status") != "ok") {
    state.findings.push_back(
        bad("server",
            fmt::format("another program listens on {} port {}", config.host, config.port), mend));
    return state;
  }
  state.answers = true;
  const auto ready = api->get("/readyz");
  if (ready) {
    state.findings.push_back(good("server", "a server answers at " + url));
  } else {
    std::string reasons = ready.error().message;
    for (const auto& field : ready.error().fields) {
      if (field.message != reasons) reasons += "; " + field.message;
    }
    state.findings.push_back(
        bad("server", "the server at " + url + " takes no jobs: " + reasons, "its log says more"));
  }
  return state;
}

Finding check_access(const Config& config) {
  if (!asks_for_tokens(config)) {
    return note("access", "everybody on this machine may do everything; no token is asked for",
                "where others have accounts: 'server.auth: required'");
  }
  if (const auto may = check_exposed(config); !may) {
    return bad("access", may.error().message, "the server does not start before that");
  }
  return good("access",
              is_loopback(config.host)
                  ? "callers need a token"
                  : fmt::format("others can reach {}; callers need a token", config.host));
}

std::vector<Finding> check_plugins(const Config& config, bool server_answers) {
  std::vector<Finding> findings;
  for (const auto& folder : config.plugin_dirs) {
    struct stat info {};
    if (::stat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
      findings.push_back(warning("plugins", "there is no folder " + folder.string(),
                                 "make it, or name another: --plugin-dir, 'plugins.dirs'"));
    } else if (info.st_uid != ::geteuid() && info.st_uid != 0) {
      findings.push_back(bad("plugins", folder.string() + " belongs to another user",
                             "chown it to the user who runs the server, or to root"));
    } else if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
      findings.push_back(bad(
          "plugins",
          "other users can put libraries into " + folder.string() + ", and jobs run what these say",
          "chmod go-w " + folder.string()));
    } else {
      findings.push_back(good("plugins", folder.string()));
    }
  }
  std::optional<std::vector<Finding>> libraries;
  if (server_answers) libraries = ask_server(config);
  if (!libraries) libraries = try_libraries(config);
  bool loaded = false;
  for (auto& one : *libraries) {
    loaded = loaded || one.health == Finding::Health::kGood;
    findings.push_back(std::move(one));
  }
  if (!loaded) {
    findings.push_back(bad("plugins", "no job type is loaded, so nothing can be submitted",
                           "put plugins into one of the folders, or name their folder: "
                           "--plugin-dir, 'plugins.dirs'"));
  }
  return findings;
}

}  // namespace runyard::cli
