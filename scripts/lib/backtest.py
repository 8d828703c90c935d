"""The trading rules, as pure computation: prices and confidences in, trades and equity out.

A day in order: yearly contribution; lots whose stop the opening price is already below are sold
at the open; the entry decided at yesterday's close is bought at the open; lots whose stop the day's
low touches are sold at the stop; the day is valued at its close, where tomorrow's entry is decided.
So nothing is decided with a price that is not known yet.
"""

from dataclasses import asdict, dataclass, fields

import numpy as np

from .config import Config, is_number
from .errors import UsageError


@dataclass(frozen=True)
class Strategy:
    """All `_pct` are shares of one (0.08 is 8 %)."""

    conf_thresholds: dict  # tier -> the least confidence of it
    position_pct: dict  # tier -> the share of the portfolio that an entry buys for
    stop_loss_pct: float = 0.08  # below the buying price
    take_profit_activation_pct: float = 0.10  # gain from which the trailing stop works
    trail_stop_low_pct: float = 0.08  # below the highest price since the entry
    trail_stop_high_pct: float = 0.15  # the same, once the gain reached trail_high_from_pct
    trail_high_from_pct: float = 0.30
    min_days_between_entries: int = 10  # trading days
    max_positions: int = 4
    use_market_filter: bool = True  # enter only while the benchmark is above its moving average
    market_ma_days: int = 200

    @classmethod
    def from_values(cls, values):
        """From a mapping with any of the fields; the two tier mappings are required."""
        known = {field.name: field for field in fields(cls)}
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise UsageError(
                f"configuration: strategy has no {', '.join(map(repr, unknown))}: it knows "
                f"{', '.join(known)}"
            )
        config = Config({"strategy": values})
        shares = {}
        for name in ("conf_thresholds", "position_pct"):
            tiers = config.mapping(f"strategy.{name}")
            if not tiers or not all(is_number(v) and 0 <= v <= 1 for v in tiers.values()):
                raise UsageError(
                    f"configuration: strategy.{name} must name at least one tier, "
                    "each with a number from 0 to 1"
                )
            shares[name] = {str(tier): float(value) for tier, value in tiers.items()}
        if set(shares["conf_thresholds"]) != set(shares["position_pct"]):
            raise UsageError(
                "configuration: strategy.conf_thresholds and strategy.position_pct "
                "must have the same tiers"
            )
        default = lambda name: known[name].default
        share = lambda name: config.number(f"strategy.{name}", default(name), low=0.0, high=1.0)
        gain = lambda name: config.number(f"strategy.{name}", default(name), low=0.0)
        count = lambda name, low: config.integer(f"strategy.{name}", default(name), low, 10000)
        return cls(
            **shares,
            stop_loss_pct=share("stop_loss_pct"),
            take_profit_activation_pct=gain("take_profit_activation_pct"),
            trail_stop_low_pct=share("trail_stop_low_pct"),
            trail_stop_high_pct=share("trail_stop_high_pct"),
            trail_high_from_pct=gain("trail_high_from_pct"),
            min_days_between_entries=count("min_days_between_entries", 0),
            max_positions=count("max_positions", 1),
            use_market_filter=config.flag(
                "strategy.use_market_filter", default("use_market_filter")
            ),
            market_ma_days=count("market_ma_days", 1),
        )

    def tier(self, confidence):
        """The name of the highest tier that `confidence` reaches, or None (also for NaN)."""
        reached = [tier for tier, least in self.conf_thresholds.items() if confidence >= least]
        return max(reached, key=self.conf_thresholds.get, default=None)


def resolve_strategy(config, ticker):
    """The values for `ticker`: `per_ticker.<T>.strategy` over `strategy` over the defaults."""
    merged = dict(config.mapping("strategy"))
    own = config.mapping("per_ticker").get(ticker) or {}
    values = own.get("strategy", {}) if isinstance(own, dict) else None
    if not isinstance(values, dict):
        raise UsageError(
            f"configuration: per_ticker.{ticker} must be a mapping with a `strategy` mapping"
        )
    for name, value in values.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = {**merged[name], **value} if both else value
    return asdict(Strategy.from_values(merged))


@dataclass(frozen=True)
class Capital:
    initial: float
    yearly_contribution: float
    fee_pct: float  # of each purchase and sale

    @classmethod
    def from_config(cls, config):
        return cls(
            config.number("capital.initial", 10000.0, low=1.0),
            config.number("capital.yearly_contribution", 0.0, low=0.0),
            config.number("capital.fee_pct", 0.0, low=0.0, high=0.5),
        )

    def contributions(self, dates):
        """What is paid in before the open of each day: the initial sum, then each new year's."""
        years = dates.astype("datetime64[Y]").astype(int)
        paid = np.zeros(len(dates))
        paid[1:][years[1:] != years[:-1]] = self.yearly_contribution
        paid[0] = self.initial
        return paid


@dataclass
class Lot:
    """Shares bought on one day, until they are sold."""

    day: int
    price: float
    shares: float
    cost: float  # with the fee
    tier: str
    confidence: float
    peak: float  # the highest price of the days before today

    def stop(self, strategy):
        """Price at which to sell now, and why."""
        loss = self.price * (1 - strategy.stop_loss_pct)
        gain = self.peak / self.price - 1
        if gain < strategy.take_profit_activation_pct or gain <= 0:
            return loss, "stop_loss"
        high = gain >= strategy.trail_high_from_pct
        width = strategy.trail_stop_high_pct if high else strategy.trail_stop_low_pct
        trail = self.peak * (1 - width)
        return (trail, "trailing_stop") if trail > loss else (loss, "stop_loss")


@dataclass(frozen=True)
class Trade:
    buy_date: str
    buy_price: float
    sell_date: str
    sell_price: float
    shares: float
    cost: float
    sell_value: float
    profit: float
    hold_days: int  # of the calendar
    exit_reason: str
    entry_type: str
    confidence: float

    @property
    def return_(self):
        return self.profit / self.cost


@dataclass(frozen=True)
class Result:
    """One value a day at its close; `value` = `cash` + `positions`."""

    dates: np.ndarray
    paid_in: np.ndarray
    cash: np.ndarray
    positions: np.ndarray
    trades: list
    open_at_end: int  # lots that only the end of the period closed

    @property
    def value(self):
        return self.cash + self.positions


def simulate(prices, confidence, market_is_up, strategy, capital):
    days, paid_in = len(prices), capital.contributions(prices.dates)
    cash, lots, trades = 0.0, [], []
    cash_curve, position_curve = np.zeros(days), np.zeros(days)
    pending, last_entry = None, -(10**9)

    def sell(lot, day, price, reason):
        nonlocal cash
        value = lot.shares * price * (1 - capital.fee_pct)
        cash += value
        bought, sold = prices.dates[lot.day], prices.dates[day]
        trades.append(
            Trade(
                str(bought), lot.price, str(sold), price, lot.shares, lot.cost, value,
                value - lot.cost, int((sold - bought).astype(int)), reason, lot.tier,
                lot.confidence,
            )  # fmt: skip
        )

    def sell_stopped(day, price_of):
        """Sell every lot for which `price_of(stop)` gives a price."""
        for lot in list(lots):
            stop, reason = lot.stop(strategy)
            price = price_of(stop)
            if price is not None:
                sell(lot, day, price, reason)
                lots.remove(lot)

    for day in range(days):
        cash += paid_in[day]
        opening, low = float(prices.open[day]), float(prices.low[day])
        sell_stopped(day, lambda stop: opening if opening <= stop else None)
        if pending is not None:
            tier, trust = pending
            worth = cash + sum(lot.shares for lot in lots) * opening
            cost = min(strategy.position_pct[tier] * worth, cash)
            if cost > 0.01:
                shares = cost / (opening * (1 + capital.fee_pct))
                lots.append(Lot(day, opening, shares, cost, tier, trust, opening))
                cash -= cost
                last_entry = day
        sell_stopped(day, lambda stop: stop if low <= stop else None)
        for lot in lots:
            lot.peak = max(lot.peak, float(prices.high[day]))
        if day == days - 1:
            open_at_end = len(lots)
            for lot in lots:
                sell(lot, day, float(prices.close[day]), "end_of_period")
            lots = []
        cash_curve[day] = cash
        position_curve[day] = sum(lot.shares for lot in lots) * float(prices.close[day])
        tier = strategy.tier(confidence[day])
        allowed = (
            tier is not None
            and len(lots) < strategy.max_positions
            and day + 1 - last_entry >= strategy.min_days_between_entries
            and (market_is_up[day] or not strategy.use_market_filter)
        )
        pending = (tier, float(confidence[day])) if allowed else None
    return Result(prices.dates, paid_in, cash_curve, position_curve, trades, open_at_end)


def buy_and_hold(prices, capital):
    """The same money, all of it in the ticker from the open of the day on which it is paid in."""
    paid_in = capital.contributions(prices.dates)
    shares = np.cumsum(paid_in / (prices.open * (1 + capital.fee_pct)))
    return Result(prices.dates, paid_in, np.zeros(len(prices)), shares * prices.close, [], 0)


def unit_value(result):
    """What one unit of money that is there from the start is worth at each close."""
    value = result.value
    before = np.concatenate([[0.0], value[:-1]]) + result.paid_in
    return np.cumprod(value / before)


def performance(result):
    """The numbers that a strategy and buy-and-hold share."""
    value, unit = result.value, unit_value(result)
    injected, final = float(result.paid_in.sum()), float(value[-1])
    years = max((result.dates[-1] - result.dates[0]).astype(int), 1) / 365.25
    drawdown = unit / np.maximum.accumulate(np.concatenate([[1.0], unit]))[1:] - 1
    return {
        "start": str(result.dates[0]),
        "end": str(result.dates[-1]),
        "total_injected": round(injected, 2),
        "final_value": round(final, 2),
        "total_return": round(final / injected - 1, 6),
        "cagr": round(float(unit[-1] ** (1 / years) - 1), 6),
        "max_drawdown": round(min(float(drawdown.min()), 0.0), 6),
    }


def activity(result):
    """The numbers about trades; a mean of nothing is None."""
    trades, days = result.trades, len(result.dates)
    months = days / 21
    held = np.zeros(days, dtype=bool)
    for trade in trades:
        first = np.searchsorted(result.dates, np.datetime64(trade.buy_date))
        last = np.searchsorted(result.dates, np.datetime64(trade.sell_date))
        held[first : last + 1] = True
    mean = lambda values: round(float(np.mean(values)), 6) if trades else None
    return {
        "trade_count": len(trades),
        "win_rate": mean([trade.profit > 0 for trade in trades]),
        "avg_hold_days": mean([trade.hold_days for trade in trades]),
        "exposure_rate": round(float(held.mean()), 6),
        "avg_trades_per_month": round(len(trades) / months, 6),
    }
