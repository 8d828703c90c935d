"""What the agent sees of a day: numbers from prices up to that day's close, never later ones."""

from dataclasses import asdict, dataclass

import numpy as np

from .errors import UsageError

# A benchmark price may be this many days old (holidays that only one market has).
_STALE_DAYS = 7


@dataclass(frozen=True)
class FeatureSpec:
    """Window lengths in trading days. A model carries the specification it was trained with."""

    returns: tuple = (1, 5, 20, 60)
    rsi: tuple = (14,)
    atr: tuple = (14,)
    donchian: tuple = (20, 55)
    moving_averages: tuple = (10, 50, 100)
    relative_strength: tuple = (20, 60)

    @classmethod
    def from_config(cls, config):
        spec = cls(
            **{
                name: tuple(config.integers(f"features.{name}", list(default)))
                for name, default in asdict(cls()).items()
            }
        )
        if not spec.names():
            raise UsageError("configuration: features has no window at all: give at least one")
        return spec

    @classmethod
    def from_dict(cls, values):
        return cls(**{name: tuple(windows) for name, windows in values.items()})

    def names(self):
        short = {"returns": "ret", "moving_averages": "ma", "relative_strength": "rs"}
        return [
            f"{short.get(name, name)}_{window}"
            for name, windows in asdict(self).items()
            for window in windows
        ]


def lag(values, days):
    """The value `days` before each day; NaN where there is none."""
    out = np.full(len(values), np.nan)
    out[days:] = values[: len(values) - days]
    return out


def _windows(values, window):
    return np.lib.stride_tricks.sliding_window_view(values, window)


def rolling(function, values, window):
    """`function` (mean, max, ...) over the last `window` days, today included."""
    out = np.full(len(values), np.nan)
    if len(values) >= window:
        out[window - 1 :] = function(_windows(values, window), axis=-1)
    return out


def _wilder(values, window):
    """Wilder's moving average: starts as a plain mean, then each day weighs 1/window."""
    out = np.full(len(values), np.nan)
    if len(values) < window:
        return out
    average = values[:window].mean()
    out[window - 1] = average
    for day in range(window, len(values)):
        average += (values[day] - average) / window
        out[day] = average
    return out


def rsi(close, window):
    """Relative strength index, 0 to 100; 50 when nothing moved."""
    change = np.diff(close)
    gain = _wilder(np.maximum(change, 0), window)
    loss = _wilder(np.maximum(-change, 0), window)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(gain + loss == 0, 50.0, 100 * gain / (gain + loss))
    value[np.isnan(gain)] = np.nan
    return np.concatenate([[np.nan], value])[: len(close)]


def atr(high, low, close, window):
    """Average true range, in units of price."""
    previous = np.concatenate([close[:1], close[:-1]])
    true_range = np.maximum(high, previous) - np.minimum(low, previous)
    return _wilder(true_range, window)


def donchian(high, low, close, window):
    """Where the close is in the channel of the last days: 0 at its bottom, 1 at its top."""
    top, bottom = rolling(np.max, high, window), rolling(np.min, low, window)
    width = top - bottom
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(width == 0, 0.5, (close - bottom) / width)


def aligned_close(prices, benchmark):
    """The benchmark's close as it was known on each day of `prices`; NaN where it is too old."""
    place = np.searchsorted(benchmark.dates, prices.dates, side="right") - 1
    known = np.maximum(place, 0)
    age = prices.dates - benchmark.dates[known]
    usable = (place >= 0) & (age <= np.timedelta64(_STALE_DAYS, "D"))
    return np.where(usable, benchmark.close[known], np.nan)


def compute(prices, benchmark, spec):
    """One row a day, one column a feature (`spec.names()`); NaN while a window warms up."""
    close = prices.close
    log_close, log_market = np.log(close), np.log(aligned_close(prices, benchmark))
    columns = [log_close - lag(log_close, window) for window in spec.returns]
    columns += [rsi(close, window) / 50 - 1 for window in spec.rsi]
    columns += [atr(prices.high, prices.low, close, window) / close for window in spec.atr]
    columns += [donchian(prices.high, prices.low, close, window) for window in spec.donchian]
    columns += [close / rolling(np.mean, close, window) - 1 for window in spec.moving_averages]
    columns += [
        (log_close - lag(log_close, window)) - (log_market - lag(log_market, window))
        for window in spec.relative_strength
    ]
    return np.column_stack(columns)
