#pragma once

#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/access/role.h"
#include "core/base/clock.h"
#include "core/base/result.h"

namespace runyard {

/// What is kept of a token: never its text, which is shown once and is then the user's alone.
struct Token {
  std::string name;
  Role role = Role::kViewer;
  std::string sha256;  ///< of the text, 64 hex digits
  TimeMs created_at = 0;
  std::optional<TimeMs> expires_at;  ///< none: never

  bool is_valid_at(TimeMs now) const { return !expires_at || now < *expires_at; }
};

/// The tokens of a server, `tokens.json` of its state folder (docs/formats.md). The file is the
/// only truth: the server and the command line change it, each under a lock, and a change counts
/// for the next request of a running server. Any thread, any process.
class TokenStore {
 public:
  /// Touches nothing; the file and its folder need not exist.
  explicit TokenStore(const std::filesystem::path& state_dir);

  /// A new token; returns its text, 256 random bits. kConflict when the name is taken, kInvalid for
  /// a name that is none.
  Result<std::string> add(const std::string& name, Role role, std::optional<TimeMs> expires_at);
  /// kNotFound when there is no such name.
  Result<> revoke(const std::string& name);
  /// In the order of their making, expired ones too. kInternal when the file cannot be trusted or
  /// read: nobody is let in then.
  Result<std::vector<Token>> list() const;

  /// The valid token with this text, compared in constant time; nullopt when there is none.
  Result<std::optional<Token>> find(std::string_view text, TimeMs now) const;
  /// True while a token that find() gave is still valid: not revoked and not expired.
  bool is_valid(const std::string& sha256, TimeMs now) const;

 private:
  using Tokens = std::shared_ptr<const std::vector<Token>>;
  Result<Tokens> read() const;
  Result<> write(const std::vector<Token>& tokens);

  const std::filesystem::path folder_, file_;
  mutable std::mutex mutex_;  // guards the copy of the file below
  mutable Tokens known_;
  mutable struct stat known_as_ {};  // the file that `known_` is a copy of
  mutable bool is_settled_ = false;  // the copy was made long after the file's last change
};

}  // namespace runyard
