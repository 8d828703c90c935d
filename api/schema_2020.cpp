#include "api/schema_2020.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

namespace runyard {
namespace {

namespace json = boost::json;

constexpr std::string_view kDefinitions = "#/definitions/";

template <std::size_t N>
bool is_one_of(std::string_view key, const std::array<std::string_view, N>& list) {
  return std::find(list.begin(), list.end(), key) != list.end();
}

constexpr std::array<std::string_view, 3> kMeta = {"$schema", "$id", "id"};
constexpr std::array<std::string_view, 7> kSchemas = {
    "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else"};
constexpr std::array<std::string_view, 3> kLists = {"allOf", "anyOf", "oneOf"};

class Converter {
 public:
  explicit Converter(const std::string& base) : base_(base) {}

  json::value schema(const json::value& source) const {
    const auto* object = source.if_object();
    return object ? json::value(this->object(*object)) : source;  // true and false are schemas, too
  }

  json::object object(const json::object& source) const {
    // What stands beside a $ref counts nothing in draft-07, and something in 2020-12.
    if (const auto* ref = source.if_contains("$ref"); ref && ref->is_string()) {
      const std::string_view target(ref->get_string());
      return {{"$ref", base_ + "/$defs/" + std::string(target.substr(kDefinitions.size()))}};
    }
    json::object out;
    const auto* items = source.if_contains("items");
    const bool is_tuple = items && items->is_array();
    for (const auto& [key, value] : source) {
      if (is_one_of(key, kMeta)) continue;
      if (key == "definitions") {
        out["$defs"] = members(value);
      } else if (key == "properties") {
        out[key] = members(value);
      } else if (key == "items") {
        out[is_tuple ? "prefixItems" : "items"] = is_tuple ? list(value) : schema(value);
      } else if (key == "additionalItems") {
        if (is_tuple) out["items"] = schema(value);
      } else if (key == "dependencies") {
        dependencies(value, out);
      } else if (is_one_of(key, kSchemas)) {
        out[key] = schema(value);
      } else if (is_one_of(key, kLists)) {
        out[key] = list(value);
      } else {
        out[key] = value;
      }
    }
    return out;
  }

 private:
  json::value members(const json::value& source) const {
    json::object out;
    if (const auto* all = source.if_object()) {
      for (const auto& [name, value] : *all) out[name] = schema(value);
    }
    return out;
  }

  json::value list(const json::value& source) const {
    json::array out;
    if (const auto* all = source.if_array()) {
      for (const auto& value : *all) out.push_back(schema(value));
    }
    return out;
  }

  void dependencies(const json::value& source, json::object& out) const {
    const auto* all = source.if_object();
    if (!all) return;
    for (const auto& [name, value] : *all) {
      const char* key = value.is_array() ? "dependentRequired" : "dependentSchemas";
      auto& target = out[key];
      if (!target.is_object()) target.emplace_object();
      target.get_object()[name] = schema(value);
    }
  }

  const std::string& base_;
};

}  // namespace

json::object to_schema_2020(const json::object& draft_07, const std::string& base) {
  json::object out = Converter(base).object(draft_07);
  out.erase("additionalProperties");
  out["unevaluatedProperties"] = false;
  return out;
}

}  // namespace runyard
