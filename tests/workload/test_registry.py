"""The registry, over runs in every state that real ones are in."""

import csv
import json
import os

import pytest

from scripts.lib import registry
from scripts.lib.errors import UsageError

MODEL_COLUMNS = (
    "run_id mode ticker label_horizon_days label_threshold precision recall f1 accuracy buy_rate "
    "positive_rate lift tp fp tn fn support model_final_path config_path metrics_path "
    "manifest_path git_commit start_time end_time status"
).split()


def metrics(precision=0.6, positive_rate=0.5, tp=60, buy_rate=0.3, support=300):
    return {
        "accuracy": 0.6, "precision": precision, "recall": 0.4, "f1": 0.5, "support": support,
        "buy_rate": buy_rate, "positive_rate": positive_rate, "tp": tp, "fp": 40, "tn": 100,
        "fn": 50,
    }  # fmt: skip


class Runs:
    def __init__(self):
        self.count = 0

    def add(self, per_ticker=None, *, run_id=None, final=True, manifest=True, backslashes=False):
        """One run with fine-tuned models; returns its folder."""
        from pathlib import Path

        self.count += 1
        run_id = run_id or f"20260101_0000{self.count:02d}__0000000a"
        folder = Path("runs", run_id)
        folder.mkdir(parents=True)
        per_ticker = per_ticker or {"ABC": metrics()}
        paths = {t: f"runs/{run_id}/models/finetuned/{t}/final.zip" for t in per_ticker}
        for ticker in per_ticker:
            (folder / "models/finetuned" / ticker).mkdir(parents=True)
            name = "final.zip" if final else "checkpoint_step_10.zip"
            (folder / "models/finetuned" / ticker / name).write_bytes(b"")
        (folder / "config.yaml").write_bytes(
            "\ufefflabel:\r\n  horizon_days: 20\r\n  threshold: 0.1\r\n".encode()
        )
        (folder / "metrics.json").write_text(json.dumps({"overall": {}, "per_ticker": per_ticker}))
        if manifest:
            if backslashes:
                paths = {t: p.replace("/", "\\") for t, p in paths.items()}
            document = {"run_id": run_id, "per_ticker_final_paths": paths if final else {}}
            (folder / "manifest.json").write_text(json.dumps(document))
        return folder


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Runs()


def read(name):
    with open(f"out/{name}.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    document = json.load(open(f"out/{name}.json", encoding="utf-8"))
    assert set(document) == {"metadata", "data"} and len(document["data"]) == len(rows)
    assert {"generated_at", "runs_dir"} <= set(document["metadata"])
    return rows, document["data"]


def test_columns_and_values(runs):
    folder = runs.add()
    registry.write("runs", "out")
    rows, data = read("registry_models")
    assert list(rows[0]) == MODEL_COLUMNS and list(data[0]) == MODEL_COLUMNS
    row = data[0]
    assert row["mode"] == "finetune" and row["ticker"] == "ABC" and row["status"] == "READY"
    assert row["lift"] == 1.2 and row["label_horizon_days"] == 20 and row["label_threshold"] == 0.1
    assert row["config_path"] == f"{folder.as_posix()}/config.yaml"
    assert row["git_commit"] is None and rows[0]["git_commit"] == ""
    best, _ = read("registry_best_by_ticker")
    added = ["best_status", "selection_sort_key", "selection_filters"]
    assert list(best[0]) == MODEL_COLUMNS + added
    assert best[0]["best_status"] == "PASS"


def test_every_state_of_a_run(runs):
    runs.add(run_id="20260101_000001__0000000a")
    runs.add(run_id="20260101_000002__0000000a", final=False)
    runs.add(run_id="20260101_000003__0000000a", manifest=False)
    gone = runs.add(run_id="20260101_000004__0000000a")
    os.unlink(gone / "models/finetuned/ABC/final.zip")
    broken = ("", '{"overall": {}, "per_ti', '{"per_ticker": {"ABC": null}}')
    for number, text in enumerate(broken, 5):
        folder = runs.add(run_id=f"20260101_00000{number}__0000000a")
        (folder / "metrics.json").write_text(text)
    half = runs.add(run_id="20260101_000008__0000000a")
    (half / "manifest.json").write_text('{"run_id": "x", "per_tic')
    (runs.add(run_id="20260101_000009__0000000a") / "config.yaml").write_text("a: [")
    runs.add(run_id="20260101_000010__0000000a", backslashes=True)
    (runs.add(run_id="20260101_000011__0000000a") / "metrics.json").write_text(
        '{"dry_run": true, "overall": {}, "per_ticker": {}}'
    )
    odd = runs.add(run_id="20260101_000012__0000000a")
    (odd / "metrics.json").write_text('{"per_ticker": {"ABC": {"precision": NaN, "tp": "many"}}}')
    (odd / "manifest.json").write_text('{"per_ticker_final_paths": [], "git_commit": {}}')
    for name in ("not_a_run", "20260101_000013__0000000A"):
        os.makedirs(f"runs/{name}/models/base")
    os.makedirs("runs/20260101_000014__0000000a")  # just created: nothing in it yet
    open("runs/20260101_000015__0000000a", "w").close()
    registry.write("runs", "out")
    _, data = read("registry_models")
    assert {row["run_id"][9:15]: row["status"] for row in data} == {
        "000001": "READY",
        "000002": "NO_FINAL",
        "000003": "MISSING_MANIFEST",
        "000004": "MISSING_MODEL",
        "000005": "MISSING_METRICS",
        "000006": "MISSING_METRICS",
        "000007": "MISSING_METRICS",
        "000008": "MISSING_MANIFEST",
        "000009": "READY",
        "000010": "READY",
        "000012": "MISSING_METRICS",
    }
    assert not any("\\" in (row["model_final_path"] or "") for row in data)
    assert "NaN" not in open("out/registry_models.json").read()
    assert [row["run_id"] for row in data] == sorted((r["run_id"] for r in data), reverse=True)


def best(runs, *choices):
    for values in choices:
        runs.add({"ABC": metrics(**values)})
    _, rows = registry.write("runs", "out")
    return rows


def test_best_is_precise_then_lifted_then_rare_then_supported(runs):
    rows = best(
        runs,
        dict(precision=0.6, positive_rate=0.5),
        dict(precision=0.9, positive_rate=0.85),  # lift below 1.10
        dict(precision=0.9, positive_rate=0.5, tp=29),  # too few
        dict(precision=0.7, positive_rate=0.6),
        dict(precision=0.7, positive_rate=0.5, buy_rate=0.4),
        dict(precision=0.7, positive_rate=0.5, buy_rate=0.2, support=100),
        dict(precision=0.7, positive_rate=0.5, buy_rate=0.2, support=200),
    )
    assert len(rows) == 1 and rows[0]["best_status"] == "PASS"
    assert rows[0]["run_id"].startswith("20260101_000007")


def test_limits_are_inclusive(runs):
    rows = best(runs, dict(precision=0.55, positive_rate=0.5, tp=30))
    assert rows[0]["best_status"] == "PASS"


def test_relaxed_when_none_passes(runs):
    rows = best(runs, dict(precision=0.8, positive_rate=0.9), dict(precision=0.52, tp=5))
    assert rows[0]["best_status"] == "NO_PASS: lift 1.040 < 1.10 and tp 5 < 30"
    assert rows[0]["selection_filters"] == "lift>=1.00;tp>=1"


def test_nothing_worth_naming(runs):
    assert best(runs, dict(precision=0.4), dict(precision=0.0, tp=0)) == []
    rows, _ = read("registry_best_by_ticker")
    assert rows == []


def test_no_runs_at_all(runs):
    registry.write("runs", "out")
    assert read("registry_models") == ([], [])


def test_best_row_reads_what_users_have(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.csv").write_bytes(
        "\ufeffticker,run_id,model_final_path,lift\r\nTSM,r,runs\\r\\m.zip,nan\r\n".encode()
    )
    assert registry.best_row("r.csv", "TSM")["model_final_path"] == "runs\\r\\m.zip"
    for path, ticker in (("r.csv", "SPX"), ("none.csv", "TSM")):
        with pytest.raises(UsageError, match="scripts.index_runs"):
            registry.best_row(path, ticker)
