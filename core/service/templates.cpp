#include "core/service/templates.h"

#include <fmt/format.h>

#include <boost/json.hpp>

namespace runyard {
namespace {

namespace json = boost::json;

constexpr std::string_view kOpen = "{hint.";

Result<json::value> fill(const json::value& value, const json::object& hints,
                         const std::string& pointer) {
  if (const auto* object = value.if_object()) {
    json::object filled;
    for (const auto& [key, member] : *object) {
      auto result = fill(member, hints, pointer + "/" + std::string(key));
      if (!result) return result;
      filled[key] = std::move(*result);
    }
    return json::value(std::move(filled));
  }
  if (const auto* array = value.if_array()) {
    json::array filled;
    for (const auto& item : *array) {
      auto result = fill(item, hints, fmt::format("{}/{}", pointer, filled.size()));
      if (!result) return result;
      filled.push_back(std::move(*result));
    }
    return json::value(std::move(filled));
  }
  if (!value.is_string()) return value;
  const std::string_view text = value.get_string();
  std::string filled;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t open = text.find(kOpen, at);
    filled += text.substr(at, open - at);
    if (open == std::string_view::npos) break;
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos) {
      filled += text.substr(open);
      break;
    }
    const auto name = text.substr(open + kOpen.size(), close - open - kOpen.size());
    const auto* hint = hints.if_contains(name);
    if (!hint || !hint->is_string()) {
      return invalid_field(pointer, fmt::format("the jobs before it gave no '{}'", name));
    }
    filled += std::string_view(hint->get_string());
    at = close + 1;
  }
  return json::value(filled);
}

}  // namespace

bool has_templates(const json::value& params) {
  if (const auto* object = params.if_object()) {
    for (const auto& [key, member] : *object) {
      if (has_templates(member)) return true;
    }
  } else if (const auto* array = params.if_array()) {
    for (const auto& item : *array) {
      if (has_templates(item)) return true;
    }
  } else if (params.is_string()) {
    return std::string_view(params.get_string()).find(kOpen) != std::string_view::npos;
  }
  return false;
}

Result<json::object> fill_templates(const json::object& params, const json::object& hints) {
  auto filled = fill(params, hints, "");
  if (!filled) return filled.error();
  return std::move(filled->as_object());
}

}  // namespace runyard
