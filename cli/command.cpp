#include "cli/command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "cli/terminal.h"

namespace runyard::cli {
namespace {

constexpr const char* kDefaultServer = "http://127.0.0.1:8000";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

int exit_code_of(const Error& error) {
  switch (error.kind) {
    case ErrorKind::kMalformed:
    case ErrorKind::kInvalid:
      return kUsage;
    case ErrorKind::kUnavailable:
      return kUnreachable;
    case ErrorKind::kNotFound:
      return kMissing;
    default:
      return kFailed;
  }
}

int fail(const Error& error) {
  fmt::print(stderr, "error: {}\n", escape_controls(error.message));
  for (const FieldError& field : error.fields) {
    const bool repeats = error.fields.size() == 1 && field.message == error.message;
    if (repeats && field.pointer.empty()) continue;
    fmt::print(stderr, "  {}: {}\n", escape_controls(field.pointer),
               escape_controls(field.message));
  }
  return exit_code_of(error);
}

void add_common_options(CLI::App& app, std::string& server, bool& json) {
  app.add_option(
         "--server", server,
         fmt::format("Address of the server\n[default: $RUNYARD_SERVER, else {}]", kDefaultServer))
      ->type_name("URL");
  app.add_flag("--json", json, "Print the server's answer as one line of JSON");
}

std::optional<int> parse_args(CLI::App& app, const Args& args) {
  // `--x=` is an empty value; CLI11 would take the next word instead.
  std::vector<std::string> words;
  for (const std::string& arg : args) {
    if (arg.size() > 3 && arg.starts_with("--") && arg.find('=') == arg.size() - 1) {
      words.push_back(arg.substr(0, arg.size() - 1));
      words.emplace_back();
    } else {
      words.push_back(arg);
    }
  }
  std::reverse(words.begin(), words.end());
  try {
    app.parse(std::move(words));
  } catch (const CLI::Success& help) {
    app.exit(help);
    return kOk;
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "error: {}\nSee {} --help.\n", escape_controls(error.what()),
               app.get_name());
    return kUsage;
  }
  return std::nullopt;
}

Result<Api> connect_to(const std::string& server) {
  std::string url = server.empty() ? environment("RUNYARD_SERVER") : server;
  if (url.empty()) url = kDefaultServer;
  auto http = HttpClient::create(url, environment("RUNYARD_TOKEN"));
  if (!http) return http.error();
  return Api(std::move(*http));
}

Result<std::vector<std::string>> resolve_all(Api& api, const std::vector<std::string>& references) {
  std::vector<std::string> ids;
  for (const std::string& reference : references) {
    auto id = api.resolve(reference);
    if (!id) return id.error();
    ids.push_back(std::move(*id));
  }
  return ids;
}

Command::Command(const std::string& name, const std::string& description)
    : app_(description, name) {
  app_.get_formatter()->column_width(26);
  add_common_options(app_, server_, json_);
}

std::optional<int> Command::parse(const Args& args) { return parse_args(app_, args); }

Result<Api> Command::connect() const { return connect_to(server_); }

}  // namespace runyard::cli
