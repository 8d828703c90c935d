#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string_view>

#include "core/base/result.h"

namespace runyard {

/// What a chart needs of `equity.csv`.
struct EquityCurve {
  /// `{date, portfolio_value, benchmark_value, injected_cash}`, at most kMaxPoints of them: the
  /// first, the last, the highest and the lowest one of each stretch, and those of `mdd_window`.
  boost::json::array points;
  /// `{mdd_peak_date, mdd_trough_date, mdd_recovery_date}` of the deepest fall of the portfolio's
  /// value, looked for in all points; null where there is none.
  boost::json::object mdd_window;
  boost::json::array warnings;  ///< sentences without the file's name

  static constexpr std::size_t kMaxPoints = 2000;
};

/// Reads both kinds of columns that writers use. A file without points (`# no equity data`) is an
/// empty curve. kInvalid when the columns are others.
Result<EquityCurve> read_equity(std::string_view bytes);

}  // namespace runyard
