"""What starts when, and what happens to jobs that wait: the queue through its API."""

import json
import sqlite3
import threading

import pytest
from conftest import Server, eventually

ALLOW = 'plugins: {allow: ["scripts.*", "/bin/sh"]}\njobs: {grace_sec: 1, retry_backoff_sec: 0}\n'


class Queue:
    """A server with the job type `command`, and gates: files for which its jobs wait."""

    def __init__(self, folder, plugin, queue, jobs=ALLOW):
        self.folder = folder
        (folder / "workspace").mkdir(parents=True)
        self.config = folder / "config.yaml"
        self.config.write_text(jobs + f"queue: {queue}\n")
        self.order = folder / "order"
        self.order.touch()
        self.server = Server(folder / "workspace", options=["--config", str(self.config)],
                             plugin_dirs=[plugin]).start()
        for name in ("get", "post", "job", "wait", "request"):
            setattr(self, name, getattr(self.server, name))

    def submit(self, script="true", label=None, headers=None, **options):
        body = {"script": script, "_job": options}
        if label:
            body["label"] = label
        reply = self.request("POST", "/api/jobs/command", body, headers)
        assert reply.status in (200, 201), (reply.status, reply.text)
        return reply.json["job_id"]

    def marked(self, name, **options):
        """A job that writes its name when it starts."""
        return self.submit(f"echo {name} >> {self.order}", **options)

    def gated(self, gate, **options):
        """A job that runs until its gate is opened."""
        return self.submit(f"until [ -e {self.folder}/{gate} ]; do sleep 0.02; done", **options)

    def open(self, gate):
        (self.folder / gate).touch()

    def running(self, *ids):
        for job_id in ids:
            self.wait(job_id, until={"RUNNING"})

    def succeed(self, *ids):
        for job_id in ids:
            job = self.wait(job_id)
            assert job["status"] == "SUCCESS", job

    def words(self, job_id):
        """Why the job waits; the answer may be a second old."""
        return eventually(lambda: self.job(job_id)["waiting_for"], what="a reason to wait")

    def state(self):
        return self.get("/api/admin/queue")

    def cancel(self, *ids):
        for job_id in ids:
            self.post(f"/api/jobs/{job_id}/cancel")
        for job_id in ids:
            self.wait(job_id)

    def total(self):
        return int(self.request("GET", "/api/jobs/recent?limit=1").headers["X-Total-Count"])


@pytest.fixture
def make_queue(tmp_path, command_plugin):
    made = []

    def make(queue, **options):
        made.append(Queue(tmp_path / f"queue{len(made)}", command_plugin, queue, **options))
        return made[-1]

    yield make
    for queue in made:
        queue.server.stop()


@pytest.fixture(scope="module")
def shared_queue(tmp_path_factory, command_plugin):
    queue = Queue(tmp_path_factory.mktemp("queue") / "shared", command_plugin,
                  "{slots: 2, groups: {narrow: 1}, max_queued: 2000}")
    yield queue
    queue.server.stop()


@pytest.fixture
def queue(shared_queue):
    """The server of this module; every test leaves it empty."""
    yield shared_queue
    state = shared_queue.state()
    for job in state["running"] + state["waiting"]:  # or the next test would wait in vain
        shared_queue.post(f"/api/jobs/{job['job_id']}/cancel")
    assert state["slots"]["used"] == 0 and state["queued"] == 0 and state["mode"] == "open", state


# ---- The order ----


def test_first_in_first_out_and_priority(queue):
    blocking = queue.gated("order-gate", slots=2)
    queue.running(blocking)
    jobs = [queue.marked(f"fifo{i}", slots=2) for i in range(3)]
    jobs += [queue.marked("low", slots=2, priority=-5), queue.marked("high", slots=2, priority=5)]
    late = queue.marked("raised", slots=2)
    assert queue.request("PATCH", f"/api/jobs/{late}", {"priority": 9}).status == 200
    assert "slots" in queue.words(late) and "before it" in queue.words(jobs[0])
    waiting = queue.state()["waiting"]
    assert [w["job_id"] for w in waiting] == [late, jobs[4], *jobs[:3], jobs[3]]
    assert all(w["waiting_for"] for w in waiting)
    queue.open("order-gate")
    queue.succeed(blocking, late, *jobs)
    assert queue.order.read_text().split() == ["raised", "high", "fifo0", "fifo1", "fifo2", "low"]


def test_slots_and_groups(queue):
    one = queue.gated("slots-gate", group="narrow")
    queue.running(one)
    narrow = queue.gated("slots-gate", group="narrow")
    assert "narrow" in queue.words(narrow)
    other = queue.gated("slots-gate")  # another group goes past it
    queue.running(other)
    third = queue.submit()
    assert queue.job(third)["status"] == queue.job(narrow)["status"] == "QUEUED"
    state = queue.state()
    assert state["slots"] == {"total": 2, "used": 2}
    assert [g for g in state["groups"] if g["name"] == "narrow"] == [
        {"name": "narrow", "slots": 1, "used": 1, "jobs": 2}]
    assert {r["job_id"] for r in state["running"]} == {one, other}
    queue.open("slots-gate")
    queue.succeed(one, narrow, other, third)
    reply = queue.post("/api/jobs/command", {"script": "true", "_job": {"slots": 3}})
    assert reply.status == 422 and reply.json["errors"][0]["pointer"] == "/_job/slots"
    reply = queue.post("/api/jobs/command",
                       {"script": "true", "_job": {"slots": 2, "group": "narrow"}})
    assert reply.status == 422


def test_gpus(make_queue):
    queue = make_queue("{slots: 8, gpus: [3, 5, 6]}")
    show = "echo value=g$(echo $CUDA_VISIBLE_DEVICES | tr , _)g; until [ -e %s/go ]; do sleep 0.02; done"
    jobs = [queue.submit(show % queue.folder, gpus=n) for n in (1, 2)]
    queue.running(*jobs)
    waiting = queue.submit(show % queue.folder, gpus=3)
    behind = queue.submit(show % queue.folder, gpus=1)
    none = queue.submit(show % queue.folder)  # without GPUs it goes past them
    queue.running(none)
    assert "GPU" in queue.words(waiting) and "GPU" in queue.words(behind)
    assert sorted(queue.job(jobs[0])["resources"]["gpus"] +
                  queue.job(jobs[1])["resources"]["gpus"]) == [3, 5, 6]
    assert [g["jobs"] for g in queue.state()["gpus"]] == [1, 1, 1]
    queue.server.kill()  # what runs keeps its GPUs
    queue.server.start()
    assert [g["jobs"] for g in queue.state()["gpus"]] == [1, 1, 1]
    assert queue.job(waiting)["status"] == "QUEUED"
    queue.open("go")
    queue.succeed(*jobs, waiting, behind, none)
    seen = {job_id: queue.job(job_id)["artifacts_hint"]["value"].strip("g").split("_")
            for job_id in (*jobs, waiting, behind)}
    assert sorted(seen[jobs[0]] + seen[jobs[1]]) == ["3", "5", "6"]
    assert sorted(seen[waiting]) == ["3", "5", "6"] and len(seen[behind]) == 1
    # Nothing is visible to a job that asked for none.
    assert queue.job(none)["artifacts_hint"]["value"] == "gg"
    reply = queue.post("/api/jobs/command", {"script": "true", "_job": {"gpus": 4}})
    assert reply.status == 422 and reply.json["errors"][0]["pointer"] == "/_job/gpus"


# ---- After each other ----


def test_a_chain_hands_on_what_was_found(queue):
    first = queue.gated("chain-gate")
    second = queue.submit("echo value=found7", after=[first])
    third = queue.submit("echo got {hint.value}; echo value=x{hint.value}", after=[second])
    assert first in queue.words(second) and second in queue.words(third)
    assert queue.job(third)["command"] == []
    queue.open("chain-gate")
    queue.succeed(first, second, third)
    job = queue.job(third)
    assert job["params"]["script"] == "echo got found7; echo value=xfound7"
    assert job["command"][-1] == job["params"]["script"]
    assert "got found7\n" in queue.server.log_of(third)
    assert queue.job(second)["ended_at"] <= job["started_at"]
    # After one that has ended already.
    assert queue.wait(queue.submit("echo {hint.value}", after=[third]))["command"][-1] == "echo xfound7"


@pytest.mark.parametrize("how", ["fails", "is cancelled", "is cancelled while it waits"])
def test_a_failed_dependency_fails_what_comes_after(queue, how):
    blocking = queue.gated("dep" + how[-5:].strip(), slots=2)
    first = queue.submit("exit 1" if how == "fails" else "sleep 300")
    chain = [first]
    for _ in range(3):
        chain.append(queue.submit("true", after=[chain[-1]]))
    both = queue.submit("true", after=[chain[1], blocking])
    if how == "is cancelled while it waits":
        queue.cancel(first)
    queue.open("dep" + how[-5:].strip())
    queue.succeed(blocking)
    if how == "is cancelled":
        queue.running(first)
        queue.cancel(first)
    for job_id, other in [*zip(chain[1:], chain), (both, chain[1])]:
        job = queue.wait(job_id)
        assert (job["status"], job["end_reason"], job["attempts"]) == ("FAILED", "dependency", []), job
        assert other in job["error_message"]
    late = queue.wait(queue.submit("true", after=[first]))  # it has failed already
    assert late["end_reason"] == "dependency" and first in late["error_message"]


def test_dependencies_that_cannot_be(queue):
    def refused(after):
        before = queue.total()
        reply = queue.post("/api/jobs/command", {"script": "true", "_job": {"after": after}})
        assert reply.status == 422 and queue.total() == before, reply.text
        assert reply.json["errors"][0]["pointer"].startswith("/_job/after")

    refused(["job_20200101_000000__00000000"])
    refused(["no id"])
    refused("job_20200101_000000__00000000")
    first = queue.submit("echo nothing")
    missing = queue.wait(queue.submit("echo {hint.value}", after=[first]))
    assert (missing["status"], missing["attempts"]) == ("FAILED", [])
    assert "gave no 'value'" in missing["error_message"]
    last = queue.submit("true", after=[missing["job_id"]])
    assert queue.wait(last)["end_reason"] == "dependency"


# ---- The whole queue ----


def test_pause_survives_a_restart_and_drain_refuses(make_queue):
    queue = make_queue("{slots: 2}")
    running = queue.gated("pause-gate")
    queue.running(running)
    assert queue.post("/api/admin/queue/pause").json["mode"] == "paused"
    waiting = queue.submit()
    assert queue.words(waiting) == "paused"
    for stop in (queue.server.stop, queue.server.kill):
        stop()
        queue.server.start()
        assert queue.state()["mode"] == "paused"
        assert queue.job(waiting)["status"] == "QUEUED"
        assert queue.job(running)["status"] == "RUNNING"
    queue.open("pause-gate")  # what runs goes on
    queue.succeed(running)
    assert queue.post("/api/admin/queue/drain").json["mode"] == "draining"
    reply = queue.post("/api/jobs/command", {"script": "true"})
    assert reply.status == 503 and "draining" in reply.json["detail"]
    assert queue.job(waiting)["status"] == "QUEUED"
    assert queue.post("/api/admin/queue/resume").json["mode"] == "open"
    queue.succeed(waiting, queue.submit())


def test_the_length_of_the_queue_is_bounded(make_queue):
    queue = make_queue("{slots: 1, max_queued: 3}")
    queue.post("/api/admin/queue/pause")
    jobs = [queue.submit() for _ in range(2)]
    batch = queue.post("/api/jobs/batch", {"type": "command", "params": {},
                                           "matrix": {"script": ["true", "true "]}})
    assert batch.status == 429
    jobs.append(queue.submit())
    reply = queue.post("/api/jobs/command", {"script": "true"})
    assert reply.status == 429 and int(reply.headers["Retry-After"]) > 0
    assert "full" in reply.json["detail"]
    assert queue.total() == 3
    queue.cancel(jobs[0])
    jobs.append(queue.submit())
    queue.post("/api/admin/queue/resume")
    queue.succeed(*jobs[1:])


def test_retention(make_queue):
    queue = make_queue("{slots: 4}")
    jobs = [queue.submit() for _ in range(6)]
    queue.succeed(*jobs)
    by_end = sorted(jobs, key=lambda i: queue.job(i)["ended_at"])
    queue.post("/api/admin/queue/pause")
    waiting = queue.submit()
    folder = queue.server.workspace / "reports" / "jobs"
    eventually(lambda: len(list(folder.glob("*.json"))) == 7, what="the records")
    queue.server.stop()
    # Another server's jobs, which git has brought, are neither counted nor removed.
    foreign = []
    for number in range(5):
        foreign.append(f"job_20260101_000000__{number:08x}")
        record = json.loads((folder / f"{jobs[0]}.json").read_text())
        record.update(job_id=foreign[-1], instance="f" * 16)
        (folder / f"{foreign[-1]}.json").write_text(json.dumps(record))
    queue.server.start()
    eventually(lambda: queue.total() == 12, what="the other server's jobs")
    queue.server.stop()
    queue.config.write_text(ALLOW.replace("jobs: {", "jobs: {keep_jobs: 4, ") + "queue: {slots: 4}\n")
    queue.server.start()
    eventually(lambda: queue.total() == 10, what="the removal")
    left = {job["job_id"] for job in queue.get("/api/jobs/recent")}
    assert left >= set(foreign)
    left -= set(foreign)
    assert len(left) == 5 and waiting in left
    times = [queue.job(i)["ended_at"] for i in left - {waiting}]
    assert min(times) >= sorted(j for j in times)[0] and set(by_end[-4:]) <= left
    gone = set(jobs) - left
    eventually(lambda: {p.stem for p in folder.iterdir()} == left | set(foreign), what="the files' removal")
    for job_id in gone:
        assert queue.request("GET", f"/api/jobs/{job_id}").status == 404
    queue.post("/api/admin/queue/resume")
    queue.succeed(waiting)


def test_a_singleton_waits_once(tmp_path, command_plugin):
    from conftest import BUILD
    workspace = tmp_path / "workspace"
    (workspace / "scripts").mkdir(parents=True)
    (workspace / "scripts" / "index_runs.py").write_text(
        f"import os, time\nopen('{tmp_path}/starts', 'a').write('x')\n"
        f"while not os.path.exists('{tmp_path}/go'): time.sleep(0.02)\n")
    server = Server(workspace, plugin_dirs=[BUILD / "plugins"], options=["--slots", "4"]).start()
    try:
        first = server.submit("index-runs", {})["job_id"]
        server.wait(first, until={"RUNNING"})
        second = server.submit("index-runs", {})["job_id"]
        assert second != first
        for _ in range(3):  # they want nothing that the waiting one will not do
            assert server.submit("index-runs", {})["job_id"] == second
        eventually(lambda: server.job(second)["waiting_for"], what="a reason to wait")
        assert server.job(second)["status"] == "QUEUED"
        assert server.job(second)["waiting_for"] == (
            "another index_runs job to end: they run one at a time")
        state = server.get("/api/admin/queue")
        assert [group["name"] for group in state["groups"]] in ([], [""]), state
        assert [(job["job_id"], job["group"]) for job in state["running"]] == [(first, "")]
        assert [(job["job_id"], job["group"]) for job in state["waiting"]] == [(second, "")]
        (tmp_path / "go").touch()
        assert server.wait(first)["status"] == server.wait(second)["status"] == "SUCCESS"
        assert (tmp_path / "starts").read_text() == "xx"
        assert server.request("GET", "/api/jobs/recent").headers["X-Total-Count"] == "2"
    finally:
        server.stop()


NVIDIA_SMI = '''#!/bin/sh
echo "$@" >> {folder}/asked
[ "$1" = --query-gpu=index,name,memory.used,memory.total ] || exit 9
{answer}
'''


@pytest.mark.parametrize("answer, gpus, error", [
    ("echo '0, NVIDIA A100-SXM4-40GB, 1024, 40960'; echo '1, Tesla T4, rev. 2, [N/A], 15360'",
     [{"index": 0, "name": "NVIDIA A100-SXM4-40GB", "memory_used_mib": 1024, "memory_total_mib": 40960},
      {"index": 1, "name": "Tesla T4, rev. 2", "memory_used_mib": None, "memory_total_mib": 15360}], None),
    ("echo 'No devices were found' >&2; exit 6", [], "nvidia-smi failed: No devices were found"),
    ("exec sleep 300", [], "nvidia-smi did not answer within 3 s"),
    (None, None, None)], ids=["two", "none", "stuck", "absent"])
def test_what_nvidia_smi_says_is_shown(tmp_path, command_plugin, answer, gpus, error):
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    if answer:
        (bin_folder / "nvidia-smi").write_text(NVIDIA_SMI.format(folder=tmp_path, answer=answer))
        (bin_folder / "nvidia-smi").chmod(0o755)
    (tmp_path / "workspace").mkdir()
    (tmp_path / "config.yaml").write_text(ALLOW)
    server = Server(tmp_path / "workspace", plugin_dirs=[command_plugin],
                    options=["--config", str(tmp_path / "config.yaml")],
                    environment={"PATH": f"{bin_folder}:/usr/bin:/bin"}).start()
    try:
        shown = [server.get("/api/admin/queue")["nvidia_smi"] for _ in range(3)]
        assert shown == [answer and {"gpus": gpus, "error": error}] * 3
        if answer:
            assert (tmp_path / "asked").read_text().count("\n") == 1, "asked more than once"
        # Only shown: no GPU can be had, and the environment is left alone.
        assert server.get("/api/admin/queue")["gpus"] == []
        job = server.submit("command", {"script": "echo cuda ${CUDA_VISIBLE_DEVICES-unset}"})["job_id"]
        assert server.wait(job)["status"] == "SUCCESS"
        assert "cuda unset" in server.log_of(job).partition("\n")[2]
    finally:
        server.stop()


# ---- Many at once ----


def test_a_batch_is_every_combination(queue):
    reply = queue.post("/api/jobs/batch", {
        "type": "command", "params": {"script": "true"},
        "matrix": {"script": ["true", "exit 0"], "label": ["a", "b", "c"]}, "group": "sweep",
        "_job": {"priority": 2}})
    assert reply.status == 201, reply.text
    jobs = reply.json
    assert {(j["params"]["script"], j["params"]["label"]) for j in jobs} == {
        (s, label) for s in ("true", "exit 0") for label in "abc"}
    assert all(j["group"] == "sweep" and j["priority"] == 2 for j in jobs)
    queue.succeed(*[j["job_id"] for j in jobs])
    assert len(queue.get("/api/jobs/recent?group=sweep")) == 6


@pytest.mark.parametrize("matrix", [
    {"label": ["a", "x" * 101, "c"]},                                # one wrong combination
    {"script": ["true"] * 40, "label": [str(i) for i in range(26)]},  # 1040 jobs
    {"label": []}, {"label": "a"}, {"colour": ["red"]}, {"script": [7]}])
def test_a_batch_is_all_or_none(queue, matrix):
    before = queue.total()
    reply = queue.post("/api/jobs/batch", {"type": "command", "params": {"script": "true"},
                                           "matrix": matrix})
    assert reply.status == 422 and reply.json["errors"], reply.text
    assert queue.total() == before


def test_a_batch_of_a_thousand(queue):
    queue.post("/api/admin/queue/pause")
    reply = queue.post("/api/jobs/batch", {
        "type": "command", "params": {"script": "true"}, "group": "thousand",
        "matrix": {"label": [str(i) for i in range(1000)]}})
    assert reply.status == 201 and len({j["job_id"] for j in reply.json}) == 1000
    # Pages of them, in order, none twice, none left out.
    seen, path = [], "/api/jobs/recent?group=thousand&limit=300"
    while path:
        page = queue.request("GET", path)
        assert page.headers["X-Total-Count"] == "1000"
        seen += [job["params"]["label"] for job in page.json]
        link = page.headers.get("Link")
        path = link and link[1:link.index(">")]
    assert seen == [str(i) for i in reversed(range(1000))]
    state = queue.state()
    assert state["queued"] == 1000 and len(state["waiting"]) == 100
    threads = [threading.Thread(target=lambda part: [
        queue.post(f"/api/jobs/{j['job_id']}/cancel") for j in part], args=(reply.json[i::4],))
        for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert queue.state()["queued"] == 0
    queue.post("/api/admin/queue/resume")


def test_recent_filters_and_pages(queue):
    jobs = [queue.submit("exit 1" if i % 3 == 0 else "true", label=f"needle{i}",
                         group="filtered", name=f"Name {i}") for i in range(60)]
    for job_id in jobs:
        queue.wait(job_id)
    ids = list(reversed(jobs))
    recent = [j["job_id"] for j in queue.get("/api/jobs/recent")]
    assert recent == ids[:50]  # the default
    first = queue.request("GET", "/api/jobs/recent?limit=25&group=filtered")
    link = first.headers["Link"]
    assert link.endswith('; rel="next"') and first.headers["X-Total-Count"] == "60"
    seen, path = [j["job_id"] for j in first.json], link[1:link.index(">")]
    while path:
        page = queue.request("GET", path)
        seen += [j["job_id"] for j in page.json]
        path = (link := page.headers.get("Link")) and link[1:link.index(">")]
    assert seen == ids
    failed = queue.get("/api/jobs/recent?limit=500&group=filtered&status=FAILED")
    assert [j["job_id"] for j in failed] == [i for n, i in reversed(list(enumerate(jobs))) if n % 3 == 0]
    assert [j["job_id"] for j in queue.get("/api/jobs/recent?q=NEEDLE7&limit=3")] == [jobs[7]]
    assert [j["job_id"] for j in queue.get("/api/jobs/recent?q=name%2042")] == [jobs[42]]
    assert queue.get("/api/jobs/recent?job_type=other") == []
    assert queue.get(f"/api/jobs/recent?before={jobs[1]}&group=filtered&limit=5")[0]["job_id"] == jobs[0]


# ---- A job, changed ----


def test_rerun(queue):
    job_id = queue.submit("echo value=a; exit 2", label="old", priority=3, max_retries=1, name="mine")
    first = queue.wait(job_id)
    again = queue.post(f"/api/jobs/{job_id}/rerun")
    assert again.status == 201 and again.json["rerun_of"] == job_id and again.json["job_id"] != job_id
    assert again.json["params"] == first["params"]
    other = queue.post(f"/api/jobs/{job_id}/rerun",
                       {"params": {"script": "true"}, "_job": {"priority": 1}})
    assert other.status == 201
    assert other.json["params"] == {"script": "true", "label": "old"}
    assert (other.json["priority"], other.json["name"]) == (1, "mine")
    assert queue.wait(again.json["job_id"])["exit_code"] == 2
    queue.succeed(other.json["job_id"])
    assert queue.job(job_id) == first
    assert queue.post(f"/api/jobs/{job_id}/rerun", {"params": {"script": 7}}).status == 422
    assert queue.post(f"/api/jobs/{job_id}/rerun", {"nonsense": 1}).status == 422
    assert queue.post("/api/jobs/job_20200101_000000__00000000/rerun").status == 404


def test_patch(queue):
    blocking = queue.gated("patch-gate", slots=2)
    queue.running(blocking)
    waiting = queue.submit("exit 1", label="old")

    def patch(job_id, expected, **change):
        reply = queue.request("PATCH", f"/api/jobs/{job_id}", change)
        assert reply.status == expected, (change, reply.status, reply.text)
        return reply.json

    job = patch(waiting, 200, params={"script": "echo value=new"}, tags=["a", "b"], note="see\nbelow",
                timeout_sec=50, priority=-3)
    assert job["params"] == {"script": "echo value=new", "label": "old"}
    assert job["command"][-1] == "echo value=new"
    assert (job["tags"], job["note"], job["priority"]) == (["a", "b"], "see\nbelow", -3)
    assert patch(waiting, 422, params={"script": 7})["errors"][0]["pointer"] == "/script"
    patch(waiting, 422, params={"surprise": 1})
    patch(waiting, 422, priority="high")
    patch(waiting, 422, status="SUCCESS")
    assert patch(blocking, 200, note="running")["note"] == "running"
    assert patch(blocking, 200, timeout_sec=900)["timeout_sec"] == 900
    patch(blocking, 409, priority=1)
    patch(blocking, 409, params={"script": "true"})
    queue.open("patch-gate")
    queue.succeed(blocking, waiting)
    assert queue.job(waiting)["artifacts_hint"] == {"value": "new", "label": "old"}
    assert patch(waiting, 200, note="done", tags=[])["note"] == "done"
    for change in ({"priority": 1}, {"timeout_sec": 3}, {"params": {"script": "true"}}):
        patch(waiting, 409, **change)
    patch("job_20200101_000000__00000000", 404, note="x")
    record = queue.server.record(waiting, until=lambda r: r["note"] == "done")
    assert record["tags"] == [] and record["status"] == "SUCCESS"


def test_a_wrong_change_is_told_with_its_rule(queue):
    blocking = queue.gated("rules-gate", slots=2)
    queue.running(blocking)
    for change, words in (({"priority": "high"}, "priority must be a whole number from -1000000 to 1000000"),
                          ({"timeout_sec": -1}, "timeout_sec must be a whole number of seconds"),
                          ({"note": "x" * 4001}, "note must be a text of at most 4000 bytes"),
                          ({"tags": ["a", 1]}, "tags must be a list of at most 50 texts"),
                          ({"tags": "a"}, "tags must be a list"),
                          ({"params": []}, "params must be an object"),
                          ({"status": "SUCCESS"}, "status cannot be changed; PATCH takes priority")):
        reply = queue.request("PATCH", f"/api/jobs/{blocking}", change)
        assert reply.status == 422 and words in reply.json["detail"], reply.text
        [name] = change
        assert [error["pointer"] for error in reply.json["errors"]] == [f"/{name}"]
    for path, body, words in (
            ("batch", {"type": 5}, "type must be the name of a job type"),
            ("batch", {}, "type is missing"),
            ("batch", {"type": "nope"}, "there is no job type 'nope'; loaded are: "),
            ("batch", {"type": "command", "matrix": []}, "matrix must be an object"),
            ("batch", {"type": "command", "matrix": {"label": []}}, "'label' in matrix must be a list"),
            ("batch", {"type": "command", "colour": 1}, "colour is not known here; a batch is"),
            ("command", {"script": "true", "_job": []}, "_job must be an object"),
            (f"{blocking}/rerun", {"params": []}, "params must be an object"),
            (f"{blocking}/rerun", {"script": "true"}, "script is not known here; a rerun is")):
        reply = queue.post(f"/api/jobs/{path}", body)
        assert reply.status == 422 and words in reply.json["detail"], reply.text
    patched = queue.request("PATCH", f"/api/jobs/{blocking}", {"note": "see"})
    assert patched.json["note"] == "see"
    assert queue.request("PATCH", f"/api/jobs/{blocking}", {"note": None}).json["note"] is None
    queue.open("rules-gate")
    queue.succeed(blocking)


def test_a_page_behind_a_job_that_is_gone_is_not_the_end_of_the_list(queue):
    kept, gone = queue.submit("true"), queue.submit("true")
    queue.succeed(kept, gone)
    assert queue.get(f"/api/jobs/recent?before={gone}&limit=1")[0]["job_id"] == kept
    assert queue.request("DELETE", f"/api/jobs/{gone}").status == 204
    for before in (gone, "zzz"):
        reply = queue.request("GET", f"/api/jobs/recent?before={before}")
        assert reply.status == 422 and reply.json["errors"][0]["pointer"] == "/before", reply.text


def test_delete(queue):
    blocking = queue.gated("delete-gate", slots=2)
    queue.running(blocking)
    waiting = queue.submit()
    for job_id in (blocking, waiting):
        reply = queue.request("DELETE", f"/api/jobs/{job_id}")
        assert reply.status == 409 and "cancel it first" in reply.json["detail"]
    queue.open("delete-gate")
    queue.succeed(blocking, waiting)
    queue.server.record(blocking, until=lambda r: r["status"] == "SUCCESS")
    before = queue.total()
    reply = queue.request("DELETE", f"/api/jobs/{blocking}")
    assert reply.status == 204 and reply.body == b""
    assert queue.total() == before - 1
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/log"), ("POST", "/cancel"),
                         ("POST", "/rerun")):
        assert queue.request(method, f"/api/jobs/{blocking}{path}").status == 404
    folder = queue.server.workspace / "reports" / "jobs"
    eventually(lambda: not [p for p in folder.iterdir() if p.name.startswith(blocking)],
               what="the removal of its files")
    # What comes after a removed job cannot be asked for any more.
    reply = queue.post("/api/jobs/command", {"script": "true", "_job": {"after": [blocking]}})
    assert reply.status == 422


# ---- The same request again ----


def test_idempotency_key(make_queue):
    queue = make_queue("{slots: 2}")

    def post(body, key, path="/api/jobs/command"):
        return queue.request("POST", path, body, {"Idempotency-Key": key})

    first = post({"script": "true"}, "one")
    assert first.status == 201
    again = post({"script": "true"}, "one")
    assert again.status == 200 and again.json["job_id"] == first.json["job_id"]
    assert post({"script": "false"}, "one").status == 422
    assert post({"script": "true"}, "two").json["job_id"] != first.json["job_id"]
    batch = {"type": "command", "params": {}, "matrix": {"script": ["true", "exit 0"]}}
    made = post(batch, "three", "/api/jobs/batch")
    assert made.status == 201
    same = post(batch, "three", "/api/jobs/batch")
    assert same.status == 200
    assert [j["job_id"] for j in same.json] == [j["job_id"] for j in made.json]
    rerun = post({}, "four", f"/api/jobs/{first.json['job_id']}/rerun")
    assert post({}, "four", f"/api/jobs/{first.json['job_id']}/rerun").json["job_id"] == \
        rerun.json["job_id"]
    total = queue.total()
    queue.server.kill()
    queue.server.start()
    again = post({"script": "true"}, "one")
    assert again.status == 200 and again.json["job_id"] == first.json["job_id"]
    assert queue.total() == total
    # A refused request does not use its key up.
    assert post({"script": 7}, "five").status == 422
    assert post({"script": "true"}, "five").status == 201


def test_an_idempotency_key_lives_a_day(make_queue):
    queue = make_queue("{slots: 2}")

    def post(key):
        return queue.request("POST", "/api/jobs/command", {"script": "true"}, {"Idempotency-Key": key})

    jobs = {key: post(key).json["job_id"] for key in ("old", "young")}
    queue.server.stop()
    with sqlite3.connect(queue.server.state / "jobs.db") as database:
        for key, hours in (("old", 24.1), ("young", 23.9)):
            database.execute("UPDATE idempotency SET at = at - ? WHERE key=?", (hours * 3_600_000, key))
    database.close()
    queue.server.start()
    young, old = post("young"), post("old")
    assert (young.status, young.json["job_id"]) == (200, jobs["young"])
    assert old.status == 201 and old.json["job_id"] not in jobs.values()
    assert (post("old").status, post("old").json["job_id"]) == (200, old.json["job_id"])
    queue.succeed(*jobs.values(), old.json["job_id"])


def test_the_same_request_at_the_same_time(queue):
    before = queue.total()
    for number in range(10):
        replies = []
        barrier = threading.Barrier(6)

        def send():
            barrier.wait()
            replies.append(queue.request("POST", "/api/jobs/command", {"script": "true"},
                                         {"Idempotency-Key": f"race {number}"}))

        threads = [threading.Thread(target=send) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(r.status for r in replies) == [200] * 5 + [201], [r.text for r in replies]
        assert len({r.json["job_id"] for r in replies}) == 1
        queue.succeed(replies[0].json["job_id"])
    assert queue.total() == before + 10


def test_a_submit_is_answered_with_what_was_accepted(queue):
    """Also when the job has begun by the time of the answer."""
    for _ in range(20):
        reply = queue.request("POST", "/api/jobs/command", {"script": "true"})
        assert (reply.json["status"], reply.json["attempt"]) == ("QUEUED", 0)
        queue.wait(reply.json["job_id"])
