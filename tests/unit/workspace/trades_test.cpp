#include "core/workspace/trades.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace runyard {
namespace {

namespace json = boost::json;

TEST(Trades, OfTheUsualWriter) {
  const auto trades = read_trades(
      "buy_date,buy_price,sell_date,sell_price,shares,cost,sell_value,return,profit,hold_days,"
      "exit_reason,entry_type,confidence\n"
      "2020-01-02,10,2020-01-12,12.5,1.5,15,18.75,0.25,3.75,10.0,trailing_stop,low,nan\n");
  ASSERT_TRUE(trades);
  EXPECT_EQ(json::value(trades->rows), json::parse(R"([{
    "buy_date": "2020-01-02", "buy_price": 10.0, "sell_date": "2020-01-12", "sell_price": 12.5,
    "shares": 1.5, "cost": 15.0, "sell_value": 18.75, "return": 0.25, "profit": 3.75,
    "hold_days": 10, "exit_reason": "trailing_stop", "entry_type": "low", "confidence": null,
    "entry_date": "2020-01-02", "exit_date": "2020-01-12", "pnl_pct": 0.25, "holding_days": 10}])"));
}

TEST(Trades, OfOtherWriters) {
  const auto trades = read_trades(
      "\xEF\xBB\xBF"
      "entry_date,exit_date,pnl_pct,exit_reason,note\r\n"
      "2020-02-27T00:00:00,2020-03-01T00:00:00,-0.05,stop_loss,\"a, b\"\r\n2020-04-01,,nan,,7\r\n");
  ASSERT_TRUE(trades);
  EXPECT_EQ(json::value(trades->rows), json::parse(R"([
    {"entry_date": "2020-02-27T00:00:00", "exit_date": "2020-03-01T00:00:00", "pnl_pct": -0.05,
     "exit_reason": "stop_loss", "note": "a, b", "holding_days": 3},
    {"entry_date": "2020-04-01", "exit_date": null, "pnl_pct": null, "exit_reason": null,
     "note": 7, "holding_days": null}])"));
}

TEST(Trades, MayBeNone) {
  for (const char* text :
       {"", "# no trades", "\xEF\xBB\xBF# no trades\r\n", "buy_date,sell_date\n"}) {
    const auto trades = read_trades(text);
    ASSERT_TRUE(trades);
    EXPECT_TRUE(trades->rows.empty()) << text;
    EXPECT_TRUE(newest_trades(trades->rows, 3).empty());
  }
}

TEST(Trades, NewestFirst) {
  const auto trades = read_trades(
      "entry_date,exit_date,pnl_pct,exit_reason,hold_days\n"
      "a,2020-01-05,1,x,1\nb,2020-01-09,2,x,2\nc,2020-01-07,3,x,3\nd,,4,x,4\ne,2020-01-09,5,x,5\n");
  ASSERT_TRUE(trades);
  EXPECT_EQ(json::value(newest_trades(trades->rows, 3)), json::parse(R"([
    {"entry_date": "d", "exit_date": null, "pnl_pct": 4.0, "exit_reason": "x", "holding_days": 4},
    {"entry_date": "e", "exit_date": "2020-01-09", "pnl_pct": 5.0, "exit_reason": "x",
     "holding_days": 5},
    {"entry_date": "b", "exit_date": "2020-01-09", "pnl_pct": 2.0, "exit_reason": "x",
     "holding_days": 2}])"));
}

}  // namespace
}  // namespace runyard
