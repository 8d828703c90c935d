#include "api/access.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <boost/json.hpp>

#include "core/base/ids.h"
#include "core/base/text.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr std::string_view kCookie = "runyard_token";
constexpr TimeMs kComplainEvery = 10'000;
constexpr std::int64_t kCookieLife = 30LL * 86'400;
constexpr const char* kWrongToken =
    "this token is not known: it was revoked, has expired, or was never one; `runyard token ls` "
    "on the server's machine lists those that there are";

/// The token of `Authorization: Bearer ...`, else of the cookie; "" when there is none. A cookie is
/// sent by the browser whoever asks, so it counts only for pages of this server.
std::string token_of(const Call& call) {
  constexpr std::string_view kScheme = "bearer ";
  const std::string field = call.header("authorization");
  std::string scheme = field.substr(0, kScheme.size());
  for (char& c : scheme) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (scheme == kScheme) return std::string(trim(std::string_view(field).substr(kScheme.size())));
  if (!call.is_own_page) return "";
  const std::string cookies = call.header("cookie");
  for (std::string_view left = cookies; !left.empty();) {
    const auto end = left.find(';');
    const std::string_view cookie = trim(left.substr(0, end));
    const auto equals = cookie.find('=');
    if (equals != std::string_view::npos && cookie.substr(0, equals) == kCookie) {
      return std::string(cookie.substr(equals + 1));
    }
    left = end == std::string_view::npos ? std::string_view() : left.substr(end + 1);
  }
  return "";
}

void set_cookie(Reply& reply, const Call& call, std::string_view token, std::int64_t life) {
  reply.headers.emplace_back(
      "Set-Cookie", fmt::format("{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{}", kCookie,
                                token, life, call.is_https ? "; Secure" : ""));
}

}  // namespace

Access::Finding Access::find(std::string_view token) const {
  Finding finding;
  const auto known = tokens_.find(token, now_ms());
  if (!known) {
    const TimeMs now = now_ms();  // strangers can ask for this, so not each time
    if (now - complained_at_.exchange(now) > kComplainEvery) {
      spdlog::error("{}", known.error().message);
    }
    finding.failure = problem(503, "the server cannot read its list of tokens; its log says why");
  } else if (*known) {
    finding.caller = Caller{(*known)->name, (*known)->role, (*known)->sha256};
  }
  return finding;
}

std::optional<Reply> Access::admit(Call& call, const Route* route) {
  if (!asks_for_tokens_) {
    call.caller = {"local", Role::kAdmin, ""};
    return std::nullopt;
  }
  if (route && route->role == Role::kPublic) return std::nullopt;
  const std::string token = token_of(call);
  if (token.empty()) {
    return problem(401,
                   "sign in: send a token as 'Authorization: Bearer TOKEN'; `runyard token add` on "
                   "the server's machine makes one");
  }
  Finding finding = find(token);
  if (finding.failure) return std::move(finding.failure);
  if (!finding.caller) return refuse_wrong(call);
  call.caller = std::move(*finding.caller);
  if (route && call.caller.role < route->role) {
    return problem(
        403, fmt::format("this takes the role '{}', and the token '{}' has the role '{}'",
                         to_string(route->role), call.caller.name, to_string(call.caller.role)));
  }
  return std::nullopt;
}

/// A right token is never refused, whatever others at the same address have tried: 256 random bits
/// cannot be guessed, so what is limited is the work and the noise.
Reply Access::refuse_wrong(const Call& call) {
  if (const auto wait = attempts_.take(call.client)) {
    Reply reply = problem(429, "too many wrong tokens came from this address; wait a little");
    reply.headers = {{"Retry-After", std::to_string(*wait)}};
    return reply;
  }
  record_entry({"", call.client, call.method + " " + call.target, 401, {}});
  Reply reply = problem(401, kWrongToken);
  // A browser would send the same again with each call.
  if (call.headers.contains("cookie")) set_cookie(reply, call, "", 0);
  return reply;
}

void Access::record(const Call& call, const Route* route, const Reply& reply) {
  if (!route || call.method == "GET" || route->role < Role::kOperator || call.caller.name.empty()) {
    return;
  }
  auto job_ids = reply.job_ids;
  const auto id = call.path.find("id");
  if (job_ids.empty() && id != call.path.end() && is_job_id(id->second)) {
    job_ids.push_back(id->second);
  }
  record_entry({call.caller.name, call.client, call.method + " " + call.target, reply.status,
                std::move(job_ids)});
}

void Access::record_entry(const AuditEntry& entry) {
  if (const auto done = audit_.write(entry); !done) {
    spdlog::error("the audit log lacks '{}' by '{}': {}", entry.what, entry.who,
                  done.error().message);
  }
}

class Access::WatchedSource : public StreamSource {
 public:
  using Clock = std::chrono::steady_clock;
  WatchedSource(const TokenStore& tokens, std::unique_ptr<StreamSource> source, std::string sha256,
                Clock::duration look_every)
      : tokens_(tokens),
        source_(std::move(source)),
        sha256_(std::move(sha256)),
        look_every_(look_every) {}

  Piece next() override {
    const auto now = Clock::now();
    if (now - looked_ >= look_every_) {
      looked_ = now;
      if (!tokens_.is_valid(sha256_, now_ms())) return {nullptr, true};
    }
    return source_->next();
  }

 private:
  const TokenStore& tokens_;
  const std::unique_ptr<StreamSource> source_;
  const std::string sha256_;
  const Clock::duration look_every_;
  Clock::time_point looked_ = Clock::now();
};

std::unique_ptr<StreamSource> Access::watch(std::unique_ptr<StreamSource> source,
                                            const Caller& caller,
                                            std::chrono::steady_clock::duration look_every) {
  if (!asks_for_tokens_ || caller.token_sha256.empty()) return source;
  return std::make_unique<WatchedSource>(tokens_, std::move(source), caller.token_sha256,
                                         look_every);
}

Reply Access::session_reply(const Caller* caller) const {
  const auto or_null = [&](std::string_view text) {
    return caller ? json::value(text) : json::value(nullptr);
  };
  return json_reply({{"auth_required", asks_for_tokens_},
                     {"authenticated", caller != nullptr},
                     {"role", or_null(caller ? to_string(caller->role) : "")},
                     {"name", or_null(caller ? std::string_view(caller->name) : "")}});
}

Reply Access::session(const Call& call) {
  if (!asks_for_tokens_) return session_reply(&call.caller);
  const std::string token = token_of(call);
  if (token.empty()) return session_reply(nullptr);
  Finding finding = find(token);
  if (finding.failure) return std::move(*finding.failure);
  if (finding.caller) return session_reply(&*finding.caller);
  Reply refused = refuse_wrong(call);
  if (refused.status != 401) return refused;
  Reply reply = session_reply(nullptr);  // it is a question, and this the answer
  if (call.headers.contains("cookie")) set_cookie(reply, call, "", 0);
  return reply;
}

Reply Access::sign_in(const Call& call) {
  const auto body = read_object(call);
  if (!body) return problem(body.error());
  const auto* token = body->if_contains("token");
  if (!token || !token->is_string() || body->size() != 1) {
    return problem(422, "send {\"token\": \"...\"}", {{"/token", "must be the text of a token"}});
  }
  if (!asks_for_tokens_) return session_reply(&call.caller);
  if (const auto wait = attempts_.take(call.client)) {
    Reply reply = problem(429, "too many attempts to sign in from this address; wait a little");
    reply.headers = {{"Retry-After", std::to_string(*wait)}};
    return reply;
  }
  Finding finding = find(trim(token->get_string()));
  if (finding.failure) return std::move(*finding.failure);
  const std::string name = finding.caller ? finding.caller->name : "";
  Reply reply = finding.caller ? session_reply(&*finding.caller) : problem(401, kWrongToken);
  if (finding.caller) {
    attempts_.give_back(call.client);
    set_cookie(reply, call, trim(token->get_string()), kCookieLife);
  }
  record_entry({name, call.client, "sign in", reply.status, {}});
  return reply;
}

Reply Access::sign_out(const Call& call) {
  Reply reply = session_reply(asks_for_tokens_ ? nullptr : &call.caller);
  set_cookie(reply, call, "", 0);
  return reply;
}

}  // namespace runyard
