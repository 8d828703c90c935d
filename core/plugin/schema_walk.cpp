#include "core/plugin/schema_walk.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <charconv>
#include <cmath>

namespace runyard {
namespace {

namespace json = boost::json;

const json::object* definition(const json::object& root, std::string_view ref) {
  constexpr std::string_view kHead = "#/definitions/";
  const json::value* definitions = root.if_contains("definitions");
  if (!ref.starts_with(kHead) || !definitions || !definitions->is_object()) return nullptr;
  const json::value* found = definitions->get_object().if_contains(ref.substr(kHead.size()));
  return found ? found->if_object() : nullptr;
}

/// What a schema reaches without a step down.
enum class Reach {
  kPossible,  ///< every schema that may hold for the value
  kCertain,   ///< only those that hold always: a default of one alternative is none
};

/// Adds a schema and what it reaches; one that is in the set already ends the search, so recursion
/// through definitions ends too.
void add_schema(const json::object& root, const json::object* schema, Reach reach, SchemaSet& out) {
  if (schema) {
    if (const json::value* ref = schema->if_contains("$ref")) {
      schema = ref->is_string() ? definition(root, std::string_view(ref->get_string())) : nullptr;
    }
  }
  if (!schema || std::find(out.begin(), out.end(), schema) != out.end()) return;
  out.push_back(schema);
  for (const char* key : {"allOf", "anyOf", "oneOf"}) {
    if (reach == Reach::kCertain && std::string_view(key) != "allOf") continue;
    const json::value* list = schema->if_contains(key);
    if (!list || !list->is_array()) continue;
    for (const json::value& entry : list->get_array()) {
      add_schema(root, entry.if_object(), reach, out);
    }
  }
  if (reach == Reach::kCertain) return;
  for (const char* key : {"then", "else"}) {
    if (const json::value* branch = schema->if_contains(key)) {
      add_schema(root, branch->if_object(), reach, out);
    }
  }
}

void add_possible(const json::object& root, const json::value& value, SchemaSet& out) {
  add_schema(root, value.if_object(), Reach::kPossible, out);
}

bool to_index(std::string_view text, std::size_t& index) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), index);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

/// The largest value of a numeric keyword in the set; false when none has it.
bool largest(const SchemaSet& schemas, std::string_view keyword, std::size_t& limit) {
  bool found = false;
  for (const json::object* schema : schemas) {
    const json::value* value = schema->if_contains(keyword);
    if (!value || !value->is_int64() || value->get_int64() < 0) continue;
    const auto number = static_cast<std::size_t>(value->get_int64());
    limit = found ? std::max(limit, number) : number;
    found = true;
  }
  return found;
}

/// NUL, other C0 and C1 control characters and DEL: they have no place in an argument, and steer a
/// terminal that shows it. `multiline` allows line ends and tabs.
bool has_control_character(std::string_view text, bool multiline) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (multiline && (byte == '\n' || byte == '\t')) continue;
    if (byte < 0x20 || byte == 0x7F) return true;
    if (byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) {
      return true;
    }
  }
  return false;
}

class BoundsChecker {
 public:
  explicit BoundsChecker(const json::object& root) : root_(root) {}

  void check(json::value& value, const SchemaSet& schemas, InputPath& path) {
    if (path.size() > kMaxInputDepth) {
      too_large(path,
                "is nested too deeply: at most " + std::to_string(kMaxInputDepth) + " levels");
    } else if (value.is_string()) {
      check_text(value.get_string(), schemas, path);
    } else if (value.is_array()) {
      check_array(value.get_array(), schemas, path);
    } else if (value.is_object()) {
      check_object(value.get_object(), schemas, path);
    } else if (value.is_number()) {
      normalize(value, path);
    }
  }

  BoundsResult result;

 private:
  void add(const InputPath& path, const std::string& what) {
    result.errors.push_back({to_pointer(path), to_label(path) + " " + what});
  }
  void too_large(const InputPath& path, const std::string& what) {
    add(path, what);
    result.too_large = true;
  }

  void check_text(const json::string& text, const SchemaSet& schemas, const InputPath& path) {
    std::size_t limit = kDefaultInputText;
    std::size_t characters = 0;
    // A character has up to 4 bytes.
    if (largest(schemas, "maxLength", characters)) {
      limit = std::min(kMaxInputText, 4 * std::min(characters, kMaxInputText));
    }
    if (text.size() > limit) {
      add(path, "is too long: " + std::to_string(text.size()) + " bytes, at most " +
                    std::to_string(limit) + " are taken");
    }
    const json::value* multiline = find_keyword(schemas, "x-multiline");
    if (has_control_character(text, multiline && *multiline == true)) {
      add(path, "must not have control characters in it (NUL, line ends, ...)");
    }
  }

  void check_array(json::array& array, const SchemaSet& schemas, InputPath& path) {
    std::size_t limit = kDefaultInputItems;
    if (largest(schemas, "maxItems", limit)) limit = std::min(limit, kMaxInputItems);
    const json::value* unique = find_keyword(schemas, "uniqueItems");
    if (unique && *unique == true) limit = std::min(limit, kMaxUniqueItems);
    if (array.size() > limit) {
      return too_large(path, "has " + std::to_string(array.size()) + " entries, at most " +
                                 std::to_string(limit) + " are taken");
    }
    for (std::size_t i = 0; i < array.size(); ++i) {
      path.push_back(std::to_string(i));
      check(array[i], child_schemas(root_, schemas, path.back()), path);
      path.pop_back();
    }
  }

  void check_object(json::object& object, const SchemaSet& schemas, InputPath& path) {
    if (object.size() > kMaxInputMembers) {
      return too_large(path, "has more than " + std::to_string(kMaxInputMembers) + " fields");
    }
    for (auto& member : object) {
      const std::string_view key = member.key();
      if (key.size() > 256 || has_control_character(key, false)) {
        too_large(path, "has a field whose name is too long or has control characters in it");
        continue;
      }
      path.emplace_back(key);
      check(member.value(), child_schemas(root_, schemas, key), path);
      path.pop_back();
    }
  }

  void normalize(json::value& number, const InputPath& path) {
    if (number.is_uint64() && number.get_uint64() > INT64_MAX) {
      number = static_cast<double>(number.get_uint64());
    } else if (number.is_uint64()) {
      number = static_cast<std::int64_t>(number.get_uint64());
    } else if (number.is_double()) {
      const double real = number.get_double();
      if (!std::isfinite(real)) {
        add(path, "is too large a number");
        number = 0;
      } else if (real == std::floor(real) && std::fabs(real) <= 9007199254740992.0) {
        number = static_cast<std::int64_t>(real);
      }
    }
  }

  const json::object& root_;
};

void fill(const json::object& root, const json::object* schema, json::value& value,
          std::size_t depth);

void fill_members(const json::object& root, const json::object& properties, json::object& object,
                  std::size_t depth) {
  for (const auto& property : properties) {
    json::value* member = object.if_contains(property.key());
    if (!member) {
      SchemaSet schemas;
      add_schema(root, property.value().if_object(), Reach::kCertain, schemas);
      const json::value* preset = find_keyword(schemas, "default");
      if (!preset) continue;
      object[property.key()] = *preset;
      member = object.if_contains(property.key());
    }
    fill(root, property.value().if_object(), *member, depth + 1);
  }
}

void fill(const json::object& root, const json::object* schema, json::value& value,
          std::size_t depth) {
  if (depth > kMaxInputDepth) return;  // defaults that contain themselves
  SchemaSet schemas;
  add_schema(root, schema, Reach::kCertain, schemas);
  for (const json::object* one : schemas) {
    const json::value* properties = one->if_contains("properties");
    if (properties && properties->is_object() && value.is_object()) {
      fill_members(root, properties->get_object(), value.get_object(), depth);
    }
    const json::value* items = one->if_contains("items");
    if (items && items->is_object() && value.is_array()) {
      for (json::value& element : value.get_array()) {
        fill(root, items->if_object(), element, depth + 1);
      }
    }
  }
}

void visit(json::value& value, const std::vector<std::string>& location, InputPath& path,
           const std::function<void(const InputPath&, json::string&)>& call) {
  if (path.size() == location.size()) {
    if (value.is_string()) call(path, value.get_string());
    return;
  }
  const std::string& step = location[path.size()];
  const auto descend = [&](std::string name, json::value& child) {
    path.push_back(std::move(name));
    visit(child, location, path, call);
    path.pop_back();
  };
  if (value.is_array() && step == "*") {
    for (std::size_t i = 0; i < value.get_array().size(); ++i) {
      descend(std::to_string(i), value.get_array()[i]);
    }
  } else if (value.is_object()) {
    for (auto& member : value.get_object()) {
      if (step == "*" || step == std::string_view(member.key())) {
        descend(std::string(member.key()), member.value());
      }
    }
  }
}

}  // namespace

std::string to_pointer(const InputPath& path) {
  std::string out;
  for (const std::string& step : path) {
    out += '/';
    for (const char c : step) {
      if (c == '~') {
        out += "~0";
      } else if (c == '/') {
        out += "~1";
      } else {
        out += c;
      }
    }
  }
  return out;
}

std::string to_label(const InputPath& path) {
  if (path.empty()) return "the inputs";
  std::string out;
  for (const std::string& step : path) {
    std::size_t index = 0;
    if (!out.empty() && to_index(step, index)) {
      out += "[" + step + "]";
    } else {
      out += (out.empty() ? "" : ".") + step;
    }
  }
  return out;
}

SchemaSet root_schemas(const json::object& root) {
  SchemaSet out;
  add_schema(root, &root, Reach::kPossible, out);
  return out;
}

SchemaSet child_schemas(const json::object& root, const SchemaSet& parents, std::string_view step) {
  SchemaSet out;
  std::size_t index = 0;
  const bool is_index = to_index(step, index);
  for (const json::object* parent : parents) {
    const json::value* properties = parent->if_contains("properties");
    const json::value* own = properties && properties->is_object()
                                 ? properties->get_object().if_contains(step)
                                 : nullptr;
    if (own) {
      add_possible(root, *own, out);
    } else if (const json::value* others = parent->if_contains("additionalProperties")) {
      add_possible(root, *others, out);
    }
    const json::value* items = parent->if_contains("items");
    if (!is_index || !items) continue;
    if (!items->is_array()) {
      add_possible(root, *items, out);
    } else if (index < items->get_array().size()) {
      add_possible(root, items->get_array()[index], out);
    } else if (const json::value* further = parent->if_contains("additionalItems")) {
      add_possible(root, *further, out);
    }
  }
  return out;
}

SchemaSet schemas_at(const json::object& root, const InputPath& path) {
  SchemaSet set = root_schemas(root);
  for (const std::string& step : path) set = child_schemas(root, set, step);
  return set;
}

const json::value* find_keyword(const SchemaSet& schemas, std::string_view keyword) {
  for (const json::object* schema : schemas) {
    if (const json::value* value = schema->if_contains(keyword)) return value;
  }
  return nullptr;
}

std::vector<std::string_view> property_names(const SchemaSet& schemas) {
  std::vector<std::string_view> names;
  for (const json::object* schema : schemas) {
    const json::value* properties = schema->if_contains("properties");
    if (!properties || !properties->is_object()) continue;
    for (const auto& property : properties->get_object()) names.push_back(property.key());
  }
  return names;
}

BoundsResult check_bounds(const json::object& root, json::value& inputs) {
  BoundsChecker checker(root);
  InputPath path;
  checker.check(inputs, root_schemas(root), path);
  return std::move(checker.result);
}

void apply_defaults(const json::object& root, json::value& inputs) { fill(root, &root, inputs, 0); }

void visit_texts(json::value& inputs, const std::vector<std::string>& location,
                 const std::function<void(const InputPath&, json::string&)>& call) {
  InputPath path;
  visit(inputs, location, path, call);
}

}  // namespace runyard
