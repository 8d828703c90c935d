"""The registry: every model of every run in a table, and the best model of each ticker."""

import csv
import io
import re
from pathlib import Path

from .config import Config, is_number, read_text
from .errors import UsageError
from .metrics import NAMES
from .run_files import local_time, plain, read_json, slashes, write_json, write_text

INDEX_COMMAND = "python -m scripts.index_runs --runs-dir runs --out-dir reports/registry"

MODEL_COLUMNS = (
    "run_id", "mode", "ticker", "label_horizon_days", "label_threshold",
    "precision", "recall", "f1", "accuracy", "buy_rate", "positive_rate", "lift",
    "tp", "fp", "tn", "fn", "support",
    "model_final_path", "config_path", "metrics_path", "manifest_path", "git_commit",
    "start_time", "end_time", "status",
)  # fmt: skip
BEST_COLUMNS = MODEL_COLUMNS + ("best_status", "selection_sort_key", "selection_filters")

_RUN_ID = re.compile(r"\d{8}_\d{6}__[0-9a-f]{8}")
_MIN_LIFT, _MIN_TP = 1.10, 30
_RELAXED_LIFT, _RELAXED_TP = 1.0, 1


def _number(value):
    """A finite number as it is, anything else as None: a broken run may hold anything."""
    return value if is_number(value) else None


def _text(value):
    return value if isinstance(value, str) else None


def _mapping(value):
    return value if isinstance(value, dict) else {}


class _Run:
    """What can be read of one run folder; every file of it may be missing or half-written."""

    def __init__(self, folder):
        self.folder, self.run_id = folder, folder.name
        self.manifest = read_json(folder / "manifest.json")
        self.metrics = read_json(folder / "metrics.json")
        try:
            self.config = Config.load(folder / "config.yaml").values
        except UsageError:
            self.config = {}

    @property
    def is_dry(self):
        return _mapping(self.metrics).get("dry_run") is True

    def rows(self):
        """One row for the base model, and one for each ticker that any of the files speaks of."""
        manifest, metrics = _mapping(self.manifest), _mapping(self.metrics)
        base_path, base_metrics = manifest.get("base_final_path"), _mapping(metrics.get("overall"))
        base_folder = self.folder / "models/base"
        if base_path or base_metrics or base_folder.is_dir():
            yield self._row("base", "ALL", base_path, base_metrics, base_folder)
        paths = _mapping(manifest.get("per_ticker_final_paths"))
        per_ticker = _mapping(metrics.get("per_ticker"))
        folder = self.folder / "models/finetuned"
        on_disk = [path.parent.name for path in folder.glob("*/*.zip")]
        for ticker in sorted({*paths, *per_ticker, *on_disk}):
            own = _mapping(per_ticker.get(ticker))
            yield self._row("finetune", ticker, paths.get(ticker), own, folder / ticker)

    def _row(self, mode, ticker, path, metrics, folder):
        manifest, label = _mapping(self.manifest), _mapping(self.config.get("label"))
        final = slashes(path) if isinstance(path, str) and path else None
        if final is None and (folder / "final.zip").is_file():
            final = (folder / "final.zip").as_posix()
        row = {
            "run_id": self.run_id,
            "mode": mode,
            "ticker": ticker,
            "label_horizon_days": _number(label.get("horizon_days")),
            "label_threshold": _number(label.get("threshold")),
            **{name: _number(metrics.get(name)) for name in NAMES},
            "model_final_path": final,
            "config_path": self._existing("config.yaml"),
            "metrics_path": self._existing("metrics.json"),
            "manifest_path": self._existing("manifest.json"),
            "git_commit": _text(manifest.get("git_commit")),
            "start_time": _text(manifest.get("start_time")),
            "end_time": _text(manifest.get("end_time")),
        }
        precision, rate = row["precision"], row["positive_rate"]
        row["lift"] = round(precision / rate, 6) if precision is not None and rate else None
        row["status"] = self._status(row)
        return {name: row[name] for name in MODEL_COLUMNS}

    def _existing(self, name):
        path = self.folder / name
        return path.as_posix() if path.is_file() else None

    def _status(self, row):
        """The first thing that keeps the model from being used, in this order."""
        if self.manifest is None:
            return "MISSING_MANIFEST"
        if row["model_final_path"] is None:
            return "NO_FINAL"
        if not Path(row["model_final_path"]).is_file():
            return "MISSING_MODEL"
        if row["precision"] is None or row["tp"] is None:
            return "MISSING_METRICS"
        return "READY"


def model_rows(runs_dir):
    """Rows of all models below `runs_dir`, newest run first. Dry runs have none."""
    folder = Path(runs_dir)
    if not folder.is_dir():
        return []
    runs = [p for p in folder.iterdir() if _RUN_ID.fullmatch(p.name) and p.is_dir()]
    rows = []
    for path in sorted(runs, key=lambda p: p.name, reverse=True):
        run = _Run(path)
        if not run.is_dry:
            rows += run.rows()
    return rows


def _sort_key(row):
    """Precision down, lift down, buy_rate up, support down; then the newer run."""
    return (-row["precision"], -row["lift"], row["buy_rate"] or 0, -(row["support"] or 0))


def best_rows(rows):
    """The best READY fine-tuned model of each ticker, as far as there is one worth naming."""
    candidates = {}
    for row in rows:
        if row["mode"] == "finetune" and row["status"] == "READY" and row["lift"] is not None:
            candidates.setdefault(row["ticker"], []).append(row)
    best = []
    for ticker in sorted(candidates):
        found = _best_of(candidates[ticker])
        if found is not None:
            best.append(found)
    return best


def _best_of(rows):
    passing = [r for r in rows if r["lift"] >= _MIN_LIFT and r["tp"] >= _MIN_TP]
    relaxed = [r for r in rows if r["lift"] >= _RELAXED_LIFT and r["tp"] >= _RELAXED_TP]
    if not (passing or relaxed):
        return None
    row = min(passing or relaxed, key=_sort_key)
    status, filters = "PASS", f"lift>={_MIN_LIFT:.2f};tp>={_MIN_TP}"
    if not passing:
        reasons = []
        if row["lift"] < _MIN_LIFT:
            reasons.append(f"lift {row['lift']:.3f} < {_MIN_LIFT:.2f}")
        if row["tp"] < _MIN_TP:
            reasons.append(f"tp {row['tp']} < {_MIN_TP}")
        status = f"NO_PASS: {' and '.join(reasons)}"
        filters = f"lift>={_RELAXED_LIFT:.2f};tp>={_RELAXED_TP}"
    return {
        **row,
        "best_status": status,
        "selection_sort_key": "precision_desc,lift_desc,buy_rate_asc,support_desc",
        "selection_filters": filters,
    }


def _csv(rows, columns):
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "" if value is None else value for name, value in row.items()})
    return out.getvalue()


def write(runs_dir, out_dir):
    """Rewrite the four files of the registry; return the rows of both tables."""
    models = model_rows(runs_dir)
    best = best_rows(models)
    out_dir = Path(out_dir)
    metadata = {"generated_at": local_time(), "runs_dir": Path(runs_dir).as_posix()}
    for name, rows, columns in (
        ("registry_models", models, MODEL_COLUMNS),
        ("registry_best_by_ticker", best, BEST_COLUMNS),
    ):
        write_text(out_dir / f"{name}.csv", _csv(rows, columns))
        write_json(
            out_dir / f"{name}.json",
            {"metadata": {**metadata, "count": len(rows)}, "data": plain(rows)},
        )
    return models, best


def best_row(path, ticker):
    """The row of `ticker` in a registry_best_by_ticker.csv: texts, as they are in the file."""
    if not Path(path).is_file():
        raise UsageError(
            f"no model for {ticker}: {path} does not exist: train a model "
            "(python -m scripts.run_experiment --config configs/base.yaml), "
            f"run {INDEX_COMMAND}, or give --model-path"
        )
    for row in csv.DictReader(io.StringIO(read_text(path, "registry"))):
        if (row.get("ticker") or "").strip().upper() == ticker and row.get("model_final_path"):
            return {name: value for name, value in row.items() if name}
    raise UsageError(
        f"no model for {ticker} in {path}: if one was trained since, run {INDEX_COMMAND}; "
        f"else train one (train.finetune.tickers must have {ticker}; it needs a lift of at least "
        f"{_RELAXED_LIFT:g}), or give --model-path"
    )
