#include "core/workspace/strategy.h"

#include <boost/json.hpp>

#include "core/workspace/objects.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr const char* kFields[] = {
    "stop_loss_pct",       "take_profit_activation_pct", "trail_stop_low_pct",
    "trail_stop_high_pct", "min_days_between_entries",   "use_market_filter",
    "conf_thresholds",
};

/// Puts the fields that `over` has on top; those that are mappings are merged.
void overlay(json::object& summary, const json::value& over) {
  const auto* object = over.if_object();
  if (!object) return;
  for (const char* field : kFields) {
    const json::value* value = object->if_contains(field);
    if (!value || value->is_null()) continue;
    json::value& known = summary[field];
    if (known.is_object() && value->is_object()) {
      for (const auto& [key, each] : value->get_object()) known.get_object()[key] = each;
    } else {
      known = *value;
    }
  }
}

/// A ticker is no dotted key: it may have a dot in it.
const json::value& of_ticker(const json::value& all, std::string_view ticker) {
  static const json::value kNull;
  const auto* object = all.if_object();
  const json::value* own = object ? object->if_contains(ticker) : nullptr;
  return own ? *own : kNull;
}

}  // namespace

json::object summarize_strategy(const json::object& config, std::string_view ticker) {
  json::object summary;
  for (const char* field : kFields) summary[field] = nullptr;
  overlay(summary, member(config, "strategy"));
  overlay(summary, member(config, "_resolved_strategy"));
  for (const char* place : {"per_ticker", "strategy.per_ticker"}) {
    const json::value& own = of_ticker(member(config, place), ticker);
    overlay(summary, own);
    if (own.is_object()) overlay(summary, member(own.get_object(), "strategy"));
  }
  return summary;
}

}  // namespace runyard
