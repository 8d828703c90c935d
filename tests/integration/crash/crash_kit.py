"""A server that is killed again and again, and what must hold afterwards, whatever was killed when."""

import collections
import http.client
import json
import os
import pathlib
import re
import signal
import sqlite3
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import BUILD, ROOT, TERMINAL, Server, eventually  # noqa: E402,F401

CONFIG = """\
plugins: {allow: ["scripts.*", "/bin/sh"]}
queue: {slots: 4}
jobs: {grace_sec: 1, retry_backoff_sec: 0}
"""
VALUES = 200  # that a chatty job prints

# What a job of each kind does after it has left its mark, and how it must end.
KINDS = {
    "quick": ("true", "SUCCESS", 0),
    "long": ("sleep 1; echo done", "SUCCESS", 0),
    "failing": ("echo '[ERROR] it went wrong'; exit 3", "FAILED", 3),
    "signalled": ("kill -9 $$", "FAILED", None),
    "forking": ("setsid sleep 300 & (sh -c 'sleep 300' &); sleep 0.1", "SUCCESS", 0),
    "daemon": ("setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' & sleep 0.1", "SUCCESS", 0),
    "chatty": (f"i=0; while [ $i -lt {VALUES} ]; do i=$((i+1)); echo value=v$i step $i/{VALUES}; done",
               "SUCCESS", 0),
    "retrying": ("[ $RUNYARD_ATTEMPT != $RUNYARD_JOB_ID.1 ] || exit 7", "SUCCESS", 0),
    "endless": ("exec sleep 300", "CANCELLED", None),
}
MIX = sorted(KINDS)
LOST = (ConnectionError, http.client.HTTPException, OSError)  # what a client sees of a killed server


def has_kill_points(build=BUILD):
    return b"RUNYARD_SHIM_KILL_POINT" in (build / "bin" / "runyard").read_bytes()


def steps_in_sources(call, folder):
    found = set()
    for path in sorted((ROOT / folder).rglob("*.cpp")):
        found |= set(re.findall(call + r'\("(\w+)"\)', path.read_text()))
    return sorted(found)


class World:
    """One workspace, the servers that are killed on it, and what their jobs did."""

    def __init__(self, folder, state=None, config=CONFIG, shipped=False, build=BUILD,
                 environment=None):
        self.folder = pathlib.Path(folder)
        self.workspace = self.folder / "workspace"
        self.workspace.mkdir(parents=True, exist_ok=True)
        self.effects = self.folder / "effects"
        self.effects.touch()
        (self.folder / "config.yaml").write_text(config)
        self.mark = f"RUNYARD_TEST_WORLD={self.folder}"
        plugins = [build / "test-plugins" / "command"] + ([build / "plugins"] if shipped else [])
        self.server = Server(self.workspace, state=state or self.folder / "state", build=build,
                             options=["--config", str(self.folder / "config.yaml")],
                             environment={"RUNYARD_TEST_WORLD": str(self.folder),
                                          **(environment or {})},
                             plugin_dirs=plugins)
        self.state = self.server.state
        self.run_folders = self.state / "attempts"
        self.accepted = {}        # job id -> kind: what got 201
        self.cancelled = set()    # what got 202
        self.shims_killed = set()  # tokens

    def body(self, kind, **options):
        script, _, _ = KINDS[kind]
        if kind == "retrying":
            options.setdefault("max_retries", 1)
        mark = f'echo "$RUNYARD_ATTEMPT" >> {self.effects}; '
        body = {"script": mark + script, "label": kind}
        return dict(body, _job=options) if options else body

    def submit(self, kind, **options):
        """The id of the accepted job; raises one of LOST when the server is killed meanwhile."""
        reply = self.server.post("/api/jobs/command", self.body(kind, **options))
        assert reply.status == 201, (reply.status, reply.text)
        job_id = reply.json["job_id"]
        self.accepted[job_id] = kind
        return job_id

    def cancel(self, job_id):
        reply = self.server.post(f"/api/jobs/{job_id}/cancel")
        if reply.status == 202:
            self.cancelled.add(job_id)
        return reply

    def jobs(self):
        """Every job, by id, through the API."""
        found, path = {}, "/api/jobs/recent?limit=500"
        while path:
            reply = self.server.request("GET", path)
            assert reply.status == 200, reply.text
            found.update((job["job_id"], job) for job in reply.json)
            link = reply.headers.get("Link")
            path = link and re.search("<(.*)>", link)[1]
        return found

    def database(self):
        path = self.state / "jobs.db"
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return {job_id: json.loads(doc)
                    for job_id, doc in connection.execute("SELECT job_id, doc FROM jobs")}
        finally:
            connection.close()

    def records(self):
        folder = self.workspace / "reports" / "jobs"
        return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}

    def starts(self):
        """How often each attempt left its mark."""
        return collections.Counter(self.effects.read_text().split())

    def shims(self):
        """{pid: token} of the supervisors of this world."""
        return self.server.shims()

    def processes(self, variable):
        """Living processes whose environment has a variable that starts so."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if b"\0" + variable.encode() in b"\0" + pathlib.Path(f"/proc/{pid}/environ").read_bytes():
                    found.append(int(pid))
            except OSError:
                continue
        return found

    def settle(self, timeout=60):
        """Waits until every job has ended; what was to be cancelled and was not, is now."""
        for job_id, job in self.jobs().items():
            if job["params"].get("label") == "endless" and job["status"] not in TERMINAL:
                self.cancel(job_id)
        eventually(lambda: all(job["status"] in TERMINAL for job in self.jobs().values()), timeout,
                   what="the end of every job")

    def check(self, lost=lambda job: False):
        """The invariants, at a time when every job has ended. `lost` says which jobs' supervisors
        were killed, beside those of `shims_killed`."""
        jobs = self.jobs()
        assert set(self.accepted) <= set(jobs), "an accepted job is gone"
        starts = self.starts()
        twice = {token: count for token, count in starts.items() if count != 1}
        assert not twice, "an attempt was started more than once"
        for job_id, job in jobs.items():
            if job["instance"] != self.instance():
                continue
            if job["end_reason"] == "dependency":
                assert any(jobs[other]["status"] != "SUCCESS" for other in job["after"]), job
                assert not any(token.startswith(job_id) for token in starts), job
                continue
            self.check_end(job, starts, lost(job))

        queue = self.server.get("/api/admin/queue")
        assert queue["slots"]["used"] == 0 and queue["running"] == [] and queue["queued"] == 0, queue
        for group in queue["groups"]:
            assert group["used"] == 0, queue
        for job_id in jobs:
            assert self.processes(f"RUNYARD_ATTEMPT={job_id}.") == []
        eventually(lambda: not self.shims(), what="the end of every supervisor")
        eventually(lambda: os.listdir(self.run_folders) == [], what="the removal of the run folders")

        ticking = ("progress", "status_text", "waiting_for", "log_size", "scan_offset")
        def agree():
            stored = {job_id: {k: v for k, v in doc.items() if k not in ticking}
                      for job_id, doc in self.database().items()}
            return stored == self.records() and stored == {
                job_id: {k: v for k, v in job.items() if k not in ticking}
                for job_id, job in self.jobs().items()}
        eventually(agree, 5, what="the agreement of database, records and answers")
        return jobs

    def check_end(self, job, starts, was_lost):
        kind = job["params"].get("label")
        if kind not in KINDS:
            return
        job_id = job["job_id"]
        _, status, code = KINDS[kind]
        tokens = [f"{job_id}.{n + 1}" for n in range(job["attempt"])]
        assert [a["attempt"] for a in job["attempts"]] == list(range(1, job["attempt"] + 1)), job
        assert {t for t in starts if t.startswith(job_id)} <= set(tokens), job
        if job["end_reason"] in ("lost", "spawn_error"):
            assert was_lost or tokens[-1] in self.shims_killed, (job, "lost without a reason")
            assert job["status"] == "FAILED" and len(job["error_message"]) > 20, job
            return
        if job["status"] == "CANCELLED":
            assert kind == "endless" or job_id in self.cancelled, job
            return
        assert (job["status"], job["exit_code"]) == (status, code), job
        assert set(tokens) <= set(starts), (job, "an attempt never ran")
        if kind == "signalled":
            assert job["signal"] == 9 and job["end_reason"] == "signal", job
        if kind == "failing":
            assert job["error_message"] == "[ERROR] it went wrong", job
        if kind == "retrying":
            assert job["attempt"] >= 2 or self.shims_killed, job
        if kind == "chatty":
            found = [link["value"] for link in job["links"] if link["name"] == "value"]
            assert found == [f"v{n + 1}" for n in range(VALUES)], job
            assert job["artifacts_hint"]["value"] == f"v{VALUES}", job

    def instance(self):
        return (self.state / "instance").read_text().strip()

    def clear(self):
        """Stops the server, and what a failed test has left."""
        self.server.clear()

    def close(self):
        """The same, and nothing was left: also no child of a server that was killed."""
        self.clear()
        eventually(lambda: self.processes(self.mark) == [], what="the end of the server's children")


def crash_in_rounds(world, dice, rounds, kill_shims=True):
    """Servers that are killed at random moments while somebody submits."""

    def submit_until_it_dies(kinds):
        last = None
        try:
            for kind in kinds:
                options = {"after": [last]} if last and dice.random() < 0.1 else {}
                job_id = world.submit(kind, **options)
                # What fails or is cancelled would take those after it along: that is its own test.
                last = job_id if KINDS[kind][1] == "SUCCESS" else last
                if kind == "endless":
                    world.cancel(job_id)
        except LOST:
            pass

    for number in range(rounds):
        world.server.start()
        kinds = [dice.choice(MIX) for _ in range(dice.randint(4, 14))]
        client = threading.Thread(target=submit_until_it_dies, args=(kinds,))
        client.start()
        time.sleep(dice.uniform(0, 0.8))  # the random moment
        if kill_shims and dice.random() < 0.3 and (shims := sorted(world.shims().items())):
            pid, token = dice.choice(shims)
            world.shims_killed.add(token)
            os.kill(pid, signal.SIGKILL)
        world.server.kill()
        client.join()


def run_through_everything(world):
    """Submit, start, retry, cancel, change, finish and remove; ends early when the server dies."""
    try:
        endless = world.submit("endless")
        quick = world.submit("quick")
        retrying = world.submit("retrying")
        failing = world.submit("failing")
        chatty = world.submit("chatty", after=[quick])
        world.server.request("PATCH", f"/api/jobs/{endless}", {"timeout_sec": 100})
        world.cancel(endless)
        for job_id in (quick, retrying, failing, chatty, endless):
            world.server.wait(job_id, timeout=20)
        if world.server.request("DELETE", f"/api/jobs/{failing}").status == 204:
            del world.accepted[failing]
    except LOST:
        pass
