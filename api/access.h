#pragma once

#include <atomic>
#include <filesystem>
#include <optional>
#include <string>

#include "api/attempt_limiter.h"
#include "api/http.h"
#include "core/access/audit_log.h"
#include "core/access/token_store.h"

namespace runyard {

/// Who is calling, and may they: the token of a call, the role that its route asks for, the sign-in
/// of the web UI, and the line in the audit log. One for a server, owned by `runyard serve`; any
/// thread.
class Access {
 public:
  /// Without `asks_for_tokens` whoever reaches the server is `local`, with every role.
  Access(const std::filesystem::path& state_dir, bool asks_for_tokens)
      : tokens_(state_dir), audit_(state_dir), asks_for_tokens_(asks_for_tokens) {}

  /// Sets `call.caller` and returns nullopt when the call may go on to `route`; else the refusal:
  /// 401 without a token (at an address that does not exist, too: null `route`), 403 with too low a
  /// role, 429 after too many wrong tokens. Default deny: only a route that says kPublic is open.
  std::optional<Reply> admit(Call& call, const Route* route);

  /// Notes in the audit log what was done, or tried by somebody who may not. `route`: null for
  /// none.
  void record(const Call& call, const Route* route, const Reply& reply);

  /// A stream outlives its check, so it ends by itself, with its next event or heartbeat, when the
  /// token of its caller is valid no more. This object must outlive the source.
  /// It looks at the token at most once in `look_every`: there may be thousands of listeners.
  std::unique_ptr<StreamSource> watch(
      std::unique_ptr<StreamSource> source, const Caller& caller,
      std::chrono::steady_clock::duration look_every = std::chrono::seconds(2));

  // The sign-in of the web UI: the token in a cookie that no script can read.
  Reply session(const Call& call);
  Reply sign_in(const Call& call);
  Reply sign_out(const Call& call);

 private:
  class WatchedSource;
  struct Finding {
    std::optional<Caller> caller;  ///< none: the token is none (any more)
    std::optional<Reply> failure;  ///< the tokens cannot be read
  };
  Finding find(std::string_view token) const;
  void record_entry(const AuditEntry& entry);
  Reply refuse_wrong(const Call& call);
  Reply session_reply(const Caller* caller) const;

  TokenStore tokens_;
  AuditLog audit_;
  AttemptLimiter attempts_;
  mutable std::atomic<TimeMs> complained_at_ = 0;
  const bool asks_for_tokens_;
};

}  // namespace runyard
