#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace runyard::cli {

/// Members of a document of the server, read leniently: a missing or ill-typed one is empty.
inline std::string text_of(const boost::json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}
inline std::optional<double> number_of(const boost::json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  if (!value || !value->is_number()) return std::nullopt;
  return value->to_number<double>();
}
inline std::optional<std::int64_t> integer_of(const boost::json::object& object,
                                              std::string_view key) {
  const auto* value = object.if_contains(key);
  if (!value) return std::nullopt;
  boost::system::error_code error;
  const auto number = value->to_number<std::int64_t>(error);
  return error ? std::nullopt : std::optional(number);
}
inline bool flag_of(const boost::json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value && value->is_bool() && value->get_bool();
}
/// Null when there is no such object or array.
inline const boost::json::object* object_of(const boost::json::object& object,
                                            std::string_view key) {
  const auto* value = object.if_contains(key);
  return value ? value->if_object() : nullptr;
}
inline const boost::json::array* array_of(const boost::json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value ? value->if_array() : nullptr;
}

}  // namespace runyard::cli
