#include "api/http.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>
#include <cmath>

#include "api/status_title.h"
#include "core/base/plain_json.h"
#include "core/base/text.h"

namespace runyard {
namespace {

namespace json = boost::json;

int status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kMalformed:
      return 400;
    case ErrorKind::kForbidden:
      return 403;
    case ErrorKind::kNotFound:
      return 404;
    case ErrorKind::kConflict:
      return 409;
    case ErrorKind::kInvalid:
      return 422;
    case ErrorKind::kBusy:
      return 429;
    case ErrorKind::kUnavailable:
      return 503;
    case ErrorKind::kNoSpace:
      return 507;
    case ErrorKind::kInternal:
      break;
  }
  return 500;
}

}  // namespace

std::string Call::header(const std::string& lower_case_name) const {
  const auto found = headers.find(lower_case_name);
  return found == headers.end() ? std::string() : found->second;
}

Reply json_text(std::string document, int status) {
  Reply reply;
  reply.status = status;
  reply.body = std::move(document);
  return reply;
}

Reply json_reply(const json::value& document, int status) {
  return json_text(plain_json(document), status);
}

Reply problem(int status, std::string_view detail, const std::vector<FieldError>& fields) {
  json::object document{{"type", "about:blank"},
                        {"title", status_title(status)},
                        {"status", status},
                        {"detail", sanitize_utf8(detail)}};  // it may cite the request
  if (!fields.empty()) {
    json::array errors;
    for (const auto& field : fields) {
      errors.push_back(json::object{{"pointer", sanitize_utf8(field.pointer)},
                                    {"message", sanitize_utf8(field.message)}});
    }
    document["errors"] = std::move(errors);
  }
  Reply reply = json_reply(document, status);
  reply.content_type = "application/problem+json";
  if (status == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"Runyard\"");
  if (status == 429 || status == 503) reply.headers.emplace_back("Retry-After", "5");
  return reply;
}

Reply problem(const Error& error) {
  return problem(status_of(error.kind), error.message, error.fields);
}

Result<json::object> read_object(const Call& call) {
  if (call.body.empty()) return json::object();
  json::error_code error;
  json::value body = json::parse(call.body, error);
  if (error) {
    return make_error(ErrorKind::kMalformed,
                      "the body is not valid JSON: " + error.message() + "; send one JSON object");
  }
  if (!body.is_object()) {
    return make_error(ErrorKind::kMalformed, "the body must be a JSON object such as {}");
  }
  return std::move(body.get_object());
}

Result<std::int64_t> read_number(const Call& call, const std::string& key, std::int64_t fallback,
                                 std::int64_t low, std::int64_t high) {
  const auto found = call.query.find(key);
  if (found == call.query.end()) return fallback;
  const std::string& text = found->second;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    return invalid_field("/" + key,
                         fmt::format("'{}' must be a whole number from {} to {}", key, low, high));
  }
  return value;
}

Result<std::optional<double>> read_decimal(const Call& call, const std::string& key) {
  const auto found = call.query.find(key);
  if (found == call.query.end()) return std::optional<double>();
  const std::string& text = found->second;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return invalid_field("/" + key, fmt::format("'{}' must be a number", key));
  }
  return std::optional<double>(value);
}

std::string read_text(const Call& call, const std::string& key) {
  const auto found = call.query.find(key);
  return found == call.query.end() ? std::string() : found->second;
}

Result<bool> read_flag(const Call& call, const std::string& key) {
  const auto found = call.query.find(key);
  if (found == call.query.end() || found->second == "false" || found->second == "0") return false;
  if (found->second == "true" || found->second == "1") return true;
  return invalid_field("/" + key, fmt::format("'{}' must be true or false", key));
}

}  // namespace runyard
