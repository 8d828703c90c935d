"""One job and its processes: every way to end, to be cancelled, to be lost and to be tried again."""

import os
import pathlib
import re
import signal
import subprocess
import time
import zlib

import pytest
from conftest import TERMINAL, Server, eventually

CONFIG = """\
plugins: {{allow: ["scripts.*", "/bin/sh"]}}
queue: {{slots: 6}}
jobs: {{grace_sec: 1, retry_backoff_sec: 0, log_max_bytes: {log_max_bytes}, env: {{ADDED: "by the configuration"}}}}
"""


def start_server(folder, command_plugin, log_max_bytes=0):
    (folder / "workspace").mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG.format(log_max_bytes=log_max_bytes))
    return Server(folder / "workspace", options=["--config", str(folder / "config.yaml")],
                  environment={"RUNYARD_TOKEN": "secret", "FROM_OUTSIDE": "yes"},
                  plugin_dirs=[command_plugin]).start()


@pytest.fixture(scope="module")
def server(tmp_path_factory, command_plugin):
    running = start_server(tmp_path_factory.mktemp("supervision"), command_plugin)
    yield running
    queue = running.get("/api/admin/queue")
    assert queue["slots"]["used"] == 0 and queue["running"] == [], "a slot is still held"
    running.stop()


def submit(server, script, **options):
    body = {"script": script}
    if options:
        body["_job"] = options
    return server.submit("command", body)["job_id"]


def run(server, script, **options):
    return server.wait(submit(server, script, **options))


def cancel(server, job_id):
    return server.post(f"/api/jobs/{job_id}/cancel")


def holders(job_id):
    """Living processes with a token of this job."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue
        if f"RUNYARD_ATTEMPT={job_id}.".encode() in environment:
            found.append(int(pid))
    return found


def shim_of(server, job_id, attempt=1):
    folder = str(server.state / "attempts" / f"{job_id}.{attempt}")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if len(words) > 1 and words[1].decode(errors="replace") == folder:
            return int(pid)
    return None


def printed(server, job_id, text, attempt=1):
    """Waits until the job has printed a text."""
    eventually(lambda: text in server.log_of(job_id).partition("\n")[2], what=f"{text} in the log")


# ---- How a command ends ----

ENDS = [
    ("true", "SUCCESS", None, 0, None, None),
    ("exit 3", "FAILED", "exit_code", 3, None, "the command ended with exit code 3 and printed nothing"),
    ("exit 255", "FAILED", "exit_code", 255, None, "exit code 255"),
    ("echo one; echo two; exit 1", "FAILED", "exit_code", 1, None, "two"),
    ("echo '[ERROR] first'; echo '[ERROR] last'; echo bye; exit 1", "FAILED", "exit_code", 1, None,
     "[ERROR] last"),
    ("printf 'Traceback (most recent call last):\\n  File x\\nValueError: bad\\nbye\\n'; exit 1",
     "FAILED", "exit_code", 1, None, "ValueError: bad"),
    ("echo said; echo; echo '   '; exit 1", "FAILED", "exit_code", 1, None, "said"),
    ("echo '[ERROR] only a warning'; exit 0", "SUCCESS", None, 0, None, None),
    ("printf 'bad \\377 byte'; exit 1", "FAILED", "exit_code", 1, None, "bad \ufffd byte"),
    ("echo near the end; kill -SEGV $$", "FAILED", "signal", None, signal.SIGSEGV,
     "the command was killed by SIGSEGV; its log ends with: near the end"),
    ("kill -9 $$", "FAILED", "signal", None, signal.SIGKILL, "SIGKILL"),
    ("kill -TERM $$", "FAILED", "signal", None, signal.SIGTERM, "SIGTERM"),
    ("exec >&- 2>&-; sleep 0.1", "SUCCESS", None, 0, None, None),
    ("exec >&- 2>&-; exit 4", "FAILED", "exit_code", 4, None, "exit code 4"),
    ("read line; [ -z \"$line\" ]", "SUCCESS", None, 0, None, None),  # its input is empty
]


@pytest.mark.parametrize("script,status,reason,code,number,message", ENDS,
                         ids=[end[0][:30] for end in ENDS])
def test_how_a_command_ends(server, script, status, reason, code, number, message):
    job = run(server, script)
    assert (job["status"], job["end_reason"], job["exit_code"], job["signal"]) == (
        status, reason, code, number), job
    if message is None:
        assert job["error_message"] is None
    else:
        assert message in job["error_message"], job
    usage = job["usage"]
    assert usage["user_sec"] >= 0 and usage["system_sec"] >= 0 and usage["max_rss_kb"] > 500
    assert job["duration_sec"] >= 0 and job["started_at"] <= job["ended_at"]
    assert holders(job["job_id"]) == []
    log = server.request("GET", f"/api/jobs/{job['job_id']}/log").body
    assert log.startswith(b"$ /bin/sh -c ")


def test_usage_is_measured(server):
    job = run(server, "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done")
    assert 0.01 < job["usage"]["user_sec"] < 60


def test_descendants_do_not_outlive_a_job(server):
    job = run(server, "(setsid sh -c 'trap \"\" TERM; echo away; while :; do sleep 1; done' &) ;"
                      " until grep -q ^away %s/reports/jobs/$RUNYARD_JOB_ID.log; do sleep 0.02; done"
              % server.workspace)
    assert job["status"] == "SUCCESS"
    assert holders(job["job_id"]) == []


def test_the_environment(server):
    job = run(server, "env -0 | tr '\\0\\n' '\\n ' | sort")
    _, _, text = server.log_of(job["job_id"]).partition("\n")
    seen = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    assert seen["RUNYARD_JOB_ID"] == job["job_id"]
    assert seen["RUNYARD_ATTEMPT"] == job["job_id"] + ".1"
    assert {name for name in seen if name.startswith("RUNYARD_")} == {"RUNYARD_JOB_ID",
                                                                       "RUNYARD_ATTEMPT"}
    assert "secret" not in text
    assert seen["PYTHONUNBUFFERED"] == "1" and seen["ADDED"] == "by the configuration"
    assert seen["FROM_OUTSIDE"] == "yes"
    assert "CUDA_VISIBLE_DEVICES" not in seen or "CUDA_VISIBLE_DEVICES" in os.environ
    assert seen["PWD"] == str(server.workspace)


@pytest.mark.parametrize("lines", [True, False], ids=["lines", "one line"])
def test_much_output(server, lines):
    size = (1 << 30) if os.environ.get("RUNYARD_FULL") else 200_000_000
    fold = "fold -w 99" if lines else "cat"
    job = submit(server, f"head -c {size} /dev/zero | tr '\\0' x | {fold}; echo; echo value=last")
    while True:  # the server answers quickly meanwhile
        asked = time.monotonic()
        status = server.job(job)["status"]
        assert time.monotonic() - asked < 2
        if status in TERMINAL:
            break
        time.sleep(0.05)
    job = server.job(job)
    assert job["status"] == "SUCCESS" and job["artifacts_hint"]["value"] == "last"
    log = server.workspace / job["log_path"]
    assert log.stat().st_size > size
    assert job["log_size"] == log.stat().st_size == job["attempts"][0]["log_end"]
    assert server.get(f"/api/jobs/{job['job_id']}/log?tail=11")["content"] == "value=last\n"
    server.request("DELETE", f"/api/jobs/{job['job_id']}")


def test_what_cannot_be_executed(server, tmp_path, command_plugin):
    """The program is there when the job is accepted, and is not when it starts."""
    other = start_server(tmp_path / "other", command_plugin)
    try:
        other.post("/api/admin/queue/pause")
        job_id = submit(other, "true")
        gone = submit(other, "true")
        other.stop()
        # As if it had been accepted for a program that was removed since.
        rewrite(other.state / "jobs.db", job_id, "/bin/sh", "/bin/no-such-program")
        rewrite(other.state / "jobs.db", gone, f'"cwd":"{other.workspace}"',
                f'"cwd":"{other.workspace}/gone"')
        other.start()
        other.post("/api/admin/queue/resume")
        job = other.wait(job_id)
        assert (job["status"], job["end_reason"], job["exit_code"]) == ("FAILED", "spawn_error", None)
        assert job["error_message"] == (
            "/bin/no-such-program cannot be executed: No such file or directory")
        job = other.wait(gone)
        assert (job["status"], job["end_reason"]) == ("FAILED", "spawn_error")
        assert "gone cannot be entered: No such file or directory" in job["error_message"]
        assert other.get("/api/admin/queue")["slots"]["used"] == 0
    finally:
        other.stop()


def rewrite(path, job_id, old, new):
    import sqlite3
    database = sqlite3.connect(path)
    (doc,) = database.execute("SELECT doc FROM jobs WHERE job_id=?", (job_id,)).fetchone()
    escaped = old.replace("/", "\\/")
    assert old in doc or escaped in doc, doc
    doc = doc.replace(old, new) if old in doc else doc.replace(escaped, new)
    with database:
        database.execute("UPDATE jobs SET doc=? WHERE job_id=?", (doc, job_id))
    database.close()


# ---- A supervisor that is killed ----


def test_a_killed_supervisor(server):
    job_id = submit(server, "setsid sh -c 'trap \"\" TERM; echo one; while :; do sleep 1; done' & "
                            "trap '' TERM; echo two; while :; do sleep 1; done", max_retries=3)
    printed(server, job_id, "one")
    printed(server, job_id, "two")
    assert len(holders(job_id)) >= 2
    os.kill(shim_of(server, job_id), signal.SIGKILL)
    job = server.wait(job_id)
    assert (job["status"], job["end_reason"], job["attempt"]) == ("FAILED", "lost", 1)
    assert "supervisor was killed" in job["error_message"]
    assert job["exit_code"] is None
    assert holders(job_id) == []


def cgroups_are_used(server, job_id):
    """The folder of a running job's cgroup; skips where this machine gives none."""
    record = server.state / "attempts" / f"{job_id}.1" / "record"
    found = re.search(rb" cgroup=(\S+)", record.read_bytes())
    if not found:
        pytest.skip("no cgroup v2 here into which the server may write")
    return pathlib.Path(found[1].decode())


def lives(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_killed_supervisor_with_a_tree_that_hides(server):
    # Nothing but its cgroup leads to this process: no parent, no session, no environment.
    job_id = submit(server, "env -i setsid sh -c 'trap \"\" TERM; (sleep 0.1; echo hidden $$) & "
                            "while :; do sleep 1; done' & wait")
    printed(server, job_id, "hidden")
    cgroup = cgroups_are_used(server, job_id)
    hidden = int(re.search(r"hidden (\d+)\n", server.log_of(job_id))[1])
    os.kill(shim_of(server, job_id), signal.SIGKILL)
    assert server.wait(job_id)["end_reason"] == "lost"
    assert not lives(hidden), "lost before its tree was gone"
    assert not cgroup.exists()


def test_a_record_with_the_cgroup_of_others(server):
    job_id = submit(server, "echo up; exec sleep 300")
    printed(server, job_id, "up")
    cgroup = cgroups_are_used(server, job_id)
    other = cgroup.with_name(f"runyard-{job_id}.2")
    other.mkdir()
    stranger = subprocess.Popen(["sleep", "300"])
    try:
        (other / "cgroup.procs").write_text(str(stranger.pid))
        record = server.state / "attempts" / f"{job_id}.1" / "record"
        data = record.read_bytes()
        line, _, _ = data[:1024].partition(b"\n")
        body = line.rpartition(b" crc32=")[0].replace(str(cgroup).encode(), str(other).encode())
        slot = body + b" crc32=%08x\n" % zlib.crc32(body)
        with open(record, "r+b") as file:
            file.write(slot.ljust(1024, b"\0"))
        os.kill(shim_of(server, job_id), signal.SIGKILL)
        assert server.wait(job_id)["end_reason"] == "lost"
        assert stranger.poll() is None and other.exists()
    finally:
        stranger.kill()
        stranger.wait()
        eventually(lambda: "populated 0" in (other / "cgroup.events").read_text())
        other.rmdir()
        cgroup.rmdir()


def test_a_lost_job_is_retried_when_asked_for(server):
    job_id = submit(server, "echo started; [ $RUNYARD_ATTEMPT = $RUNYARD_JOB_ID.2 ] || sleep 300",
                    max_retries=1, retry_lost=True)
    printed(server, job_id, "started")
    os.kill(shim_of(server, job_id), signal.SIGKILL)
    job = server.wait(job_id)
    assert (job["status"], job["attempt"]) == ("SUCCESS", 2)
    assert [a["end_reason"] for a in job["attempts"]] == ["lost", None]
    assert job["error_message"] is None and job["end_reason"] is None


# ---- Cancel ----


@pytest.mark.parametrize("script", [
    "sleep 300", "exec sleep 300", "trap '' TERM; echo ready; while :; do sleep 1; done",
    "setsid sleep 300 & sleep 300 & wait", "sleep 300 | sleep 300",
    "kill -STOP $$; sleep 300"], ids=lambda s: s[:25])
def test_cancel_a_running_job(server, script):
    job_id = submit(server, script)
    server.wait(job_id, until={"RUNNING"})
    if "ready" in script:
        printed(server, job_id, "ready")
    reply = cancel(server, job_id)
    assert reply.status == 202 and reply.json["job_id"] == job_id
    assert cancel(server, job_id).status in (202, 409)  # twice is no mistake while it ends
    job = server.wait(job_id)
    assert (job["status"], job["end_reason"]) == ("CANCELLED", "cancelled")
    assert holders(job_id) == [], "terminal before the tree was empty"
    reply = cancel(server, job_id)
    assert reply.status == 409 and "CANCELLED" in reply.json["detail"]


def test_a_command_may_clean_up_when_cancelled(server):
    job_id = submit(server, "trap 'echo cleaning; exit 5' TERM; echo ready; while :; do sleep 0.05; done")
    printed(server, job_id, "ready")
    cancel(server, job_id)
    job = server.wait(job_id)
    assert (job["status"], job["exit_code"]) == ("CANCELLED", 5)
    assert server.log_of(job_id).endswith("cleaning\n")


def test_cancel_a_queued_job(server):
    blocking = submit(server, "sleep 300", slots=6)
    server.wait(blocking, until={"RUNNING"})
    job_id = submit(server, "echo never")
    assert cancel(server, job_id).json["status"] == "CANCELLED"
    job = server.job(job_id)
    assert job["started_at"] is None and job["attempts"] == [] and job["end_reason"] == "cancelled"
    assert server.log_of(job_id) == ""
    cancel(server, blocking)
    assert server.wait(blocking)["status"] == "CANCELLED"


def test_cancel_during_the_start(server):
    """Right after the submit, a little later each time: every ending is a true one."""
    ended = {}
    for delay_ms in range(0, 40, 2):
        mark = server.workspace / f"mark{delay_ms}"
        job_id = submit(server, f"touch {mark}; exec sleep 300")
        time.sleep(delay_ms / 1000)
        assert cancel(server, job_id).status == 202
        ended[job_id] = mark
    for job_id, mark in ended.items():
        job = server.wait(job_id)
        assert (job["status"], job["end_reason"]) == ("CANCELLED", "cancelled"), job
        assert holders(job_id) == []
        assert job["attempts"] or not mark.exists(), job


def test_cancel_at_the_end(server):
    """A job that ends by itself just then is never called cancelled, and keeps its exit code."""
    seen = set()
    for delay_ms in range(0, 40, 2):
        mark = server.workspace / f"end{delay_ms}"
        job_id = submit(server, f"sleep 0.02; echo x > {mark}")
        time.sleep(delay_ms / 1000)
        reply = cancel(server, job_id)
        job = server.wait(job_id)
        assert job["status"] in ("CANCELLED", "SUCCESS"), job
        assert reply.status in (202, 409)
        if reply.status == 409 or job["status"] == "SUCCESS":
            assert job["status"] == "SUCCESS" and job["exit_code"] == 0 and mark.exists(), job
        seen.add(job["status"])
    assert seen == {"CANCELLED", "SUCCESS"}


def test_cancel_right_after_a_restart(tmp_path, command_plugin):
    server = start_server(tmp_path, command_plugin)
    try:
        running = [submit(server, "trap '' TERM; echo up; while :; do sleep 1; done"),
                   submit(server, "exec sleep 300")]
        waiting = submit(server, "true", after=[running[0]])
        printed(server, running[0], "up")
        server.wait(running[1], until={"RUNNING"})
        server.kill()
        server.start()
        for job_id in [*running, waiting]:
            assert cancel(server, job_id).status == 202
        for job_id in [*running, waiting]:
            assert server.wait(job_id)["status"] == "CANCELLED"
            assert holders(job_id) == []
        # The wish is kept: committed, and the server died before the job did.
        last = submit(server, "trap '' TERM; echo up; while :; do sleep 1; done")
        printed(server, last, "up")
        assert cancel(server, last).status == 202
        server.kill()
        server.start()
        assert server.wait(last)["status"] == "CANCELLED"
    finally:
        server.stop()


# ---- Time and size limits ----


def test_timeout(server):
    began = time.monotonic()
    job = run(server, "trap '' TERM; echo up; sleep 300 & wait; while :; do sleep 1; done",
              timeout_sec=1)
    assert (job["status"], job["end_reason"]) == ("FAILED", "timeout")
    assert "timeout" in job["error_message"]
    assert 1.9 < time.monotonic() - began < 10  # the timeout and the grace
    assert holders(job["job_id"]) == []


def test_timeout_changed_while_running(server):
    shorter = submit(server, "exec sleep 300", timeout_sec=1000)
    longer = submit(server, "sleep 2.5; echo done", timeout_sec=1)
    none = submit(server, "sleep 2.5; echo done", timeout_sec=1)
    for job_id in (shorter, longer, none):
        server.wait(job_id, until={"RUNNING"})
    for job_id, seconds in ((longer, 60), (none, 0), (shorter, 1)):
        reply = server.request("PATCH", f"/api/jobs/{job_id}", {"timeout_sec": seconds})
        assert reply.status == 200, reply.text
    assert server.wait(shorter)["end_reason"] == "timeout"
    assert server.wait(longer)["status"] == "SUCCESS"
    assert server.wait(none)["status"] == "SUCCESS"
    reply = server.request("PATCH", f"/api/jobs/{none}", {"timeout_sec": 5})
    assert reply.status == 409


def test_log_limit(tmp_path, command_plugin):
    server = start_server(tmp_path, command_plugin, log_max_bytes=100_000)
    try:
        job = run(server, "while :; do echo 0123456789; done", max_retries=2)
        assert (job["status"], job["end_reason"], job["attempt"]) == ("FAILED", "log_limit", 1)
        assert "log_max_bytes (100000)" in job["error_message"]
        assert job["log_size"] > 100_000
        assert run(server, "head -c 90000 /dev/zero")["status"] == "SUCCESS"
    finally:
        server.stop()


# ---- Retries ----


def test_retries_are_attempts_of_one_job(server):
    job = run(server, "n=${RUNYARD_ATTEMPT##*.}; echo value=v$n of $n; echo value=w$n; "
                      "[ $n = 3 ] || exit $((n + 4))", max_retries=4)
    assert (job["status"], job["attempt"]) == ("SUCCESS", 3)
    log = (server.workspace / job["log_path"]).read_bytes()
    at = 0
    for number, attempt in enumerate(job["attempts"], 1):
        assert attempt["attempt"] == number and attempt["log_start"] == at
        piece = log[attempt["log_start"]:attempt["log_end"]].decode()
        assert piece.startswith("$ /bin/sh -c ")
        assert piece.endswith(f"value=v{number} of {number}\nvalue=w{number}\n")
        at = attempt["log_end"]
    assert at == len(log)
    assert [a["exit_code"] for a in job["attempts"]] == [5, 6, 0]
    assert [a["end_reason"] for a in job["attempts"]] == ["exit_code", "exit_code", None]
    times = [t for a in job["attempts"] for t in (a["started_at"], a["ended_at"])]
    assert times == sorted(times) and job["started_at"] == times[0]
    # Only the last attempt's hints: those of a failed one lead nowhere.
    assert job["artifacts_hint"] == {"value": "w3"}
    assert [link["value"] for link in job["links"]] == ["v3", "w3"]
    assert job["error_message"] is None and job["exit_code"] == 0


def test_retries_end(server):
    job = run(server, "echo try $RUNYARD_ATTEMPT; kill -9 $$", max_retries=2)
    assert (job["status"], job["end_reason"], job["attempt"]) == ("FAILED", "signal", 3)
    assert job["error_message"].endswith(f"try {job['job_id']}.3")


def test_a_retry_waits(tmp_path, command_plugin):
    folder = tmp_path / "backoff"
    server = start_server(folder, command_plugin)
    server.stop()
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("retry_backoff_sec: 0", "retry_backoff_sec: 2"))
    server.start()
    try:
        job_id = submit(server, "exit 1", max_retries=1)
        waiting = eventually(lambda: (j := server.job(job_id))["status"] == "QUEUED"
                             and j["attempt"] == 1 and j["waiting_for"] and j)
        assert waiting["not_before"] and "retry" in waiting["waiting_for"], waiting
        assert server.get("/api/admin/queue")["slots"]["used"] == 0
        server.kill()  # the wait survives a restart
        server.start()
        job = server.wait(job_id)
        assert (job["status"], job["attempt"]) == ("FAILED", 2)
        ms = [time_of(a[key]) for a, key in ((job["attempts"][0], "ended_at"),
                                             (job["attempts"][1], "started_at"))]
        assert 1.95 <= ms[1] - ms[0] < 10
        # One that waits for its next attempt is cancelled at once.
        job_id = submit(server, "exit 1", max_retries=5)
        eventually(lambda: (j := server.job(job_id))["status"] == "QUEUED" and j["attempt"] == 1)
        assert cancel(server, job_id).json["status"] == "CANCELLED"
    finally:
        server.stop()


def time_of(text):
    import datetime
    return datetime.datetime.fromisoformat(text).timestamp()


def test_a_cancelled_job_is_not_retried(server):
    job_id = submit(server, "exec sleep 300", max_retries=5)
    server.wait(job_id, until={"RUNNING"})
    cancel(server, job_id)
    job = server.wait(job_id)
    assert (job["status"], job["attempt"]) == ("CANCELLED", 1)
