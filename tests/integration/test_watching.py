"""What an operator watches: /metrics, /readyz, /healthz and the lines of the server's log."""

import http.client
import json
import os
import pathlib
import re
import signal

from conftest import eventually
from prometheus_text import Metrics


def scrape(server):
    reply = server.request("GET", "/metrics")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Metrics(reply.text)


def start(make_server, command_plugin, **options):
    options.setdefault("environment", {})["RUNYARD_PLUGINS__ALLOW"] = "/bin/sh"
    return make_server(plugin_dirs=[command_plugin], **options).start()


def test_metrics_count_what_jobs_do(make_server, command_plugin):
    server = start(make_server, command_plugin, options=["--slots", "2"])
    before = scrape(server)
    assert before("runyard_jobs_running", group="") == 0
    assert before("runyard_jobs_submitted_total") is None
    assert before("runyard_build_info") == 1
    assert before("runyard_slots") == 2

    strange = 'night "shift" \\ of\tgroup 数据'.replace("\t", " ")
    ended = [server.submit("command", {"script": "true"}),
             server.submit("command", {"script": "exit 3", "_job": {"max_retries": 1}})]
    for job in ended:
        server.wait(job["job_id"])
    running = server.submit("command", {"script": "sleep 60", "_job": {"group": strange}})
    server.wait(running["job_id"], until={"RUNNING"})
    waiting = [server.submit("command", {"script": "true", "_job": {"group": strange, "slots": 2}})
               for _ in range(3)]

    now = scrape(server)
    assert now("runyard_jobs_submitted_total", type="command") == 6
    assert now("runyard_jobs_ended_total", type="command", status="SUCCESS") == 1
    assert now("runyard_jobs_ended_total", status="FAILED", end_reason="exit_code") == 1
    assert now("runyard_job_retries_total", type="command", end_reason="exit_code") == 1
    assert now("runyard_jobs_running", group=strange) == 1
    assert now("runyard_jobs_queued", group=strange) == 3
    assert now("runyard_jobs_queued", group="") == 0
    assert now("runyard_slots_used") == 1
    assert now("runyard_job_wait_seconds_count", type="command") == 3
    assert now("runyard_job_run_seconds_count", type="command") == 2
    assert 0 < now("runyard_job_run_seconds_sum") < 120
    assert now("runyard_store_commit_seconds_count") >= 6
    assert now("runyard_store_commit_writes_sum") >= now("runyard_store_commit_seconds_count")
    assert now("runyard_store_failing") == 0
    assert now("runyard_jobs_stored") == 6
    assert now("runyard_plugins", state="loaded") == 1
    assert now("runyard_plugin_host_starts_total") == 1
    assert now("runyard_queue_mode", mode="open") == 1
    eventually(lambda: scrape(server)("runyard_mirror_waiting_records") == 0)

    for job in [*waiting, running]:  # what waits first, so that none of it starts
        assert server.post(f"/api/jobs/{job['job_id']}/cancel").status == 202
        server.wait(job["job_id"])
    assert scrape(server)("runyard_jobs_ended_total", status="CANCELLED", end_reason="cancelled") == 4


def test_metrics_of_the_process(make_server):
    server = make_server().start()
    now = scrape(server)
    assert now("process_resident_memory_bytes") > 1e6
    assert now("process_virtual_memory_bytes") > now("process_resident_memory_bytes")
    assert 5 < now("process_open_fds") < now("process_max_fds")
    assert now("process_threads") > 5
    fields = open(f"/proc/{server.process.pid}/stat").read().rpartition(")")[2].split()
    boot = int(re.search(r"^btime (\d+)", open("/proc/stat").read(), re.M)[1])
    assert abs(now("process_start_time_seconds") - boot - int(fields[19]) / 100) < 1
    for _ in range(200):
        scrape(server)
    assert scrape(server)("process_cpu_seconds_total") > now("process_cpu_seconds_total")


def test_ready_until_it_drains(make_server, command_plugin):
    server = start(make_server, command_plugin)
    assert server.get("/readyz") == {"status": "ready"}
    assert server.post("/api/admin/queue/pause").status == 200  # jobs are taken, they only wait
    assert server.post("/api/admin/queue/drain").status == 200
    reply = eventually(lambda: (got := server.request("GET", "/readyz")).status == 503 and got,
                       what="readyz")
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert "draining" in reply.json["detail"]
    assert [error["message"] for error in reply.json["errors"]] == [reply.json["detail"]]
    assert server.get("/healthz") == {"status": "ok"}
    assert scrape(server)("runyard_queue_mode", mode="draining") == 1


def plugin_host(server):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            parent = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if b"plugin-host" in words and int(parent) == server.process.pid:
            return int(pid)
    raise AssertionError("no plugin host runs")


def test_not_ready_while_the_plugin_host_fails(make_server, command_plugin):
    server = start(make_server, command_plugin)

    def answer(status):
        return eventually(lambda: (got := server.request("GET", "/readyz")).status == status and got)

    os.kill(plugin_host(server), signal.SIGSTOP)
    assert answer(503).json["detail"] == \
        "the plugin 'command' did not answer within its time limit"
    assert server.get("/healthz") == {"status": "ok"}
    answer(200)  # it was started again

    # Somebody clears the state folder up: the library cannot be loaded again.
    [copy] = (server.state / "plugins").iterdir()
    copy.rename(server.state / "away.so")
    os.kill(plugin_host(server), signal.SIGKILL)
    assert "the plugin 'command' cannot be asked: " in answer(503).json["detail"]
    assert server.post("/api/jobs/command", {"script": "true"}).status == 500
    (server.state / "away.so").rename(copy)
    os.kill(plugin_host(server), signal.SIGKILL)
    answer(200)
    server.wait(server.submit("command", {"script": "true"})["job_id"], until={"SUCCESS"})


def events_of(server, job_id):
    return [line for line in map(json.loads, server.log_text().splitlines())
            if line.get("job_id") == job_id]


def test_each_step_of_a_job_is_a_line_of_the_log(make_server, command_plugin):
    server = start(make_server, command_plugin, environment={"RUNYARD_LOG__FORMAT": "json"})
    job = server.submit("command", {"script": "echo '[ERROR] no luck'; exit 7",
                                    "_job": {"name": "first", "max_retries": 0}})
    job = server.wait(job["job_id"])
    accepted, started, ended = eventually(
        lambda: len(events_of(server, job["job_id"])) == 3 and events_of(server, job["job_id"]))
    assert accepted["message"] == "job accepted" and accepted["name"] == "first"
    assert started["message"] == "job started" and started["attempt"] == 1
    assert ended["message"] == "job ended" and ended["level"] == "info"
    assert (ended["status"], ended["end_reason"], ended["exit_code"]) == ("FAILED", "exit_code", 7)
    assert ended["error"] == "[ERROR] no luck"
    assert ended["type"] == "command"


def test_the_log_goes_where_the_configuration_says(make_server, command_plugin):
    server = start(make_server, command_plugin, environment={
        "RUNYARD_LOG__FILE": "logs/server.log", "RUNYARD_LOG__LEVEL": "warn"})
    job = server.submit("command", {"script": "true"})
    server.wait(job["job_id"])
    server.stop()
    assert server.log_text() == ""
    assert (server.workspace / "logs" / "server.log").read_text() == ""


def test_requests_are_measured_and_logged(make_server):
    server = make_server(environment={"RUNYARD_LOG__FORMAT": "json", "RUNYARD_LOG__ACCESS": "true"}).start()
    reply = server.request("GET", "/api/jobs/recent?q=%0Aforged", headers={"X-Request-Id": "mine-1"})
    assert reply.headers["X-Request-Id"] == "mine-1"
    reply = server.request("GET", "/api/no%0Asuch", headers={"X-Request-Id": "not an id"})
    made = reply.headers["X-Request-Id"]
    assert reply.status == 404 and made != "not an id"
    client = http.client.HTTPConnection(server.host, server.port, timeout=60)
    client.request("HEAD", "/api/jobs/recent")
    assert client.getresponse().status == 200
    client.close()
    lines = [json.loads(line) for line in server.log_text().splitlines() if '"request"' in line]
    by_id = {line["request_id"]: line for line in lines}
    assert by_id["mine-1"]["route"] == "/api/jobs/recent" and by_id["mine-1"]["status"] == 200
    assert by_id["mine-1"]["peer"] == "127.0.0.1" and by_id["mine-1"]["bytes"] > 0
    assert by_id[made]["status"] == 404 and "route" not in by_id[made]
    assert any(line["method"] == "HEAD" for line in lines)
    now = scrape(server)
    assert now("runyard_http_request_seconds_count", method="GET", route="/api/jobs/recent", status="2xx") == 2
    assert now("runyard_http_request_seconds_count", route="", status="4xx") == 1
    assert now("runyard_http_requests_in_flight") == 1
