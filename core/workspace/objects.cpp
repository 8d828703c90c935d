#include "core/workspace/objects.h"

#include <algorithm>
#include <boost/json.hpp>

#include "core/base/plain_json.h"
#include "core/base/text.h"
#include "core/workspace/documents.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxTicker = 64;
const json::value kNull;

Result<json::object> to_object(Result<json::value> document) {
  if (!document) return document.error();
  if (!document->is_object()) {
    return make_error(ErrorKind::kInvalid, "it holds something else than names with values");
  }
  use_slashes(*document);
  return std::move(document->get_object());
}

void add_ticker(json::array& tickers, std::string_view text) {
  text = trim(text);
  if (!text.empty()) tickers.emplace_back(text);
}

}  // namespace

Result<json::object> read_json_object(std::string_view bytes) {
  return to_object(read_json(bytes));
}
Result<json::object> read_yaml_object(std::string_view bytes) {
  return to_object(read_yaml(bytes));
}

const json::value& member(const json::object& object, std::string_view key) {
  const json::object* at = &object;
  for (;;) {
    const std::size_t dot = key.find('.');
    const json::value* value = at->if_contains(key.substr(0, dot));
    if (!value) return kNull;
    if (dot == std::string_view::npos) return *value;
    at = value->if_object();
    if (!at) return kNull;
    key.remove_prefix(dot + 1);
  }
}

json::value text_member(const json::object& object, std::string_view key) {
  const json::value& value = member(object, key);
  if (value.is_string() || value.is_null()) return value;
  if (value.is_object() || value.is_array()) return nullptr;
  return json::string(plain_json(value));
}

json::array ticker_list(const json::object& object, std::string_view key) {
  json::array tickers;
  const json::value& value = member(object, key);
  if (const auto* list = value.if_array()) {
    for (const auto& item : *list) {
      if (item.is_string()) {
        add_ticker(tickers, item.get_string());
      } else if (item.is_number() || item.is_bool()) {
        add_ticker(tickers, plain_json(item));
      }
    }
  } else if (const auto* text = value.if_string()) {
    std::string_view rest = *text;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      add_ticker(tickers, rest.substr(0, comma));
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return tickers;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

bool is_ticker(std::string_view text) {
  const auto fits = [](unsigned char c, std::string_view others) {
    return std::isalnum(c) || others.find(static_cast<char>(c)) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= kMaxTicker && fits(text.front(), "^") &&
         std::all_of(text.begin(), text.end(), [&](char c) { return fits(c, ".^=_-"); });
}

}  // namespace runyard
