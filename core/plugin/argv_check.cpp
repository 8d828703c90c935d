#include "core/plugin/argv_check.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include "core/base/text.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxArguments = 1024;
constexpr std::size_t kMaxArgumentBytes = 128u << 10;
constexpr std::size_t kSmallInputs = 4096;
constexpr std::size_t kMaxFields = 100;
constexpr std::size_t kMaxMessage = 1000;

Error broken(const JobType& type, const std::string& what) {
  return make_error(ErrorKind::kInternal,
                    "the plugin '" + type.type + "' made an unusable command: " + what);
}

/// Any plugin makes long commands of long inputs: then it is told to whoever gave these.
Error too_long(const JobType& type, const std::string& limit, std::size_t input_bytes) {
  if (input_bytes <= kSmallInputs) return broken(type, "it has more than " + limit);
  return make_error(ErrorKind::kInvalid, "these inputs make a command of more than " + limit +
                                             ": give fewer or shorter ones");
}

/// A single dash is an argument by custom (standard input) and no flag.
bool is_declared(const JobType& type, std::string_view argument) {
  if (!argument.starts_with('-') || argument == "-") return true;
  const std::string_view flag = argument.substr(0, argument.find('='));
  return std::find(type.flags.begin(), type.flags.end(), flag) != type.flags.end();
}

}  // namespace

Result<std::vector<std::string>> read_arguments(const JobType& type, std::string_view text,
                                                std::size_t input_bytes) {
  boost::system::error_code error;
  const json::value value = json::parse({text.data(), text.size()}, error);
  if (error || !value.is_array()) return broken(type, "it is no JSON array of strings");
  const json::array& array = value.get_array();
  if (array.size() > kMaxArguments) {
    return too_long(type, std::to_string(kMaxArguments) + " arguments", input_bytes);
  }
  std::vector<std::string> arguments;
  std::size_t bytes = 0;
  for (const json::value& entry : array) {
    if (!entry.is_string()) return broken(type, "it is no JSON array of strings");
    std::string argument(entry.get_string());
    bytes += argument.size() + 1;
    if (bytes > kMaxArgumentBytes) {
      return too_long(type, std::to_string(kMaxArgumentBytes) + " bytes", input_bytes);
    }
    if (argument.find('\0') != std::string::npos) return broken(type, "it has a NUL in it");
    if (!is_declared(type, argument)) {
      return broken(type, "'" + ellipsize(argument, 100) +
                              "' begins with '-' and is not among its declared flags");
    }
    arguments.push_back(std::move(argument));
  }
  return arguments;
}

Error read_invalid(const JobType& type, std::string_view text) {
  boost::system::error_code code;
  const json::value value = json::parse({text.data(), text.size()}, code);
  const json::array* array = code ? nullptr : value.if_array();
  Error error{ErrorKind::kInvalid, {}, {}};
  if (array && array->size() <= kMaxFields) {
    for (const json::value& entry : *array) {
      const json::object* field = entry.if_object();
      const json::value* pointer = field ? field->if_contains("pointer") : nullptr;
      const json::value* message = field ? field->if_contains("message") : nullptr;
      if (!pointer || !pointer->is_string() || !message || !message->is_string()) continue;
      error.fields.push_back({std::string(pointer->get_string()),
                              ellipsize(std::string_view(message->get_string()), kMaxMessage)});
    }
  }
  if (error.fields.empty()) {
    return make_error(ErrorKind::kInternal, "the plugin '" + type.type +
                                                "' refused the inputs without a readable reason");
  }
  error.message = error.fields.front().message;
  if (error.fields.size() > 1) {
    error.message += " (and " + std::to_string(error.fields.size() - 1) + " more)";
  }
  return error;
}

}  // namespace runyard
