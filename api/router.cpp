#include "api/router.h"

#include <algorithm>
#include <boost/url/parse.hpp>
#include <boost/url/parse_query.hpp>
#include <boost/url/pct_string_view.hpp>
#include <boost/url/url_view.hpp>

namespace runyard {
namespace {

namespace urls = boost::urls;

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> segments;
  for (std::size_t at = 1; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    segments.emplace_back(path.substr(at, end - at));
    at = end + 1;
  }
  return segments;
}

bool is_rest(std::string_view path) { return path.starts_with("/*"); }

std::size_t placeholders(const Route& route) {
  if (is_rest(route.path)) return route.path.size();
  return static_cast<std::size_t>(std::count(route.path.begin(), route.path.end(), ':'));
}

std::string join(const std::vector<std::string>& segments) {
  std::string path;
  for (const auto& segment : segments) path += (path.empty() ? "" : "/") + segment;
  return path;
}

}  // namespace

Router::Router(std::vector<Route> routes) : routes_(std::move(routes)) {
  for (const Route& route : routes_) {
    entries_.push_back({split(route.path), &route});
    const std::string& first = entries_.back().segments.front();
    if (!is_rest(route.path) && !first.starts_with(':')) first_segments_.insert(first);
  }
  std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return placeholders(*a.route) < placeholders(*b.route);
  });
}

Router::Match Router::find(std::string_view method, std::string_view path) const {
  Match match;
  if (method == "HEAD") method = "GET";
  if (path.empty() || path.front() != '/') return match;
  std::vector<std::string> decoded;
  for (const std::string& segment : split(path)) {
    const auto view = urls::make_pct_string_view(segment);
    if (!view) return match;
    decoded.push_back(view->decode());
  }
  for (const Entry& entry : entries_) {
    std::map<std::string, std::string> values;
    const bool takes_rest = is_rest(entry.route->path);
    if (!takes_rest && entry.segments.size() != decoded.size()) continue;
    bool fits = true;
    if (takes_rest) {
      fits = !first_segments_.contains(decoded.front());
      values[entry.segments.front().substr(1)] = join(decoded);
    }
    for (std::size_t i = 0; fits && !takes_rest && i < decoded.size(); ++i) {
      if (entry.segments[i].starts_with(':')) {
        fits = !decoded[i].empty();  // `/api/jobs/` is no job
        values[entry.segments[i].substr(1)] = decoded[i];
      } else {
        fits = entry.segments[i] == decoded[i];
      }
    }
    if (!fits) continue;
    if (entry.route->method == method) {
      match.route = entry.route;
      match.path = std::move(values);
      return match;
    }
    if (std::find(match.allowed.begin(), match.allowed.end(), entry.route->method) ==
        match.allowed.end()) {
      match.allowed.push_back(entry.route->method);
    }
  }
  return match;
}

bool decode_query(std::string_view query, std::map<std::string, std::string>& into) {
  if (query.starts_with('?')) query.remove_prefix(1);
  const auto parsed = urls::parse_query(query);
  if (!parsed) return false;
  urls::encoding_opts plus_is_space;
  plus_is_space.space_as_plus = true;
  for (const auto& parameter : *parsed) {
    std::string key = parameter.key.decode(plus_is_space);
    if (key.empty()) continue;
    into.try_emplace(std::move(key),
                     parameter.has_value ? parameter.value.decode(plus_is_space) : std::string());
  }
  return true;
}

}  // namespace runyard
