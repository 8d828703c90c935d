"""Let a trained agent trade a ticker's past: one folder backtests/<bt_run_id>/ for each ticker."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .lib import backtest_files, cli, features, model_file, run_files
from .lib import registry
from .lib.backtest import Capital, Strategy, buy_and_hold, resolve_strategy, simulate
from .lib.config import Config
from .lib.console import Bar
from .lib.errors import RunError, UsageError
from .lib.prices import Source

_RULE = "=" * 60


@dataclass(frozen=True)
class Choice:
    """The model for one ticker, and how it was chosen."""

    path: str
    row: dict | None  # of the registry, when that chose it


def choose_model(ticker, model_path, run_id, table):
    """The model at `model_path`, else that of run `run_id`, else the best one of the registry."""
    if model_path:
        return Choice(run_files.existing_file(model_path, "model"), None)
    if run_id:
        path = f"runs/{run_id}/models/finetuned/{ticker}/final.zip"
        if not Path(path).is_file():
            raise UsageError(f"run {run_id} has no model for {ticker}: {path} does not exist")
        return Choice(path, None)
    row = registry.best_row(table, ticker)
    path = run_files.slashes(row["model_final_path"])
    if not Path(path).is_file():
        raise UsageError(
            f"{table} names {path} for {ticker}, which does not exist: "
            f"run {registry.INDEX_COMMAND} to bring the registry up to date"
        )
    return Choice(path, row)


class Backtest:
    """One ticker of the command. `prepare` reads, `run` computes and writes."""

    def __init__(self, config, ticker, options):
        self._config, self._ticker = config, ticker
        self._start = options.start or config.date("period.start")
        self._end = options.end or config.date("period.end")
        if self._start and self._end and self._end < self._start:
            raise UsageError(f"the end {self._end} is before the start {self._start}")
        self._where_models_are = (
            options.model_path,
            config.text("model.run_id", None),
            config.text("model.registry", "reports/registry/registry_best_by_ticker.csv"),
        )
        self._source = Source.from_config(config)
        self._strategy_values = resolve_strategy(config, ticker)
        self._strategy = Strategy.from_values(self._strategy_values)
        self._capital = Capital.from_config(config)
        self._choice = self._model = self._prices = None

    def prepare(self):
        """Find model and prices; raises UsageError when something is missing."""
        self._choice = choose_model(self._ticker, *self._where_models_are)
        self._model = model_file.load(self._choice.path)
        if not self._start:
            self._start = str(np.datetime64(self._model.cutoff(self._ticker)) + 1)
        self._prices = self._source.load(self._ticker)

    def print_block(self, bt_run_id):
        label = self._model and self._model.label
        rows = {
            "ticker": self._ticker,
            "model_path": self._choice.path if self._choice else "(none)",
            "label": f"horizon_days={label.horizon_days}, threshold={label.threshold:g}"
            if label
            else "(none)",
            "start": self._start or "(the day after the model's training data)",
            "bt_run_id": bt_run_id,
            "output": f"backtests/{bt_run_id}",
        }
        lines = [f"  {name + ':':<13}{value}" for name, value in rows.items()]
        print("\n".join([_RULE, *lines, _RULE]))

    def run(self, announce):
        """Simulate, call `announce(bt_run_id)`, write the folder; return both sets of numbers."""
        model, ticker = self._model, self._ticker
        benchmark = self._benchmark(model)
        confidence = self._confidence(model, benchmark)
        days = self._prices.between(self._start, self._end)
        if not len(days):
            raise RunError(
                f"{ticker}: no prices between {self._start} and {self._end or 'today'}: "
                f"they go from {self._prices.dates[0]} to {self._prices.dates[-1]}"
            )
        first = int(np.searchsorted(self._prices.dates, days.dates[0]))
        in_period = slice(first, first + len(days))
        confidence = confidence[in_period]
        if not np.isfinite(confidence).any():
            raise RunError(
                f"{ticker}: no prediction between {days.dates[0]} and {days.dates[-1]}: not one of "
                f"these days has all the features (prices begin {self._prices.dates[0]}, benchmark "
                f"{benchmark.ticker} covers {benchmark.dates[0]} to {benchmark.dates[-1]})"
            )
        if str(days.dates[0]) <= model.cutoff(ticker):
            cli.warn(
                f"{ticker}: the model was trained on prices up to {model.cutoff(ticker)}: "
                "until then this backtest shows what it remembers, not what it foresees"
            )
        market = self._market_is_up(benchmark)[in_period]
        result = simulate(days, confidence, market, self._strategy, self._capital)
        held = buy_and_hold(days, self._capital)
        bt_run_id, folder = run_files.create_folder("backtests", "bt_")
        announce(bt_run_id)
        return backtest_files.write(
            folder,
            backtest_files.Report(
                bt_run_id, ticker, self._choice.path, self._choice.row, model, self._config,
                self._strategy_values, days, confidence, market, result, held,
            ),  # fmt: skip
        )

    def _benchmark(self, model):
        name = model.info["benchmark"]
        return self._prices if name == self._ticker else self._source.load(name)

    def _confidence(self, model, benchmark):
        """Of every day of the prices; NaN where the features are still warming up."""
        x = features.compute(self._prices, benchmark, model.features)
        known = np.isfinite(x).all(axis=1)
        confidence = np.full(len(x), np.nan)
        if known.any():
            confidence[known] = model.agent.confidence(x[known])
        return confidence

    def _market_is_up(self, benchmark):
        """Whether the benchmark closed above its moving average; unknown counts as no."""
        average = features.rolling(np.mean, benchmark.close, self._strategy.market_ma_days)
        with np.errstate(invalid="ignore"):
            up = benchmark.close > average
        place = np.searchsorted(benchmark.dates, self._prices.dates, side="right") - 1
        fresh = np.isfinite(features.aligned_close(self._prices, benchmark))
        return fresh & up[np.maximum(place, 0)]


def dry_run(backtest):
    """Say what would be done; what is missing is a warning here."""
    try:
        backtest.prepare()
    except UsageError as failure:
        cli.warn(f"{failure} (dry run: goes on)")
    while Path("backtests", bt_run_id := run_files.new_id("bt_")).exists():
        pass
    backtest.print_block(bt_run_id)


def main(argv):
    parser = cli.Parser("run_backtest", __doc__)
    parser.add_argument("--config", required=True, metavar="PATH", help="backtest configuration")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--ticker", metavar="T", help="one ticker")
    which.add_argument("--tickers", metavar="T1,T2", help="several tickers, joined by commas")
    parser.add_argument("--model-path", metavar="P", help="this model, not the registry's best")
    parser.add_argument("--start", metavar="D", help="first day, YYYY-MM-DD")
    parser.add_argument("--end", metavar="D", help="last day, YYYY-MM-DD")
    cli.add_overrides(parser)
    parser.add_argument("--dry-run", action="store_true", help="check and print, write nothing")
    options = parser.parse_args(argv)
    config = Config.load(options.config, options.overrides)
    if options.ticker is not None:
        tickers = cli.tickers([options.ticker])
    elif options.tickers is not None:
        tickers = cli.tickers(options.tickers.split(","))
    else:
        tickers = config.tickers("universe.tickers")
    if not tickers:
        raise UsageError("no ticker: give --ticker or --tickers, or set universe.tickers")
    if options.model_path and len(tickers) != 1:
        raise UsageError(f"--model-path needs exactly one ticker, not {', '.join(tickers)}")
    for name in ("start", "end"):
        if getattr(options, name) is not None:
            cli.date(getattr(options, name), f"--{name}")
    backtests = {ticker: Backtest(config, ticker, options) for ticker in tickers}
    cli.warn_of_unused(config)
    if options.dry_run:
        for backtest in backtests.values():
            dry_run(backtest)
        return 0
    failed = {}
    with Bar("backtest", len(tickers), "ticker") as bar:
        for done, (ticker, backtest) in enumerate(backtests.items(), 1):
            try:
                backtest.prepare()
                bar.end()
                metrics, held = backtest.run(backtest.print_block)
                print(backtest_files.numbers(metrics, held), flush=True)
            except (UsageError, RunError) as failure:
                bar.end()
                failed[ticker] = failure
                if len(tickers) > 1:
                    cli.error(failure)
            bar.advance_to(done)
    if failed:
        reason = next(iter(failed.values()))
        if len(tickers) > 1:
            count = f"{len(failed)} of {len(tickers)} tickers failed ({', '.join(failed)})"
            reason = f"{count}; the first: {reason}"
        raise RunError(reason)
    return 0


if __name__ == "__main__":
    cli.run(main)
