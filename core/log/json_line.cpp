#include "core/log/json_line.h"

#include <re2/re2.h>

#include <boost/json.hpp>
#include <cmath>

#include "core/base/plain_json.h"
#include "core/base/python_json.h"
#include "core/base/text.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 16;
constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxMembers = 64;

using Refusal = std::optional<Error>;

Error wrong(const std::string& what) { return make_error(ErrorKind::kInvalid, what); }

std::optional<double> number_of(const json::value& value) {
  json::error_code error;
  const double number = value.is_number() ? value.to_number<double>(error) : NAN;
  return std::isfinite(number) ? std::optional(number) : std::nullopt;
}

Refusal check_names(const json::object& object, const std::string& what) {
  if (object.size() > kMaxMembers) return wrong("'" + what + "' has more than 64 members");
  for (const auto& member : object) {
    if (member.key().empty() || member.key().size() > kMaxName) {
      return wrong("the names in '" + what + "' have 1 to 64 bytes");
    }
  }
  return std::nullopt;
}

Refusal read_progress(const json::value& value, JsonLine& line) {
  const json::object* object = value.if_object();
  const auto member = [&](const char* key) {
    const json::value* found = object ? object->if_contains(key) : nullptr;
    return found ? number_of(*found) : std::nullopt;
  };
  const auto current = object ? member("current") : number_of(value);
  const auto total = object ? member("total") : std::optional(1.0);
  if (!current || !total || *current < 0 || *total <= 0) {
    return wrong("'progress' is {\"current\": 3, \"total\": 10}, or a part of 1 such as 0.3");
  }
  line.progress = {*current, *total};
  return std::nullopt;
}

Refusal read_artifacts(const json::value& value, JsonLine& line) {
  const json::object* object = value.if_object();
  if (!object) return wrong("'artifacts' is an object of names and values");
  for (const auto& [name, artifact] : *object) {
    if (artifact.is_string()) {
      line.artifacts.emplace_back(name, std::string(artifact.get_string()));
    } else if (artifact.is_number()) {
      line.artifacts.emplace_back(name, plain_json(artifact));
    } else {
      return wrong("the values in 'artifacts' are texts or numbers");
    }
  }
  return check_names(*object, "artifacts");
}

Refusal read_series(const json::value& value, JsonLine& line) {
  const json::object* object = value.if_object();
  if (!object) return wrong("'series' is an object of names and numbers");
  for (const auto& [name, y] : *object) {
    // A NaN is what a diverged training prints; Python writes it so, and JSON has null for it.
    if (y.is_null()) continue;
    const auto number = number_of(y);
    if (!number) return wrong("the values in 'series' are numbers");
    line.series.emplace_back(name, *number);
  }
  return check_names(*object, "series");
}

Refusal read_x(const json::value& value, JsonLine& line) {
  const json::object* object = value.if_object();
  const auto number =
      object && object->size() == 1 ? number_of(object->begin()->value()) : std::nullopt;
  if (!number) return wrong("'x' is one name with its number, such as {\"step\": 100}");
  line.x = {std::string(object->begin()->key()), *number};
  return check_names(*object, "x");
}

}  // namespace

Result<std::optional<JsonLine>> read_json_line(std::string_view text) {
  text = trim(text);
  const std::optional<JsonLine> none;
  if (!text.starts_with('{') || text.find("\"runyard\"") == text.npos) return none;
  json::parse_options options;
  options.max_depth = kMaxDepth;
  json::error_code error;
  json::value document = json::parse(text, error, {}, options);
  if (error) document = json::parse(without_nan(text), error, {}, options);
  if (error && RE2::PartialMatch({text.data(), text.size()}, R"(^\{\s*"runyard"\s*:)")) {
    return wrong("it is not valid JSON (" + error.message() + ")");
  }
  if (error || !document.is_object()) return none;
  const json::value* said = document.get_object().if_contains("runyard");
  if (!said) return none;
  if (!said->is_object()) return wrong("the value of \"runyard\" is an object");
  JsonLine line;
  Refusal refusal;
  for (const auto& [name, value] : said->get_object()) {
    if (refusal) break;
    if (name == "progress") {
      refusal = read_progress(value, line);
    } else if (name == "status") {
      if (value.is_string()) {
        line.status = std::string(value.get_string());
      } else {
        refusal = wrong("'status' is a text");
      }
    } else if (name == "artifacts") {
      refusal = read_artifacts(value, line);
    } else if (name == "series") {
      refusal = read_series(value, line);
    } else if (name == "x") {
      refusal = read_x(value, line);
    } else {
      refusal = wrong("'" + ellipsize(std::string(name), kMaxName) +
                      "' is not known; there are progress, status, artifacts, series and x");
    }
  }
  if (refusal) return *refusal;
  return std::optional(std::move(line));
}

}  // namespace runyard
