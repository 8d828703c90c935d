#pragma once

// For authors of plugins in C++20 (or 17). A plugin is one class and one macro:
//
//   #include <runyard/plugin.hpp>
//
//   class Greet {
//    public:
//     runyard::Args argv(const runyard::Params& params) const {
//       runyard::Args args;
//       args.option("--name", params.text("name"));
//       if (params.flag("dry_run")) args.add("--dry-run");
//       return args;
//     }
//   };
//   RUNYARD_PLUGIN(Greet)
//
// What the job type is (its inputs, hints, progress) stands in schema.json, which
// runyard_add_plugin() embeds. Exceptions are stopped here; none crosses the ABI.

#include <runyard/plugin.h>
#include <runyard/json.hpp>

#include <cstdint>
#include <exception>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runyard {

/// Throw it from argv() when inputs that are fine one by one do not go together: the submitter gets
/// a 422 with these sentences. A pointer is a JSON pointer to the input, such as "/end".
class Invalid : public std::exception {
 public:
  Invalid(std::string pointer, std::string message) { add(std::move(pointer), std::move(message)); }
  Invalid& add(std::string pointer, std::string message) {
    errors_.emplace_back(std::move(pointer), std::move(message));
    return *this;
  }
  const char* what() const noexcept override { return errors_.front().second.c_str(); }
  /// Pointer and message of each.
  const std::vector<std::pair<std::string, std::string>>& errors() const { return errors_; }

 private:
  std::vector<std::pair<std::string, std::string>> errors_;
};

/// The inputs, checked against the schema. An input that is null counts as absent.
class Params {
 public:
  explicit Params(Json object) : object_(std::move(object)) {}

  bool has(std::string_view name) const { return find(name) != nullptr; }
  /// nullptr when it is absent.
  const Json* find(std::string_view name) const {
    const Json* const value = object_.find(name);
    return value && !value->is_null() ? value : nullptr;
  }
  std::string text(std::string_view name, std::string fallback = {}) const {
    const Json* const value = find(name);
    return value ? value->string() : std::move(fallback);
  }
  bool flag(std::string_view name) const {
    const Json* const value = find(name);
    return value && value->boolean();
  }
  std::int64_t integer(std::string_view name, std::int64_t fallback = 0) const {
    const Json* const value = find(name);
    return value ? value->integer() : fallback;
  }
  double number(std::string_view name, double fallback = 0) const {
    const Json* const value = find(name);
    return value ? value->number() : fallback;
  }
  /// The items of an array as arguments; empty when it is absent.
  std::vector<std::string> texts(std::string_view name) const {
    std::vector<std::string> out;
    if (const Json* const value = find(name)) {
      for (const Json& item : value->items()) out.push_back(item.to_argument());
    }
    return out;
  }

 private:
  Json object_;
};

/// The command's arguments after the program, in order. Each is one argument, whatever is in it: no
/// shell ever sees them.
class Args {
 public:
  Args& add(std::string argument) {
    list_.push_back(std::move(argument));
    return *this;
  }
  /// A flag and its value, two arguments.
  Args& option(std::string flag, std::string value) {
    return add(std::move(flag)).add(std::move(value));
  }
  /// The same for an input of any plain type, or nothing when it is absent.
  Args& option_from(const Params& params, std::string_view name, std::string flag) {
    if (const Json* const value = params.find(name)) option(std::move(flag), value->to_argument());
    return *this;
  }
  const std::vector<std::string>& list() const { return list_; }

 private:
  std::vector<std::string> list_;
};

/// What RUNYARD_PLUGIN puts between the C ABI and the author's class; not for direct use.
namespace detail {

inline void emit_text(runyard_emit_fn emit, void* context, std::string_view text) {
  emit(context, text.data(), text.size());
}

inline std::int32_t describe(runyard_emit_fn emit, void* context) noexcept {
  emit(context, runyard_descriptor, runyard_descriptor_size);
  return RUNYARD_OK;
}

inline std::string to_json(const std::vector<std::string>& list) {
  std::string out = "[";
  for (const std::string& item : list) {
    if (out.size() > 1) out += ',';
    out += json_quote(item);
  }
  return out += ']';
}

inline std::string to_json(const Invalid& invalid) {
  std::string out = "[";
  for (const auto& [pointer, message] : invalid.errors()) {
    if (out.size() > 1) out += ',';
    out += "{\"pointer\":" + json_quote(pointer) + ",\"message\":" + json_quote(message) + '}';
  }
  return out += ']';
}

/// The result is complete before the first byte is emitted, so an exception leaves no half of one.
template <class Plugin>
std::int32_t argv(const char* params, std::size_t size, runyard_emit_fn emit,
                  void* context) noexcept {
  try {
    std::string text;
    std::int32_t status = RUNYARD_OK;
    try {
      text = to_json(Plugin().argv(Params(Json::parse({params, size}))).list());
    } catch (const Invalid& invalid) {
      text = to_json(invalid);
      status = RUNYARD_INVALID;
    } catch (const std::exception& error) {
      text = error.what();
      status = RUNYARD_FAILED;
    }
    emit_text(emit, context, text);
    return status;
  } catch (...) {
    emit_text(emit, context, "an exception of an unknown type was thrown");
    return RUNYARD_FAILED;
  }
}

}  // namespace detail
}  // namespace runyard

/// Exports the class as this library's plugin. It is made anew for each call: it has no state.
#define RUNYARD_PLUGIN(Class)                                                                      \
  extern "C" RUNYARD_EXPORT const runyard_plugin_v1* runyard_plugin_v1_get(void) {                 \
    static const runyard_plugin_v1 table = {                                                       \
        sizeof(runyard_plugin_v1), &::runyard::detail::describe, &::runyard::detail::argv<Class>}; \
    return &table;                                                                                 \
  }
