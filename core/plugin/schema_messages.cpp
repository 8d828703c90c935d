#include "core/plugin/schema_messages.h"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <numeric>
#include <set>

#include "core/base/plain_json.h"
#include "core/base/text.h"

namespace runyard {
namespace {

namespace json = boost::json;

/// How a complaint is told: the keyword that says more, and the beginning of the description.
struct Rule {
  const char* beginning;
  const char* keyword;
};
constexpr std::array<Rule, 21> kRules{{
    {kPatternComplaint, "pattern"},
    {kFormatComplaint, "format"},
    {"Value type not permitted", "type"},
    {"Failed to match against any enum", "enum"},
    {"Failed to match expected value", "const"},
    {"Missing required property", "required"},
    {"Missing dependency", "required"},
    {"Object contains a property", "additionalProperties"},
    {"Expected number less than or equal", "maximum"},
    {"Expected number less than", "exclusiveMaximum"},
    {"Expected number greater than or equal", "minimum"},
    {"Expected number greater than", "exclusiveMinimum"},
    {"Array should contain no more", "maxItems"},
    {"Array should contain no fewer", "minItems"},
    {"String should be no more", "maxLength"},
    {"String should be no fewer", "minLength"},
    {"Object should have no more", "maxProperties"},
    {"Object should have no fewer", "minProperties"},
    {"Value should be a multiple", "multipleOf"},
    {"Elements at indexes", "uniqueItems"},
    {"Array contains more items", "additionalItems"},
}};

/// "" for a complaint that only says that something below it failed.
std::string_view keyword_of(const std::string& description) {
  for (const Rule& rule : kRules) {
    if (description.starts_with(rule.beginning)) return rule.keyword;
  }
  return {};
}

/// The name in single quotes at the end of a description.
std::string quoted_name(const std::string& description) {
  const std::size_t first =
      description.find('\'', description.find("constraints: ") == std::string::npos
                                 ? 0
                                 : description.find("constraints: "));
  const std::size_t last = description.rfind('\'');
  return first < last ? description.substr(first + 1, last - first - 1) : "";
}

std::string article(std::string_view type) {
  if (type == "null") return "null";
  if (type == "boolean") return "true or false";
  if (type == "string") return "text (a string)";
  return (type == "integer" || type == "array" || type == "object" ? "an " : "a ") +
         std::string(type);
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " or " : ", ";
    out += words[i];
  }
  return out;
}

std::string shown(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : plain_json(value);
}

std::string types_sentence(const json::value& types) {
  std::vector<std::string> words;
  if (types.is_string()) words.push_back(article(types.get_string()));
  if (types.is_array()) {
    for (const json::value& type : types.get_array()) {
      if (type.is_string()) words.push_back(article(type.get_string()));
    }
  }
  return "must be " + join(words);
}

std::string enum_sentence(const json::value& values) {
  std::vector<std::string> words;
  if (values.is_array()) {
    for (const json::value& value : values.get_array()) {
      if (words.size() == 20) {
        words.push_back("...");
        break;
      }
      words.push_back(ellipsize(shown(value), 100));
    }
  }
  return "must be " + join(words);
}

std::string format_sentence(const json::value& format) {
  if (format == "date") return "must be a date of the calendar as YYYY-MM-DD, such as 2024-02-29";
  if (format == "time") return "must be a time with its zone, such as 16:52:45Z";
  return "must be a date and time with its zone, such as 2024-02-29T16:52:45Z";
}

std::string sentence(std::string_view keyword, const json::value& value) {
  const std::string limit = shown(value);
  if (keyword == "type") return types_sentence(value);
  if (keyword == "enum") return enum_sentence(value);
  if (keyword == "const") return "must be " + ellipsize(limit, 200);
  if (keyword == "pattern") return "must match the pattern " + limit;
  if (keyword == "format") return format_sentence(value);
  if (keyword == "maximum") return "must be at most " + limit;
  if (keyword == "minimum") return "must be at least " + limit;
  if (keyword == "exclusiveMaximum") return "must be less than " + limit;
  if (keyword == "exclusiveMinimum") return "must be greater than " + limit;
  if (keyword == "maxItems") return "must have at most " + limit + " entries";
  if (keyword == "minItems")
    return "must have at least " + limit + (value == 1 ? " entry" : " entries");
  if (keyword == "maxLength") return "must have at most " + limit + " characters";
  if (keyword == "minLength") {
    return value == 1 ? "must not be empty" : "must have at least " + limit + " characters";
  }
  if (keyword == "maxProperties") return "must have at most " + limit + " fields";
  if (keyword == "minProperties") return "must have at least " + limit + " fields";
  if (keyword == "multipleOf") return "must be a multiple of " + limit;
  if (keyword == "uniqueItems") return "must not have the same entry twice";
  return "has more entries than are allowed";
}

bool takes_own_message(std::string_view keyword) {
  return keyword == "pattern" || keyword == "format" || keyword == "enum" || keyword == "const";
}

/// Of the schemas with the keyword, one with a message of its own is asked first.
std::string explain_one(const json::object& schema, const Complaint& complaint,
                        std::string_view keyword) {
  const SchemaSet schemas = schemas_at(schema, complaint.path);
  const json::value* own = find_keyword(schemas, "x-message");
  if (own && own->is_string() && takes_own_message(keyword)) return shown(*own);
  const json::value* value = find_keyword(schemas, keyword);
  return value ? sentence(keyword, *value) : "is not as it must be";
}

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

/// True when a complaint that is told stands at this place or below it.
bool is_explained(const std::string& pointer, const std::vector<FieldError>& errors) {
  return std::any_of(errors.begin(), errors.end(), [&](const FieldError& error) {
    return error.pointer == pointer || error.pointer.starts_with(pointer + "/");
  });
}

}  // namespace

std::string unknown_field(std::string_view name, const std::vector<std::string_view>& known) {
  std::string out = "'" + ellipsize(name, 100) + "' is not known here";
  std::string_view nearest;
  std::size_t best = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string_view candidate : known) {
    if (name.size() > 100) break;
    if (const std::size_t steps = distance(name, candidate); steps < best) {
      best = steps;
      nearest = candidate;
    }
  }
  if (!nearest.empty()) return out + "; did you mean '" + std::string(nearest) + "'?";
  std::vector<std::string> names(known.begin(), known.end());
  if (names.empty()) return out + ": it takes no inputs";
  return out + "; known are " +
         std::accumulate(
             names.begin() + 1, names.end(), names.front(),
             [](std::string list, const std::string& one) { return std::move(list) + ", " + one; });
}

std::vector<FieldError> explain(const json::object& schema,
                                const std::vector<Complaint>& complaints) {
  std::vector<FieldError> errors;
  std::set<std::string> told;
  const auto tell = [&](const InputPath& path, const std::string& message) {
    std::string pointer = to_pointer(path);
    if (told.insert(pointer).second) errors.push_back({std::move(pointer), message});
  };
  for (const Complaint& complaint : complaints) {
    const std::string_view keyword = keyword_of(complaint.description);
    if (keyword.empty()) continue;
    if (keyword == "required") {
      InputPath missing = complaint.path;
      missing.push_back(quoted_name(complaint.description));
      tell(missing, to_label(missing) + " is required");
    } else if (keyword == "additionalProperties") {
      const std::string name = quoted_name(complaint.description);
      InputPath unwanted = complaint.path;
      unwanted.push_back(name);
      tell(unwanted, to_label(complaint.path) + ": " +
                         unknown_field(name, property_names(schemas_at(schema, complaint.path))));
    } else {
      tell(complaint.path,
           to_label(complaint.path) + " " + explain_one(schema, complaint, keyword));
    }
  }
  // What is left: not, contains, propertyNames, a `false` schema, alternatives without a reason.
  for (const Complaint& complaint : complaints) {
    if (!keyword_of(complaint.description).empty()) continue;
    if (is_explained(to_pointer(complaint.path), errors)) continue;
    const json::value* own = find_keyword(schemas_at(schema, complaint.path), "x-message");
    tell(complaint.path, to_label(complaint.path) + " " +
                             (own && own->is_string() ? shown(*own) : "is not as its schema asks"));
  }
  if (errors.empty()) errors.push_back({"", "the inputs are not as their schema asks"});
  return errors;
}

}  // namespace runyard
