#include "core/workspace/equity.h"

#include <algorithm>
#include <boost/json.hpp>
#include <optional>
#include <set>

#include "core/workspace/csv.h"

namespace runyard {
namespace {

namespace json = boost::json;

/// The index of the first of these columns; nullopt when there is none.
std::optional<std::size_t> column_of(const CsvTable& table,
                                     std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const auto found = std::find(table.columns.begin(), table.columns.end(), name);
    if (found != table.columns.end()) {
      return static_cast<std::size_t>(found - table.columns.begin());
    }
  }
  return std::nullopt;
}

std::optional<double> number(const json::value& value) {
  return value.is_double() ? std::optional(value.get_double()) : std::nullopt;
}

/// Indices of the deepest fall: from a highest value so far to the lowest one after it, and to the
/// first one that is as high again.
struct Fall {
  std::optional<std::size_t> peak, trough, recovery;
};

Fall deepest_fall(const std::vector<std::optional<double>>& values) {
  Fall fall;
  std::size_t peak = 0;
  double high = 0, worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!values[i]) continue;
    if (*values[i] >= high) {
      high = *values[i];
      peak = i;
    } else if (const double drop = *values[i] / high - 1; high > 0 && drop < worst) {
      worst = drop;
      fall = {peak, i, std::nullopt};
    }
  }
  if (!fall.trough) return fall;
  for (std::size_t i = *fall.trough + 1; i < values.size(); ++i) {
    if (values[i] && *values[i] >= *values[*fall.peak]) {
      fall.recovery = i;
      break;
    }
  }
  return fall;
}

/// At most kMaxPoints indices: `fixed`, both ends, and the extremes of equal stretches between.
std::set<std::size_t> thin(const std::vector<std::optional<double>>& values,
                           const std::vector<std::size_t>& fixed) {
  std::set<std::size_t> kept(fixed.begin(), fixed.end());
  kept.insert(0);
  kept.insert(values.size() - 1);
  const std::size_t stretches = (EquityCurve::kMaxPoints - kept.size()) / 2;
  for (std::size_t stretch = 0; stretch < stretches; ++stretch) {
    const std::size_t begin = values.size() * stretch / stretches;
    const std::size_t end = values.size() * (stretch + 1) / stretches;
    std::optional<std::size_t> low, high;
    for (std::size_t i = begin; i < end; ++i) {
      if (!values[i]) continue;
      if (!low || *values[i] < *values[*low]) low = i;
      if (!high || *values[i] > *values[*high]) high = i;
    }
    if (!low && begin < end) low = begin;  // a gap of the chart
    if (low) kept.insert(*low);
    if (high) kept.insert(*high);
  }
  return kept;
}

}  // namespace

Result<EquityCurve> read_equity(std::string_view bytes) {
  const CsvTable table = read_csv(bytes);
  EquityCurve curve;
  for (const auto& warning : table.warnings) curve.warnings.emplace_back(warning);
  curve.mdd_window = {
      {"mdd_peak_date", nullptr}, {"mdd_trough_date", nullptr}, {"mdd_recovery_date", nullptr}};
  if (table.columns.empty()) return curve;
  const auto date = column_of(table, {"date"});
  const auto value = column_of(table, {"portfolio_value", "value"});
  const auto benchmark = column_of(table, {"benchmark_value"});
  const auto injected = column_of(table, {"injected_cash"});
  if (!date || !value) {
    return make_error(ErrorKind::kInvalid, "it has no columns date and value (or portfolio_value)");
  }
  const auto cell = [](const std::vector<std::string>& row, std::optional<std::size_t> column) {
    return column ? parse_cell(row[*column], CellKind::kNumber) : json::value();
  };
  std::vector<std::optional<double>> values;
  for (const auto& row : table.rows) values.push_back(number(cell(row, value)));
  if (values.empty()) return curve;

  const Fall fall = deepest_fall(values);
  std::vector<std::size_t> fixed;
  const auto mark = [&](const char* field, const std::optional<std::size_t>& index) {
    if (!index) return;
    fixed.push_back(*index);
    curve.mdd_window[field] = parse_cell(table.rows[*index][*date], CellKind::kText);
  };
  mark("mdd_peak_date", fall.peak);
  mark("mdd_trough_date", fall.trough);
  mark("mdd_recovery_date", fall.recovery);

  const auto add = [&](std::size_t index) {
    const auto& row = table.rows[index];
    curve.points.push_back(json::object{{"date", parse_cell(row[*date], CellKind::kText)},
                                        {"portfolio_value", cell(row, value)},
                                        {"benchmark_value", cell(row, benchmark)},
                                        {"injected_cash", cell(row, injected)}});
  };
  if (values.size() <= EquityCurve::kMaxPoints) {
    for (std::size_t i = 0; i < values.size(); ++i) add(i);
  } else {
    for (const std::size_t index : thin(values, fixed)) add(index);
  }
  return curve;
}

}  // namespace runyard
