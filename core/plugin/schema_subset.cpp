#include "core/plugin/schema_subset.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <cctype>
#include <string_view>

namespace runyard {
namespace {

namespace json = boost::json;
using Location = std::vector<std::string>;

constexpr std::size_t kMaxPattern = 1000;

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& list, std::string_view key) {
  return std::find(list.begin(), list.end(), key) != list.end();
}

constexpr std::array<std::string_view, 14> kAnnotations{
    "$schema", "$id",       "$comment",   "title",          "description",
    "default", "examples",  "readOnly",   "writeOnly",      "contentMediaType",
    "id",      "enumNames", "deprecated", "contentEncoding"};
constexpr std::array<std::string_view, 16> kAssertions{"type",
                                                       "enum",
                                                       "const",
                                                       "multipleOf",
                                                       "maximum",
                                                       "minimum",
                                                       "maxLength",
                                                       "minLength",
                                                       "maxItems",
                                                       "minItems",
                                                       "maxProperties",
                                                       "minProperties",
                                                       "uniqueItems",
                                                       "required",
                                                       "exclusiveMaximum",
                                                       "exclusiveMinimum"};
constexpr std::array<std::string_view, 7> kOneSchema{
    "contains", "propertyNames", "not", "if", "then", "else", "additionalItems"};
constexpr std::array<std::string_view, 3> kSchemaLists{"allOf", "anyOf", "oneOf"};

/// The last word of the name says that it is a path: `config_path`, `outputDir`, `file`.
bool sounds_like_path(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (std::string_view word : {"path", "paths", "file", "files", "dir", "dirs", "folder",
                                "folders", "directory", "directories", "filename"}) {
    if (name == word || name.ends_with("_" + std::string(word)) ||
        name.ends_with("-" + std::string(word))) {
      return true;
    }
  }
  return false;
}

bool allows_type(const json::object& schema, std::string_view type) {
  const json::value* types = schema.if_contains("type");
  if (!types) return true;
  if (const json::string* one = types->if_string()) return std::string_view(*one) == type;
  const json::array* list = types->if_array();
  return list && std::any_of(list->begin(), list->end(), [&](const json::value& entry) {
           return entry.is_string() && std::string_view(entry.get_string()) == type;
         });
}

/// `x-workspace-path` on it or on its items. `false` there says: not a path, whatever its name is.
bool says_about_paths(const json::object& schema) {
  if (schema.contains("x-workspace-path")) return true;
  const json::value* items = schema.if_contains("items");
  return items && items->is_object() && says_about_paths(items->get_object());
}

class Checker {
 public:
  explicit Checker(const json::object& root) : root_(root) {}

  Result<SchemaSubset> run() {
    if (!allows_type(root_, "object") || !root_.contains("type")) {
      return make_error(ErrorKind::kInvalid, "input_schema: its type must be \"object\"");
    }
    const Location top;
    json::object prepared = object(root_, "input_schema", &top);
    if (!defect_.empty()) return make_error(ErrorKind::kInvalid, defect_);
    return SchemaSubset{std::move(prepared), std::move(paths_)};
  }

 private:
  void report(const std::string& where, const std::string& what) {
    if (defect_.empty()) defect_ = where + ": " + what;
  }

  /// `location` is where in the inputs the value stands, nullptr when that is no single place
  /// (below anyOf, definitions, ...).
  json::value schema(const json::value& value, const std::string& where, const Location* location) {
    if (value.is_bool()) return value;
    if (value.is_object()) return object(value.get_object(), where, location);
    report(where, "must be a schema");
    return nullptr;
  }

  json::object object(const json::object& source, const std::string& where,
                      const Location* location) {
    if (const json::value* ref = source.if_contains("$ref")) {
      reference(*ref, where);
      return {{"$ref", *ref}};
    }
    json::object out;
    for (const auto& member : source) {
      if (!defect_.empty()) break;
      keyword(member.key(), member.value(), where + "." + std::string(member.key()), location, out);
    }
    return out;
  }

  void keyword(std::string_view key, const json::value& value, const std::string& where,
               const Location* location, json::object& out) {
    if (contains(kAnnotations, key)) return;
    if (key == "x-workspace-path") {
      workspace_path(value, where, location);
    } else if (key == "pattern") {
      pattern(value, where);
      out[kPatternKeyword] = value;
    } else if (key == "format") {
      if (!value.is_string()) report(where, "must be a string");
      out[kFormatKeyword] = value;
    } else if (key == "properties" || key == "definitions") {
      named_schemas(key, value, where, key == "properties" ? location : nullptr, out);
    } else if (key == "items" || key == "additionalProperties") {
      out[key] = elements(value, where, location);
    } else if (contains(kSchemaLists, key)) {
      out[key] = list(value, where, key == "allOf" ? location : nullptr);
    } else if (contains(kOneSchema, key)) {
      out[key] = schema(value, where, nullptr);
    } else if (key == "dependencies") {
      out[key] = dependencies(value, where);
    } else if (contains(kAssertions, key)) {
      out[key] = value;
    } else if (key == "patternProperties") {
      report(where, "is not supported: name the properties, or use additionalProperties");
    } else if (!key.starts_with("x-") || key.starts_with("x-runyard-")) {
      report(where, "is no keyword of JSON Schema draft-07 (own ones begin with x-)");
    }
  }

  void named_schemas(std::string_view key, const json::value& value, const std::string& where,
                     const Location* location, json::object& out) {
    const json::object* members = value.if_object();
    if (!members) return report(where, "must be an object");
    json::object& copy = out[key].emplace_object();
    for (const auto& member : *members) {
      const std::string name(member.key());
      const std::string place = where + "." + name;
      Location inner;
      if (location) (inner = *location).push_back(name);
      copy[name] = schema(member.value(), place, location ? &inner : nullptr);
      const json::object* property = member.value().if_object();
      if (key == "properties" && property && sounds_like_path(name) &&
          (allows_type(*property, "string") || allows_type(*property, "array")) &&
          !says_about_paths(*property)) {
        report(place,
               "sounds like a path: give it \"x-workspace-path\": {\"kind\": \"file\"} (or "
               "\"dir\"), or false when it is none");
      }
    }
  }

  json::value elements(const json::value& value, const std::string& where,
                       const Location* location) {
    if (value.is_array()) return list(value, where, nullptr);
    Location inner;
    if (location) (inner = *location).push_back("*");
    return schema(value, where, location ? &inner : nullptr);
  }

  json::value list(const json::value& value, const std::string& where, const Location* location) {
    const json::array* entries = value.if_array();
    if (!entries || entries->empty()) {
      report(where, "must be a list of schemas");
      return nullptr;
    }
    json::array out;
    for (std::size_t i = 0; i < entries->size(); ++i) {
      out.push_back(schema((*entries)[i], where + "[" + std::to_string(i) + "]", location));
    }
    return out;
  }

  json::value dependencies(const json::value& value, const std::string& where) {
    const json::object* members = value.if_object();
    if (!members) {
      report(where, "must be an object");
      return nullptr;
    }
    json::object out;
    for (const auto& member : *members) {
      out[member.key()] =
          member.value().is_array()
              ? member.value()
              : schema(member.value(), where + "." + std::string(member.key()), nullptr);
    }
    return out;
  }

  /// One level of local references, so that no chain of them can go in a circle without a keyword
  /// in between.
  void reference(const json::value& ref, const std::string& where) {
    constexpr std::string_view kHead = "#/definitions/";
    const json::string* text = ref.if_string();
    const std::string_view target = text ? std::string_view(*text) : std::string_view();
    if (!target.starts_with(kHead)) {
      return report(where, "$ref must be to \"#/definitions/<name>\"");
    }
    const json::value* definitions = root_.if_contains("definitions");
    const json::value* found =
        definitions && definitions->is_object()
            ? definitions->get_object().if_contains(target.substr(kHead.size()))
            : nullptr;
    if (!found || target.find_first_of("~%/", kHead.size()) != std::string_view::npos) {
      report(where, "$ref to " + std::string(target) + ", which is not there");
    } else if (found->is_object() && found->get_object().contains("$ref")) {
      report(where, "$ref to a schema that is a $ref itself");
    }
  }

  void pattern(const json::value& value, const std::string& where) {
    const json::string* text = value.if_string();
    if (!text) return report(where, "must be a string");
    if (text->size() > kMaxPattern) {
      return report(where, "is longer than " + std::to_string(kMaxPattern) + " bytes");
    }
    RE2::Options options;
    options.set_log_errors(false);
    const RE2 regex(re2::StringPiece(text->data(), text->size()), options);
    if (!regex.ok()) report(where, "is no RE2 regex: " + regex.error());
  }

  void workspace_path(const json::value& value, const std::string& where,
                      const Location* location) {
    if (value.is_bool() && !value.get_bool()) return;
    auto rule = parse_workspace_path(value);
    if (!rule) return report(where, rule.error().message);
    if (!location || location->empty()) {
      return report(where,
                    "can stand only below properties, items, additionalProperties and allOf");
    }
    paths_.push_back({*location, std::move(*rule)});
  }

  const json::object& root_;
  std::vector<PathInput> paths_;
  std::string defect_;
};

}  // namespace

Result<SchemaSubset> check_subset(const json::object& schema) { return Checker(schema).run(); }

}  // namespace runyard
