"""Daily prices of one ticker: from `data/stocks/<TICKER>.csv`, or from yfinance."""

import csv
import datetime
import hashlib
import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import UsageError
from .config import read_text

_COLUMNS = ("date", "open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class Prices:
    """Trading days in ascending order; all arrays have one entry a day, prices are positive."""

    ticker: str
    dates: np.ndarray  # datetime64[D]
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray

    def __len__(self):
        return len(self.dates)

    def between(self, start=None, end=None):
        """The days from `start` to `end`, both included; either may be None."""
        keep = np.ones(len(self), dtype=bool)
        if start is not None:
            keep &= self.dates >= np.datetime64(start)
        if end is not None:
            keep &= self.dates <= np.datetime64(end)
        arrays = (self.dates, self.open, self.high, self.low, self.close, self.volume)
        return Prices(self.ticker, *(array[keep] for array in arrays))

    def fingerprint(self):
        """Hex digest of the numbers: changes when the data change."""
        digest = hashlib.sha256()
        for array in (self.dates.astype("int64"), self.open, self.high, self.low, self.close):
            digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        return digest.hexdigest()[:16]


def parse_csv(text, ticker, source):
    """Prices from CSV text with the columns Date, Open, High, Low, Close and, if there, Volume.

    Columns are found by name, others are ignored. A day with a missing price is left out; of a day
    that is there twice the last line counts; lines may be in any order.
    """
    rows = csv.reader(io.StringIO(text))
    header = [name.strip().lower() for name in next(rows, [])]
    missing = [name for name in _COLUMNS[:5] if name not in header]
    if missing:
        raise UsageError(
            f"{source}: no column {', '.join(name.capitalize() for name in missing)}: "
            "the first line must be Date,Open,High,Low,Close,Volume"
        )
    place = {name: header.index(name) for name in _COLUMNS if name in header}
    days = {}
    try:
        for cells in rows:
            if not any(cell.strip() for cell in cells):
                continue
            line = rows.line_num
            get = lambda name: cells[place[name]].strip() if place[name] < len(cells) else ""
            date = datetime.date.fromisoformat(get("date")[:10])
            numbers = [float(get(name) or "nan") for name in _COLUMNS[1:5]]
            volume = float(get("volume") or "nan") if "volume" in place else math.nan
            if all(math.isfinite(number) and number > 0 for number in numbers):
                days[date] = (*numbers, volume if math.isfinite(volume) else 0.0)
    except (ValueError, csv.Error) as failure:
        raise UsageError(f"{source}: line {rows.line_num}: {failure}") from None
    return from_days(ticker, days, source)


def from_days(ticker, days, source):
    """Prices from `{date: (open, high, low, close, volume)}`."""
    if not days:
        raise UsageError(f"{source}: there is no day with prices in it")
    dates = np.array(sorted(days), dtype="datetime64[D]")
    table = np.array([days[date] for date in sorted(days)], dtype=float)
    return Prices(ticker, dates, *table.T)


def _from_csv(ticker, folder):
    path = Path(folder) / f"{ticker}.csv"
    if not path.is_file():
        raise UsageError(
            f"no prices for {ticker}: {path.as_posix()} does not exist: put a CSV with the columns "
            "Date,Open,High,Low,Close,Volume there (tools/fetch_data.sh installs SPX and GOOG)"
        )
    return parse_csv(read_text(path, "price file"), ticker, path.as_posix())


def _from_yfinance(ticker, symbol, start, end):
    try:
        import yfinance
    except ImportError:
        raise UsageError(
            "data.provider is yfinance, but that package is not installed: "
            "pip install yfinance, or set data.provider to csv"
        ) from None
    # The library's `end` is exclusive.
    until = None if end is None else str(np.datetime64(end) + 1)
    try:
        frame = yfinance.Ticker(symbol).history(
            start=start or "1990-01-01", end=until, interval="1d", auto_adjust=True
        )
        days = {}
        columns = (frame[name] for name in ("Open", "High", "Low", "Close", "Volume"))
        for day, *numbers in zip(frame.index, *columns):
            numbers = [float(number) for number in numbers]
            if all(math.isfinite(number) and number > 0 for number in numbers[:4]):
                days[datetime.date.fromisoformat(str(day)[:10])] = tuple(numbers)
    except Exception as failure:  # the library raises whatever its transport raises
        raise UsageError(f"yfinance could not fetch {symbol}: {failure}") from None
    return from_days(ticker, days, f"yfinance {symbol}")


@dataclass(frozen=True)
class Source:
    """Where prices come from: the `data` section of a configuration."""

    provider: str
    folder: str
    symbols: dict
    start: str | None
    end: str | None

    @classmethod
    def from_config(cls, config):
        provider = config.text("data.provider", "csv")
        if provider not in ("csv", "yfinance"):
            raise UsageError(f"data.provider is {provider!r}: it must be csv or yfinance")
        return cls(
            provider,
            config.text("data.dir", "data/stocks"),
            config.mapping("data.symbols"),
            config.date("data.start"),
            config.date("data.end"),
        )

    def load(self, ticker):
        if self.provider == "csv":
            prices = _from_csv(ticker, self.folder)
        else:
            symbol = str(self.symbols.get(ticker, ticker))
            prices = _from_yfinance(ticker, symbol, self.start, self.end)
        prices = prices.between(self.start, self.end)
        if not len(prices):
            raise UsageError(
                f"no prices for {ticker} between {self.start} and {self.end}: "
                "widen data.start and data.end"
            )
        return prices
