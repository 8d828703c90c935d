#include "core/base/plain_json.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cmath>
#include <iterator>

namespace runyard {
namespace {

namespace json = boost::json;

void write(const json::value& value, std::string& out);

/// Most texts have nothing to escape, and need no serializer.
void write_text(json::string_view text, std::string& out) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\') {
      out += json::serialize(text);
      return;
    }
  }
  out += '"';
  out.append(text.data(), text.size());
  out += '"';
}

void write_number(double number, std::string& out) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  const std::size_t start = out.size();
  fmt::format_to(std::back_inserter(out), "{}", number);
  // Without a point or an exponent it would be an integer to whoever reads it.
  if (out.find_first_of(".e", start) == std::string::npos) out += ".0";
}

void write_object(const json::object& object, std::string& out) {
  out += '{';
  bool first = true;
  for (const auto& [key, member] : object) {
    if (!first) out += ',';
    first = false;
    write_text(key, out);
    out += ':';
    write(member, out);
  }
  out += '}';
}

void write_array(const json::array& array, std::string& out) {
  out += '[';
  bool first = true;
  for (const auto& item : array) {
    if (!first) out += ',';
    first = false;
    write(item, out);
  }
  out += ']';
}

void write(const json::value& value, std::string& out) {
  switch (value.kind()) {
    case json::kind::object:
      return write_object(value.get_object(), out);
    case json::kind::array:
      return write_array(value.get_array(), out);
    case json::kind::string:
      return write_text(value.get_string(), out);
    case json::kind::double_:
      return write_number(value.get_double(), out);
    case json::kind::int64:
      fmt::format_to(std::back_inserter(out), "{}", value.get_int64());
      return;
    case json::kind::uint64:
      fmt::format_to(std::back_inserter(out), "{}", value.get_uint64());
      return;
    case json::kind::bool_:
      out += value.get_bool() ? "true" : "false";
      return;
    case json::kind::null:
      out += "null";
  }
}

}  // namespace

std::string plain_json(const json::value& value) {
  std::string out;
  write(value, out);
  return out;
}

}  // namespace runyard
