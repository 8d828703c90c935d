#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "api/http.h"
#include "core/base/confined_path.h"

namespace runyard {

/// The web UI: files of one folder, opened beneath it. Immutable; any thread. The files are public,
/// because the page that asks somebody to sign in is one of them; what they show is not.
class WebFiles {
 public:
  /// While the folder has no index.html, or is none, `/` is a page that says how to get it.
  explicit WebFiles(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// The file at `path` ("" is the index), as .br or .gz where the client takes it and it is there.
  /// An address that is no file is index.html for a browser that opens a page (a deep link of the
  /// UI), else 404.
  Reply answer(const Call& call, const std::string& path) const;

 private:
  struct Found {
    UniqueFd fd;
    std::string encoding;  ///< "": as it is
  };
  static std::optional<Found> find(const Confinement& folder, const Call& call,
                                   const std::string& path);
  static Reply send(const Call& call, Found found, const std::string& path);

  const std::filesystem::path folder_;
};

/// By the ending of the name; application/octet-stream when it is not known.
std::string_view media_type(std::string_view path);

/// True for names with a hash of the content in them, e.g. `assets/index-B3xk9f2Q.js`: they never
/// change, so browsers may keep them.
bool is_hashed(std::string_view path);

/// Whether the client takes `coding`, after the Accept-Encoding of its request (q=0 is no).
bool accepts_coding(std::string_view accept_encoding, std::string_view coding);

/// GET of all that is no other route: `/*path`.
std::vector<Route> web_routes(const std::filesystem::path& folder);

}  // namespace runyard
