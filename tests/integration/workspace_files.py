"""Workspaces as research repositories have them: tidy ones, and with what real files deviate by."""

import json
import os
import struct
import zlib

RUN = "20260217_171416__0e304dfc"
BACKTEST = "bt_20260217_201717__e5ce1595"

MODEL_COLUMNS = (
    "run_id,mode,ticker,label_horizon_days,label_threshold,precision,recall,f1,accuracy,buy_rate,"
    "positive_rate,lift,tp,fp,tn,fn,support,model_final_path,config_path,metrics_path,manifest_path,"
    "git_commit,start_time,end_time,status").split(",")

METRICS = {"accuracy": 0.75, "precision": 0.5, "recall": 0.25, "f1": 1 / 3, "support": 200, "buy_rate": 0.1,
           "positive_rate": 0.2, "tp": 10, "fp": 10, "tn": 140, "fn": 40}

CONFIG = """seed: 42
universe:
  tickers: [TSM, "ON"]
data:
  start: 2017-10-16
  end: null
label: {horizon_days: 120, threshold: 0.2}
train:
  pretrain: {steps: 20000, learning_rate: 3.0e-4, resume_from: }
  finetune:
    tickers: [TSM]
    enabled: true
note: 中文 🚀
"""
CONFIG_DOCUMENT = {
    "seed": 42, "universe": {"tickers": ["TSM", "ON"]}, "data": {"start": "2017-10-16", "end": None},
    "label": {"horizon_days": 120, "threshold": 0.2},
    "train": {"pretrain": {"steps": 20000, "learning_rate": 0.0003, "resume_from": None},
              "finetune": {"tickers": ["TSM"], "enabled": True}},
    "note": "中文 🚀"}

BACKTEST_CONFIG = """strategy:
  stop_loss_pct: 0.08
  take_profit_activation_pct: 0.1
  trail_stop_low_pct: 0.05
  trail_stop_high_pct: 0.15
  min_days_between_entries: 10
  use_market_filter: true
  conf_thresholds: {high: 0.9, low: 0.6}
per_ticker:
  TSM:
    strategy: {stop_loss_pct: 0.12}
period: {start: 2017-10-16}
_ticker: TSM
_bt_run_id: bt_20260217_201717__e5ce1595
_resolved_strategy: {stop_loss_pct: 0.12, trail_stop_low_pct: 0.05}
"""

EQUITY = """date,value,capital,position_value
2017-10-16T00:00:00,10000.0,10000.0,0.0
2017-10-17T00:00:00,12000.0,2000.0,10000.0
2017-10-18T00:00:00,9000.0,2000.0,7000.0
2017-10-19T00:00:00,12500.0,2000.0,10500.0
"""
TRADES = """buy_date,buy_price,sell_date,sell_price,shares,cost,sell_value,return,profit,hold_days,exit_reason,entry_type,confidence
2017-10-16,40.0,2017-10-18,36.0,10.0,400.0,360.0,-0.1,-40.0,2,stop_loss,low,0.61
2017-10-17,40.0,2017-10-19,50.0,10.0,400.0,500.0,0.25,100.0,2,trailing_stop,high,0.95
"""
BACKTEST_METRICS = {"ticker": "TSM", "start": "2017-10-16", "end": "2017-10-19", "total_injected": 10000.0,
                    "final_value": 12500.0, "total_return": 0.25, "cagr": 0.5, "max_drawdown": -0.25,
                    "trade_count": 2, "win_rate": 0.5, "avg_hold_days": 2.0, "exposure_rate": 0.75,
                    "avg_trades_per_month": 2.0}


def png():
    """The smallest picture there is."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b""))


class Writer:
    """Writes the files of a workspace; `windows`: with a byte order mark, CRLF and backslashes."""

    def __init__(self, workspace, windows=False):
        self.workspace, self.windows = workspace, windows

    def put(self, path, text):
        target = self.workspace / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, bytes):
            target.write_bytes(text)
        elif self.windows:
            target.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
        else:
            target.write_bytes(text.encode())
        return target

    def path(self, text):
        return text.replace("/", "\\") if self.windows else text

    def json(self, path, value):
        return self.put(path, json.dumps(value, ensure_ascii=False, indent=2))  # NaN as Python has it

    def run(self, run_id=RUN, **manifest):
        folder = f"runs/{run_id}"
        nan = float("nan") if self.windows else None
        self.put(f"{folder}/config.yaml", CONFIG)
        self.json(f"{folder}/metrics.json", {"overall": {}, "per_ticker": {"TSM": {**METRICS, "f1": nan}}})
        self.json(f"{folder}/manifest.json", {
            "run_id": run_id, "start_time": "2026-02-17T17:14:16.123456",
            "end_time": "2026-02-17T17:20:00.654321", "git_commit": None, "seed": 42, "config_hash": "0e304dfc",
            "base_final_path": self.path(f"{folder}/models/base/final.zip"),
            "per_ticker_final_paths": {"TSM": self.path(f"{folder}/models/finetuned/TSM/final.zip")},
            "data_cutoff_dates": {"TSM": "2017-10-13"}, "feature_cache_keys": {}, **manifest})
        for name in ("final.zip", "best.zip", "last.zip", "notes.txt", "checkpoint_step_20000.zip",
                     "checkpoint_step_5000.zip", "checkpoint_step_100000.zip", "checkpoint_step_x.zip"):
            self.put(f"{folder}/models/base/{name}", b"zip")
        for name in ("final.zip", "best.zip", "checkpoint_step_9.zip", "checkpoint_step_10.zip"):
            self.put(f"{folder}/models/finetuned/TSM/{name}", b"zip")

    def backtest(self, bt_run_id=BACKTEST, equity=EQUITY, trades=TRADES, metrics=None):
        folder = f"backtests/{bt_run_id}"
        self.put(f"{folder}/config.yaml", BACKTEST_CONFIG)
        self.json(f"{folder}/selection.json", {
            "ticker": "TSM", "model_path": self.path(f"runs/{RUN}/models/finetuned/TSM/final.zip"),
            "mode": "finetune", "label_horizon_days": 120, "label_threshold": 0.2, "registry_row": None})
        self.put(f"{folder}/equity.csv", equity)
        self.put(f"{folder}/trades.csv", trades)
        self.put(f"{folder}/summary.txt", "📊 摘要\nTSM\n")
        self.put(f"{folder}/end_date_summary_TSM_2017-10-16_2017-10-19.txt", "📅 期末\n")
        self.put(f"{folder}/plots/equity_curve.png", png())
        self.json(f"{folder}/metrics.json", {**BACKTEST_METRICS, **(metrics or {})})

    def registry(self):
        whole = "120.0" if self.windows else "120"
        nothing = "nan" if self.windows else ""
        models = [
            [RUN, "finetune", "TSM", whole, "0.2", "0.5", "0.25", "0.33", "0.75", "0.1", "0.2", "2.5", "10", "10",
             "140", "40", "200", self.path(f"runs/{RUN}/models/finetuned/TSM/final.zip"),
             self.path(f"runs/{RUN}/config.yaml"), self.path(f"runs/{RUN}/metrics.json"),
             self.path(f"runs/{RUN}/manifest.json"), nothing, "2026-02-17T17:14:16.123456", nothing, "READY"],
            [RUN, "base", "ALL", whole, "0.2", nothing, nothing, nothing, nothing, nothing, nothing, nothing,
             nothing, nothing, nothing, nothing, nothing, self.path(f"runs/{RUN}/models/base/final.zip"),
             self.path(f"runs/{RUN}/config.yaml"), self.path(f"runs/{RUN}/metrics.json"),
             self.path(f"runs/{RUN}/manifest.json"), nothing, "2026-02-17T17:14:16.123456", nothing,
             "MISSING_METRICS"]]
        self.put("reports/registry/registry_models.csv",
                 "\n".join(",".join(row) for row in [MODEL_COLUMNS, *models]) + "\n")
        best = [*models[0], '"NO_PASS: lift, tp"', "precision_desc,lift_desc".join('""'), "lift>=1.10"]
        self.put("reports/registry/registry_best_by_ticker.csv",
                 ",".join([*MODEL_COLUMNS, "best_status", "selection_sort_key", "selection_filters"]) + "\n"
                 + ",".join(best) + "\n")


def make_large(workspace, count):
    """`count` runs and `count` backtests, as small as they may be; every tenth of them damaged."""
    writer = Writer(workspace)
    for i in range(count):
        run_id = f"202601{1 + i // 1000 % 28:02}_{i // 60 % 24:02}{i % 60:02}00__{i:08x}"
        whole = i % 10 != 9
        writer.put(f"runs/{run_id}/config.yaml", f"universe:\n  tickers: [T{i % 7}]\nseed: {i}\n")
        writer.put(f"runs/{run_id}/manifest.json",
                   json.dumps({"run_id": run_id, "start_time": "2026-01-01T00:00:00.000001",
                               "end_time": "2026-01-01T00:01:00.000001"}) if whole else '{"run_id"')
        folder = f"backtests/bt_{run_id}"
        writer.put(f"{folder}/metrics.json", json.dumps({**BACKTEST_METRICS, "ticker": f"T{i % 7}"})
                   if whole else "")
        writer.put(f"{folder}/selection.json", json.dumps({
            "ticker": f"T{i % 7}", "model_path": f"runs/{run_id}/models/base/final.zip"}))
        os.makedirs(workspace / folder / "plots", exist_ok=True)
