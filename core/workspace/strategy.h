#pragma once

#include <boost/json/object.hpp>
#include <string_view>

namespace runyard {

/// The fields of `strategy_summary` out of a backtest's effective configuration: the global
/// strategy, what the writer resolved (`_resolved_strategy`) over it, the ticker's own over both.
/// Null for a field that none of them has.
boost::json::object summarize_strategy(const boost::json::object& config, std::string_view ticker);

}  // namespace runyard
