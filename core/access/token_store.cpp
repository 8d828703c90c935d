#include "core/access/token_store.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>

#include "core/base/files.h"
#include "core/base/ids.h"
#include "core/base/sha256.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr std::size_t kRandomBytes = 32;
constexpr std::size_t kMaxFile = 4u << 20;
constexpr std::size_t kMaxName = 64;
constexpr std::int64_t kVersion = 1;
constexpr TimeMs kSettled = 1000;
/// So that a token is known as one where it should not be: in a repository, in a chat.
constexpr const char* kPrefix = "ryd_";

bool is_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '@';
  };
  return !name.empty() && name.size() <= kMaxName && name != "local" &&
         std::all_of(name.begin(), name.end(), fits);
}

std::optional<std::string> text_of(const json::object& object, const char* key) {
  const auto* value = object.if_contains(key);
  if (!value || !value->is_string()) return std::nullopt;
  return std::string(value->get_string());
}

/// A token of the file; nullopt when anything about it is not as we write it.
std::optional<Token> parse_token(const json::value& value) {
  if (!value.is_object()) return std::nullopt;
  const auto& object = value.get_object();
  const auto name = text_of(object, "name"), role = text_of(object, "role"),
             sha256 = text_of(object, "sha256"), created = text_of(object, "created_at");
  if (!name || !is_name(*name) || !role || !parse_role(*role) || !created || !sha256 ||
      sha256->size() != 64 || sha256->find_first_not_of("0123456789abcdef") != std::string::npos) {
    return std::nullopt;
  }
  Token token{*name, *parse_role(*role), *sha256, 0, std::nullopt};
  const auto created_at = parse_time(*created);
  if (!created_at) return std::nullopt;
  token.created_at = *created_at;
  const auto* expires = object.if_contains("expires_at");
  if (expires && !expires->is_null()) {
    token.expires_at = expires->is_string() ? parse_time(expires->get_string()) : std::nullopt;
    if (!token.expires_at) return std::nullopt;
  }
  return token;
}

std::optional<std::vector<Token>> parse_file(const std::string& content) {
  json::error_code error;
  const json::value document = json::parse(content, error);
  const auto* object = error ? nullptr : document.if_object();
  const auto* version = object ? object->if_contains("version") : nullptr;
  const auto* list = object ? object->if_contains("tokens") : nullptr;
  if (!version || *version != kVersion || !list || !list->is_array()) return std::nullopt;
  std::vector<Token> tokens;
  for (const auto& item : list->get_array()) {
    auto token = parse_token(item);
    if (!token) return std::nullopt;
    tokens.push_back(std::move(*token));
  }
  return tokens;
}

bool is_same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         a.st_mode == b.st_mode && a.st_uid == b.st_uid && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec && a.st_ctim.tv_sec == b.st_ctim.tv_sec &&
         a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

/// Holds the lock under which the file is read, changed and replaced.
Result<UniqueFd> lock_tokens(const std::filesystem::path& folder) {
  if (auto made = make_private_folders(folder); !made) return made.error();
  const auto path = folder / "tokens.lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return errno_error(errno, "cannot open " + path.string());
  while (::flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return errno_error(errno, "cannot lock " + path.string());
  }
  return fd;
}

}  // namespace

TokenStore::TokenStore(const std::filesystem::path& state_dir)
    : folder_(state_dir), file_(state_dir / "tokens.json") {}

Result<TokenStore::Tokens> TokenStore::read() const {
  const std::lock_guard lock(mutex_);
  // One system call a request is the price of a revoke that counts at once. The file is only ever
  // replaced, so another content is another file; only two changes within one tick of the file
  // system's clock could look alike, so a copy of a very new file is not relied on.
  struct stat info {};
  if (::stat(file_.c_str(), &info) != 0) {
    if (errno == ENOENT) return std::make_shared<const std::vector<Token>>();
    return errno_error(errno, "cannot read " + file_.string());
  }
  if (known_ && is_settled_ && is_same_file(info, known_as_)) return known_;
  UniqueFd fd(::open(file_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd || ::fstat(fd.get(), &info) != 0) {
    return errno_error(errno, "cannot read " + file_.string());
  }
  if (!S_ISREG(info.st_mode) || (info.st_mode & 077) != 0 ||
      (info.st_uid != ::geteuid() && info.st_uid != 0)) {
    return make_error(ErrorKind::kInternal,
                      file_.string() +
                          " could have been changed by others, so no token of it "
                          "counts: look at it, then chown and chmod 600 it");
  }
  const auto content = read_fd(fd.get(), kMaxFile);
  auto tokens = content ? parse_file(*content) : std::nullopt;
  if (!tokens) {
    return make_error(ErrorKind::kInternal,
                      file_.string() +
                          " is damaged, so no token of it counts: restore it, or "
                          "remove it and make new tokens");
  }
  known_ = std::make_shared<const std::vector<Token>>(std::move(*tokens));
  known_as_ = info;
  is_settled_ = now_ms() - info.st_ctim.tv_sec * 1000 > kSettled;
  return known_;
}

Result<> TokenStore::write(const std::vector<Token>& tokens) {
  json::array list;
  for (const Token& token : tokens) {
    list.push_back(
        json::object{{"name", token.name},
                     {"role", to_string(token.role)},
                     {"sha256", token.sha256},
                     {"created_at", format_time(token.created_at)},
                     {"expires_at", token.expires_at ? json::value(format_time(*token.expires_at))
                                                     : json::value(nullptr)}});
  }
  const json::object document{{"version", kVersion}, {"tokens", std::move(list)}};
  return write_file_atomic(file_, json::serialize(document) + "\n", true, 0600);
}

Result<std::string> TokenStore::add(const std::string& name, Role role,
                                    std::optional<TimeMs> expires_at) {
  if (!is_name(name)) {
    return make_error(ErrorKind::kInvalid,
                      "'" + name +
                          "' cannot be the name of a token: at most 64 letters, digits and -_.@, "
                          "and not 'local'");
  }
  const auto lock = lock_tokens(folder_);
  if (!lock) return lock.error();
  auto known = list();
  if (!known) return known.error();
  for (const Token& token : *known) {
    if (token.name == name) {
      return make_error(ErrorKind::kConflict, "there is a token '" + name +
                                                  "' already; take another name, or revoke it "
                                                  "first");
    }
  }
  const std::string text = kPrefix + random_hex(kRandomBytes);
  known->push_back({name, role, sha256_hex(text), now_ms(), expires_at});
  if (auto done = write(*known); !done) return done.error();
  return text;
}

Result<> TokenStore::revoke(const std::string& name) {
  const auto lock = lock_tokens(folder_);
  if (!lock) return lock.error();
  auto known = list();
  if (!known) return known.error();
  const auto gone = std::remove_if(known->begin(), known->end(),
                                   [&](const Token& token) { return token.name == name; });
  if (gone == known->end()) {
    return make_error(ErrorKind::kNotFound,
                      "there is no token '" + name + "'; `runyard token ls` lists them");
  }
  known->erase(gone, known->end());
  return write(*known);
}

Result<std::vector<Token>> TokenStore::list() const {
  const auto tokens = read();
  if (!tokens) return tokens.error();
  return **tokens;
}

Result<std::optional<Token>> TokenStore::find(std::string_view text, TimeMs now) const {
  const auto tokens = read();
  if (!tokens) return tokens.error();
  const std::string wanted = sha256_hex(text);
  std::optional<Token> found;
  for (const Token& token : **tokens) {  // all of them, whatever comes out
    const bool same = ::CRYPTO_memcmp(wanted.data(), token.sha256.data(), wanted.size()) == 0;
    if (same && token.is_valid_at(now)) found = token;
  }
  return found;
}

bool TokenStore::is_valid(const std::string& sha256, TimeMs now) const {
  const auto tokens = read();
  return tokens && std::any_of((*tokens)->begin(), (*tokens)->end(), [&](const Token& token) {
           return token.sha256 == sha256 && token.is_valid_at(now);
         });
}

}  // namespace runyard
