"""Workspaces made for a test: synthetic prices, small configurations, the real commands."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]

CONFIG = """\
seed: 7
universe: {benchmark: SPX, tickers: [SPX, ABC]}
data: {provider: csv, dir: data/stocks}
features: {returns: [1, 5], rsi: [14], atr: [14], donchian: [20], moving_averages: [10, 30],
           relative_strength: [20]}
label: {horizon_days: 10, threshold: 0.04}
split: {validation_fraction: 0.3}
train:
  hidden: [16, 16]
  ppo: {n_envs: 8, n_steps: 32, batch_size: 128, n_epochs: 2, episode_days: 16}
  pretrain: {steps: 1024, checkpoint_every: 512}
  finetune: {tickers: [SPX, ABC], steps: 512, checkpoint_every: 256}
"""
BACKTEST = """\
universe: {tickers: [SPX, ABC]}
capital: {initial: 10000, yearly_contribution: 1000, fee_pct: 0.001}
strategy:
  conf_thresholds: {high: 0.6, low: 0.3}
  position_pct: {high: 0.5, low: 0.2}
  min_days_between_entries: 5
  market_ma_days: 50
"""


def random_prices(seed, days=700):
    """`[(date, open, high, low, close, volume)]` of a market whose moods (calm, wild) last."""
    rng = np.random.default_rng(seed)
    dates = np.datetime64("2015-01-01") + np.arange(days * 2)
    dates = dates[np.is_busday(dates)][:days]
    wild = np.sin(np.arange(days) / 40 + seed) > 0
    moves = rng.standard_normal(days) * np.where(wild, 0.025, 0.005) + 0.0004
    close = 100 * np.exp(np.cumsum(moves))
    opening = np.concatenate([[100.0], close[:-1]])
    spread = 1 + np.abs(rng.standard_normal(days)) * np.where(wild, 0.01, 0.002)
    high, low = np.maximum(opening, close) * spread, np.minimum(opening, close) / spread
    return list(zip(dates, opening, high, low, close, np.full(days, 1000)))


def csv_of(rows):
    lines = ["Date,Open,High,Low,Close,Volume"]
    lines += [f"{d},{o:.4f},{h:.4f},{l:.4f},{c:.4f},{v}" for d, o, h, l, c, v in rows]
    return "\n".join(lines) + "\n"


class Workspace:
    """A folder to run the commands in, as the orchestrator would."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("data/stocks", "configs/backtest"):
            (folder / name).mkdir(parents=True)
        (folder / "data/stocks/SPX.csv").write_text(csv_of(random_prices(1)))
        # As a spreadsheet on Windows saves it.
        (folder / "data/stocks/ABC.csv").write_bytes(
            b"\xef\xbb\xbf" + csv_of(random_prices(2)).replace("\n", "\r\n").encode()
        )
        (folder / "configs/t.yaml").write_text(CONFIG)
        (folder / "configs/backtest/b.yaml").write_text(BACKTEST)

    def command(self, module, *arguments):
        return [sys.executable, "-m", f"scripts.{module}", *map(str, arguments)]

    @property
    def environment(self):
        return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self, module, *arguments, env=()):
        return subprocess.run(
            self.command(module, *arguments),
            cwd=self.folder,
            env={**self.environment, **dict(env)},
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )

    def ok(self, module, *arguments, env=()):
        done = self.run(module, *arguments, env=env)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def fails(self, code, module, *arguments, env=()):
        """Run a command that must end with `code` and an [ERROR] sentence; return that line."""
        done = self.run(module, *arguments, env=env)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        last = done.stderr.strip().splitlines()[-1]
        assert last.startswith("[ERROR] ")
        return last

    def names(self, pattern):
        found = self.folder.glob(pattern)
        return sorted(path.relative_to(self.folder).as_posix() for path in found)
