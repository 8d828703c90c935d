"""Training and validation days of a ticker, with nothing of the future in the training part."""

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np

from . import features as feature_lib
from .cli import ticker as canonical_ticker
from .errors import UsageError
from .features import FeatureSpec
from .labels import LabelSpec, labels
from .prices import Source

_MIN_TRAIN_DAYS = 60
_MIN_VALIDATION_DAYS = 10


@dataclass(frozen=True)
class Split:
    """Where validation begins: at one date for all, else after a share of each ticker's days."""

    date: str | None
    validation_fraction: float

    @classmethod
    def from_config(cls, config):
        return cls(
            config.date("split.date"),
            config.number("split.validation_fraction", 0.3, low=0.01, high=0.99),
        )

    def index(self, dates):
        if self.date is not None:
            return int(np.searchsorted(dates, np.datetime64(self.date)))
        return int(round(len(dates) * (1 - self.validation_fraction)))


@dataclass(frozen=True)
class Dataset:
    """Rows are days: features as computed (not normalised) and labels of 0 and 1."""

    ticker: str
    train_x: np.ndarray
    train_y: np.ndarray
    train_dates: np.ndarray
    validation_x: np.ndarray
    validation_y: np.ndarray
    validation_dates: np.ndarray
    cutoff: str  # the last day whose prices the training may have seen
    cache_key: str  # changes with the prices, the features or the label

    @property
    def base_rate(self):
        """Share of training days whose label is 1."""
        return float(self.train_y.mean())


def build(prices, benchmark, feature_spec, label_spec, split):
    x = feature_lib.compute(prices, benchmark, feature_spec)
    y = labels(prices.high, prices.close, label_spec)
    border = split.index(prices.dates)
    usable = np.isfinite(x).all(axis=1) & np.isfinite(y)
    day = np.arange(len(prices))
    # The purge: a training label looks `horizon_days` ahead and must not look past the border.
    train = usable & (day + label_spec.horizon_days < border)
    validation = usable & (day >= border)
    for rows, least, name in (
        (train, _MIN_TRAIN_DAYS, "training"),
        (validation, _MIN_VALIDATION_DAYS, "validation"),
    ):
        if rows.sum() < least:
            raise UsageError(
                f"{prices.ticker}: only {rows.sum()} {name} days are left of {len(prices)} days of "
                f"prices ({prices.dates[0]} to {prices.dates[-1]}; benchmark {benchmark.ticker} "
                f"{benchmark.dates[0]} to {benchmark.dates[-1]}), at least {least} are needed: "
                "change split, shorten label.horizon_days or the features' windows, or add data"
            )
    key = json.dumps(
        [prices.fingerprint(), benchmark.fingerprint(), asdict(feature_spec), asdict(label_spec)]
    )
    return Dataset(
        prices.ticker,
        x[train],
        y[train],
        prices.dates[train],
        x[validation],
        y[validation],
        prices.dates[validation],
        str(prices.dates[border - 1]),
        hashlib.sha256(key.encode()).hexdigest()[:16],
    )


class Universe:
    """The datasets that a training configuration names."""

    def __init__(self, config):
        self.finetune_tickers = config.tickers("train.finetune.tickers")
        self.tickers = config.tickers("universe.tickers") or self.finetune_tickers
        if not self.tickers:
            raise UsageError(
                "configuration: no ticker: set universe.tickers or train.finetune.tickers"
            )
        self.benchmark = canonical_ticker(config.text("universe.benchmark", "SPX"))
        self.features = FeatureSpec.from_config(config)
        self.label = LabelSpec.from_config(config)
        split = Split.from_config(config)
        source = Source.from_config(config)
        benchmark = source.load(self.benchmark)
        self.datasets = {
            ticker: build(source.load(ticker), benchmark, self.features, self.label, split)
            for ticker in dict.fromkeys(self.tickers + self.finetune_tickers)
        }

    def pool(self):
        return [self.datasets[ticker] for ticker in self.tickers]

    def cutoffs(self):
        return {ticker: dataset.cutoff for ticker, dataset in self.datasets.items()}
