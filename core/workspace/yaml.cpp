#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <sstream>

#include "core/base/text.h"
#include "core/workspace/documents.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr std::size_t kDeepestYaml = 64;
constexpr std::size_t kMaxValues = 1'000'000;  // aliases of aliases grow without end
constexpr std::size_t kBytesAsValue = 32;      // long texts count as several values

struct TooMuch {
  const char* why;
};

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  for (const auto word : words) {
    if (text == word) return true;
  }
  return false;
}

std::optional<json::value> to_integer(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x")) base = 16;
  if (text.starts_with("0o")) base = 8;
  if (base != 10) {
    text.remove_prefix(2);
  } else if (text.starts_with('+')) {
    text.remove_prefix(1);
  }
  if (text.empty() || (text[0] == '-' && base != 10) || text.starts_with('+')) return std::nullopt;
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number, base);
  if (at != end || error != std::errc()) return std::nullopt;
  return json::value(number);
}

/// The core schema's `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
std::optional<json::value> to_float(std::string_view text) {
  std::string_view rest = text;
  if (rest.starts_with('+') || rest.starts_with('-')) rest.remove_prefix(1);
  if (is_one_of(rest, {".inf", ".Inf", ".INF"})) return json::value(nullptr);
  if (is_one_of(text, {".nan", ".NaN", ".NAN"})) return json::value(nullptr);
  bool has_digit = false;
  for (const char c : rest) {
    const bool digit = c >= '0' && c <= '9';
    has_digit = has_digit || digit;
    if (!digit && c != '.' && c != 'e' && c != 'E' && c != '+' && c != '-') return std::nullopt;
  }
  if (!has_digit) return std::nullopt;
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (at != end) return std::nullopt;
  if (error != std::errc() || !std::isfinite(number)) return json::value(nullptr);  // too large
  return json::value(number);
}

json::value to_plain_scalar(const std::string& text) {
  if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) return nullptr;
  if (is_one_of(text, {"true", "True", "TRUE"})) return true;
  if (is_one_of(text, {"false", "False", "FALSE"})) return false;
  if (auto number = to_integer(text)) return std::move(*number);
  if (auto number = to_float(text)) return std::move(*number);
  return json::string(text);
}

/// Builds the JSON value while the parser reads: several times faster than by way of YAML::Node,
/// and it tells a plain scalar from a quoted one.
class Builder : public YAML::EventHandler {
 public:
  json::value take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t anchor) override { add(nullptr, "", anchor); }
  void OnAlias(const YAML::Mark&, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw TooMuch{"an alias stands inside of what it names"};
    count(found->second.values);
    add(found->second.value, "", 0);
  }
  void OnScalar(const YAML::Mark&, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const bool plain = tag == "?" || tag.empty();
    if (plain) return add(to_plain_scalar(value), value, anchor);
    constexpr std::string_view kCore = "tag:yaml.org,2002:";
    const std::string_view type =
        tag.starts_with(kCore) ? std::string_view(tag).substr(kCore.size()) : "";
    const bool typed = is_one_of(type, {"int", "float", "bool", "null"});
    add(typed ? to_plain_scalar(value) : json::value(json::string(value)), value, anchor);
  }
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(json::array(), anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(json::object(), anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Level {
    json::value value;
    YAML::anchor_t anchor = 0;
    std::size_t begin = 0;           // values_ before it
    std::optional<std::string> key;  // of the value that comes next
    json::array merges;              // the values of `<<`
  };
  struct Anchored {
    json::value value;
    std::size_t values = 1;
  };

  void count(std::size_t more) {
    values_ += more;
    if (values_ > kMaxValues) throw TooMuch{"it has too many values"};
  }

  void open(json::value empty, YAML::anchor_t anchor) {
    if (levels_.size() >= kDeepestYaml) throw TooMuch{"it is nested too deeply"};
    levels_.push_back({std::move(empty), anchor, values_, {}, {}});
  }

  void close() {
    Level level = std::move(levels_.back());
    levels_.pop_back();
    for (const auto& merged : level.merges) {
      if (!merged.is_object()) continue;
      for (const auto& [key, value] : merged.get_object()) {
        level.value.get_object().insert(json::key_value_pair(key, value));  // does not replace
      }
    }
    add(std::move(level.value), "", level.anchor, values_ - level.begin + 1);
  }

  void add(json::value value, const std::string& text, YAML::anchor_t anchor,
           std::size_t values = 0) {
    const std::size_t own = 1 + (value.is_string() ? value.get_string().size() / kBytesAsValue : 0);
    count(own);
    if (anchor) {
      count(std::max(values, own));  // the copy
      anchors_[anchor] = {value, std::max(values, own)};
    }
    if (levels_.empty()) {
      root_ = std::move(value);
      return;
    }
    Level& level = levels_.back();
    if (auto* array = level.value.if_array()) {
      array->push_back(std::move(value));
    } else if (!level.key) {
      level.key = value.is_string()                       ? std::string(value.get_string())
                  : value.is_object() || value.is_array() ? json::serialize(value)
                  : text.empty()                          ? json::serialize(value)
                                                          : text;
    } else {
      if (*level.key == "<<" && (value.is_object() || value.is_array())) {
        if (auto* list = value.if_array()) {
          for (auto& item : *list) level.merges.push_back(std::move(item));
        } else {
          level.merges.push_back(std::move(value));
        }
      } else {
        level.value.get_object()[*level.key] = std::move(value);
      }
      level.key.reset();
    }
  }

  json::value root_;
  std::vector<Level> levels_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  std::size_t values_ = 0;
};

}  // namespace

Result<json::value> read_yaml(std::string_view bytes) {
  const std::string text = clean_text(bytes);
  if (trim(text).empty()) return make_error(ErrorKind::kInvalid, "it is empty");
  std::istringstream stream(text);
  Builder builder;
  try {
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
  } catch (const TooMuch& reason) {
    return make_error(ErrorKind::kInvalid, reason.why);
  } catch (const YAML::Exception& error) {
    return make_error(ErrorKind::kInvalid,
                      fmt::format("it is no YAML: line {}: {}", error.mark.line + 1, error.msg));
  }
  return builder.take();
}

}  // namespace runyard
