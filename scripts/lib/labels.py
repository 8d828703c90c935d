"""What is to be foreseen: will the highest price of the next days exceed the close by enough?"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LabelSpec:
    horizon_days: int
    threshold: float

    @classmethod
    def from_config(cls, config):
        return cls(
            config.integer("label.horizon_days", low=1, high=1000),
            config.number("label.threshold", low=0.0, high=10.0),
        )


def labels(high, close, spec):
    """1.0, 0.0, or NaN for the last `horizon_days` days, whose future is not known yet.

    Day t is 1 when max(high[t+1 .. t+H]) > close[t] * (1 + threshold).
    """
    days, horizon = len(close), spec.horizon_days
    out = np.full(days, np.nan)
    if days > horizon:
        ahead = np.lib.stride_tricks.sliding_window_view(high[1:], horizon).max(axis=-1)
        out[: days - horizon] = ahead > close[: days - horizon] * (1 + spec.threshold)
    return out
