#pragma once

#include <boost/json/array.hpp>
#include <string_view>

#include "core/base/result.h"

namespace runyard {

/// The rows of `trades.csv`, in the order of the file.
struct Trades {
  /// Every column of the file, typed; and, whichever names its writer used, `entry_date, exit_date,
  /// pnl_pct, exit_reason, holding_days`.
  boost::json::array rows;
  boost::json::array warnings;  ///< sentences without the file's name
};

/// A file without trades (`# no trades`) has no rows. Never fails for its content.
Result<Trades> read_trades(std::string_view bytes);

/// The last `count` trades, the newest first, with the five common fields alone.
boost::json::array newest_trades(const boost::json::array& rows, std::size_t count);

}  // namespace runyard
