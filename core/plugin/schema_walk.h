#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace runyard {

/// A place in the inputs: names of members and indexes of elements, from the root.
using InputPath = std::vector<std::string>;

/// `/overrides/0`.
std::string to_pointer(const InputPath& path);
/// `overrides[0]`, for sentences; "the inputs" for the root.
std::string to_label(const InputPath& path);

/// The schemas that may say something about one value: its own, and what that reaches by $ref,
/// allOf, anyOf, oneOf, then and else. Points into the schema.
using SchemaSet = std::vector<const boost::json::object*>;
SchemaSet root_schemas(const boost::json::object& root);
/// Those of a member or an element of the value.
SchemaSet child_schemas(const boost::json::object& root, const SchemaSet& parents,
                        std::string_view step);
SchemaSet schemas_at(const boost::json::object& root, const InputPath& path);
/// The first value of a keyword in a set; nullptr when none has it.
const boost::json::value* find_keyword(const SchemaSet& schemas, std::string_view keyword);
/// The names in all `properties` of a set.
std::vector<std::string_view> property_names(const SchemaSet& schemas);

/// Limits that hold whatever a schema says.
inline constexpr std::size_t kMaxInputDepth = 16;
inline constexpr std::size_t kMaxInputText = 64u << 10;     ///< bytes; with a `maxLength`
inline constexpr std::size_t kDefaultInputText = 4u << 10;  ///< bytes; without
inline constexpr std::size_t kMaxInputItems = 10000;        ///< with a `maxItems`
inline constexpr std::size_t kDefaultInputItems = 1000;     ///< without
inline constexpr std::size_t kMaxUniqueItems = 256;         ///< with `uniqueItems`
inline constexpr std::size_t kMaxInputMembers = 1000;

struct BoundsResult {
  std::vector<FieldError> errors;
  bool too_large = false;  ///< so large or deep that nothing else should look at it
};
/// Bounds every text, array, object and the depth; refuses control characters. Numbers get one
/// form: an integer that was written `12.0` becomes 12.
BoundsResult check_bounds(const boost::json::object& root, boost::json::value& inputs);

/// Fills in the defaults of missing members, nested too.
void apply_defaults(const boost::json::object& root, boost::json::value& inputs);

/// Calls `visit` for every string at a location ("*": each element or member).
void visit_texts(boost::json::value& inputs, const std::vector<std::string>& location,
                 const std::function<void(const InputPath&, boost::json::string&)>& visit);

}  // namespace runyard
