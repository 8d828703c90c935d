#include "core/plugin/random_inputs.h"

#include <boost/json.hpp>
#include <limits>
#include <vector>

#include "core/base/plain_json.h"
#include "core/base/text.h"
#include "core/plugin/argv_check.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr int kMaxDepth = 4;

/// What has broken programs before.
const std::vector<std::string>& nasty_texts() {
  static const std::vector<std::string> texts = {
      "",
      " ",
      "-",
      "--",
      "--force",
      "-rf",
      "--config=/etc/passwd",
      "/etc/passwd",
      "../../etc/passwd",
      "configs/../../x",
      "configs\\base.yaml",
      "configs/base.yaml",
      "$(id)",
      "`id`; rm -rf /",
      "a b",
      "'\"\\",
      "%s%n%x",
      "a,b,,c",
      "a=b=c",
      "=",
      "null",
      "2020-02-30",
      "2024-02-29",
      "9999-12-31",
      "NVDA",
      "\xE2\x80\xAE\xE6\x95\xB0\xE6\x8D\xAE",
      "\xF0\x9F\x98\x80",
      std::string(1, '\0'),
      "line\nbreak",
      "\x1b[31m",
      std::string(300, 'x'),
      std::string(5000, 'y'),
      std::string(70'000, 'z'),
  };
  return texts;
}

template <class T>
const T& pick(const std::vector<T>& from, std::mt19937& random) {
  return from[random() % from.size()];
}

std::optional<double> number_at(const json::object& schema, const char* key) {
  const auto* value = schema.if_contains(key);
  return value && value->is_number() ? std::optional(value->to_number<double>()) : std::nullopt;
}

/// `type` of a schema, any of them when there are several; "" when it says nothing.
std::string type_of(const json::object& schema, std::mt19937& random) {
  const auto* type = schema.if_contains("type");
  if (type && type->is_string()) return std::string(type->get_string());
  if (type && type->is_array() && !type->get_array().empty()) {
    const auto& all = type->get_array();
    const auto& one = all[random() % all.size()];
    if (one.is_string()) return std::string(one.get_string());
  }
  return "";
}

}  // namespace

json::string RandomInputs::text() {
  if (!one_in(4)) return json::string(pick(nasty_texts(), random_));
  json::string out;
  for (unsigned left = random_() % 20; left > 0; --left) {
    out.push_back(static_cast<char>(' ' + random_() % 95));
  }
  return out;
}

json::value RandomInputs::nonsense() {
  switch (random_() % 10) {
    case 0:
      return nullptr;
    case 1:
      return one_in(2);
    case 2:
      return std::numeric_limits<std::int64_t>::min();
    case 3:
      return std::numeric_limits<std::uint64_t>::max();
    case 4:
      return 1e308;
    case 5:
      return -0.0;
    case 6:
      return json::array(random_() % 50, json::value(text()));
    case 7:
      return json::object{{text(), text()}, {"__proto__", 1}};
    case 8: {
      json::value deep = 1;
      for (unsigned left = random_() % 40; left > 0; --left) deep = json::array{deep};
      return deep;
    }
    default:
      return text();
  }
}

json::value RandomInputs::value_for(const json::object& schema, int depth) {
  if (depth > kMaxDepth || one_in(6)) return nonsense();
  if (const auto* choices = schema.if_contains("enum");
      choices && choices->is_array() && !choices->get_array().empty()) {
    const auto& all = choices->get_array();
    return all[random_() % all.size()];
  }
  const std::string type = type_of(schema, random_);
  if (type == "boolean") return one_in(2);
  if (type == "null") return nullptr;
  if (type == "integer" || type == "number") {
    const double low = number_at(schema, "minimum").value_or(-1000);
    const double high = number_at(schema, "maximum").value_or(low + 2000);
    switch (random_() % 4) {
      case 0:
        return static_cast<std::int64_t>(low);
      case 1:
        return static_cast<std::int64_t>(high);
      case 2:
        return static_cast<std::int64_t>(high) + 1;
      default:
        return static_cast<std::int64_t>(low + (high - low) * (random_() % 1000) / 1000);
    }
  }
  if (type == "array") {
    json::array items;
    const auto* item = schema.if_contains("items");
    const json::object any;
    const auto& of = item && item->is_object() ? item->get_object() : any;
    for (unsigned left = one_in(20) ? 1500 : random_() % 5; left > 0; --left) {
      items.push_back(value_for(of, depth + 1));
    }
    return items;
  }
  if (type == "object") {
    json::object members;
    if (const auto* properties = schema.if_contains("properties");
        properties && properties->is_object()) {
      for (const auto& [name, property] : properties->get_object()) {
        if (property.is_object() && !one_in(3)) {
          members[name] = value_for(property.get_object(), depth + 1);
        }
      }
    }
    return members;
  }
  return text();
}

json::object RandomInputs::next() {
  json::object inputs;
  if (!type_.examples.empty()) {
    inputs = type_.examples[random_() % type_.examples.size()].as_object();
  }
  std::vector<std::string> names;
  const auto* properties = type_.input_schema.if_contains("properties");
  if (properties && properties->is_object()) {
    for (const auto& [name, schema] : properties->get_object()) names.emplace_back(name);
  }
  for (unsigned changes = random_() % 4; changes > 0 && !names.empty(); --changes) {
    const std::string& name = pick(names, random_);
    const auto& schema = properties->get_object().at(name);
    if (one_in(8)) {
      inputs.erase(name);
    } else if (schema.is_object()) {
      inputs[name] = value_for(schema.get_object(), 0);
    }
  }
  if (one_in(15)) inputs[text()] = nonsense();
  return inputs;
}

Result<TriesResult> try_random_inputs(HostClient& host, const std::filesystem::path& library,
                                      const JobType& type, const InputSchema& schema,
                                      std::int64_t count, std::uint32_t seed,
                                      std::chrono::milliseconds deadline) {
  TriesResult result;
  RandomInputs inputs(type, seed);
  for (std::int64_t i = 0; i < count && result.defect.empty(); ++i) {
    const auto params = schema.check(inputs.next());
    if (!params) {
      ++result.refused;
      continue;
    }
    const std::string asked = plain_json(*params);
    const auto fail = [&](const std::string& what) {
      result.defect =
          "argv() " + ellipsize(what, 500) + "; its inputs were " + ellipsize(asked, 500);
    };
    const auto reply = host.argv(library, asked, deadline);
    if (!reply) {
      const auto kind = reply.error().kind;
      if (kind != HostFailure::Kind::kCrashed && kind != HostFailure::Kind::kDeadline) {
        return make_error(ErrorKind::kUnavailable, "a plugin " + reply.error().message);
      }
      fail(reply.error().message);
    } else if (reply->status == HostReply::Status::kInvalid) {
      const Error error = read_invalid(type, reply->text);
      if (error.kind == ErrorKind::kInvalid) {
        ++result.refused;
      } else {
        fail("refused them wrongly: " + error.message);
      }
    } else if (reply->status != HostReply::Status::kOk) {
      fail("failed: " + reply->text);
    } else if (const auto arguments = read_arguments(type, reply->text, asked.size()); !arguments) {
      if (arguments.error().kind == ErrorKind::kInvalid) {
        ++result.refused;
      } else {
        fail("broke a promise: " + arguments.error().message);
      }
    } else {
      ++result.planned;
    }
  }
  return result;
}

}  // namespace runyard
