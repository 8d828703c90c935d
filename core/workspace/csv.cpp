#include "core/workspace/csv.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "core/base/plain_json.h"
#include "core/base/text.h"
#include "core/workspace/documents.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr double kMaxExact = 9007199254740992.0;  // 2^53: whole numbers are exact up to there

bool is_nan(std::string_view text) {
  return text.size() == 3 && (text[0] | 0x20) == 'n' && (text[1] | 0x20) == 'a' &&
         (text[2] | 0x20) == 'n';
}

/// An integer or a finite number; null for anything else.
json::value to_number(std::string_view text) {
  text = trim(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  const char* end = text.data() + text.size();
  std::int64_t whole = 0;
  if (auto [at, error] = std::from_chars(text.data(), end, whole);
      error == std::errc() && at == end) {
    return whole;
  }
  double number = 0;
  if (auto [at, error] = std::from_chars(text.data(), end, number);
      error == std::errc() && at == end && std::isfinite(number)) {
    return number;
  }
  return nullptr;
}

/// `12.0` as 12; null for a number that is not whole.
json::value to_whole(json::value number) {
  if (!number.is_double()) return number;
  const double value = number.get_double();
  if (std::trunc(value) != value || std::abs(value) > kMaxExact) return nullptr;
  return static_cast<std::int64_t>(value);
}

/// The same as a number that has a fraction, also where the file has none.
json::value to_fraction(json::value number) {
  if (number.is_int64()) return static_cast<double>(number.get_int64());
  return number;
}

/// Takes the text apart, record by record.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  /// False at the end. `cut`: the text ended inside quotes.
  bool next(std::vector<std::string>& cells, bool& cut) {
    cells.clear();
    cut = false;
    skip_blank_lines();
    if (at_ == text_.size()) return false;
    for (;;) {
      cells.push_back(cell(cut));
      if (cut || at_ == text_.size()) return true;
      if (text_[at_++] == ',') continue;
      if (text_[at_ - 1] == '\r' && at_ < text_.size() && text_[at_] == '\n') ++at_;
      return true;
    }
  }

 private:
  static bool is_end(char c) { return c == '\n' || c == '\r'; }

  void skip_blank_lines() {
    while (at_ < text_.size()) {
      if (is_end(text_[at_])) {
        ++at_;
      } else if (text_[at_] == '#') {
        while (at_ < text_.size() && !is_end(text_[at_])) ++at_;
      } else {
        return;
      }
    }
  }

  std::string cell(bool& cut) {
    std::string value;
    if (at_ < text_.size() && text_[at_] == '"') {
      for (++at_;;) {
        const std::size_t quote = text_.find('"', at_);
        if (quote == std::string_view::npos) {
          value += text_.substr(at_);
          at_ = text_.size();
          cut = true;
          return value;
        }
        value += text_.substr(at_, quote - at_);
        at_ = quote + 1;
        if (at_ == text_.size() || text_[at_] != '"') break;
        value += '"';
        ++at_;
      }
    }
    const std::size_t end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
    value += text_.substr(at_, end - at_);
    at_ = end;
    return value;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

CsvTable read_csv(std::string_view bytes) {
  const std::string text = clean_text(bytes);
  Reader reader(text);
  CsvTable table;
  std::vector<std::string> cells;
  bool cut = false;
  if (!reader.next(cells, cut)) return table;
  if (cut) {
    table.warnings.push_back("the header ends inside quotes");
    return table;
  }
  for (const std::string& name : cells) table.columns.emplace_back(trim(name));
  std::size_t short_rows = 0;
  while (reader.next(cells, cut)) {
    if (cut || cells.size() < table.columns.size()) {
      ++short_rows;
      continue;
    }
    cells.resize(table.columns.size());
    table.rows.push_back(cells);
  }
  if (short_rows > 0) {
    table.warnings.push_back(short_rows == 1 ? "one row is incomplete and was left out"
                                             : fmt::format("{} rows are incomplete and were left "
                                                           "out",
                                                           short_rows));
  }
  return table;
}

json::value parse_cell(std::string_view text, CellKind kind) {
  switch (kind) {
    case CellKind::kInteger:
      return to_whole(to_number(text));
    case CellKind::kNumber:
      return to_fraction(to_number(text));
    case CellKind::kAny:
      if (json::value number = to_number(text); !number.is_null()) return number;
      break;
    case CellKind::kName:
      if (trim(text).empty()) return nullptr;
      return json::string(trim(text));
    case CellKind::kText:
    case CellKind::kPath:
      break;
  }
  const std::string_view bare = trim(text);
  if (bare.empty() || is_nan(bare)) return nullptr;
  if (kind == CellKind::kPath) return json::string(with_slashes(bare));
  return json::string(text);
}

json::value convert_cell(const json::value& value, CellKind kind) {
  if (value.is_string()) return parse_cell(std::string_view(value.get_string()), kind);
  if (kind == CellKind::kAny || value.is_null()) return value;
  if (kind == CellKind::kInteger || kind == CellKind::kNumber) {
    if (!value.is_number()) return nullptr;
    if (value.is_double() && !std::isfinite(value.get_double())) return nullptr;
    return kind == CellKind::kInteger ? to_whole(value) : to_fraction(value);
  }
  return json::string(plain_json(value));
}

}  // namespace runyard
