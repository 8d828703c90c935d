#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace runyard {

/// A CSV file as text. Every row has as many cells as there are columns.
struct CsvTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> warnings;  ///< what was left out, in sentences without the file's name
};

/// Reads RFC 4180 with what real files add: a byte order mark, any line ends, blank lines, comments
/// (`# no trades`), invalid UTF-8 (becomes U+FFFD). Rows that end too early, as in a file that is
/// being written, are left out with a warning. Never fails: no header is a table without columns.
CsvTable read_csv(std::string_view text);

/// What a column of a table holds.
enum class CellKind {
  kText,     ///< empty and `nan`: null
  kPath,     ///< text; backslashes become slashes
  kName,     ///< text; only empty is null: a ticker may be called NAN
  kInteger,  ///< `12` and `12.0`; null for what is no whole number
  kNumber,   ///< null for what is no finite number
  kAny,      ///< a number when it is one, else text
};

/// A cell with its type. Never NaN or infinite.
boost::json::value parse_cell(std::string_view text, CellKind kind);
/// The same for a value of the JSON twin of a CSV file.
boost::json::value convert_cell(const boost::json::value& value, CellKind kind);

}  // namespace runyard
