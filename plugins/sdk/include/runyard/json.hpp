#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runyard {

/// A JSON value to read: what a plugin gets as its inputs. Part of the SDK so that a plugin needs
/// nothing but a compiler. Objects keep their order.
class Json {
 public:
  enum class Type { kNull, kBoolean, kNumber, kString, kArray, kObject };
  using Member = std::pair<std::string, Json>;

  /// Reads a whole text; throws std::runtime_error when it is not JSON.
  static Json parse(std::string_view text);

  Type type() const { return type_; }
  bool is_null() const { return type_ == Type::kNull; }
  bool is_string() const { return type_ == Type::kString; }
  bool is_array() const { return type_ == Type::kArray; }
  bool is_object() const { return type_ == Type::kObject; }

  /// These throw std::runtime_error when the value is of another type.
  bool boolean() const { return expect(Type::kBoolean, "true or false"), boolean_; }
  const std::string& string() const { return expect(Type::kString, "a string"), text_; }
  const std::vector<Json>& items() const { return expect(Type::kArray, "an array"), items_; }
  const std::vector<Member>& members() const {
    return expect(Type::kObject, "an object"), members_;
  }
  double number() const {
    return expect(Type::kNumber, "a number"), std::strtod(text_.c_str(), nullptr);
  }
  std::int64_t integer() const {
    expect(Type::kNumber, "a number");
    std::int64_t value = 0;
    const char* const end = text_.data() + text_.size();
    if (const auto read = std::from_chars(text_.data(), end, value);
        read.ec == std::errc() && read.ptr == end) {
      return value;
    }
    const double real = number();  // 1e3, 12.0
    if (real != std::floor(real) || std::fabs(real) > 9007199254740992.0) {
      throw std::runtime_error(text_ + " is not an integer");
    }
    return static_cast<std::int64_t>(real);
  }
  /// A number as it was written; a string's content; `true` or `false`: what an argument needs.
  std::string to_argument() const {
    if (type_ == Type::kBoolean) return boolean_ ? "true" : "false";
    if (type_ != Type::kNumber) expect(Type::kString, "a string, a number or a boolean");
    return text_;
  }

  /// The member of an object; nullptr when it is missing, or when this is no object.
  const Json* find(std::string_view name) const {
    for (const Member& member : members_) {
      if (member.first == name) return &member.second;
    }
    return nullptr;
  }

 private:
  class Parser;

  void expect(Type type, const char* what) const {
    if (type_ != type) throw std::runtime_error(std::string("expected ") + what);
  }

  Type type_ = Type::kNull;
  bool boolean_ = false;
  std::string text_;  // a string's content, or a number as written
  std::vector<Json> items_;
  std::vector<Member> members_;
};

/// Recursive descent over a text that the server has made, so strict but without fine words.
class Json::Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Json document() {
    Json value = read(0);
    skip_blanks();
    if (at_ != text_.size()) fail();
    return value;
  }

 private:
  static constexpr int kMaxDepth = 64;

  [[noreturn]] void fail() const {
    throw std::runtime_error("not JSON at byte " + std::to_string(at_));
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  char next() {
    if (at_ >= text_.size()) fail();
    return text_[at_++];
  }
  void skip_blanks() {
    while (at_ < text_.size() &&
           std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) {
      ++at_;
    }
  }
  void literal(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) fail();
    at_ += word.size();
  }

  Json read(int depth) {
    if (depth > kMaxDepth) fail();
    skip_blanks();
    Json value;
    switch (peek()) {
      case 'n':
        literal("null");
        break;
      case 't':
        literal("true");
        value.type_ = Type::kBoolean;
        value.boolean_ = true;
        break;
      case 'f':
        literal("false");
        value.type_ = Type::kBoolean;
        break;
      case '"':
        value.type_ = Type::kString;
        value.text_ = read_string();
        break;
      case '[':
        value.type_ = Type::kArray;
        list(']', [&] { value.items_.push_back(read(depth + 1)); });
        break;
      case '{':
        value.type_ = Type::kObject;
        list('}', [&] {
          skip_blanks();
          std::string name = read_string();
          skip_blanks();
          if (next() != ':') fail();
          value.members_.emplace_back(std::move(name), read(depth + 1));
        });
        break;
      default:
        value.type_ = Type::kNumber;
        value.text_ = read_number();
    }
    return value;
  }

  template <class Element>
  void list(char close, Element element) {
    ++at_;
    skip_blanks();
    if (peek() == close) {
      ++at_;
      return;
    }
    for (;;) {
      element();
      skip_blanks();
      const char c = next();
      if (c == close) return;
      if (c != ',') fail();
    }
  }

  void digits() {
    if (peek() < '0' || peek() > '9') fail();
    while (peek() >= '0' && peek() <= '9') ++at_;
  }

  std::string read_number() {
    const std::size_t start = at_;
    if (peek() == '-') ++at_;
    if (peek() == '0') {
      ++at_;
    } else {
      digits();
    }
    if (peek() == '.') {
      ++at_;
      digits();
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      digits();
    }
    return std::string(text_.substr(start, at_ - start));
  }

  std::uint32_t hex4() {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = next();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) fail();
      value = value * 16 + static_cast<std::uint32_t>(digit);
    }
    return value;
  }

  static void append_utf8(std::string& out, std::uint32_t code) {
    const auto byte = [&out](std::uint32_t bits) { out += static_cast<char>(bits); };
    if (code < 0x80) {
      byte(code);
    } else if (code < 0x800) {
      byte(0xC0 | code >> 6);
      byte(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      byte(0xE0 | code >> 12);
      byte(0x80 | (code >> 6 & 0x3F));
      byte(0x80 | (code & 0x3F));
    } else {
      byte(0xF0 | code >> 18);
      byte(0x80 | (code >> 12 & 0x3F));
      byte(0x80 | (code >> 6 & 0x3F));
      byte(0x80 | (code & 0x3F));
    }
  }

  std::string read_string() {
    if (next() != '"') fail();
    std::string out;
    for (;;) {
      const char c = next();
      if (c == '"') return out;
      if (static_cast<unsigned char>(c) < 0x20) fail();
      if (c != '\\') {
        out += c;
        continue;
      }
      switch (next()) {
        case '"':
          out += '"';
          break;
        case '\\':
          out += '\\';
          break;
        case '/':
          out += '/';
          break;
        case 'b':
          out += '\b';
          break;
        case 'f':
          out += '\f';
          break;
        case 'n':
          out += '\n';
          break;
        case 'r':
          out += '\r';
          break;
        case 't':
          out += '\t';
          break;
        case 'u': {
          std::uint32_t code = hex4();
          if (code >= 0xDC00 && code < 0xE000) fail();
          if (code >= 0xD800 && code < 0xDC00) {
            if (next() != '\\' || next() != 'u') fail();
            const std::uint32_t low = hex4();
            if (low < 0xDC00 || low >= 0xE000) fail();
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
          }
          append_utf8(out, code);
          break;
        }
        default:
          fail();
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

inline Json Json::parse(std::string_view text) { return Parser(text).document(); }

/// The text as a JSON string, quotes included.
inline std::string json_quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += "0123456789abcdef"[byte >> 4];
      out += "0123456789abcdef"[byte & 15];
    } else {
      out += c;
    }
  }
  return out += '"';
}

}  // namespace runyard
