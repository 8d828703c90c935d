"""The trading rules on prices made by hand."""

import numpy as np
import pytest

from scripts.lib.backtest import (
    Capital,
    Strategy,
    activity,
    buy_and_hold,
    performance,
    resolve_strategy,
    simulate,
    unit_value,
)
from scripts.lib.config import Config
from scripts.lib.errors import UsageError
from scripts.lib.prices import Prices


def make_prices(opening, high=None, low=None, close=None, first="2020-06-01"):
    opening = np.array(opening, float)
    pick = lambda given: opening.copy() if given is None else np.array(given, float)
    dates = np.datetime64(first) + np.arange(len(opening))
    return Prices("T", dates, opening, pick(high), pick(low), pick(close), opening * 0)


def strategy(**values):
    base = {
        "conf_thresholds": {"high": 0.9, "low": 0.6},
        "position_pct": {"high": 1.0, "low": 0.5},
        "min_days_between_entries": 1,
        "max_positions": 1,
        "use_market_filter": False,
        "stop_loss_pct": 0.10,
        "take_profit_activation_pct": 0.20,
        "trail_stop_low_pct": 0.10,
        "trail_stop_high_pct": 0.20,
        "trail_high_from_pct": 0.50,
    }
    return Strategy.from_values({**base, **values})


def play(prices, confidence, market=None, capital=Capital(1000.0, 0.0, 0.0), **values):
    market = np.ones(len(prices), bool) if market is None else np.array(market, bool)
    return simulate(prices, np.array(confidence, float), market, strategy(**values), capital)


def test_a_decision_is_carried_out_at_the_next_open():
    result = play(make_prices([100, 110, 110], close=[105, 110, 121]), [0.95, 0, 0])
    (trade,) = result.trades
    assert (trade.buy_date, trade.buy_price, trade.entry_type) == ("2020-06-02", 110, "high")
    assert (trade.sell_price, trade.exit_reason) == (121, "end_of_period")
    assert result.open_at_end == 1
    assert trade.profit == pytest.approx(100) and trade.return_ == pytest.approx(0.1)
    np.testing.assert_allclose(result.value, [1000, 1000, 1100])
    np.testing.assert_allclose(result.positions, [0, 1000, 0])


def test_the_tier_decides_how_much():
    assert play(make_prices([100, 100, 100]), [0.7, 0, 0]).trades[0].cost == 500
    assert play(make_prices([100, 100, 100]), [0.5, 0.5, 0.5]).trades == []
    assert play(make_prices([100, 100, 100]), [np.nan] * 3).trades == []
    assert strategy().tier(0.9) == "high" and strategy().tier(0.89) == "low"


def test_stop_loss_at_the_stop_and_below_it_after_a_gap():
    touched = play(make_prices([100, 100, 100], low=[100, 100, 85]), [1, 0, 0]).trades[0]
    assert (touched.sell_price, touched.exit_reason) == (pytest.approx(90), "stop_loss")
    gap = play(make_prices([100, 100, 70], low=[100, 100, 60]), [1, 0, 0]).trades[0]
    assert (gap.sell_price, gap.exit_reason, gap.hold_days) == (70, "stop_loss", 1)
    same_day = play(make_prices([100, 100], low=[100, 80]), [1, 0]).trades[0]
    assert (same_day.sell_price, same_day.hold_days) == (pytest.approx(90), 0)


def test_trailing_stop_works_from_the_activation_and_with_the_high_of_days_before():
    calm = play(make_prices([100, 100, 119, 103], high=[100, 100, 119, 119]), [1, 0, 0, 0])
    assert calm.trades[0].exit_reason == "end_of_period"
    prices = make_prices([100, 100, 130, 125, 116], high=[100, 100, 130, 150, 116])
    trade = play(prices, [1, 0, 0, 0, 0], trail_high_from_pct=9).trades[0]
    # The peak of 150 was reached before the last day: 150 * 0.9, but the open is below it already.
    assert (trade.sell_date, trade.sell_price) == ("2020-06-05", 116)
    assert trade.exit_reason == "trailing_stop"
    wide = play(prices, [1, 0, 0, 0, 0]).trades[0]  # gain of 50 %: 20 % below the peak
    assert wide.exit_reason == "trailing_stop" and wide.sell_price == 116
    wider = play(prices, [1, 0, 0, 0, 0], trail_stop_high_pct=0.30).trades[0]
    assert wider.exit_reason == "end_of_period"


def test_todays_high_does_not_move_todays_stop():
    prices = make_prices([100, 100, 110], high=[100, 100, 200], low=[100, 100, 105])
    assert play(prices, [1, 0, 0]).trades[0].exit_reason == "end_of_period"


def test_market_filter_and_pause_between_entries():
    prices = make_prices([100] * 6)
    blocked = play(prices, [1] * 6, market=[0] * 6, use_market_filter=True)
    assert blocked.trades == [] and blocked.value[-1] == 1000
    later = play(prices, [1] * 6, market=[0, 0, 1, 1, 1, 1], use_market_filter=True)
    assert later.trades[0].buy_date == "2020-06-04"
    small = {"max_positions": 9, "position_pct": {"high": 1.0, "low": 0.1}}
    days = lambda pause: [
        t.buy_date[-2:]
        for t in play(prices, [0.7] * 6, min_days_between_entries=pause, **small).trades
    ]
    assert days(1) == ["02", "03", "04", "05", "06"]
    assert days(2) == ["02", "04", "06"] and days(5) == ["02"]


def test_no_more_positions_than_allowed_and_no_money_from_nowhere():
    result = play(make_prices([100] * 8), [1] * 8, max_positions=3)
    assert len(result.trades) == 1  # the first took all the money
    assert (result.cash >= 0).all()
    small = {"high": 1.0, "low": 0.1}
    many = play(make_prices([100] * 8), [0.7] * 8, max_positions=3, position_pct=small)
    assert [trade.cost for trade in many.trades] == [100, 100, 100]


def test_fees_are_paid_on_both_sides():
    result = play(make_prices([100] * 3), [1, 0, 0], capital=Capital(1000.0, 0.0, 0.01))
    assert result.value[-1] == pytest.approx(1000 / 1.01 * 0.99)


def test_yearly_contribution_is_paid_in_and_is_no_gain():
    prices = make_prices([100] * 4, first="2019-12-30")
    capital = Capital(1000.0, 500.0, 0.0)
    result = play(prices, [0] * 4, capital=capital)
    np.testing.assert_array_equal(result.paid_in, [1000, 0, 500, 0])
    numbers = performance(result)
    assert (numbers["total_injected"], numbers["final_value"]) == (1500, 1500)
    assert numbers["total_return"] == numbers["cagr"] == numbers["max_drawdown"] == 0
    held = buy_and_hold(prices, capital)
    np.testing.assert_allclose(held.value, [1000, 1000, 1500, 1500])


def test_drawdown_is_not_hidden_by_money_paid_in():
    prices = make_prices([100, 50, 50], first="2019-12-30")
    held = buy_and_hold(prices, Capital(1000.0, 1000.0, 0.0))
    np.testing.assert_allclose(unit_value(held), [1, 0.5, 0.5])
    assert performance(held)["max_drawdown"] == -0.5


def test_cagr_over_exactly_one_year():
    prices = make_prices([100.0] * 366, close=np.linspace(100, 121, 366), first="2021-01-01")
    numbers = performance(buy_and_hold(prices, Capital(100.0, 0.0, 0.0)))
    assert numbers["total_return"] == pytest.approx(0.21)
    assert numbers["cagr"] == pytest.approx(0.21, abs=0.001) and numbers["max_drawdown"] == 0


def test_activity_with_and_without_trades():
    none = activity(play(make_prices([100] * 3), [0, 0, 0]))
    assert none["trade_count"] == 0 and none["win_rate"] is None and none["avg_hold_days"] is None
    some = activity(play(make_prices([100, 100, 100, 120]), [1, 0, 0, 0]))
    assert (some["win_rate"], some["avg_hold_days"], some["exposure_rate"]) == (1, 2, 0.75)


def test_strategy_of_a_ticker_goes_over_the_global_one():
    values = {
        "strategy": {"conf_thresholds": {"a": 0.5, "b": 0.7}, "position_pct": {"a": 0.1, "b": 0.2}},
        "per_ticker": {"T": {"strategy": {"stop_loss_pct": 0.3, "conf_thresholds": {"a": 0.6}}}},
    }
    own, other = resolve_strategy(Config(values), "T"), resolve_strategy(Config(values), "U")
    assert own["stop_loss_pct"] == 0.3 and own["conf_thresholds"] == {"a": 0.6, "b": 0.7}
    assert other["stop_loss_pct"] == 0.08 and other["conf_thresholds"]["a"] == 0.5


@pytest.mark.parametrize(
    "values, part",
    [
        ({"stop_los_pct": 0.1}, "has no 'stop_los_pct'"),
        ({"stop_loss_pct": 8}, "stop_loss_pct is 8"),
        ({"conf_thresholds": {}}, "at least one tier"),
        ({"conf_thresholds": {"high": "x"}}, "at least one tier"),
        ({"conf_thresholds": {"other": 0.5}}, "same tiers"),
        ({"max_positions": 0}, "max_positions is 0"),
        ({"use_market_filter": "yes"}, "true or false"),
    ],
)
def test_bad_strategies_are_refused(values, part):
    with pytest.raises(UsageError) as failure:
        strategy(**values)
    assert part in str(failure.value)
