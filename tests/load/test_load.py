"""Many clients at once. Short and only functional by default; RUNYARD_LOAD_SECONDS=60 is the whole
measure, with its limits on time and memory."""

import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from conftest import BUILD, Server, eventually  # noqa: E402

SECONDS = int(os.environ.get("RUNYARD_LOAD_SECONDS", "10"))
IS_WHOLE = SECONDS >= 60
PROGRAM = BUILD / "bin" / "http_load"


@pytest.fixture
def server(tmp_path):
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    running = Server(workspace, options=["--slots", "1"],
                     plugin_dirs=[BUILD / "test-plugins" / "command"],
                     environment={"RUNYARD_PLUGINS__ALLOW": '["/bin/sh"]'}).start()
    yield running
    running.stop()


def memory_mb(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) / 1024


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


class Load:
    """http_load, with the server's memory sampled while it runs."""

    def __init__(self, server, *arguments):
        self.server, self.memory = server, []
        self.process = subprocess.Popen([PROGRAM, str(server.port), str(SECONDS), *map(str, arguments)],
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"
        self.sampler = threading.Thread(target=self.sample)
        self.sampler.start()

    def sample(self):
        while self.process.poll() is None:
            self.memory.append(memory_mb(self.server))
            time.sleep(0.5)

    def finish(self):
        seen = json.loads(self.process.stdout.read())
        assert self.process.wait(60) == 0
        self.sampler.join()
        print(f"memory: {self.memory[0]:.0f} MB at the start, {max(self.memory):.0f} MB at most")
        print(json.dumps(seen, indent=1))
        return seen


def test_calls_streams_and_slow_clients(server):
    """200 callers, 1000 listeners, 50 slow-loris clients: no error, and nothing is left behind."""
    listeners, callers = (1000, 200) if IS_WHOLE else (200, 40)
    server.post("/api/admin/queue/pause")  # what is measured is the server and not the jobs
    for _ in range(3):
        server.get("/api/jobs/recent")
    before = descriptors(server)
    load = Load(server, "--callers", callers, "--listen", "/api/events", listeners, "--loris", 50,
                "--submit", json.dumps({"script": "true"}))
    seen = load.finish()
    assert seen["errors"] == {}
    assert seen["reads"]["count"] > callers * SECONDS and seen["submits"]["count"] > 0
    [events] = seen["streams"]
    # Every listener heard of every job that was made while it listened; the last ones may be on
    # their way.
    assert events["events_min"] >= events["events_max"] - 100 and events["events_min"] > 0
    eventually(lambda: descriptors(server) <= before, timeout=90, what="closed descriptors")
    if IS_WHOLE:
        half = load.memory[len(load.memory) // 2]
        assert max(load.memory) < half * 1.2 + 20, load.memory
        assert seen["reads"]["p99"] < 50


def printing(lines):
    """A shell text that prints so many long lines, 0.03 s from one to the next."""
    return (f"sleep 2; i=0; while [ $i -lt {lines} ]; do i=$((i+1)); "
            f"echo step $i/{lines} {'x' * 400}; sleep 0.03; done")


def speed(server, job_id, lines):
    """Seconds a line."""
    job = server.wait(job_id)
    assert job["status"] == "SUCCESS"
    return (job["duration_sec"] - 2) / lines


def test_listeners_of_a_log_and_of_the_events(server):
    """2000 listeners of one growing log and 2000 of the events, a tenth of them deaf: memory is
    bounded, calls are answered, the job is as fast as ever, all that read get everything."""
    count = 2000 if IS_WHOLE else 200
    lines = (SECONDS - 4) * 20
    alone = speed(server, server.submit("command", {"script": printing(100)})["job_id"], 100)
    job = server.submit("command", {"script": printing(lines)})
    job_id = job["job_id"]
    server.wait(job_id, until={"RUNNING"})
    for _ in range(3):
        server.get("/api/jobs/recent")
    before, memory = descriptors(server), memory_mb(server)
    load = Load(server, "--listen", "/api/events", count, "--listen", f"/api/jobs/{job_id}/log/stream",
                count, "--deaf", count // 10, "--callers", 20)
    seen = load.finish()
    watched = speed(server, job_id, lines)
    assert seen["errors"] == {}
    events, log = seen["streams"]
    assert events["events_min"] >= events["events_max"] - 10 and events["events_min"] > 0
    assert log["over"] == log["listeners"] == count - count // 10
    assert log["last_ids"] == [str(server.job(job_id)["log_size"])]
    more = max(load.memory) - memory
    print(f"{more:.0f} MB more for {2 * count} listeners: {more * 1024 / (2 * count):.1f} KB each; "
          f"{watched * 1000:.1f} ms a line, {alone * 1000:.1f} ms when nobody listens")
    assert more * 1024 / (2 * count) < 20
    if IS_WHOLE:
        assert seen["reads"]["p99"] < 50
        assert watched < alone * 1.25
    eventually(lambda: descriptors(server) <= before, timeout=90, what="closed descriptors")
