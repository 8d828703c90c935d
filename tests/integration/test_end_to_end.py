"""The whole way: plugin, validation, queue, process, log, record, hints."""

import json
import os
import re
import socket

import pytest

from conftest import eventually

RUN_ID = r"\d{8}_\d{6}__[0-9a-f]{8}"


def test_recent_is_empty_at_first(make_server):
    server = make_server(sample=True).start()
    reply = server.request("GET", "/api/jobs/recent")
    assert reply.status == 200 and reply.body == b"[]"
    assert reply.headers["X-Total-Count"] == "0"


def test_train_dry_run(server):
    reply = server.post("/api/jobs/train", {"config_path": "configs/base.yaml", "dry_run": True})
    assert reply.status == 201
    job = reply.json
    assert reply.headers["Location"] == f"/api/jobs/{job['job_id']}"
    assert re.fullmatch(r"job_\d{8}_\d{6}__[0-9a-f]{8}", job["job_id"])
    assert job["status"] in ("QUEUED", "RUNNING")
    assert job["job_type"] == "train" and job["dry_run"] is True

    job = server.wait(job["job_id"])
    assert job["status"] == "SUCCESS", (job, server.log_of(job["job_id"]))
    assert job["exit_code"] == 0 and job["end_reason"] is None
    run_id = job["artifacts_hint"]["run_id"]
    assert (server.workspace / "runs" / run_id).is_dir()
    assert {"name": "run_id", "value": run_id, "href": f"/runs/{run_id}"} in job["links"]
    assert job["command"][1:] == ["-m", "scripts.run_experiment", "--config", "configs/base.yaml",
                                  "--dry-run"]
    assert job["log_path"] == f"reports/jobs/{job['job_id']}.log"
    assert job["meta_path"] == f"reports/jobs/{job['job_id']}.json"

    log = (server.workspace / job["log_path"]).read_text()
    assert log.startswith("$ ") and log.splitlines()[0].endswith(
        "-m scripts.run_experiment --config configs/base.yaml --dry-run")
    record = server.record(job["job_id"], until=lambda r: r["status"] == "SUCCESS")
    ticking = {"progress", "status_text", "waiting_for", "log_size"}
    assert set(job) - set(record) == ticking
    assert {k: v for k, v in job.items() if k not in ticking} == record


def test_backtest_dry_run_without_data(server):
    job = server.submit("backtest", {"config_path": "configs/backtest/base.yaml",
                                     "tickers": ["TSM"], "dry_run": True})
    job = server.wait(job["job_id"])
    assert job["status"] == "SUCCESS", server.log_of(job["job_id"])
    assert re.fullmatch("bt_" + RUN_ID, job["artifacts_hint"]["bt_run_id"])


def test_train_evaluate_backtest(server):
    train = server.submit("train", {"config_path": "configs/smoke.yaml", "overrides": [
        'train.finetune.tickers=["SPX","GOOG"]', "label.horizon_days=20"]})
    train = server.wait(train["job_id"])
    assert train["status"] == "SUCCESS", server.log_of(train["job_id"])
    assert train["progress"]["fraction"] == 1.0
    run_id = train["artifacts_hint"]["run_id"]
    assert (server.workspace / "runs" / run_id / "metrics.json").is_file()

    evaluated = server.submit("eval-metrics", {"run_id": run_id})
    evaluated = server.wait(evaluated["job_id"])
    assert evaluated["status"] == "SUCCESS", server.log_of(evaluated["job_id"])
    assert evaluated["job_type"] == "eval_metrics"
    assert evaluated["params"]["mode"] == "finetune"  # the schema's default
    assert evaluated["artifacts_hint"] == {"run_id": run_id}

    backtest = server.submit("backtest", {
        "config_path": "configs/backtest/base.yaml", "tickers": [" spx ", "GOOG"],
        "overrides": [f"model.run_id={run_id}"]})
    backtest = server.wait(backtest["job_id"])
    assert backtest["status"] == "SUCCESS", server.log_of(backtest["job_id"])
    assert "SPX,GOOG" in backtest["command"]
    made = [link for link in backtest["links"] if link["name"] == "bt_run_id"]
    assert len(made) == 2
    tickers = set()
    for link in made:
        folder = server.workspace / "backtests" / link["value"]
        tickers.add(json.loads((folder / "metrics.json").read_text())["ticker"])
        assert (folder / "equity.csv").is_file()
        assert link["href"] == f"/backtests/{link['value']}"
    assert tickers == {"SPX", "GOOG"}
    assert backtest["artifacts_hint"]["bt_run_id"] == made[-1]["value"]


def points_in(log, x_name, y_name):
    """[[x, y], ...] of the tables in a log that have both, in the order in which they are printed."""
    points = []
    for table in re.split(r"(?m)^-{5,}$", log):
        row = {name: float(value) for name, value in re.findall(r"(?m)^\|\s+(\w+)\s+\|\s+(\S+)\s+\|$", table)
               if name in (x_name, y_name)}
        if len(row) == 2:
            points.append([row[x_name], row[y_name]])
    return points


def test_the_curves_of_the_sample_workload(server):
    job = server.wait(server.submit("train", {"config_path": "configs/smoke.yaml", "overrides": [
        'train.finetune.tickers=["SPX","GOOG"]']})["job_id"])
    assert job["status"] == "SUCCESS"
    log = server.log_of(job["job_id"])
    curves = {curve["name"]: curve for curve in server.get(f"/api/jobs/{job['job_id']}/series")}
    assert list(curves) == ["ep_rew_mean", "finetune_ep_rew_mean", "loss"]
    for name, x_name, y_name in (("ep_rew_mean", "total_timesteps", "ep_rew_mean"),
                                 ("finetune_ep_rew_mean", "finetune_timesteps", "ep_rew_mean"),
                                 ("loss", "total_timesteps", "loss")):
        points = points_in(log, x_name, y_name)
        assert len(points) > 1, log
        assert curves[name] == {"name": name, "x_name": x_name, "points": points}


SB3_TABLE = """-----------------------------------------
| rollout/                |             |
|    ep_len_mean          | 200         |
|    ep_rew_mean          | {reward:<11} |
| time/                   |             |
|    fps                  | 1174        |
|    iterations           | 10          |
|    total_timesteps      | {steps:<11} |
| train/                  |             |
|    approx_kl            | 0.011937    |
|    loss                 | 0.0312      |
-----------------------------------------"""


def test_the_live_curve_of_stable_baselines(make_server, tmp_path):
    """A trainer that prints that library's tables: points are there while it runs, and stay."""
    server = make_server(sample=True)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    (server.workspace / "scripts" / "run_experiment.py").write_text(
        f"TABLE = {SB3_TABLE!r}\n"
        "print('run_id: 20260217_171416__0e304dfc')\n"
        "for i in range(1, 6001):\n"
        "    print(TABLE.format(reward=-i / 4, steps=i * 2048), flush=i == 3)\n"
        f"    if i == 3: open({str(gate)!r}).read()\n")
    server.start()
    job_id = server.submit("train", {"config_path": "configs/smoke.yaml"})["job_id"]

    def reward():
        curves = {curve["name"]: curve for curve in server.get(f"/api/jobs/{job_id}/series")}
        assert "finetune_ep_rew_mean" not in curves
        return curves.get("ep_rew_mean", {"points": []})

    live = eventually(lambda: (curve := reward()) and len(curve["points"]) == 3 and curve)
    assert live == {"name": "ep_rew_mean", "x_name": "total_timesteps",
                    "points": [[2048, -0.25], [4096, -0.5], [6144, -0.75]]}
    assert server.job(job_id)["status"] == "RUNNING"
    gate.write_text("go")
    assert server.wait(job_id)["status"] == "SUCCESS"
    points = reward()["points"]
    assert 1000 <= len(points) <= 2000
    assert (points[0], points[-1]) == ([2048, -0.25], [6000 * 2048, -1500])
    assert all(y == -x / 2048 / 4 for x, y in points) and points == sorted(points)
    server.stop()
    server.start()
    assert reward()["points"] == points


def test_train_is_followed_by_the_registry(server):
    job = server.submit("train", {"config_path": "configs/smoke.yaml"})
    assert server.wait(job["job_id"])["status"] == "SUCCESS"

    def registry():
        jobs = server.get("/api/jobs/recent?job_type=index_runs")
        return [j for j in jobs if j["note"] == f"after {job['job_id']}" or j["status"] == "SUCCESS"]

    follow_up = eventually(registry, what="the follow-up")[0]
    assert server.wait(follow_up["job_id"])["status"] == "SUCCESS"
    assert (server.workspace / "reports/registry/registry_models.csv").is_file()


def test_failure_says_why(server):
    job = server.submit("train", {"config_path": "configs/smoke.yaml",
                                  "overrides": ["train.finetune.tickers=[NOPE]"]})
    job = server.wait(job["job_id"])
    assert job["status"] == "FAILED" and job["end_reason"] == "exit_code"
    assert job["exit_code"] in (1, 2)
    assert job["error_message"].startswith("[ERROR]") and "NOPE" in job["error_message"]


BAD = [
    ("train", {"config_path": "/etc/passwd"}),
    ("train", {"config_path": "../x.yaml"}),
    ("train", {"config_path": "configs/../../x.yaml"}),
    ("train", {"config_path": "configs/../../x"}),
    ("train", {"config_path": "configs/out.yaml"}),       # a symbolic link that leads outside
    ("train", {"config_path": "configs/missing.yaml"}),
    ("train", {"config_path": ""}),
    ("train", {"config_path": "configs/base.yaml\0"}),
    ("train", {"config_path": "configs"}),
    ("train", {}),
    ("train", {"config_path": "configs/base.yaml", "overrides": ["--force"]}),
    ("train", {"config_path": "configs/base.yaml", "overrides": ["novalue"]}),
    ("train", {"config_path": "configs/base.yaml", "overrides": "a=1"}),
    ("train", {"config_path": "configs/base.yaml", "dry_run": "yes"}),
    ("train", {"config_path": 7}),
    ("train", {"config_path": "configs/base.yaml", "surprise": 1}),
    ("train", {"config_path": "configs/base.yaml", "_job": {"slots": 0}}),
    ("train", {"config_path": "configs/base.yaml", "_job": {"nonsense": 1}}),
    ("train", {"config_path": "configs/" + "x" * 100_000 + ".yaml"}),
    ("eval-metrics", {"run_id": ".."}),
    ("eval-metrics", {"run_id": "a/b"}),
    ("eval-metrics", {"run_id": "20200101_000000__00000000"}),
    ("eval-metrics", {"run_id": "20200101_000000__00000000", "mode": "best"}),
    ("backtest", {"config_path": "configs/backtest/base.yaml", "tickers": ["--dry-run"]}),
    ("backtest", {"config_path": "configs/backtest/base.yaml", "start": "2020-13-01"}),
    ("backtest", {"config_path": "configs/backtest/base.yaml", "start": "2021-02-29"}),
    ("backtest", {"config_path": "configs/backtest/base.yaml", "start": "2020-02-01",
                  "end": "2020-01-01"}),
    ("backtest", {"config_path": "configs/backtest/base.yaml", "model_path": "/etc/hostname"}),
]


@pytest.fixture(scope="module")
def hostile(server):
    (server.workspace / "configs" / "out.yaml").symlink_to("/etc/passwd")
    return server


@pytest.mark.parametrize("slug,body", BAD)
def test_bad_input_creates_nothing(hostile, slug, body):
    before = hostile.request("GET", "/api/jobs/recent").headers["X-Total-Count"]
    files = sorted(os.listdir(hostile.workspace / "reports" / "jobs"))
    reply = hostile.post(f"/api/jobs/{slug}", body)
    assert reply.status == 422, (reply.status, reply.text[:500])
    assert reply.headers["Content-Type"] == "application/problem+json"
    problem = reply.json
    assert problem["status"] == 422 and len(problem["detail"]) > 10
    assert problem["errors"] and all(e["pointer"].startswith("/") and e["message"]
                                     for e in problem["errors"]), problem
    assert "passwd:" not in reply.text and "root:" not in reply.text
    assert hostile.request("GET", "/api/jobs/recent").headers["X-Total-Count"] == before
    assert sorted(os.listdir(hostile.workspace / "reports" / "jobs")) == files


def test_a_command_that_would_be_too_long_is_the_inputs_fault(server):
    reply = server.post("/api/jobs/train", {"config_path": "configs/base.yaml",
                                            "overrides": ["a.b=" + "x" * 4000] * 50})
    assert reply.status == 422 and "give fewer or shorter ones" in reply.json["detail"], reply.text


def test_other_refusals(server):
    def refused(status, *request):
        reply = server.request(*request)
        assert reply.status == status, (request, reply.status, reply.text)
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert reply.json["status"] == status and reply.json["detail"]
        return reply

    refused(404, "POST", "/api/jobs/nothing", "{}")
    refused(400, "POST", "/api/jobs/train", "{")
    refused(400, "POST", "/api/jobs/train", "[]")
    refused(422, "POST", "/api/jobs/train", "")  # as {}: the configuration is missing
    refused(404, "GET", "/api/jobs/job_20200101_000000__00000000")
    refused(404, "GET", "/api/jobs/..%2f..%2fetc%2fpasswd")
    refused(404, "GET", "/api/jobs/%00")
    refused(404, "GET", "/nothing")
    refused(422, "GET", "/api/jobs/recent?limit=0")
    refused(422, "GET", "/api/jobs/recent?limit=501")
    refused(422, "GET", "/api/jobs/recent?status=DONE")
    assert refused(405, "DELETE", "/api/jobs/recent/log").headers["Allow"] == "GET"
    refused(413, "POST", "/api/jobs/train", '{"config_path": "' + "x" * (2 << 20) + '"}')
    refused(415, "POST", "/api/jobs/train", "config_path=x",
            {"Content-Type": "application/x-www-form-urlencoded"})
    refused(421, "GET", "/api/jobs/recent", None, {"Host": "evil.example"})
    refused(403, "POST", "/api/jobs/train", "{}", {"Origin": "http://evil.example"})
    refused(403, "POST", "/api/jobs/train", "{}", {"Sec-Fetch-Site": "cross-site"})
    refused(403, "GET", "/api/jobs/recent", None, {"X-Forwarded-For": "10.0.0.1"})


def test_killing_requests_leave_the_server_answering(server):
    for request in (
            b"GET /" + b"/" * 14600 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"POST /api/jobs/train HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n",
            b"POST /api/jobs/train HTTP/1.1\r\nHost: localhost\r\nContent-Length: abc\r\n\r\n",
            b"POST /api/jobs/train HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r"):
        with socket.create_connection((server.host, server.port), timeout=10) as client:
            client.sendall(request)
            if not request.endswith(b"5\r"):
                assert client.recv(100).startswith(b"HTTP/1.1 4")
    assert server.get("/healthz") == {"status": "ok"}


def test_log_in_parts(server):
    job = server.submit("train", {"config_path": "configs/smoke.yaml", "dry_run": True})
    job_id = job["job_id"]
    server.wait(job_id)
    whole = (server.workspace / "reports/jobs" / f"{job_id}.log").read_bytes()
    path = f"/api/jobs/{job_id}/log"
    reply = server.request("GET", path)
    assert reply.body == whole
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
    part = server.request("GET", path, headers={"Range": "bytes=2-9"})
    assert part.status == 206 and part.body == whole[2:10]
    assert part.headers["Content-Range"] == f"bytes 2-9/{len(whole)}"
    assert server.request("GET", path, headers={"Range": "bytes=-5"}).body == whole[-5:]
    assert server.request("GET", path, headers={"Range": f"bytes={len(whole)}-"}).status == 416
    head = server.request("HEAD", path)
    assert head.body == b"" and int(head.headers["Content-Length"]) == len(whole)

    page = server.get(path + "?tail=10")
    assert page["content"].encode() == whole[-10:] and page["is_truncated"]
    assert page["next_offset"] == page["size"] == len(whole)
    page = server.get(path + "?offset=7")
    assert page["content"].encode() == whole[7:]


def test_job_types_and_plugins(server):
    types = {t["slug"]: t for t in server.get("/api/job-types")}
    assert {"train", "backtest", "eval-metrics", "index-runs"} <= set(types)
    assert types["train"]["input_schema"]["properties"]["config_path"]["type"] == "string"
    assert server.get("/api/job-types/eval-metrics")["type"] == "eval_metrics"
    plugins = {p["type"]: p for p in server.get("/api/admin/plugins")}
    assert plugins["train"]["state"] == "loaded"
    assert re.fullmatch("[0-9a-f]{64}", plugins["train"]["sha256"])


def test_two_servers_on_one_workspace(server, make_server):
    second = make_server(workspace=server.workspace,
                         state=server.workspace.parent / "other-state")
    assert second.start(expect_failure=True) == 1
    assert "another Runyard server" in second.log_text()


def test_a_preview_says_what_a_submit_would_run(server):
    def preview(body, slug="train"):
        return server.post(f"/api/job-types/{slug}/preview", body)

    jobs = server.get("/api/jobs/recent?limit=500")
    body = {"config_path": "configs/smoke.yaml", "overrides": ["seed=2"]}
    plan = preview({"params": body, "_job": {"priority": 3}})
    assert plan.status == 200, plan.text
    assert plan.json["params"] == {**body, "dry_run": False}
    assert plan.json["command"][1:] == ["-m", "scripts.run_experiment", "--config",
                                        "configs/smoke.yaml", "--set", "seed=2"]
    for wrong, pointers in (({"params": {}}, {"/config_path"}),
                            ({"params": {"config_path": "../x.yaml", "no": 1}}, {"/config_path", "/no"}),
                            ({"params": body, "_job": {"slots": 0}}, {"/_job/slots"}),
                            ({"params": body, "_job": {"after": ["job_20200101_000000__00000000"]}},
                             {"/_job/after/0"}),
                            ({**body}, {"/config_path", "/overrides"}),
                            ({"params": []}, {"/params"})):
        refused = preview(wrong)
        assert refused.status == 422, wrong
        assert {error["pointer"] for error in refused.json["errors"]} == pointers
    assert preview({}).status == 422 and preview({}, slug="nothing").status == 404
    assert preview({}, slug="index-runs").json["command"][1:3] == ["-m", "scripts.index_runs"]
    assert server.get("/api/jobs/recent?limit=500") == jobs

    job = server.submit("train", {**body, "dry_run": True, "_job": {"priority": 3}})
    assert job["command"] == preview({"params": {**body, "dry_run": True}}).json["command"]
    templates = preview({"params": {"run_id": "{hint.run_id}"}, "_job": {"after": [job["job_id"]]}},
                        slug="eval-metrics")
    assert templates.json == {"params": {"run_id": "{hint.run_id}"}, "command": []}
