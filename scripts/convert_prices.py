"""Convert a price file into data/stocks/<TICKER>.csv; one that is there is never overwritten."""

import datetime
import io
import os
import tempfile
from pathlib import Path

import numpy as np

from .lib import cli
from .lib.config import read_text
from .lib.errors import UsageError
from .lib.prices import from_days, parse_csv


def read_csv(path, ticker):
    return parse_csv(read_text(path, "price file"), ticker, str(path))


def read_npz(path, ticker):
    """Matplotlib's sample: one record array with date, open, high, low, close, volume."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            rows = archive["price_data"]
        days = {
            datetime.date.fromisoformat(str(row["date"])): tuple(
                float(row[name]) for name in ("open", "high", "low", "close", "volume")
            )
            for row in rows
        }
    except (OSError, KeyError, ValueError) as failure:
        raise UsageError(f"{path} is not a NumPy archive of prices: {failure}") from None
    return from_days(ticker, days, str(path))


def to_csv(prices):
    """The text of a price file; prices rounded to 4 decimals, without trailing zeros."""
    out = io.StringIO()
    out.write("Date,Open,High,Low,Close,Volume\n")
    columns = (prices.open, prices.high, prices.low, prices.close)
    for date, volume, *row in zip(prices.dates, prices.volume, *columns):
        cells = [f"{value:.4f}".rstrip("0").rstrip(".") for value in row]
        out.write(f"{date},{','.join(cells)},{volume:.0f}\n")
    return out.getvalue()


def write_new(path, text):
    """Write `path` whole, or leave it alone when it is there. Returns whether it was written."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        os.unlink(temporary)
    return True


def main(argv):
    parser = cli.Parser("convert_prices", __doc__)
    parser.add_argument("source", help="a .csv with a header, or Matplotlib's goog.npz")
    parser.add_argument("target", help="the CSV to create; its name gives the ticker")
    options = parser.parse_args(argv)
    ticker = cli.ticker(Path(options.target).stem)
    read = read_npz if options.source.endswith(".npz") else read_csv
    prices = read(options.source, ticker)
    if write_new(options.target, to_csv(prices)):
        span = f"{prices.dates[0]} to {prices.dates[-1]}"
        print(f"{options.target}: {len(prices)} days, {span}")
    else:
        print(f"{options.target}: kept, it exists already")
    return 0


if __name__ == "__main__":
    cli.run(main)
