#include "cli/api.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>

#include "cli/event_reader.h"
#include "cli/json_access.h"
#include "core/base/ids.h"

namespace runyard::cli {
namespace {

namespace json = boost::json;

constexpr int kSearchedJobs = 500;

std::string with_query(std::string path, const Api::Query& query) {
  char separator = '?';
  for (const auto& [key, value] : query) {
    path += fmt::format("{}{}={}", separator, key, percent_encode(value));
    separator = '&';
  }
  return path;
}

std::string job_path(const std::string& job_id) { return "/api/jobs/" + percent_encode(job_id); }

ErrorKind kind_of(int status) {
  switch (status) {
    case 400:
      return ErrorKind::kMalformed;
    case 401:
    case 403:
    case 421:
      return ErrorKind::kForbidden;
    case 404:
      return ErrorKind::kNotFound;
    case 409:
      return ErrorKind::kConflict;
    case 413:
    case 415:
    case 422:
      return ErrorKind::kInvalid;
    case 429:
      return ErrorKind::kBusy;
    case 502:
    case 503:
    case 504:
      return ErrorKind::kUnavailable;
    case 507:
      return ErrorKind::kNoSpace;
    default:
      return ErrorKind::kInternal;
  }
}

bool is_json(std::string_view content_type) {
  return content_type.find("json") != std::string_view::npos;
}

Error strange_answer(const std::string& url) {
  return make_error(ErrorKind::kInternal,
                    fmt::format("{} answered something that Runyard does not say; is --server "
                                "right?",
                                url));
}

}  // namespace

Error error_of(const HttpResponse& response) {
  Error error = make_error(kind_of(response.status), "");
  boost::system::error_code bad;
  const json::value document = json::parse(response.body, bad);
  if (!bad && document.is_object()) {
    error.message = text_of(document.get_object(), "detail");
    if (error.message.empty()) error.message = text_of(document.get_object(), "title");
    if (const auto* fields = array_of(document.get_object(), "errors")) {
      for (const auto& field : *fields) {
        if (const auto* object = field.if_object()) {
          error.fields.push_back({text_of(*object, "pointer"), text_of(*object, "message")});
        }
      }
    }
  }
  if (error.message.empty()) {
    error.message = fmt::format("the server answered with status {}", response.status);
  }
  if (response.status == 401) {
    error.message +=
        ". The commands take the token from the file ~/.config/runyard/token (chmod 600), or from "
        "the variable RUNYARD_TOKEN";
  }
  return error;
}

Result<HttpResponse> Api::call(const HttpRequest& request, const HttpClient::Sink& sink) {
  auto response = http_.send(request, sink);
  if (!response) return response.error();
  reached_ = true;
  if (response->status >= 400) return error_of(*response);
  if (response->status >= 300) return strange_answer(url());
  return response;
}

Result<json::value> Api::call_json(const HttpRequest& request) {
  auto response = call(request);
  if (!response) return response.error();
  boost::system::error_code bad;
  json::value document = json::parse(response->body, bad);
  if (bad || !is_json(response->content_type)) return strange_answer(url());
  return document;
}

Result<json::value> Api::get(const std::string& path, const Query& query) {
  return call_json({"GET", with_query(path, query), "", "", 0});
}

Result<json::value> Api::post(const std::string& path, const json::object& body) {
  return call_json({"POST", path, json::serialize(body), "", 0});
}

Result<json::value> Api::post_once(const std::string& path, const json::object& body) {
  return call_json({"POST", path, json::serialize(body), random_hex(16), 0});
}

Result<> Api::remove(const std::string& path) {
  auto response = call({"DELETE", path, "", "", 0});
  if (!response) return response.error();
  return {};
}

Result<json::array> Api::job_types() {
  auto document = get("/api/job-types");
  if (!document) return document.error();
  if (!document->is_array()) return strange_answer(url());
  return std::move(document->get_array());
}

Result<json::object> Api::job_type(const std::string& name) {
  std::string slug = name;
  std::replace(slug.begin(), slug.end(), '_', '-');
  auto document = get("/api/job-types/" + percent_encode(slug));
  if (document && document->is_object()) return std::move(document->get_object());
  if (document) return strange_answer(url());
  if (document.error().kind != ErrorKind::kNotFound) return document.error();

  // A slug need not be the type with dashes, so both are looked up.
  auto types = job_types();
  if (!types) return types.error();
  std::vector<std::string> slugs;
  for (const auto& item : *types) {
    const auto* type = item.if_object();
    if (!type) continue;
    if (text_of(*type, "type") == name || text_of(*type, "slug") == name) return *type;
    slugs.push_back(text_of(*type, "slug"));
  }
  return make_error(
      ErrorKind::kNotFound,
      slugs.empty()
          ? fmt::format("there is no job type '{}': no plugin is loaded", name)
          : fmt::format("there is no job type '{}'; there are: {}", name, fmt::join(slugs, ", ")));
}

Result<json::object> Api::job(const std::string& job_id) {
  auto document = get(job_path(job_id));
  if (!document) return document.error();
  if (!document->is_object()) return strange_answer(url());
  return std::move(document->get_object());
}

Result<json::array> Api::recent(const Query& query, std::string* total) {
  auto response = call({"GET", with_query("/api/jobs/recent", query), "", "", 0});
  if (!response) return response.error();
  boost::system::error_code bad;
  json::value document = json::parse(response->body, bad);
  if (bad || !document.is_array()) return strange_answer(url());
  if (total) *total = response->total_count;
  return std::move(document.get_array());
}

Result<json::value> Api::log_tail_document(const std::string& job_id, std::int64_t bytes) {
  return get(job_path(job_id) + "/log", {{"offset", "0"}, {"tail", std::to_string(bytes)}});
}

Result<LogTail> Api::log_tail(const std::string& job_id, std::int64_t bytes) {
  auto document = log_tail_document(job_id, bytes);
  if (!document) return document.error();
  const auto* object = document->if_object();
  const auto next = object ? integer_of(*object, "next_offset") : std::nullopt;
  if (!next) return strange_answer(url());
  return LogTail{text_of(*object, "content"), *next};
}

Result<> Api::log_from(const std::string& job_id, std::int64_t offset, const HttpClient::Sink& sink,
                       std::int64_t until) {
  constexpr int kNothingThere = 416;
  auto response = http_.send({"GET", job_path(job_id) + "/log", "", "", offset, until}, sink);
  if (!response) return response.error();
  if (offset > 0 && response->status == kNothingThere) return {};
  if (response->status >= 400) return error_of(*response);
  if ((offset > 0 || until > 0) && response->status != 206) return strange_answer(url());
  return {};
}

Result<Api> Api::again() const {
  auto http = http_.again();
  if (!http) return http.error();
  return Api(std::move(*http));
}

Result<bool> Api::follow_log(const std::string& job_id, std::int64_t offset,
                             const LogSinkFn& sink) {
  EventReader reader;
  bool ended = false;
  const auto take = [&](const EventReader::Event& event) {
    ended |= event.name == "end";
    if (!event.name.empty()) return;
    boost::system::error_code bad;
    const json::value data = json::parse(event.data, bad);
    std::int64_t next = 0;
    const auto [end, error] =
        std::from_chars(event.id.data(), event.id.data() + event.id.size(), next);
    if (!bad && data.is_object() && error == std::errc()) {
      sink(text_of(data.get_object(), "text"), next);
    }
  };
  auto response = call(
      {"GET", with_query(job_path(job_id) + "/log/stream", {{"offset", std::to_string(offset)}}),
       "", "", 0},
      [&](std::string_view bytes) { reader.feed(bytes, take); });
  if (!response && !ended) return response.error();
  return ended;
}

Result<std::string> match_job(const std::string& reference, const std::vector<std::string>& ids) {
  if (reference == "@" || reference == "last") {
    if (ids.empty()) return make_error(ErrorKind::kNotFound, "there is no job yet");
    return ids.front();
  }
  std::vector<std::string> found;
  for (const std::string& id : ids) {
    const auto hash = id.rfind("__");
    const bool matches =
        id.starts_with(reference) || id.ends_with(reference) ||
        (hash != std::string::npos && id.compare(hash + 2, reference.size(), reference) == 0);
    if (matches) found.push_back(id);
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    return make_error(ErrorKind::kNotFound,
                      fmt::format("no job matches '{}'; `runyard ls` lists the newest", reference));
  }
  constexpr std::size_t kShown = 5;
  const bool more = found.size() > kShown;
  if (more) found.resize(kShown);
  return make_error(ErrorKind::kInvalid,
                    fmt::format("'{}' matches several jobs: {}{}; write more of the id", reference,
                                fmt::join(found, ", "), more ? ", ..." : ""));
}

Result<std::string> Api::resolve(const std::string& reference) {
  if (is_job_id(reference)) return reference;
  if (reference.empty()) return make_error(ErrorKind::kInvalid, "the id of the job is empty");
  const bool newest = reference == "@" || reference == "last";
  auto jobs = recent({{"limit", std::to_string(newest ? 1 : kSearchedJobs)}});
  if (!jobs) return jobs.error();
  std::vector<std::string> ids;
  for (const auto& item : *jobs) {
    if (const auto* object = item.if_object()) ids.push_back(text_of(*object, "job_id"));
  }
  return match_job(reference, ids);
}

}  // namespace runyard::cli
