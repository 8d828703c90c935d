#include "cli/command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "cli/terminal.h"
#include "core/base/files.h"
#include "core/base/nearest_name.h"
#include "core/base/text.h"

namespace runyard::cli {
namespace {

constexpr const char* kDefaultServer = "http://127.0.0.1:8000";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// The token that the user keeps; "" when there is none.
Result<std::string> read_token_file() {
  std::filesystem::path folder = environment("XDG_CONFIG_HOME");
  if (!folder.is_absolute()) {
    const std::string home = environment("HOME");
    if (home.empty()) return std::string();
    folder = std::filesystem::path(home) / ".config";
  }
  const auto path = folder / "runyard/token";
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd && (errno == ENOENT || errno == ENOTDIR)) return std::string();
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) {
    return errno_error(errno, "cannot read the token in " + path.string(), ErrorKind::kForbidden);
  }
  if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid() || (info.st_mode & 077) != 0) {
    return make_error(
        ErrorKind::kForbidden,
        fmt::format("the token in {} can be read by others, so it is not used: make a "
                    "new one, and chmod 600 the file",
                    path.string()));
  }
  const auto text = read_fd(fd.get(), 4096);
  if (!text) return make_error(text.error().kind, path.string() + ": " + text.error().message);
  return std::string(trim(*text));
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

void add_common_options(CLI::App& app, Target& target, bool& json) {
  app.add_option(
         "--server", target.server,
         fmt::format("Address of the server\n[default: $RUNYARD_SERVER, else {}]", kDefaultServer))
      ->type_name("URL");
  app.add_option("--token", target.token,
                 "Token, if the server asks for one; others on this machine can see it here\n"
                 "[default: $RUNYARD_TOKEN, else the file ~/.config/runyard/token]")
      ->type_name("TOKEN");
  app.add_flag("--json", json, "Print the server's answer as one line of JSON");
}

namespace {

/// What CLI11 says, but where that does not help.
std::string told(const CLI::App& app, const CLI::ParseError& error) {
  const std::string text = error.what();
  constexpr std::string_view kConversion = "Could not convert: ";
  if (const auto is = text.find(" = "); text.starts_with(kConversion) && is != text.npos) {
    return fmt::format("{}: '{}' is no number, or one too large",
                       text.substr(kConversion.size(), is - kConversion.size()),
                       text.substr(is + 3));
  }
  if (dynamic_cast<const CLI::ExtrasError*>(&error) == nullptr) return text;
  std::vector<std::string> known;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  }
  for (const std::string& word : app.remaining()) {
    if (!word.starts_with("--")) continue;
    const std::string name = word.substr(0, word.find('='));
    const std::string near = nearest_name(name, known);
    return fmt::format("there is no option {}{}", name,
                       near.empty() ? "" : "; did you mean " + near + "?");
  }
  return text;
}

}  // namespace

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
    fmt::print(stderr, "error: {}\nSee {} --help.\n", escape_controls(told(app, error)),
               app.get_name());
    return kUsage;
  }
  return std::nullopt;
}

Result<Api> connect_to(const Target& target) {
  std::string url = target.server.empty() ? environment("RUNYARD_SERVER") : target.server;
  if (url.empty()) url = kDefaultServer;
  std::string token = target.token.empty() ? environment("RUNYARD_TOKEN") : target.token;
  if (token.empty()) {
    auto kept = read_token_file();
    if (!kept) return kept.error();
    token = std::move(*kept);
  }
  auto http = HttpClient::create(url, std::move(token));
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
  add_common_options(app_, target_, json_);
}

std::optional<int> Command::parse(const Args& args) { return parse_args(app_, args); }

Result<Api> Command::connect() const { return connect_to(target_); }

}  // namespace runyard::cli
