"""A client of the first version: every call it knows of jobs, each field with its type and its nulls.
(What that version says of registry, runs and backtests is in test_views.py.)"""

import json
import re

import pytest

from conftest import Server, make_workspace

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"
RUN_ID = r"\d{8}_\d{6}__[0-9a-f]{8}"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server(make_workspace(tmp_path_factory.mktemp("first") / "workspace")).start()
    yield running
    running.clear()


def matches(actual, expected):
    """A text for a regular expression, a type, or the value itself with its type."""
    if isinstance(expected, re.Pattern):
        return isinstance(actual, str) and expected.fullmatch(actual) is not None
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(
            name in actual and matches(actual[name], value) for name, value in expected.items())
    if isinstance(expected, list):
        return isinstance(actual, list) and len(actual) == len(expected) and all(map(matches, actual, expected))
    return type(actual) is type(expected) and actual == expected


def is_job(server, job, job_type, status, command, hint):
    """All that the first version says of a job."""
    job_id = job["job_id"]
    has_begun, has_ended = status != "QUEUED", status in ("SUCCESS", "FAILED", "CANCELLED")
    expected = {
        "job_id": re.compile(r"job_\d{8}_\d{6}__[0-9a-f]{8}"), "job_type": job_type, "status": status,
        "created_at": re.compile(TIME), "started_at": re.compile(TIME) if has_begun else None,
        "ended_at": re.compile(TIME) if has_ended else None,
        "command": [re.compile(r".*python3?"), *command], "cwd": str(server.workspace), "artifacts_hint": hint,
        "log_path": f"reports/jobs/{job_id}.log", "meta_path": f"reports/jobs/{job_id}.json"}
    for name, value in expected.items():
        assert name in job and matches(job[name], value), (name, job.get(name), value)


def submit(server, slug, body):
    reply = server.request("POST", f"/api/jobs/{slug}", body)
    assert 200 <= reply.status < 300  # such clients look at no more
    assert reply.headers["Content-Type"] == "application/json"
    return reply.json


def test_the_three_submits_from_queued_to_their_end(server):
    server.post("/api/admin/queue/pause")
    train = submit(server, "train", {"config_path": "configs/base.yaml", "overrides": [], "dry_run": True})
    words = ["-m", "scripts.run_experiment", "--config", "configs/base.yaml", "--dry-run"]
    is_job(server, train, "train", "QUEUED", words, None)
    log = server.request("GET", f"/api/jobs/{train['job_id']}/log")
    assert (log.status, log.body) == (200, b"")
    server.post("/api/admin/queue/resume")
    train = server.wait(train["job_id"])
    is_job(server, train, "train", "SUCCESS", words, {"run_id": re.compile(RUN_ID)})
    run_id = train["artifacts_hint"]["run_id"]

    evaluate = submit(server, "eval-metrics", {"run_id": run_id, "mode": "base", "dry_run": True})
    evaluate = server.wait(evaluate["job_id"])
    is_job(server, evaluate, "eval_metrics", evaluate["status"], evaluate["command"][1:], {"run_id": run_id})
    assert evaluate["command"][1:3] == ["-m", "scripts.eval_metrics"]

    backtest = submit(server, "backtest", {
        "config_path": "configs/backtest/base.yaml", "tickers": ["TSM"], "start": "2018-01-02",
        "end": "2019-12-31", "overrides": ["entry.min_days_between_entries=5"], "dry_run": True})
    assert {"TSM", "2018-01-02", "2019-12-31"} <= set(backtest["command"])
    backtest = server.wait(backtest["job_id"])
    is_job(server, backtest, "backtest", "SUCCESS", backtest["command"][1:],
           {"bt_run_id": re.compile("bt_" + RUN_ID)})


def test_a_failed_and_a_cancelled_job(server):
    body = {"config_path": "configs/smoke.yaml", "overrides": ["train.finetune.tickers=[NOPE]"],
            "dry_run": False}
    failed = server.wait(submit(server, "train", body)["job_id"])
    is_job(server, failed, "train", "FAILED", failed["command"][1:], failed["artifacts_hint"])
    assert failed["artifacts_hint"] is None or set(failed["artifacts_hint"]) == {"run_id"}
    server.post("/api/admin/queue/pause")
    waiting = submit(server, "train", body)
    reply = server.request("POST", f"/api/jobs/{waiting['job_id']}/cancel")
    server.post("/api/admin/queue/resume")
    assert reply.status == 202
    cancelled = server.job(waiting["job_id"])
    assert cancelled["started_at"] is None and cancelled["artifacts_hint"] is None
    assert re.fullmatch(TIME, cancelled["ended_at"]) and cancelled["status"] == "CANCELLED"


def test_the_list_the_record_and_the_log(server):
    job = server.wait(submit(server, "train", {"config_path": "configs/base.yaml", "overrides": [],
                                               "dry_run": True})["job_id"])
    jobs = server.get("/api/jobs/recent?limit=50")
    assert isinstance(jobs, list) and jobs == [server.job(each["job_id"]) for each in jobs]
    assert [each["created_at"] for each in jobs] == sorted((each["created_at"] for each in jobs), reverse=True)
    assert job in jobs and len(server.get("/api/jobs/recent?limit=1")) == 1
    for wrong in ("0", "501", "x"):
        assert server.request("GET", f"/api/jobs/recent?limit={wrong}").status == 422

    record = server.record(job["job_id"], until=lambda one: one["status"] == "SUCCESS")
    for name in ("job_id", "job_type", "status", "created_at", "started_at", "ended_at", "command", "cwd",
                 "artifacts_hint", "log_path", "meta_path"):
        assert matches(record[name], job[name]), name
    assert json.loads((server.workspace / job["meta_path"]).read_text()) == record

    whole = (server.workspace / job["log_path"]).read_bytes()
    reply = server.request("GET", f"/api/jobs/{job['job_id']}/log")
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8" and reply.body == whole
    part = server.request("GET", f"/api/jobs/{job['job_id']}/log", headers={"Range": "bytes=2-5"})
    assert part.status == 206 and part.body == whole[2:6]
    page = server.get(f"/api/jobs/{job['job_id']}/log?offset=0&tail=20000")
    expected = {"job_id": job["job_id"], "content": whole.decode(), "next_offset": len(whole),
                "size": len(whole), "is_truncated": False, "log_path": job["log_path"]}
    assert set(page) == set(expected) and matches(page, expected)


def test_an_unknown_job(server):
    for path in ("", "/log", "/log?offset=0"):
        reply = server.request("GET", f"/api/jobs/job_20260101_120000__0123abcd{path}")
        assert reply.status == 404 and reply.json["detail"]
