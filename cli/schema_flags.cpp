#include "cli/schema_flags.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <re2/re2.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json/parse.hpp>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>

#include "cli/json_access.h"
#include "cli/output.h"
#include "cli/terminal.h"

namespace runyard::cli {
namespace {

namespace json = boost::json;
using Kind = SchemaFlag::Kind;

constexpr std::size_t kHelpWidth = 64;
constexpr int kMaxReferences = 8;

/// Names that can be flags: a letter, then letters, digits, `_`, `-`, `.`.
bool can_be_flag(std::string_view property) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (property.empty() || property.size() > 64 || !letter(property[0])) return false;
  return std::all_of(property.begin(), property.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
}

/// Follows `{"$ref": "#/definitions/x"}` within the schema; what cannot be followed accepts all.
json::object resolved(const json::value& schema, const json::object& root) {
  const json::value* current = &schema;
  const json::value whole(root);
  for (int i = 0; i < kMaxReferences; ++i) {
    const auto* object = current->if_object();
    if (!object) return {};
    const std::string reference = text_of(*object, "$ref");
    if (reference.empty()) return *object;
    boost::system::error_code missing;
    current = reference[0] == '#' ? whole.find_pointer(reference.substr(1), missing) : nullptr;
    if (!current || missing) return {};
  }
  return {};
}

/// The types that a schema allows, from `type`, else from its `enum` or `const`.
std::set<std::string> types_of(const json::object& schema) {
  std::set<std::string> types;
  const auto add_type_of = [&](const json::value& value) {
    switch (value.kind()) {
      case json::kind::null:
        types.insert("null");
        break;
      case json::kind::bool_:
        types.insert("boolean");
        break;
      case json::kind::int64:
      case json::kind::uint64:
        types.insert("integer");
        break;
      case json::kind::double_:
        types.insert("number");
        break;
      case json::kind::string:
        types.insert("string");
        break;
      case json::kind::array:
        types.insert("array");
        break;
      case json::kind::object:
        types.insert("object");
        break;
    }
  };
  if (const auto* type = schema.if_contains("type")) {
    if (type->is_string()) types.insert(std::string(type->get_string()));
    if (const auto* list = type->if_array()) {
      for (const auto& item : *list) {
        if (item.is_string()) types.insert(std::string(item.get_string()));
      }
    }
  } else if (const auto* choices = array_of(schema, "enum")) {
    for (const auto& choice : *choices) add_type_of(choice);
  } else if (const auto* only = schema.if_contains("const")) {
    add_type_of(*only);
  } else {
    // `anyOf: [{type: string}, {type: null}]` is how a nullable field is often written.
    for (const std::string_view key : {"anyOf", "oneOf"}) {
      const auto* list = array_of(schema, key);
      if (!list) continue;
      for (const auto& item : *list) {
        if (const auto* object = item.if_object()) types.merge(types_of(*object));
      }
    }
  }
  return types;
}

Kind kind_of(std::set<std::string> types) {
  types.erase("null");
  if (types == std::set<std::string>{"string"}) return Kind::kText;
  if (types == std::set<std::string>{"integer"}) return Kind::kInteger;
  if (types == std::set<std::string>{"number"} ||
      types == std::set<std::string>{"integer", "number"}) {
    return Kind::kNumber;
  }
  if (types == std::set<std::string>{"boolean"}) return Kind::kBoolean;
  types.erase("array");
  types.erase("object");
  return types.empty() ? Kind::kJson : Kind::kAny;
}

/// `tickers` -> `ticker`, `entries` -> `entry`, `boxes` -> `box`; "" when there is no plural s.
std::string singular_of(const std::string& name) {
  const auto ends = [&](std::string_view end) {
    return name.size() > end.size() && name.ends_with(end);
  };
  if (ends("ies")) return name.substr(0, name.size() - 3) + "y";
  if (ends("sses") || ends("xes") || ends("ches") || ends("shes")) {
    return name.substr(0, name.size() - 2);
  }
  if (ends("s") && !ends("ss")) return name.substr(0, name.size() - 1);
  return "";
}

std::string dashed(std::string property) {
  std::replace(property.begin(), property.end(), '_', '-');
  return property;
}

std::string shown(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : compact_json(value);
}

std::string help_of(const json::object& schema, const SchemaFlag& flag, bool required) {
  std::string help = text_of(schema, "description");
  if (help.empty()) help = text_of(schema, "title");
  const auto append = [&help](const std::string& more) {
    if (!help.empty()) help += ' ';
    help += more;
  };
  if (const auto* choices = array_of(flag.value_schema, "enum")) {
    std::vector<std::string> texts;
    for (const auto& choice : *choices) texts.push_back(shown(choice));
    append(fmt::format("[one of: {}]", fmt::join(texts, ", ")));
  }
  if (flag.is_array) append("[may be repeated]");
  if (!flag.negation.empty()) append(fmt::format("[{} says no]", flag.negation));
  if (const auto* value = schema.if_contains("default")) {
    append(fmt::format("[default: {}]", shown(*value)));
  }
  if (required) append("[required]");
  return help;
}

std::optional<json::value> as_integer(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return json::value(number);
}

std::optional<json::value> as_number(const std::string& text) {
  if (auto integer = as_integer(text)) return integer;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) {
    return std::nullopt;
  }
  return json::value(number);
}

std::optional<json::value> as_boolean(const std::string& text) {
  if (text == "true" || text == "yes" || text == "1") return json::value(true);
  if (text == "false" || text == "no" || text == "0") return json::value(false);
  return std::nullopt;
}

std::optional<json::value> as_json(const std::string& text) {
  boost::system::error_code bad;
  json::value value = json::parse(text, bad);
  if (bad) return std::nullopt;
  return value;
}

Result<json::value> convert(const SchemaFlag& flag, const std::string& text) {
  if (flag.nullable && flag.kind != Kind::kText && text == "null") return json::value(nullptr);
  std::optional<json::value> value;
  std::string_view wanted;
  switch (flag.kind) {
    case Kind::kText:
      return json::value(text);
    case Kind::kAny: {
      auto parsed = as_json(text);
      return parsed ? std::move(*parsed) : json::value(text);
    }
    case Kind::kInteger:
      value = as_integer(text);
      wanted = "a whole number";
      break;
    case Kind::kNumber:
      value = as_number(text);
      wanted = "a number";
      break;
    case Kind::kBoolean:
      value = as_boolean(text);
      wanted = "true or false";
      break;
    case Kind::kJson:
      value = as_json(text);
      wanted = "JSON";
      break;
  }
  if (!value) {
    return make_error(ErrorKind::kInvalid,
                      fmt::format("{}: '{}' is not {}", flag.names.front(), text, wanted));
  }
  return std::move(*value);
}

bool is_choice(const json::array& choices, const std::string& text) {
  return std::any_of(choices.begin(), choices.end(),
                     [&](const json::value& choice) { return shown(choice) == text; });
}

/// The items that one text of an array's flag stands for (see flags_of_schema).
std::vector<std::string> items_of(const SchemaFlag& flag, const std::string& text) {
  if (text.find(',') == std::string::npos) return {text};
  std::vector<std::string> parts;
  std::size_t start = 0;
  for (std::size_t comma = 0; comma != std::string::npos; start = comma + 1) {
    comma = text.find(',', start);
    parts.push_back(text.substr(start, comma == std::string::npos ? comma : comma - start));
  }
  if (flag.kind == Kind::kInteger || flag.kind == Kind::kNumber) return parts;
  if (flag.kind != Kind::kText) return {text};
  const auto splits = [&](auto&& accepts) {
    return !accepts(text) && std::all_of(parts.begin(), parts.end(), accepts);
  };
  if (const auto* choices = array_of(flag.value_schema, "enum")) {
    const bool split = splits([&](const std::string& item) { return is_choice(*choices, item); });
    return split ? parts : std::vector<std::string>{text};
  }
  const std::string pattern = text_of(flag.value_schema, "pattern");
  if (pattern.empty()) return {text};
  const RE2 regex(pattern, RE2::Quiet);
  const bool split =
      regex.ok() && splits([&](const std::string& item) { return RE2::PartialMatch(item, regex); });
  return split ? parts : std::vector<std::string>{text};
}

std::string type_name_of(const SchemaFlag& flag) {
  switch (flag.kind) {
    case Kind::kText:
      return flag.value_schema.contains("x-workspace-path") ? "PATH" : "TEXT";
    case Kind::kInteger:
      return "INTEGER";
    case Kind::kNumber:
      return "NUMBER";
    case Kind::kBoolean:
      return "true|false";
    case Kind::kJson:
      return "JSON";
    case Kind::kAny:
      return "VALUE";
  }
  return "VALUE";
}

}  // namespace

const std::vector<std::string_view>& reserved_flags() {
  static const std::vector<std::string_view> kReserved = {
      "help", "server",   "json",    "follow",  "then",       "params",
      "set",  "priority", "timeout", "retries", "retry-lost", "slots",
      "gpus", "memory",   "group",   "after",   "name"};
  return kReserved;
}

std::vector<SchemaFlag> flags_of_schema(const json::object& input_schema) {
  std::vector<SchemaFlag> flags;
  const auto* properties = object_of(input_schema, "properties");
  if (!properties) return flags;
  std::set<std::string> required;
  if (const auto* list = array_of(input_schema, "required")) {
    for (const auto& item : *list) {
      if (item.is_string()) required.insert(std::string(item.get_string()));
    }
  }
  std::set<std::string> taken(reserved_flags().begin(), reserved_flags().end());
  const auto take = [&taken](const std::string& name) { return taken.insert(name).second; };

  std::vector<const json::value*> schemas;
  for (const auto& [key, value] : *properties) {
    SchemaFlag flag;
    flag.property = std::string(key);
    const std::string name = dashed(flag.property);
    if (!can_be_flag(flag.property)) continue;
    if (take(name)) {
      flag.names.push_back("--" + name);
    } else if (take("param-" + name)) {
      flag.names.push_back("--param-" + name);
    } else {
      continue;
    }
    const json::object schema = resolved(value, input_schema);
    auto types = types_of(schema);
    flag.nullable = types.contains("null");
    types.erase("null");
    flag.is_array = types == std::set<std::string>{"array"};
    flag.value_schema = schema;
    if (flag.is_array) {
      const auto* items = schema.if_contains("items");
      flag.value_schema = items ? resolved(*items, input_schema) : json::object();
      types = types_of(flag.value_schema);
      flag.nullable = types.contains("null");
    }
    flag.kind = types.empty() ? Kind::kAny : kind_of(types);
    flags.push_back(std::move(flag));
    schemas.push_back(&value);
  }
  // The extra names come last, so that none takes the place of a property's own.
  for (std::size_t i = 0; i < flags.size(); ++i) {
    SchemaFlag& flag = flags[i];
    const std::string name = flag.names.front().substr(2);
    if (flag.is_array) {
      const std::string singular = singular_of(name);
      if (!singular.empty() && take(singular)) flag.names.push_back("--" + singular);
    } else if (flag.kind == Kind::kBoolean && take("no-" + name)) {
      flag.negation = "--no-" + name;
    }
    flag.help =
        help_of(resolved(*schemas[i], input_schema), flag, required.contains(flag.property));
  }
  return flags;
}

Result<> add_value(json::object& params, const SchemaFlag& flag, const std::string& text,
                   bool fresh) {
  if (!flag.is_array) {
    auto value = convert(flag, text);
    if (!value) return value.error();
    params[flag.property] = std::move(*value);
    return {};
  }
  json::value& list = params[flag.property];
  if (fresh || !list.is_array()) list.emplace_array();
  for (const std::string& item : items_of(flag, text)) {
    auto value = convert(flag, item);
    if (!value) return value.error();
    list.get_array().push_back(std::move(*value));
  }
  return {};
}

SchemaOptions::SchemaOptions(CLI::App& app, std::vector<SchemaFlag> flags,
                             const std::string& group) {
  for (SchemaFlag& flag : flags) {
    const std::string names = fmt::format("{}", fmt::join(flag.names, ","));
    const std::string help = wrap(escape_controls(flag.help), kHelpWidth);
    CLI::Option* option = nullptr;
    CLI::Option* negation = nullptr;
    if (flag.kind == Kind::kBoolean && !flag.is_array) {
      option = app.add_flag(names, help);
      if (!flag.negation.empty()) {
        negation = app.add_flag(flag.negation)->group("");
      }
    } else {
      // The texts are read by collect(): nothing here may look into them, so that `[a,b]`, `--x=1`
      // and `{}` arrive as they were written.
      option = app.add_option(
          names, [](const CLI::results_t&) { return true; }, help);
      option->type_name(type_name_of(flag));
      if (flag.is_array) option->expected(-1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
      option->allow_extra_args(false);
    }
    option->group(group);
    bound_.push_back({std::move(flag), option, negation});
  }
}

Result<> SchemaOptions::collect(json::object& params) const {
  for (const Bound& bound : bound_) {
    if (bound.negation && bound.negation->count() > 0) {
      if (bound.option->count() > 0) {
        return make_error(ErrorKind::kInvalid,
                          fmt::format("{} and {} contradict each other", bound.flag.names.front(),
                                      bound.flag.negation));
      }
      params[bound.flag.property] = false;
    }
    bool fresh = true;
    for (const std::string& text : bound.option->results()) {
      if (auto added = add_value(params, bound.flag, text, fresh); !added) return added.error();
      fresh = false;
    }
  }
  return {};
}

}  // namespace runyard::cli
