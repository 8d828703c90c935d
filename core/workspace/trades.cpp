#include "core/workspace/trades.h"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <optional>

#include "core/base/clock.h"
#include "core/workspace/csv.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr TimeMs kDayMs = 24LL * 3600 * 1000;

struct Column {
  const char* name;
  CellKind kind;
};
constexpr Column kColumns[] = {
    {"buy_date", CellKind::kText},        {"buy_price", CellKind::kNumber},
    {"sell_date", CellKind::kText},       {"sell_price", CellKind::kNumber},
    {"shares", CellKind::kNumber},        {"cost", CellKind::kNumber},
    {"sell_value", CellKind::kNumber},    {"return", CellKind::kNumber},
    {"profit", CellKind::kNumber},        {"hold_days", CellKind::kInteger},
    {"exit_reason", CellKind::kText},     {"entry_type", CellKind::kText},
    {"confidence", CellKind::kNumber},    {"entry_date", CellKind::kText},
    {"exit_date", CellKind::kText},       {"pnl_pct", CellKind::kNumber},
    {"holding_days", CellKind::kInteger},
};

/// The field of the API, and the other writer's name for it.
constexpr std::pair<const char*, const char*> kCommon[] = {
    {"entry_date", "buy_date"},     {"exit_date", "sell_date"},    {"pnl_pct", "return"},
    {"exit_reason", "exit_reason"}, {"holding_days", "hold_days"},
};

CellKind kind_of(std::string_view name) {
  for (const Column& column : kColumns) {
    if (name == column.name) return column.kind;
  }
  return CellKind::kAny;
}

/// Whole days between two dates, whatever follows them; null when one of them is none.
json::value days_between(const json::value& from, const json::value& to) {
  const auto midnight = [](const json::value& date) -> std::optional<TimeMs> {
    if (!date.is_string() || date.get_string().size() < 10) return std::nullopt;
    return parse_time(std::string(std::string_view(date.get_string()).substr(0, 10)) +
                      "T00:00:00Z");
  };
  const auto begin = midnight(from), end = midnight(to);
  if (!begin || !end) return nullptr;
  return (*end - *begin) / kDayMs;
}

/// Texts of dates order as dates do; a trade without an end is still open, so the newest.
std::string end_of(const json::value& row) {
  const json::value& end = row.at("exit_date");
  return end.is_string() ? std::string(end.get_string()) : "~";
}

}  // namespace

Result<Trades> read_trades(std::string_view bytes) {
  const CsvTable table = read_csv(bytes);
  Trades trades;
  for (const auto& warning : table.warnings) trades.warnings.emplace_back(warning);
  for (const auto& cells : table.rows) {
    json::object row;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      row[table.columns[i]] = parse_cell(cells[i], kind_of(table.columns[i]));
    }
    for (const auto& [field, other] : kCommon) {
      if (row.contains(field)) continue;
      const json::value* value = row.if_contains(other);
      row[field] = value ? *value : json::value();
    }
    if (row["holding_days"].is_null()) {
      row["holding_days"] = days_between(row["entry_date"], row["exit_date"]);
    }
    trades.rows.push_back(std::move(row));
  }
  return trades;
}

json::array newest_trades(const json::array& rows, std::size_t count) {
  std::vector<const json::object*> order;
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) order.push_back(&row->get_object());
  std::stable_sort(order.begin(), order.end(),
                   [](const auto* a, const auto* b) { return end_of(*a) > end_of(*b); });
  json::array newest;
  for (const auto* row : order) {
    if (newest.size() == count) break;
    json::object trade;
    for (const auto& [field, other] : kCommon) trade[field] = row->at(field);
    newest.push_back(std::move(trade));
  }
  return newest;
}

}  // namespace runyard
