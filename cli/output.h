#pragma once

#include <boost/json/value.hpp>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"

namespace runyard::cli {

enum class Colour { kNone, kGreen, kRed, kYellow, kBlue, kGrey, kBold };

/// The text between colour codes, or as it is when `on` is false.
std::string paint(std::string_view text, Colour colour, bool on);
/// The colour of a job's or a plugin's state.
Colour colour_of_status(std::string_view status);

/// A table of aligned columns. Cells are escaped, so they may hold anything.
class Table {
 public:
  struct Cell {
    Cell(std::string cell_text = {}, Colour cell_colour = Colour::kNone)
        : text(std::move(cell_text)), colour(cell_colour) {}
    std::string text;
    Colour colour;
  };
  struct Column {
    std::string title;
    bool right = false;  ///< numbers
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }
  /// One line a row, the titles first. Columns that are empty in every row are left out. `width`
  /// cuts the lines, 0 does not.
  std::string render(bool colour, std::size_t width) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

/// `0.4s`, `12s`, `3m05s`, `2h10m`, `3d04h`; "" for nothing.
std::string format_duration(std::optional<double> seconds);
/// Local time: `10:15:30` today, `11-22 10:15` this year, `2025-11-22` before; "" for no time.
std::string short_time(std::string_view iso, TimeMs now);
/// `[######----]`, `cells` wide between the brackets.
std::string bar(double fraction, std::size_t cells);
/// `12.3 KiB`
std::string format_bytes(double bytes);

/// JSON for people: on one line, and with 0.5 where the library writes 5E-1.
std::string compact_json(const boost::json::value& value);
/// One JSON value on one line of stdout.
void print_json(const boost::json::value& document);
void print(std::string_view text);
/// `runyard: <text>` on stderr: for people, never part of a result.
void note(std::string_view text);

}  // namespace runyard::cli
