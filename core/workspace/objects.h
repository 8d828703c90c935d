#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>
#include <string_view>

#include "core/workspace/file_cache.h"

namespace runyard {

/// A JSON or YAML file whose content is an object, its paths with forward slashes; kInvalid.
Result<boost::json::object> read_json_object(std::string_view bytes);
Result<boost::json::object> read_yaml_object(std::string_view bytes);

/// The member at a dotted key; null when there is none.
const boost::json::value& member(const boost::json::object& object, std::string_view dotted_key);
/// A text at the key; null for everything else. Other scalars become texts.
boost::json::value text_member(const boost::json::object& object, std::string_view dotted_key);

/// Tickers at the key: those of a list, or of a text with commas; trimmed.
boost::json::array ticker_list(const boost::json::object& object, std::string_view dotted_key);

bool equal_ignoring_case(std::string_view a, std::string_view b);
/// A name that the API shows and takes: letters, digits and . ^ = _ -, at most 64, the first one a
/// letter, a digit or ^.
bool is_ticker(std::string_view text);

/// `parsed` as a value; null when it failed, which `warnings` tells then.
template <class T>
boost::json::value value_or_null(const Result<std::shared_ptr<const T>>& parsed,
                                 boost::json::array& warnings) {
  if (parsed) return **parsed;
  warnings.emplace_back(parsed.error().message);
  return nullptr;
}

}  // namespace runyard
