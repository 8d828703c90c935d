"""The read-only views: the shapes of the first version field by field, and every way a file can be bad."""

import http.client
import json
import os
import re
import threading
import time
import urllib.parse

import pytest

from workspace_files import (BACKTEST, BACKTEST_METRICS, CONFIG_DOCUMENT, METRICS, MODEL_COLUMNS, RUN, Writer,
                             make_large, png)


def exact(actual, expected, where=""):
    """Equal, with 1, 1.0 and true being three values, and fields in any order."""
    assert type(actual) is type(expected), (where, actual, expected)
    if isinstance(expected, dict):
        assert set(actual) == set(expected), (where, set(actual) ^ set(expected))
        for key in expected:
            exact(actual[key], expected[key], f"{where}/{key}")
    elif isinstance(expected, list):
        assert len(actual) == len(expected), (where, actual, expected)
        for i, item in enumerate(expected):
            exact(actual[i], item, f"{where}/{i}")
    else:
        assert actual == expected, where


@pytest.fixture(scope="module", params=["tidy", "windows"])
def written(request, tmp_path_factory):
    """A server on a workspace with one of each; whoever wrote it, the answers are the same."""
    from conftest import Server
    workspace = tmp_path_factory.mktemp(request.param) / "workspace"
    workspace.mkdir()
    writer = Writer(workspace, windows=request.param == "windows")
    writer.run()
    writer.backtest()
    writer.registry()
    server = Server(workspace).start()
    yield server
    server.stop()


TUNED = f"runs/{RUN}/models/finetuned/TSM/final.zip"
POINTS = [{"date": f"2017-10-{day}T00:00:00", "portfolio_value": value, "benchmark_value": None,
           "injected_cash": None}
          for day, value in ((16, 10000.0), (17, 12000.0), (18, 9000.0), (19, 12500.0))]


def test_registry(written):
    exact(written.get("/api/registry/best"), [{
        "ticker": "TSM", "run_id": RUN, "model_path": TUNED, "model_type": "finetune", "precision": 0.5,
        "lift": 2.5, "buy_rate": 0.1, "label_horizon_days": 120, "label_threshold": 0.2, "positive_rate": 0.2,
        "tp": 10, "fp": 10, "tn": 140, "fn": 40, "support": 200, "best_status": "NO_PASS: lift, tp"}])
    reply = written.request("GET", "/api/registry/models")
    assert reply.headers["X-Total-Count"] == "2"
    paths = {f"{name}_path": f"runs/{RUN}/{file}" for name, file in (
        ("config", "config.yaml"), ("metrics", "metrics.json"), ("manifest", "manifest.json"))}
    common = {"run_id": RUN, "label_horizon_days": 120, "label_threshold": 0.2, "git_commit": None,
              "start_time": "2026-02-17T17:14:16.123456", "end_time": None, **paths}
    numbers = ("precision", "recall", "f1", "accuracy", "buy_rate", "positive_rate", "lift", "tp", "fp", "tn",
               "fn", "support")
    exact(reply.json, [
        {**common, "mode": "finetune", "ticker": "TSM", "model_final_path": TUNED, "status": "READY",
         "precision": 0.5, "recall": 0.25, "f1": 0.33, "accuracy": 0.75, "buy_rate": 0.1,
         "positive_rate": 0.2, "lift": 2.5, "tp": 10, "fp": 10, "tn": 140, "fn": 40, "support": 200},
        {**common, "mode": "base", "ticker": "ALL", "model_final_path": f"runs/{RUN}/models/base/final.zip",
         "status": "MISSING_METRICS", **dict.fromkeys(numbers)}])
    assert list(reply.json[0]) == MODEL_COLUMNS
    assert '"precision":0.5,' in reply.text  # as people write it, and not 5E-1
    assert [row["mode"] for row in written.get("/api/registry/models?min_lift=1")] == ["finetune"]
    page = written.request("GET", "/api/registry/models?sort=ticker_asc&limit=1&offset=1")
    assert [row["ticker"] for row in page.json] == ["TSM"] and page.headers["X-Total-Count"] == "2"


def test_run(written):
    exact(written.get("/api/runs/recent"), [{
        "run_id": RUN, "tickers": ["TSM", "ON"], "start_time": "2026-02-17T17:14:16.123456",
        "end_time": "2026-02-17T17:20:00.654321", "status": "COMPLETED",
        "manifest_path": f"runs/{RUN}/manifest.json"}])
    metrics = {**METRICS, "f1": None}
    exact(written.get(f"/api/runs/{RUN}"), {
        "run_id": RUN, "config": CONFIG_DOCUMENT,
        "metrics": {"overall": {}, "per_ticker": {"TSM": metrics}},
        "manifest": {
            "run_id": RUN, "start_time": "2026-02-17T17:14:16.123456", "end_time": "2026-02-17T17:20:00.654321",
            "git_commit": None, "seed": 42, "config_hash": "0e304dfc",
            "base_final_path": f"runs/{RUN}/models/base/final.zip",
            "per_ticker_final_paths": {"TSM": TUNED}, "data_cutoff_dates": {"TSM": "2017-10-13"},
            "feature_cache_keys": {}},
        "models": {"base": ["final.zip", "best.zip", "last.zip"],
                   "finetuned": {"TSM": ["final.zip", "best.zip"]}},
        "checkpoints_count": 5,
        "checkpoints_sample": ["checkpoint_step_5000.zip", "checkpoint_step_20000.zip",
                               "checkpoint_step_100000.zip"],
        "jobs": [], "tickers": ["TSM", "ON"], "start_time": "2026-02-17T17:14:16.123456",
        "end_time": "2026-02-17T17:20:00.654321", "status": "COMPLETED", "warnings": []})
    base = ["checkpoint_step_5000.zip", "checkpoint_step_20000.zip", "checkpoint_step_100000.zip"]
    assert written.get(f"/api/runs/{RUN}/checkpoints") == base
    assert written.get(f"/api/runs/{RUN}/checkpoints?mode=base") == base
    for ticker in ("TSM", "tsm"):
        assert written.get(f"/api/runs/{RUN}/checkpoints?mode=finetuned&ticker={ticker}") == [
            "checkpoint_step_9.zip", "checkpoint_step_10.zip"]
    assert written.get(f"/api/runs/{RUN}/checkpoints?mode=finetuned&ticker=NVDA") == []
    for query in ("mode=finetuned", "mode=other"):
        assert written.request("GET", f"/api/runs/{RUN}/checkpoints?{query}").status == 400


def test_backtest(written):
    rows = written.get("/api/backtests/recent")
    when = time.strftime("%z", time.localtime(time.mktime((2026, 2, 17, 20, 17, 17, 0, 0, -1))))
    timestamp = f"2026-02-17T20:17:17.000{when[:3]}:{when[3:]}"
    exact(rows, [{
        "bt_run_id": BACKTEST, "ticker": "TSM", "model_path": TUNED, "start_date": "2017-10-16",
        "end_date": "2017-10-19", "total_return": 0.25, "cagr": 0.5, "max_drawdown": -0.25, "win_rate": 0.5,
        "trade_count": 2, "timestamp": timestamp}])
    document = written.get(f"/api/backtests/{BACKTEST}")
    ends = "\r\n" if written.workspace.parent.name.startswith("windows") else "\n"
    trades = [
        {"buy_date": "2017-10-16", "buy_price": 40.0, "sell_date": "2017-10-18", "sell_price": 36.0,
         "shares": 10.0, "cost": 400.0, "sell_value": 360.0, "return": -0.1, "profit": -40.0, "hold_days": 2,
         "exit_reason": "stop_loss", "entry_type": "low", "confidence": 0.61, "entry_date": "2017-10-16",
         "exit_date": "2017-10-18", "pnl_pct": -0.1, "holding_days": 2},
        {"buy_date": "2017-10-17", "buy_price": 40.0, "sell_date": "2017-10-19", "sell_price": 50.0,
         "shares": 10.0, "cost": 400.0, "sell_value": 500.0, "return": 0.25, "profit": 100.0, "hold_days": 2,
         "exit_reason": "trailing_stop", "entry_type": "high", "confidence": 0.95, "entry_date": "2017-10-17",
         "exit_date": "2017-10-19", "pnl_pct": 0.25, "holding_days": 2}]
    common = ("entry_date", "exit_date", "pnl_pct", "exit_reason", "holding_days")
    strategy = {"stop_loss_pct": 0.12, "take_profit_activation_pct": 0.1, "trail_stop_low_pct": 0.05,
                "trail_stop_high_pct": 0.15, "min_days_between_entries": 10, "use_market_filter": True,
                "conf_thresholds": {"high": 0.9, "low": 0.6}}
    exact(document, {
        "bt_run_id": BACKTEST, "ticker": "TSM",
        "config": {"strategy": {**strategy, "stop_loss_pct": 0.08},
                   "per_ticker": {"TSM": {"strategy": {"stop_loss_pct": 0.12}}},
                   "period": {"start": "2017-10-16"}, "_ticker": "TSM", "_bt_run_id": BACKTEST,
                   "_resolved_strategy": {"stop_loss_pct": 0.12, "trail_stop_low_pct": 0.05}},
        "metrics": BACKTEST_METRICS, "summary_text": f"📊 摘要{ends}TSM{ends}",
        "end_date_summary_text": f"📅 期末{ends}", "trades": trades, "equity_curve": POINTS,
        "plot_path": f"backtests/{BACKTEST}/plots/equity_curve.png", "strategy_summary": strategy,
        "recent_trades": [{key: trade[key] for key in common} for trade in reversed(trades)],
        "mdd_window": {"mdd_peak_date": "2017-10-17T00:00:00", "mdd_trough_date": "2017-10-18T00:00:00",
                       "mdd_recovery_date": "2017-10-19T00:00:00"},
        "jobs": [], "trades_total": 2, "run_id": RUN, "model_path": TUNED,
        "selection": {"ticker": "TSM", "model_path": TUNED, "mode": "finetune", "label_horizon_days": 120,
                      "label_threshold": 0.2, "registry_row": None},
        "timestamp": timestamp, "warnings": []})
    exact(written.get(f"/api/backtests/{BACKTEST}/equity"), POINTS)
    page = written.request("GET", f"/api/backtests/{BACKTEST}/trades?offset=1&limit=1")
    exact(page.json, trades[1:])
    assert page.headers["X-Total-Count"] == "2"


def test_picture(written):
    path = f"/api/backtests/{BACKTEST}/plot/equity.png"
    reply = written.request("GET", path)
    assert reply.status == 200 and reply.body == png()
    assert reply.headers["Content-Type"] == "image/png"
    tag = reply.headers["ETag"]
    same = written.request("GET", path, headers={"If-None-Match": tag})
    assert same.status == 304 and same.body == b"" and same.headers["ETag"] == tag
    assert written.request("GET", path, headers={"If-None-Match": '"other"'}).status == 200
    head = written.request("HEAD", path)
    assert head.status == 200 and head.headers["Content-Length"] == str(len(png())) and head.body == b""


def test_other_writer(make_server):
    server = make_server()
    Writer(server.workspace, windows=True).backtest(
        equity="date,portfolio_value,benchmark_value,injected_cash\n2020-01-01,10,20,30.0\n2020-01-02,nan,,\n",
        trades='entry_date,exit_date,pnl_pct,exit_reason\n2020-01-01,2020-01-05,0.5,"stop, ""hard"""\n')
    server.start()
    document = server.get(f"/api/backtests/{BACKTEST}")
    exact(document["equity_curve"], [
        {"date": "2020-01-01", "portfolio_value": 10.0, "benchmark_value": 20.0, "injected_cash": 30.0},
        {"date": "2020-01-02", "portfolio_value": None, "benchmark_value": None, "injected_cash": None}])
    trade = {"entry_date": "2020-01-01", "exit_date": "2020-01-05", "pnl_pct": 0.5,
             "exit_reason": 'stop, "hard"', "holding_days": 4}
    exact(document["trades"], [trade])
    exact(document["recent_trades"], [trade])


def test_empty_workspace(make_server):
    server = make_server().start()
    for path in ("/api/runs/recent", "/api/backtests/recent", "/api/files?under=configs"):
        reply = server.request("GET", path)
        assert (reply.status, reply.body, reply.headers["X-Total-Count"]) == (200, b"[]", "0"), path
    for path in ("/api/registry/best", "/api/registry/models"):
        reply = server.request("GET", path)
        assert reply.status == 404
        assert "python -m scripts.index_runs --runs-dir runs --out-dir reports/registry" in reply.json["detail"]
    assert server.request("GET", f"/api/runs/{RUN}").status == 404
    assert server.request("GET", f"/api/backtests/{BACKTEST}").status == 404


BAD = {
    "missing": None, "empty": b"", "blank": b" \r\n", "nul": bytes(64), "binary": bytes(range(256)),
    "cut": b'{"a": [1, 2', "number": b"1", "list": b"[1]", "word": b"null", "deep": b"[" * 5000,
    "quote": b'"unfinished', "bom": b"\xef\xbb\xbf", "folder": "folder", "dangling": "dangling",
    "outside": "outside", "pipe": "pipe", "huge": "huge",
}


def spoil(target, kind):
    bad = BAD[kind]
    if target.exists() or target.is_symlink():
        target.unlink()
    if bad is None:
        return
    if bad == "folder":
        target.mkdir()
    elif bad == "dangling":
        target.symlink_to("nowhere")
    elif bad == "outside":
        target.symlink_to("/etc/passwd")
    elif bad == "pipe":
        os.mkfifo(target)
    elif bad == "huge":
        with open(target, "wb") as file:
            file.truncate(200 << 20)  # sparse
    else:
        target.write_bytes(bad)


def test_one_bad_file_breaks_nothing(make_server):
    """Each file of a run and of a backtest spoilt in each way: lists and documents stay, and say so."""
    server = make_server()
    files = [("runs", name) for name in ("config.yaml", "metrics.json", "manifest.json")] + [
        ("backtests", name) for name in ("config.yaml", "selection.json", "metrics.json", "equity.csv",
                                         "trades.csv", "summary.txt", "plots/equity_curve.png",
                                         "end_date_summary_TSM_2017-10-16_2017-10-19.txt")]
    cases = {}
    writer = Writer(server.workspace)
    for i, (where, name) in enumerate(files):
        for j, kind in enumerate(BAD):
            run_id = f"20260101_{i:02}{j:02}00__0badf00d"
            folder = run_id if where == "runs" else "bt_" + run_id
            (writer.run if where == "runs" else writer.backtest)(folder)
            spoil(server.workspace / where / folder / name, kind)
            cases[folder] = (where, name, kind)
    server.start()
    runs = {row["run_id"]: row for row in server.get("/api/runs/recent?limit=5000")}
    backtests = {row["bt_run_id"]: row for row in server.get("/api/backtests/recent?limit=5000")}
    optional = {"summary.txt", "selection.json", "plots/equity_curve.png"}
    for folder, (where, name, kind) in cases.items():
        case = (folder, where, name, kind)
        document = server.get(f"/api/{where}/{folder}")
        listed = runs if where == "runs" else backtests
        # Only what stands at metrics.json makes a backtest.
        assert (folder in listed) == (name != "metrics.json" or where == "runs"
                                      or kind not in ("missing", "dangling")), case
        named = [line for line in document["warnings"] if name in line]
        text = name.endswith((".txt", ".csv", ".png"))
        if kind in ("missing", "dangling"):
            assert bool(named) == (name not in optional and not name.startswith("end_date")), case
        elif kind in ("outside", "huge", "folder", "pipe") and not name.endswith(".png"):
            no_file = kind in ("folder", "pipe") and name.startswith("end_date")  # so it is no summary
            assert bool(named) != no_file, (case, document["warnings"])
        elif not text:
            assert named, (case, document["warnings"])
        for sentence in document["warnings"]:
            assert "root:" not in json.dumps(document) and sentence.startswith(f"{where}/{folder}/"), case
        field = {"config.yaml": "config", "metrics.json": "metrics", "manifest.json": "manifest",
                 "selection.json": "selection"}.get(name)
        if field:
            assert document[field] is None, case
        if where == "backtests":
            for part in ("/equity", "/trades", "/plot/equity.png"):
                assert server.request("GET", f"/api/backtests/{folder}{part}").status in (200, 404, 422), case
    assert server.request("GET", "/healthz").status == 200


def test_a_run_in_progress(make_server):
    server = make_server()
    writer = Writer(server.workspace)
    writer.json(f"runs/{RUN}/manifest.json", {"run_id": RUN, "start_time": "2026-02-17T17:14:16.123456"})
    (server.workspace / "runs/notes").mkdir()
    (server.workspace / "runs/20260217_171416__0e304dfd").write_text("a file")
    server.start()
    exact(server.get("/api/runs/recent"), [{
        "run_id": RUN, "tickers": [], "start_time": "2026-02-17T17:14:16.123456", "end_time": None,
        "status": None, "manifest_path": f"runs/{RUN}/manifest.json"}])
    document = server.get(f"/api/runs/{RUN}")
    exact({key: document[key] for key in ("config", "metrics", "models", "checkpoints_count", "status")}, {
        "config": None, "metrics": None, "models": {"base": [], "finetuned": {}}, "checkpoints_count": 0,
        "status": None})
    assert len(document["warnings"]) == 2
    writer.run(status="STOPPED")
    assert server.get("/api/runs/recent")[0]["status"] == "STOPPED"


def test_changes_are_seen_at_once(make_server):
    server = make_server()
    writer = Writer(server.workspace)
    writer.run()
    writer.backtest()
    server.start()
    for i in range(40):
        # The same size, in place, many within a second.
        writer.run(start_time=f"2026-02-17T17:14:16.{i:06}")
        assert server.get("/api/runs/recent")[0]["start_time"].endswith(f".{i:06}")
        writer.backtest(metrics={"total_return": 0.1 + i / 1000})
        assert server.get("/api/backtests/recent")[0]["total_return"] == pytest.approx(0.1 + i / 1000)
    kept = server.workspace / f"backtests/{BACKTEST}/metrics.json"
    times = os.stat(kept)
    kept.write_text(kept.read_text().replace("0.139", "0.777"))
    os.utime(kept, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert server.get("/api/backtests/recent")[0]["total_return"] == 0.777
    kept.unlink()
    assert server.get("/api/backtests/recent") == []


def test_five_thousand_of_each(make_server):
    server = make_server()
    make_large(server.workspace, 5000)
    server.start()
    for what, key, time_key in (("runs", "run_id", "start_time"), ("backtests", "bt_run_id", "timestamp")):
        reply = server.request("GET", f"/api/{what}/recent?limit=5000")
        rows = reply.json
        assert len(rows) == 5000 and reply.headers["X-Total-Count"] == "5000"
        ids = [row[key] for row in rows]
        assert ids == sorted(ids, reverse=True)
        assert sum(row["status" if what == "runs" else "total_return"] is None for row in rows) == 500
        page = server.request("GET", f"/api/{what}/recent?limit=7&offset=100")
        assert page.json == rows[100:107] and page.headers["X-Total-Count"] == "5000"
        assert server.get(f"/api/{what}/recent") == rows[:30]
        mine = server.request("GET", f"/api/{what}/recent?ticker=t3&limit=5000")
        assert mine.headers["X-Total-Count"] == str(len(mine.json)) == "714"
        changed = rows[2500][key]
        name = "manifest.json" if what == "runs" else "metrics.json"
        (server.workspace / what / changed / name).write_text(
            '{"start_time": "now", "total_return": 9}')
        again = server.get(f"/api/{what}/recent?limit=5000")
        assert [row[key] for row, old in zip(again, rows) if row != old] == [changed]
        assert time_key in again[0]


def test_scratch_disk(make_server, tmp_path):
    """runs/ on another disk, behind a link: allowed by `workspace.roots` alone."""
    scratch = tmp_path / "scratch"
    Writer(scratch).run()
    server = make_server()
    (server.workspace / "runs").symlink_to(scratch / "runs")
    server.start()
    reply = server.request("GET", "/api/runs/recent")
    assert reply.status == 422 and "workspace.roots" in reply.json["detail"]
    server.stop()
    (server.workspace / "configs").mkdir()
    (server.workspace / "configs/runyard.yaml").write_text(f"workspace:\n  roots: [{scratch}]\n")
    server.start()
    assert [row["run_id"] for row in server.get("/api/runs/recent")] == [RUN]
    document = server.get(f"/api/runs/{RUN}")
    assert document["config"] == CONFIG_DOCUMENT and document["checkpoints_count"] == 5


def test_jobs_of_runs_and_backtests(server):
    train = server.wait(server.submit("train", {"config_path": "configs/smoke.yaml"})["job_id"])
    assert train["status"] == "SUCCESS", server.log_of(train["job_id"])
    run_id = train["artifacts_hint"]["run_id"]
    backtest = server.wait(server.submit("backtest", {
        "config_path": "configs/backtest/base.yaml", "tickers": ["SPX"],
        "model_path": f"runs/{run_id}/models/base/final.zip", "_job": {"name": "nightly"}})["job_id"])
    assert backtest["status"] == "SUCCESS", server.log_of(backtest["job_id"])
    bt_run_id = backtest["artifacts_hint"]["bt_run_id"]
    evaluate = server.wait(server.submit("eval-metrics", {"run_id": run_id, "dry_run": True})["job_id"])

    def summary(job, relation, name=None):
        return {"job_id": job["job_id"], "job_type": job["job_type"], "status": job["status"],
                "created_at": job["created_at"], "name": name, "relation": relation}

    document = server.get(f"/api/runs/{run_id}")
    exact(document["jobs"], [summary(evaluate, "used"), summary(backtest, "used", "nightly"),
                             summary(train, "produced")])
    # What the sample workload writes is shown well.
    assert document["status"] == "COMPLETED" and document["warnings"] == [], document["warnings"]
    assert document["models"]["base"] == ["final.zip", "best.zip", "last.zip"]
    made = server.get(f"/api/backtests/{bt_run_id}")
    exact(made["jobs"], [summary(backtest, "produced", "nightly")])
    assert made["run_id"] == run_id and made["warnings"] == []
    assert made["equity_curve"][0]["benchmark_value"] is not None
    assert made["equity_curve"][0]["injected_cash"] is not None
    assert all(value is not None for value in made["strategy_summary"].values())
    assert server.request("GET", f"/api/backtests/{bt_run_id}/plot/equity.png").body.startswith(b"\x89PNG")
    best = server.get("/api/registry/best")
    assert {row["ticker"] for row in best} <= {"SPX", "GOOG"}
    assert server.request("DELETE", f"/api/jobs/{evaluate['job_id']}").status == 204
    assert [job["job_id"] for job in server.get(f"/api/runs/{run_id}")["jobs"]] == [
        backtest["job_id"], train["job_id"]]


def test_files(server):
    everything = server.get("/api/files?under=configs")
    assert {"path": "configs/base.yaml"} in everything
    assert everything == sorted(everything, key=lambda item: item["path"])
    assert server.get("/api/files?under=configs&q=BACKTEST") == [{"path": "configs/backtest/base.yaml"}]
    assert server.get("/api/files?under=configs&kind=dir") == [{"path": "configs/backtest"}]
    assert len(server.get("/api/files?under=configs&limit=1")) == 1
    assert not any(part.startswith(".") for item in server.get("/api/files?limit=5000")
                   for part in item["path"].split("/"))
    assert not any(item["path"].startswith("data/") for item in server.get("/api/files?limit=5000"))
    for bad in ("under=..", "under=/etc", "under=configs/../..", "under=data", "kind=x", "limit=0", "limit=9999",
                "under=%00", "under=configs%0a"):
        reply = server.request("GET", f"/api/files?{bad}")
        assert reply.status == 422, bad


ATTACKS = ["..", "../..", "....//", "%2e%2e", "%2e%2e%2f%2e%2e", "..%2f..%2fetc%2fpasswd", "%252e%252e%252f", "%00",
           f"{RUN}%00", f"{RUN}%2f..", f"{RUN}%2f..%2f{RUN}", "/etc/passwd", "%2fetc%2fpasswd", "C:%5cwindows",
           f"..%5c{RUN}", RUN.upper(), f"{RUN}%20", f"%20{RUN}", f"{RUN}%0a", "x" * 3000, "%ff%fe", "~root",
           f"{RUN};ls", f"bt_bt_{RUN}", "%e2%80%ae", "."]


def raw(server, path):
    """The status and body of a GET whose path no client has made tidy."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
    try:
        connection.putrequest("GET", path, skip_host=False)
        connection.endheaders()
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def test_path_attacks(written):
    secret = written.workspace.parent / "secret.txt"
    secret.write_text("root:secret")
    for attack in ATTACKS:
        for path in (f"/api/runs/{attack}", f"/api/runs/{attack}/checkpoints", f"/api/backtests/{attack}",
                     f"/api/backtests/{attack}/equity", f"/api/backtests/{attack}/trades",
                     f"/api/backtests/{attack}/plot/equity.png", f"/api/files?under={attack}",
                     f"/api/runs/{RUN}/checkpoints?mode=finetuned&ticker={attack}"):
            status, body = raw(written, path)
            # `.` and the like may be the workspace itself, or a name that does not exist.
            allowed = {200, 400, 404, 414, 422} if "?" in path else {400, 404, 414}
            assert status in allowed, (path, status)
            assert b"root:" not in body, path
            if status == 200:
                assert all(not item["path"].startswith(("/", "..")) if isinstance(item, dict)
                           else item.startswith("checkpoint_") for item in json.loads(body)), path


def test_links_that_lead_out(make_server, tmp_path):
    outside = tmp_path / "outside"
    Writer(outside).run()
    Writer(outside).backtest()
    (outside / "secret.json").write_text('{"start_time": "SECRET", "total_return": 1, "tickers": ["SECRET"]}')
    server = make_server()
    run, backtest = (server.workspace / "runs" / RUN, server.workspace / "backtests" / BACKTEST)
    (server.workspace / "runs").mkdir()
    (server.workspace / "backtests").mkdir()
    run.symlink_to(outside / "runs" / RUN)
    backtest.symlink_to(outside / "backtests" / BACKTEST)
    server.start()
    assert server.get("/api/runs/recent")[0]["status"] is None
    assert server.get("/api/backtests/recent")[0]["total_return"] is None
    for path in (f"runs/{RUN}", f"runs/{RUN}/checkpoints", f"backtests/{BACKTEST}",
                 f"backtests/{BACKTEST}/plot/equity.png"):
        reply = server.request("GET", f"/api/{path}")
        assert reply.status in (404, 422), path
    # The same for what is within a real folder.
    run.unlink()
    backtest.unlink()
    Writer(server.workspace).run()
    Writer(server.workspace).backtest()
    for target in (run / "manifest.json", run / "config.yaml", run / "metrics.json", backtest / "metrics.json",
                   backtest / "equity.csv", backtest / "trades.csv", backtest / "summary.txt"):
        target.unlink()
        target.symlink_to(outside / "secret.json")
    picture = backtest / "plots/equity_curve.png"
    picture.unlink()
    picture.symlink_to("/etc/passwd")
    models = run / "models"
    os.rename(models, tmp_path / "models")
    models.symlink_to(tmp_path / "models")
    document = server.get(f"/api/runs/{RUN}")
    assert document["manifest"] is document["config"] is document["metrics"] is None
    assert document["models"] == {"base": [], "finetuned": {}} and document["checkpoints_count"] == 0
    assert "SECRET" not in json.dumps(server.get(f"/api/backtests/{BACKTEST}"))
    assert "SECRET" not in json.dumps([server.get("/api/runs/recent"), server.get("/api/backtests/recent")])
    assert server.request("GET", f"/api/backtests/{BACKTEST}/plot/equity.png").status == 404


def test_a_link_that_is_swapped(make_server, tmp_path):
    """A file is exchanged for a link to a secret, back and forth, while it is read."""
    server = make_server()
    Writer(server.workspace).run()
    secret = tmp_path / "secret.json"
    secret.write_text('{"start_time": "SECRET", "end_time": "SECRET"}')
    folder = server.workspace / "runs" / RUN
    good = (folder / "manifest.json").read_text()
    server.start()
    stop = threading.Event()

    def swap():
        link, file = folder / "link.tmp", folder / "file.tmp"
        while not stop.is_set():
            link.symlink_to(secret)
            os.rename(link, folder / "manifest.json")
            file.write_text(good)
            os.rename(file, folder / "manifest.json")

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        seen = set()
        for _ in range(300):
            row = server.get("/api/runs/recent")[0]
            seen.add(row["start_time"])
            assert "SECRET" not in json.dumps(server.get(f"/api/runs/{RUN}"))
    finally:
        stop.set()
        swapper.join()
    assert seen <= {None, "2026-02-17T17:14:16.123456"}


def test_bad_queries(written):
    for path in ("/api/runs/recent?limit=0", "/api/runs/recent?limit=x", "/api/runs/recent?offset=-1",
                 "/api/backtests/recent?limit=5001", "/api/registry/models?limit=0",
                 "/api/registry/models?min_lift=nan", "/api/registry/models?min_lift=1e999",
                 "/api/registry/models?sort=secret_desc", f"/api/backtests/{BACKTEST}/trades?limit=0"):
        reply = written.request("GET", path)
        assert reply.status == 422 and reply.json["errors"], path
    quoted = urllib.parse.quote("数据 '\"<>")
    assert written.get(f"/api/runs/recent?ticker={quoted}") == []
    assert written.get(f"/api/registry/models?ticker={quoted}") == []
    assert re.fullmatch(r"\d+", written.request("GET", "/api/runs/recent?ticker=tsm").headers["X-Total-Count"])
