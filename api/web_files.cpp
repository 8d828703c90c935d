#include "api/web_files.h"

#include <algorithm>
#include <array>
#include <memory>

#include "api/file_reply.h"
#include "core/base/text.h"

namespace runyard {
namespace {

constexpr std::string_view kIndex = "index.html";
constexpr std::size_t kHash = 8;

constexpr std::array<std::pair<std::string_view, std::string_view>, 28> kTypes = {{
    {"html", "text/html; charset=utf-8"},
    {"js", "text/javascript; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"css", "text/css; charset=utf-8"},
    {"json", "application/json"},
    {"map", "application/json"},
    {"webmanifest", "application/manifest+json"},
    {"txt", "text/plain; charset=utf-8"},
    {"log", "text/plain; charset=utf-8"},
    {"md", "text/markdown; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"xml", "application/xml"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"svg", "image/svg+xml"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"avif", "image/avif"},
    {"ico", "image/vnd.microsoft.icon"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"ttf", "font/ttf"},
    {"wasm", "application/wasm"},
    {"pdf", "application/pdf"},
    {"zip", "application/zip"},
}};

/// What the compressed files beside a file are called, the better one first.
constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kVariants = {
    {{"br", ".br"}, {"gzip", ".gz"}}};

constexpr std::string_view kNoUi = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Runyard</title>
<style>body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem }</style>
<h1>Runyard is running</h1>
<p>The web UI has not been built here. In the folder of Runyard:</p>
<pre>cd web &amp;&amp; npm ci &amp;&amp; npm run build</pre>
<p>then load this page again. Files that are elsewhere are named with <code>server.web_dir</code> or
<code>--web-dir</code>, and a restart.</p>
<p>The API is there: <a href="/api/jobs/recent">/api/jobs/recent</a>, <a href="/docs">/docs</a>;
on the command line, <code>runyard ls</code>.</p>
</html>
)";

bool wants_page(const Call& call) {
  return call.header("accept").find("text/html") != std::string::npos;
}

bool is_page(std::string_view path) { return path.ends_with(".html"); }

}  // namespace

std::string_view media_type(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const std::size_t dot = name.rfind('.');
  if (dot != std::string_view::npos) {
    for (const auto& [ending, type] : kTypes) {
      if (name.substr(dot + 1) == ending) return type;
    }
  }
  return "application/octet-stream";
}

bool is_hashed(std::string_view path) {
  if (!path.starts_with("assets/")) return false;
  const std::string_view name = path.substr(path.rfind('/') + 1);
  // As Vite names them: NAME-HASH.ENDING, the hash in base64url, so it may hold a dash itself.
  for (std::size_t dash = name.find('-'); dash < name.size(); dash = name.find('-', dash + 1)) {
    const std::string_view hash = name.substr(dash + 1, kHash);
    if (hash.size() < kHash || dash + 1 + kHash >= name.size()) return false;
    const bool is_base64 = std::all_of(hash.begin(), hash.end(), [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
    });
    const bool is_word = std::all_of(hash.begin(), hash.end(), [](char c) {
      return std::islower(static_cast<unsigned char>(c)) || c == '-' || c == '_';
    });
    if (is_base64 && !is_word && name[dash + 1 + kHash] == '.') return true;
  }
  return false;
}

bool accepts_coding(std::string_view accept_encoding, std::string_view coding) {
  bool any = false;
  while (!accept_encoding.empty()) {
    const std::size_t end = std::min(accept_encoding.find(','), accept_encoding.size());
    const std::string_view one = trim(accept_encoding.substr(0, end));
    accept_encoding.remove_prefix(std::min(end + 1, accept_encoding.size()));
    const std::size_t semicolon = std::min(one.find(';'), one.size());
    const std::string_view name = trim(one.substr(0, semicolon));
    const std::string_view weight = trim(one.substr(std::min(semicolon + 1, one.size())));
    const bool is_none =
        weight.starts_with("q=0") && weight.find_first_not_of("0.", 2) == std::string_view::npos;
    if (name == coding) return !is_none;
    if (name == "*") any = !is_none;
  }
  return any;
}

std::optional<WebFiles::Found> WebFiles::find(const Confinement& folder, const Call& call,
                                              const std::string& path) {
  using Kind = Confinement::Kind;
  if (path.starts_with('.') || path.ends_with('/') || path.find("/.") != std::string::npos) {
    return std::nullopt;
  }
  auto plain = folder.open_beneath(path, Kind::kFile);
  if (!plain) return std::nullopt;
  const std::string accepted = call.header("accept-encoding");
  for (const auto& [coding, ending] : kVariants) {
    if (!accepts_coding(accepted, coding)) continue;
    auto variant = folder.open_beneath(path + std::string(ending), Kind::kFile);
    if (variant) return Found{std::move(*variant), std::string(coding)};
  }
  return Found{std::move(*plain), ""};
}

Reply WebFiles::send(const Call& call, Found found, const std::string& path) {
  FileLook look{std::string(media_type(path)), {}};
  look.headers.emplace_back("Cache-Control", is_hashed(path) ? "public, max-age=31536000, immutable"
                                                             : "no-cache");  // kept, but asked for
  look.headers.emplace_back("Vary", "Accept-Encoding");
  if (!found.encoding.empty()) look.headers.emplace_back("Content-Encoding", found.encoding);
  return file_reply(call, std::move(found.fd), std::move(look));
}

Reply WebFiles::answer(const Call& call, const std::string& path) const {
  // Opened for each request: a build of the UI may replace it at any time.
  const auto folder = folder_.empty() ? Result<Confinement>(make_error(ErrorKind::kNotFound, ""))
                                      : Confinement::open(folder_, {});
  if (!folder || !folder->open_beneath(kIndex, Confinement::Kind::kFile)) {
    if (!path.empty() && !wants_page(call)) {
      return problem(404, "there is nothing at this address; the API begins at /api/jobs/recent");
    }
    Reply reply;
    reply.content_type = "text/html; charset=utf-8";
    reply.body = kNoUi;
    return reply;
  }
  const std::string wanted = path.empty() ? std::string(kIndex) : path;
  if (auto found = find(*folder, call, wanted)) return send(call, std::move(*found), wanted);
  if (wants_page(call) && !is_page(path)) {
    if (auto index = find(*folder, call, std::string(kIndex))) {
      return send(call, std::move(*index), std::string(kIndex));
    }
  }
  return problem(404, "there is nothing at this address; the API begins at /api/jobs/recent");
}

std::vector<Route> web_routes(const std::filesystem::path& folder) {
  const auto files = std::make_shared<const WebFiles>(folder);
  return {{"GET", "/*path", Role::kPublic, "The web UI",
           [files](const Call& call) { return files->answer(call, call.path.at("path")); },
           answers("", 200, "text/html; charset=utf-8")}};
}

}  // namespace runyard
