"""The commands as the orchestrator runs them: options, exit codes, printed lines, files."""

import csv
import json
import re
import subprocess
import sys

import pytest
import yaml

# What descriptors look for. RE2 has no look-behind, hence the group in front of run_id.
RUN_ID = re.compile(r"(?:^|[^_\w])run_id\s*[:=]\s*(\d{8}_\d{6}__[0-9a-f]{8})\b", re.M)
BT_RUN_ID = re.compile(r"\bbt_run_id\s*[:=]\s*(bt_\d{8}_\d{6}__[0-9a-f]{8})\b")
STEPS = re.compile(r"total_timesteps\s*\|\s*(\d+)")
BAR = re.compile(r"(\d+)/(\d+) \[")
METRICS = set("accuracy precision recall f1 support buy_rate positive_rate tp fp tn fn".split())


def load(workspace, path):
    return json.loads((workspace.folder / path).read_text(encoding="utf-8"))


# --- run_experiment


def test_training_prints_what_descriptors_look_for(trained):
    out, run_id = trained.output.stdout, trained.run_id
    assert RUN_ID.findall(out) == [run_id]
    lines = out.splitlines()
    assert lines[:2] == [f"run_id: {run_id}", f"run_dir: runs/{run_id}"]
    assert f"base_stage: fresh -> runs/{run_id}/models/base/final.zip" in lines
    folder = f"runs/{run_id}/models/finetuned"
    for ticker in ("SPX", "ABC"):
        assert f"finetune_{ticker}: resume -> {folder}/{ticker}/final.zip" in lines
    assert lines[-1] == f"manifest: runs/{run_id}/manifest.json"


def test_progress_counts_to_its_targets(trained):
    steps = [int(n) for n in STEPS.findall(trained.output.stdout)]
    config = yaml.safe_load((trained.folder / f"runs/{trained.run_id}/config.yaml").read_text())
    assert steps == [256, 512, 768, 1024] and config["train"]["pretrain"]["steps"] == steps[-1]
    fine = re.findall(r"finetune_timesteps\s*\|\s*(\d+)", trained.output.stdout)
    assert fine == ["256", "512"] * 2
    bars = BAR.findall(trained.output.stderr)
    assert bars[-1] == ("2048", "2048") and {total for _, total in bars} == {"2048"}
    counts = [int(count) for count, _ in bars]
    assert counts == sorted(counts)
    tables = re.findall(r"^-{41}\n(?:\| .{23} \| .{11} \|\n)+-{41}$", trained.output.stdout, re.M)
    assert len(tables) == 8 and all("ep_rew_mean" in text for text in tables)


def test_training_leaves_the_files_of_a_run(trained):
    run_id = trained.run_id
    manifest = load(trained, f"runs/{run_id}/manifest.json")
    assert set(manifest) == set(
        "run_id start_time end_time git_commit seed config_hash base_final_path "
        "per_ticker_final_paths data_cutoff_dates feature_cache_keys".split()
    )
    assert manifest["run_id"] == run_id and manifest["seed"] == 7
    for name in ("start_time", "end_time"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", manifest[name])
    assert manifest["base_final_path"] == f"runs/{run_id}/models/base/final.zip"
    assert set(manifest["per_ticker_final_paths"]) == {"SPX", "ABC"}
    metrics = load(trained, f"runs/{run_id}/metrics.json")
    assert set(metrics) == {"overall", "per_ticker"}
    for values in (metrics["overall"], *metrics["per_ticker"].values()):
        assert set(values) == METRICS
        assert values["tp"] + values["fp"] + values["tn"] + values["fn"] == values["support"]
    assert [n.split("/")[-1] for n in trained.names(f"runs/{run_id}/models/base/*")] == [
        "best.zip", "checkpoint_step_1024.zip", "checkpoint_step_512.zip", "final.zip", "last.zip",
    ]  # fmt: skip
    assert f"runs/{run_id}/models/finetuned/ABC/checkpoint_step_256.zip" in trained.names(
        f"runs/{run_id}/models/finetuned/ABC/*"
    )
    assert not trained.names(f"runs/{run_id}/**/.*")  # nothing temporary is left


def test_same_seed_and_data_give_the_same_numbers_in_any_order(trained, workspace):
    assert (workspace.folder / "data/stocks/ABC.csv").read_text() == (
        trained.folder / "data/stocks/ABC.csv"
    ).read_text()
    expected = load(trained, f"runs/{trained.run_id}/metrics.json")
    workspace.ok(
        "run_experiment", "--config", "configs/t.yaml", "--set", "train.finetune.tickers=[ABC]"
    )
    (path,) = workspace.names("runs/*/metrics.json")
    again = load(workspace, path)
    assert again["overall"] == expected["overall"]
    assert again["per_ticker"]["ABC"] == expected["per_ticker"]["ABC"]
    done = workspace.ok("run_experiment", "--config", "configs/t.yaml", "--set", "seed=8")
    other = load(workspace, f"runs/{RUN_ID.search(done.stdout)[1]}/metrics.json")
    assert other["overall"] != expected["overall"]


def test_dry_run_creates_the_run_and_trains_nothing(workspace):
    (workspace.folder / "configs/t.yaml").write_bytes(
        b"\xef\xbb\xbf" + (workspace.folder / "configs/t.yaml").read_bytes().replace(b"\n", b"\r\n")
    )
    done = workspace.ok(
        "run_experiment", "--config", "configs/t.yaml", "--dry-run",
        "--set", "label.horizon_days=12", "--set", "note=芯片 \"x\" = 'y'", "--set", "label.horzon=1",
    )  # fmt: skip
    run_id = RUN_ID.findall(done.stdout)[0]
    assert load(workspace, f"runs/{run_id}/metrics.json") == {
        "overall": {}, "per_ticker": {}, "dry_run": True,
    }  # fmt: skip
    config = yaml.safe_load((workspace.folder / f"runs/{run_id}/config.yaml").read_text())
    assert config["label"]["horizon_days"] == 12 and config["note"] == "芯片 \"x\" = 'y'"
    assert not workspace.names("runs/*/models") and not STEPS.search(done.stdout)
    assert "[WARN] --set label.horzon" in done.stderr and "horizon_days" not in done.stderr


def test_runs_started_at_once_get_different_ids(workspace):
    started = [
        subprocess.Popen(
            workspace.command("run_experiment", "--config", "configs/t.yaml", "--dry-run"),
            cwd=workspace.folder,
            env=workspace.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    ids = [RUN_ID.search(child.communicate(timeout=60)[0])[1] for child in started]
    assert len(set(ids)) == 3 and len(workspace.names("runs/*")) == 3
    assert len({name.split("__")[1] for name in ids}) == 3


@pytest.mark.parametrize(
    "arguments, part",
    [
        ([], "--config"),
        (["--config", "configs/none.yaml"], "configs/none.yaml does not exist"),
        (["--config", "configs"], "is a folder"),
        (["--config", "configs/t.yaml", "--forc"], "unrecognized arguments"),
        (["--conf", "configs/t.yaml"], "--config"),
        (["--config", "configs/t.yaml", "--set", "novalue"], "write key=value"),
        (["--config", "configs/t.yaml", "--set", "universe.tickers=[TSM]"], "data/stocks/TSM.csv"),
        (["--config", "configs/t.yaml", "--set", "universe.tickers=[../x]"], "not a ticker"),
        (["--config", "configs/t.yaml", "--set", "label.horizon_days=x"], "whole number"),
        (["--config", "configs/t.yaml", "--set", "label.horizon_days=600"], "training days"),
        (["--config", "configs/t.yaml", "--set", "split.date=2031-01-01"], "validation days"),
        (["--config", "configs/t.yaml", "--set", "split.date=2001-01-01"], "training days"),
        (["--config", "configs/t.yaml", "--set", "data.start=2050-01-01"], "no prices for SPX"),
        (["--config", "configs/t.yaml", "--set", "train.pretrain.steps=0"], "steps is 0"),
        (["--config", "configs/t.yaml", "--set", "train.ppo.gamma=.nan"], "gamma is nan"),
        (["--config", "configs/t.yaml", "--set", "train.pretrain.resume_from=x.zip"], "x.zip"),
    ],
)
def test_bad_trainings_are_refused_and_leave_nothing(workspace, arguments, part):
    assert part in workspace.fails(2, "run_experiment", *arguments)
    assert not workspace.names("runs/*")


@pytest.mark.parametrize("text", [b"a: [", b"- 1", b"\xff\xfe", b"a: !!python/name:os.system", b""])
def test_bad_configuration_files_are_refused(workspace, text):
    (workspace.folder / "configs/t.yaml").write_bytes(text)
    workspace.fails(2, "run_experiment", "--config", "configs/t.yaml")
    assert not workspace.names("runs/*")


BROKEN_TRAINING = """\
from scripts import run_experiment
from scripts.lib import cli, errors

class Stage(run_experiment.Stage):
    def train(self, *arguments):
        if self._name == "finetune_SPX":
            raise errors.RunError("the loss is not finite")
        super().train(*arguments)

run_experiment.Stage = Stage
cli.run(run_experiment.main)
"""


def test_a_failed_ticker_is_exit_code_1_and_the_others_are_kept(workspace):
    # The same program, in which the fine-tuning of one ticker runs away.
    (workspace.folder / "broken.py").write_text(BROKEN_TRAINING)
    done = subprocess.run(
        [sys.executable, "broken.py", "--config", "configs/t.yaml"],
        cwd=workspace.folder, env=workspace.environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last == "[ERROR] fine-tuning failed for SPX; the first: the loss is not finite"
    (path,) = workspace.names("runs/*/manifest.json")
    manifest = load(workspace, path)
    assert list(manifest["per_ticker_final_paths"]) == ["ABC"] and manifest["end_time"]
    assert list(load(workspace, path.replace("manifest", "metrics"))["per_ticker"]) == ["ABC"]


def test_stages_can_be_left_out_and_resumed(trained, workspace):
    done = workspace.ok(
        "run_experiment", "--config", "configs/t.yaml", "--set", "train.pretrain.enabled=false"
    )
    assert "base_stage" not in done.stdout and "finetune_ABC: fresh ->" in done.stdout
    (path,) = workspace.names("runs/*/metrics.json")
    assert load(workspace, path)["overall"] == {}
    base = trained.folder / f"runs/{trained.run_id}/models/base/final.zip"
    done = workspace.ok(
        "run_experiment", "--config", "configs/t.yaml", "--set", "train.finetune.enabled=false",
        "--set", f"train.pretrain.resume_from={json.dumps(str(base))}",
    )  # fmt: skip
    assert "base_stage: resume ->" in done.stdout and "finetune_" not in done.stdout
    failure = workspace.fails(
        2, "run_experiment", "--config", "configs/t.yaml", "--set", "train.hidden=[8]",
        "--set", f"train.pretrain.resume_from={json.dumps(str(base))}",
    )  # fmt: skip
    assert "layers [16, 16]" in failure


FAKE_YFINANCE = """\
import csv

class Frame(dict):
    index = []

class Ticker:
    def __init__(self, symbol):
        self.symbol = symbol

    def history(self, start, end, interval, auto_adjust):
        if self.symbol == "BROKEN":
            raise RuntimeError("no route")
        file = open(f"data/stocks/{self.symbol}.csv", encoding="utf-8-sig")
        rows = list(csv.DictReader(file))
        names = ("Open", "High", "Low", "Close", "Volume")
        frame = Frame({name: [float(row[name]) for row in rows] for name in names})
        frame.index = [r["Date"] + " 00:00:00-05:00" for r in rows]
        return frame
"""


def test_yfinance_as_provider(workspace):
    arguments = ("--config", "configs/t.yaml", "--dry-run", "--set", "data.provider=yfinance")
    missing = workspace.fails(2, "run_experiment", *arguments, env={"PYTHONNOUSERSITE": "1"})
    assert "not installed" in missing and "pip install yfinance" in missing
    (workspace.folder / "yfinance.py").write_text(FAKE_YFINANCE)
    done = workspace.ok("run_experiment", *arguments, "--set", "data.symbols={SPX: ABC}")
    assert done.stdout.count("training days") == 2
    broken = workspace.fails(2, "run_experiment", *arguments, "--set", "data.symbols={SPX: BROKEN}")
    assert "could not fetch BROKEN: no route" in broken


# --- eval_metrics


@pytest.mark.parametrize("mode", ["base", "finetune"])
def test_recomputed_metrics_are_those_of_the_training(trained, mode):
    path = trained.folder / f"runs/{trained.run_id}/metrics.json"
    before = json.loads(path.read_text())
    spoiled = {"overall": {"tp": -1}, "per_ticker": {"ABC": {"tp": -1}}}
    path.write_text(json.dumps(spoiled))
    done = trained.ok("eval_metrics", "--run-dir", f"runs/{trained.run_id}", "--mode", mode)
    after = json.loads(path.read_text())
    path.write_text(json.dumps(before))
    own, other = ("overall", "per_ticker")[:: 1 if mode == "base" else -1]
    assert after[own] == before[own] and after[other] == spoiled[other]
    shown = before["overall"] if mode == "base" else before["per_ticker"]["ABC"]
    assert f"{shown['precision']:.4f}" in done.stdout and f"{shown['recall']:.4f}" in done.stdout
    assert "run_id" not in done.stdout and "run_dir" not in done.stdout


def test_evaluating_another_model_or_dry_writes_nothing(trained):
    run = f"runs/{trained.run_id}"
    path = trained.folder / run / "metrics.json"
    before = path.stat().st_mtime_ns
    for arguments in (
        ("--mode", "base", "--dry-run"),
        ("--mode", "finetune", "--dry-run", "--model", f"{run}/models/base/best.zip"),
        ("--mode", "base", "--model", f"{run}/models/base/best.zip"),
        ("--mode", "finetune", "--model", f"{run}/models/base/best.zip"),
        ("--mode", "finetune", "--model", f"{run}/models/finetuned\\ABC\\best.zip"),
    ):
        done = trained.ok("eval_metrics", "--run-dir", run, *arguments)
        assert "written" not in done.stdout
    assert "ABC" in done.stdout and "SPX" not in done.stdout.replace(run, "")
    assert path.stat().st_mtime_ns == before


def test_bad_evaluations(trained, workspace):
    run = f"runs/{trained.run_id}"
    for arguments, part in (
        (("--run-dir", run), "--mode"),
        (("--run-dir", run, "--mode", "all"), "invalid choice"),
        (("--run-dir", "runs/none", "--mode", "base"), "runs/none does not exist"),
        (("--run-dir", run, "--mode", "base", "--model", "none.zip"), "none.zip does not exist"),
        (("--run-dir", run, "--mode", "base", "--model", f"{run}/config.yaml"), "not a model"),
    ):
        assert part in trained.fails(2, "eval_metrics", *arguments)
    workspace.ok("run_experiment", "--config", "configs/t.yaml", "--dry-run")
    (dry,) = workspace.names("runs/*")
    assert "dry run" in workspace.fails(1, "eval_metrics", "--run-dir", dry, "--mode", "finetune")
    done = workspace.ok("eval_metrics", "--run-dir", dry, "--mode", "base", "--dry-run")
    assert "[WARN]" in done.stderr


def test_changed_prices_are_noticed(trained):
    path = trained.folder / "data/stocks/ABC.csv"
    before = path.read_bytes()
    path.write_bytes(b"".join(before.splitlines(keepends=True)[:-1]))
    arguments = ("--run-dir", f"runs/{trained.run_id}", "--mode", "base", "--dry-run")
    done = trained.ok("eval_metrics", *arguments)
    path.write_bytes(before)
    assert "prices of ABC or its benchmark have changed" in done.stderr
    assert trained.ok("eval_metrics", *arguments).stderr == ""


# --- run_backtest


def write_best(trained):
    """A registry that names a model for each ticker, whatever the tiny training was worth."""
    run = f"runs/{trained.run_id}"
    lines = ["ticker,run_id,model_final_path,precision"]
    for ticker in ("SPX", "ABC"):
        lines.append(f"{ticker},{trained.run_id},{run}/models/finetuned/{ticker}/final.zip,0.5")
    path = trained.folder / "reports/registry/registry_best_by_ticker.csv"
    path.write_text("\n".join(lines) + "\n")


def test_backtest_of_two_tickers(trained):
    write_best(trained)
    done = trained.ok(
        "run_backtest", "--config", "configs/backtest/b.yaml", "--tickers", " abc,SPX ",
        "--set", "strategy.use_market_filter=false",
    )  # fmt: skip
    ids = BT_RUN_ID.findall(done.stdout)
    assert len(set(ids)) == 2 and not RUN_ID.search(done.stdout)
    assert BAR.findall(done.stderr)[-1] == ("2", "2")
    rule = "=" * 60
    block = done.stdout.split(rule + "\n")[1].splitlines()
    assert [line.split(":")[0].strip() for line in block] == [
        "ticker", "model_path", "label", "start", "bt_run_id", "output",
    ]  # fmt: skip
    assert block[0] == "  ticker:      ABC"
    assert block[2] == "  label:       horizon_days=10, threshold=0.04"
    assert block[4] == f"  bt_run_id:   {ids[0]}"
    assert block[5] == f"  output:      backtests/{ids[0]}"
    check_files(trained, f"backtests/{ids[0]}", ids[0])


def check_files(workspace, folder, bt_run_id):
    metrics = load(workspace, f"{folder}/metrics.json")
    assert set(metrics) == set(
        "ticker start end total_injected final_value total_return cagr max_drawdown trade_count "
        "win_rate avg_hold_days exposure_rate avg_trades_per_month".split()
    )
    assert metrics["max_drawdown"] <= 0 and metrics["ticker"] == "ABC"
    config = yaml.safe_load((workspace.folder / folder / "config.yaml").read_text())
    assert (config["_ticker"], config["_bt_run_id"]) == ("ABC", bt_run_id)
    assert config["_resolved_strategy"]["stop_loss_pct"] == 0.08
    assert config["_resolved_strategy"]["use_market_filter"] is False
    selection = load(workspace, f"{folder}/selection.json")
    assert set(selection) == set(
        "ticker model_path mode label_horizon_days label_threshold registry_row".split()
    )
    assert selection["mode"] == "finetune" and selection["registry_row"]["ticker"] == "ABC"
    equity = list(csv.DictReader(open(workspace.folder / folder / "equity.csv")))
    assert list(equity[0]) == [
        "date", "value", "capital", "position_value", "benchmark_value", "injected_cash"]
    assert equity[0]["date"] == f"{metrics['start']}T00:00:00"
    for row in equity:
        assert float(row["value"]) == pytest.approx(
            float(row["capital"]) + float(row["position_value"]), abs=1e-3
        )
    assert float(equity[-1]["value"]) == pytest.approx(metrics["final_value"], abs=0.01)
    trades = list(csv.DictReader(open(workspace.folder / folder / "trades.csv")))
    assert len(trades) == metrics["trade_count"] > 0
    assert list(trades[0]) == (
        "buy_date buy_price sell_date sell_price shares cost sell_value return profit hold_days "
        "exit_reason entry_type confidence"
    ).split()
    gain = sum(float(trade["profit"]) for trade in trades)
    assert gain == pytest.approx(metrics["final_value"] - metrics["total_injected"], abs=0.05)
    summary = (workspace.folder / folder / "summary.txt").read_text(encoding="utf-8")
    assert "回测摘要" in summary and "📊" in summary
    end = f"end_date_summary_ABC_{metrics['start']}_{metrics['end']}.txt"
    assert "期末状态" in (workspace.folder / folder / end).read_text(encoding="utf-8")
    picture = (workspace.folder / folder / "plots/equity_curve.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    held = load(workspace, f"{folder}/buy_and_hold.json")
    assert held["total_injected"] == metrics["total_injected"]


def test_backtest_without_trades_and_with_dates(trained):
    model = f"runs/{trained.run_id}/models/base/best.zip"
    arguments = (
        "--config", "configs/backtest/b.yaml", "--ticker", "abc", "--model-path", model,
        "--start", "2017-03-01", "--end", "2017-06-30", "--set", "strategy.conf_thresholds.low=1",
        "--set", "strategy.conf_thresholds.high=1",
    )  # fmt: skip
    done = trained.ok("run_backtest", *arguments)
    folder = f"backtests/{BT_RUN_ID.search(done.stdout)[1]}"
    assert (trained.folder / folder / "trades.csv").read_text() == "# no trades\n"
    metrics = load(trained, f"{folder}/metrics.json")
    assert (metrics["start"], metrics["end"]) == ("2017-03-01", "2017-06-30")
    assert metrics["trade_count"] == 0 and metrics["win_rate"] is None
    selection = load(trained, f"{folder}/selection.json")
    assert selection["mode"] == "base" and selection["registry_row"] is None


def test_backtest_begins_after_the_training_unless_told_and_then_warns(trained):
    write_best(trained)
    arguments = ("--config", "configs/backtest/b.yaml", "--ticker", "ABC")
    cutoff = load(trained, f"runs/{trained.run_id}/manifest.json")["data_cutoff_dates"]["ABC"]
    done = trained.ok("run_backtest", *arguments)
    assert re.search(r"start: +(\S+)", done.stdout)[1] > cutoff and "[WARN]" not in done.stderr
    done = trained.ok("run_backtest", *arguments, "--start", cutoff)
    assert f"[WARN] ABC: the model was trained on prices up to {cutoff}" in done.stderr


def test_backtest_with_the_models_of_a_run(trained):
    chosen = ("--set", f"model.run_id={trained.run_id}")
    done = trained.ok("run_backtest", "--config", "configs/backtest/b.yaml", *chosen)
    assert len(BT_RUN_ID.findall(done.stdout)) == 2


def test_dry_backtest_without_model_and_data_warns_and_writes_nothing(workspace):
    before = workspace.names("**/*")
    done = workspace.ok(
        "run_backtest", "--config", "configs/backtest/b.yaml", "--ticker", "TSM", "--dry-run"
    )
    assert len(BT_RUN_ID.findall(done.stdout)) == 1 and "  ticker:      TSM" in done.stdout
    assert done.stderr.startswith("[WARN] no model for TSM")
    assert "[ERROR]" not in done.stderr and workspace.names("**/*") == before


def test_failed_tickers_are_exit_code_1_and_do_not_stop_the_others(trained):
    write_best(trained)
    config = ("--config", "configs/backtest/b.yaml")
    done = trained.run("run_backtest", *config, "--tickers", "TSM,ABC")
    assert done.returncode == 1 and len(BT_RUN_ID.findall(done.stdout)) == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("[ERROR] 1 of 2 tickers failed (TSM); the first: no model for TSM")
    model = f"runs/{trained.run_id}/models/base/final.zip"
    missing = trained.fails(1, "run_backtest", *config, "--ticker", "TSM", "--model-path", model)
    assert "data/stocks/TSM.csv does not exist" in missing
    early = ("--start", "2015-01-01", "--end", "2015-01-20")
    assert "no prediction" in trained.fails(1, "run_backtest", *config, "--ticker", "ABC", *early)
    late = ("--ticker", "ABC", "--start", "2031-01-01")
    assert "no prices between" in trained.fails(1, "run_backtest", *config, *late)


@pytest.mark.parametrize(
    "arguments, part",
    [
        (["--ticker", "A", "--tickers", "B"], "not allowed with"),
        (["--tickers", "--dry-run"], "expected one argument"),
        (["--ticker", "../A"], "not a ticker"),
        (["--tickers", "A,,B"], "not a ticker"),
        (["--tickers", "A,B", "--model-path", "m.zip"], "exactly one ticker"),
        (["--ticker", "A", "--start", "2020-13-01"], "not a date"),
        (["--ticker", "A", "--start", "2019-02-29"], "not a date"),
        (["--ticker", "A", "--start", "20200101"], "not a date"),
        (["--ticker", "A", "--start", "2020-02-01", "--end", "2020-01-01"], "before the start"),
        (["--ticker", "A", "--set", "strategy.stop_loss_pct=9"], "stop_loss_pct is 9"),
        (["--ticker", "A", "--set", "strategy.nonsense=1"], "has no 'nonsense'"),
        (["--ticker", "A", "--set", "capital.initial=-1"], "capital.initial is -1"),
        (["--set", "universe.tickers=[]"], "no ticker"),
    ],
)
def test_bad_backtests_are_refused(workspace, arguments, part):
    found = workspace.fails(2, "run_backtest", "--config", "configs/backtest/b.yaml", *arguments)
    assert part in found and not workspace.names("backtests")


# --- index_runs and sweep


def test_index_runs_command(trained):
    done = trained.ok("index_runs", "--runs-dir", "runs", "--out-dir", "reports/again")
    assert "indexed 3 models, 3 of them READY" in done.stdout
    assert trained.names("reports/again/*") == [
        f"reports/again/registry_{name}" for name in (
            "best_by_ticker.csv", "best_by_ticker.json", "models.csv", "models.json",
        )
    ]  # fmt: skip
    trained.fails(2, "index_runs", "--runs-dir", "configs/t.yaml")
    trained.fails(2, "index_runs", "--all")


def test_index_runs_without_runs(workspace):
    done = workspace.ok("index_runs")
    assert "[WARN] runs does not exist" in done.stderr and len(workspace.names("reports/*/*")) == 4


def test_sweep(workspace):
    done = workspace.ok(
        "sweep", "--config", "configs/t.yaml", "--dry-run", "--max", "3",
        "--grid", "seed=1,2", "--grid", "train.finetune.tickers=[ABC],[SPX]",
    )  # fmt: skip
    ids = RUN_ID.findall(done.stdout)
    assert len(ids) == 3 == len(workspace.names("runs/*"))
    assert done.stdout.startswith("sweep: 4 combinations, 3 of them to train\n")
    seeds = [
        yaml.safe_load((workspace.folder / f"runs/{run_id}/config.yaml").read_text())["seed"]
        for run_id in ids
    ]
    assert seeds == [1, 1, 2]
    table = done.stdout.splitlines()[-3:]
    assert [line.split()[0] for line in table] == ids
    assert 'train.finetune.tickers=["ABC"]' in table[0]


def test_sweep_reports_a_failed_training(workspace):
    done = workspace.run(
        "sweep", "--config", "configs/t.yaml", "--grid", "universe.tickers=[TSM],[ABC]", "--dry-run"
    )
    assert done.returncode == 1 and "data/stocks/TSM.csv" in done.stdout
    assert done.stderr.strip().endswith("[ERROR] 1 of 2 trainings failed: see their messages above")
    assert len(workspace.names("runs/*")) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--grid", "seed"],
        ["--grid", "seed="],
        ["--grid", "seed=1]"],
        ["--grid", "a b=1"],
        ["--grid", "seed=1", "--grid", "seed=2"],
        ["--grid", "seed=1", "--max", "0"],
    ],
)
def test_bad_sweeps_are_refused(workspace, arguments):
    workspace.fails(2, "sweep", "--config", "configs/t.yaml", *arguments)
    assert not workspace.names("runs/*")
