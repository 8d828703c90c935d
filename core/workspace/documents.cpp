#include "core/workspace/documents.h"

#include <boost/json.hpp>
#include <cmath>

#include "core/base/python_json.h"
#include "core/base/text.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kDeepestJson = 64;

void forget_infinite(json::value& value) {
  if (value.is_double() && !std::isfinite(value.get_double())) {
    value = nullptr;
  } else if (auto* object = value.if_object()) {
    for (auto& member : *object) forget_infinite(member.value());
  } else if (auto* array = value.if_array()) {
    for (auto& item : *array) forget_infinite(item);
  }
}

bool names_path(std::string_view key) {
  return key == "path" || key == "dir" || key.ends_with("_path") || key.ends_with("_paths") ||
         key.ends_with("_dir");
}

void use_slashes_in(json::value& value, bool is_path) {
  if (auto* object = value.if_object()) {
    for (auto& member : *object) {
      use_slashes_in(member.value(), is_path || names_path(member.key()));
    }
  } else if (auto* array = value.if_array()) {
    for (auto& item : *array) use_slashes_in(item, is_path);
  } else if (is_path && value.is_string()) {
    value = json::string(with_slashes(value.get_string()));
  }
}

}  // namespace

std::string clean_text(std::string_view bytes) {
  if (bytes.starts_with(kByteOrderMark)) bytes.remove_prefix(kByteOrderMark.size());
  return sanitize_utf8(bytes);
}

Result<json::value> read_json(std::string_view bytes) {
  const std::string text = without_nan(clean_text(bytes));
  if (trim(text).empty()) return make_error(ErrorKind::kInvalid, "it is empty");
  json::parse_options options;
  options.max_depth = kDeepestJson;
  json::error_code error;
  json::value document = json::parse(text, error, {}, options);
  if (error) return make_error(ErrorKind::kInvalid, "it is no JSON: " + error.message());
  forget_infinite(document);
  return document;
}

std::string with_slashes(std::string_view path) {
  std::string text(path);
  for (char& c : text) {
    if (c == '\\') c = '/';
  }
  return text;
}

void use_slashes(json::value& document) { use_slashes_in(document, false); }

}  // namespace runyard
