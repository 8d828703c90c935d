#include "core/workspace/strategy.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace runyard {
namespace {

namespace json = boost::json;

json::value summary(const char* config, const char* ticker) {
  return summarize_strategy(json::parse(config).get_object(), ticker);
}

TEST(Strategy, IsNullWithoutConfig) {
  EXPECT_EQ(summary("{}", "TSM"), json::parse(R"({
    "stop_loss_pct": null, "take_profit_activation_pct": null, "trail_stop_low_pct": null,
    "trail_stop_high_pct": null, "min_days_between_entries": null, "use_market_filter": null,
    "conf_thresholds": null})"));
  EXPECT_EQ(summary(R"({"strategy": [1], "per_ticker": "x", "_resolved_strategy": 3})", "TSM"),
            summary("{}", "TSM"));
}

TEST(Strategy, PutsTheTickersOwnOverTheGlobalOne) {
  const char* config = R"({
    "strategy": {"stop_loss_pct": 0.08, "use_market_filter": true, "position_pct": {"low": 1},
                 "min_days_between_entries": 10, "conf_thresholds": {"low": 0.6, "high": 0.9}},
    "per_ticker": {"BRK.B": {"strategy": {"stop_loss_pct": 0.12, "conf_thresholds": {"high": 0.8}}},
                   "TSM": {"use_market_filter": false}}})";
  EXPECT_EQ(summary(config, "BRK.B"), json::parse(R"({
    "stop_loss_pct": 0.12, "take_profit_activation_pct": null, "trail_stop_low_pct": null,
    "trail_stop_high_pct": null, "min_days_between_entries": 10, "use_market_filter": true,
    "conf_thresholds": {"low": 0.6, "high": 0.8}})"));
  EXPECT_EQ(summary(config, "TSM").at("use_market_filter"), json::value(false));
  EXPECT_EQ(summary(config, "NVDA").at("stop_loss_pct"), json::value(0.08));
}

TEST(Strategy, KnowsWhatTheWriterResolved) {
  EXPECT_EQ(summary(R"({"strategy": {"stop_loss_pct": 0.08},
                        "_resolved_strategy": {"stop_loss_pct": 0.1, "trail_stop_low_pct": 0.05}})",
                    "TSM"),
            json::parse(R"({
    "stop_loss_pct": 0.1, "take_profit_activation_pct": null, "trail_stop_low_pct": 0.05,
    "trail_stop_high_pct": null, "min_days_between_entries": null, "use_market_filter": null,
    "conf_thresholds": null})"));
}

}  // namespace
}  // namespace runyard
