#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/server_options.h"
#include "cli/terminal.h"
#include "core/access/audit_log.h"
#include "core/access/token_store.h"

namespace runyard::cli {
namespace {

constexpr TimeMs kDay = 86'400'000;
constexpr std::int64_t kMostDays = 36'500;

/// The part that the three verbs share: the options of the place, and from them the state folder.
class Verb {
 public:
  Verb(const std::string& name, const std::string& description)
      : app(description, "runyard token " + name) {
    options_.declare_place(app);
    options_.declare_state_dir(app);
    app.add_flag("--json", json, "Print one line of JSON");
  }

  Result<std::filesystem::path> state_dir() const {
    auto config = options_.read().config();
    if (!config) return config.error();
    // A mistyped workspace would be made, with a token in it that no server knows.
    if (std::error_code ignored; !std::filesystem::is_directory(config->workspace, ignored)) {
      return make_error(ErrorKind::kInvalid,
                        fmt::format("there is no folder {}; name the workspace of the server: "
                                    "--workspace DIR",
                                    config->workspace.string()));
    }
    return config->state_dir;
  }

  CLI::App app;
  bool json = false;

 private:
  ServerOptions options_;
};

/// Notes who changed the tokens. What was done is done, also when this fails.
void record(const std::filesystem::path& state, const std::string& what) {
  const auto done = AuditLog(state).write({"local", "", what, 0, {}});
  if (!done) note(done.error().message);
}

boost::json::object to_document(const Token& token) {
  boost::json::object document{{"name", token.name},
                               {"role", to_string(token.role)},
                               {"created_at", format_time(token.created_at)},
                               {"expires_at", nullptr},
                               {"is_expired", !token.is_valid_at(now_ms())}};
  if (token.expires_at) document["expires_at"] = format_time(*token.expires_at);
  return document;
}

int add(const Args& args) {
  Verb verb("add", "Make a token, with which somebody may call the server. It is shown once.");
  std::string name, role;
  std::int64_t days = 0;
  verb.app.add_option("name", name, "Whose it is, or what for; it stands in the audit log")
      ->required()
      ->type_name("");
  verb.app
      .add_option("--role", role,
                  "viewer (may look), operator (may also submit and change jobs), admin (also the "
                  "queue and the plugins)")
      ->required()
      ->check(CLI::IsMember({"viewer", "operator", "admin"}));
  verb.app.add_option("--expires", days, "Days until it is worth nothing [default: never]")
      ->check(CLI::Range(std::int64_t{1}, kMostDays))
      ->type_name("DAYS");
  if (auto code = parse_args(verb.app, args)) return *code;
  const auto state = verb.state_dir();
  if (!state) return fail(state.error());
  const std::optional<TimeMs> expires =
      days > 0 ? std::optional(now_ms() + days * kDay) : std::nullopt;
  const auto token = TokenStore(*state).add(name, *parse_role(role), expires);
  if (!token) return fail(token.error());
  record(*state, fmt::format("token add {} {}", name, role));
  if (verb.json) {
    print_json({{"name", name}, {"role", role}, {"token", *token}});
    return kOk;
  }
  // The token alone goes to stdout, so that it can go into a file without being seen.
  print(*token + "\n");
  note(
      fmt::format("this is the only time that the token of '{}' ({}) is shown. For the commands, "
                  "put it into ~/.config/runyard/token (chmod 600) or RUNYARD_TOKEN; for the web "
                  "UI, paste it there",
                  name, role));
  return kOk;
}

int list(const Args& args) {
  Verb verb("ls", "List the tokens. Their texts are not kept.");
  if (auto code = parse_args(verb.app, args)) return *code;
  const auto state = verb.state_dir();
  if (!state) return fail(state.error());
  const auto tokens = TokenStore(*state).list();
  if (!tokens) return fail(tokens.error());
  if (verb.json) {
    boost::json::array all;
    for (const Token& token : *tokens) all.push_back(to_document(token));
    print_json(all);
    return kOk;
  }
  if (tokens->empty()) {
    note("there are no tokens; `runyard token add NAME --role ROLE` makes one");
    return kOk;
  }
  const TimeMs now = now_ms();
  Table table({{"NAME"}, {"ROLE"}, {"MADE"}, {"EXPIRES"}});
  for (const Token& token : *tokens) {
    std::string expires = token.expires_at ? format_time(*token.expires_at).substr(0, 10) : "never";
    if (!token.is_valid_at(now)) expires += " (expired)";
    table.add({token.name,
               std::string(to_string(token.role)),
               format_time(token.created_at).substr(0, 10),
               {expires, token.is_valid_at(now) ? Colour::kNone : Colour::kRed}});
  }
  print(table.render(wants_colour(stdout), terminal_width()));
  return kOk;
}

int revoke(const Args& args) {
  Verb verb("revoke", "Make a token worthless at once, for a running server too.");
  std::string name;
  verb.app.add_option("name", name, "The token's name")->required()->type_name("");
  if (auto code = parse_args(verb.app, args)) return *code;
  const auto state = verb.state_dir();
  if (!state) return fail(state.error());
  if (const auto done = TokenStore(*state).revoke(name); !done) return fail(done.error());
  record(*state, "token revoke " + name);
  if (verb.json) {
    print_json({{"revoked", name}});
  } else {
    print(fmt::format("the token '{}' is revoked\n", name));
  }
  return kOk;
}

}  // namespace

int run_token(const Args& args) {
  const std::string verb = args.empty() ? "" : args[0];
  const Args rest(args.begin() + (args.empty() ? 0 : 1), args.end());
  if (verb == "add") return add(rest);
  if (verb == "ls") return list(rest);
  if (verb == "revoke") return revoke(rest);
  const bool help = verb == "--help" || verb == "-h";
  fmt::print(help ? stdout : stderr,
             "Tokens of a server: who may call it, from where tokens are asked for. Works on the "
             "files of the\nserver's state folder, with the server running or not.\n\n"
             "  runyard token add NAME --role viewer|operator|admin [--expires DAYS]\n"
             "  runyard token ls\n"
             "  runyard token revoke NAME\n");
  return help ? kOk : kUsage;
}

}  // namespace runyard::cli
