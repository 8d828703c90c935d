"""What happens when Slurm, a node, or the server goes away."""

import os
import signal
import subprocess
import time

import pytest
from slurm_kit import (answers_are_as_documented, cluster, eventually, full, make_world,  # noqa: F401
                       needs_slurm, stub, world)

pytestmark = needs_slurm


def test_the_server_is_killed_and_finds_its_jobs(world):
    jobs = [world.submit("sleep 2; echo value=done") for _ in range(4)]
    long = world.submit("echo up; exec sleep 300")
    world.began(long)
    world.server.kill()
    world.server.start()
    for job_id in jobs:
        job = world.ends(job_id)
        assert (job["status"], job["artifacts_hint"]) == ("SUCCESS", {"value": "done"})
        assert world.starts(job_id) == [f"{job_id}.1"]
    assert world.server.job(long)["status"] == "RUNNING"
    world.server.post(f"/api/jobs/{long}/cancel")
    assert world.ends(long)["status"] == "CANCELLED"


# ---- sbatch ----


def test_sbatch_that_times_out_although_the_job_was_created(make_world, tmp_path):
    stub(tmp_path / "bin", "sbatch", f'/usr/bin/sbatch "$@" >> {tmp_path}/ids; sleep 60\n')
    world = make_world(path=tmp_path / "bin", rest="slurm: {command_timeout_sec: 1}\n")
    world.server.start()
    job_id = world.submit("echo value=once")
    job = world.ends(job_id)
    assert (job["status"], job["artifacts_hint"]) == ("SUCCESS", {"value": "once"})
    assert world.starts(job_id) == [f"{job_id}.1"]
    assert len((tmp_path / "ids").read_text().split()) == 1, "submitted twice"
    assert "sbatch did not answer within 1 s" in world.server.log_text()


def test_sbatch_that_fails_although_the_job_was_created(make_world, tmp_path):
    stub(tmp_path / "bin", "sbatch", f'/usr/bin/sbatch "$@" >> {tmp_path}/ids; '
         'echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2; '
         'exit 1\n')
    world = make_world(path=tmp_path / "bin")
    world.server.start()
    job_id = world.submit("true")
    assert world.ends(job_id)["status"] == "SUCCESS"
    assert world.starts(job_id) == [f"{job_id}.1"]
    assert len((tmp_path / "ids").read_text().split()) == 1, "submitted twice"


def test_sbatch_that_fails_and_creates_nothing(make_world, tmp_path):
    stub(tmp_path / "bin", "sbatch", f'if [ ! -e {tmp_path}/once ]; then touch {tmp_path}/once; '
         'echo "sbatch: error: Unable to contact slurm controller (connect failure)" >&2; exit 1; fi\n'
         'exec /usr/bin/sbatch "$@"\n')
    world = make_world(path=tmp_path / "bin")
    world.server.start()
    job_id = world.submit("true")
    assert world.ends(job_id)["status"] == "SUCCESS"
    assert world.starts(job_id) == [f"{job_id}.1"]
    eventually(lambda: world.left() == [], what="the removal of both run folders")


def test_a_job_that_comes_after_it_was_given_up_runs_nothing(make_world, tmp_path):
    """sbatch fails, the request arrives much later: the folder was withdrawn and another taken."""
    stub(tmp_path / "bin", "sbatch",
         f'if [ -e {tmp_path}/first ]; then exec /usr/bin/sbatch "$@"; fi\n'
         f'printf "%s\\0" "$@" > {tmp_path}/first\n'
         'echo "sbatch: error: Unable to contact slurm controller" >&2; exit 1\n')
    world = make_world(path=tmp_path / "bin")
    world.server.start()
    job_id = world.submit("until [ -e go ]; do sleep 0.1; done")
    world.began(job_id)
    request = (tmp_path / "first").read_text().split("\0")[:-1]
    late = subprocess.run(["/usr/bin/sbatch", "--wait", *request],
                          env=dict(os.environ, **world.cluster.environment))
    assert late.returncode == 3  # the supervisor found the claim
    (world.workspace / "go").touch()
    assert world.ends(job_id)["status"] == "SUCCESS"
    assert world.starts(job_id) == [f"{job_id}.1"]


def test_a_copy_of_an_attempt_runs_nothing(world, cluster):
    """As when Slurm launches a job twice."""
    job_id = world.submit("until [ -e go ]; do sleep 0.1; done; echo value=done")
    world.began(job_id)
    folder = world.runs / f"{job_id}.1"
    shim = cluster.call("scontrol", "show", "job", world.slurm_id(job_id))
    assert f"JobName={job_id}-1-1" in shim
    copy = subprocess.run(
        ["sbatch", "--wait", f"--job-name={job_id}-1-1", "--output=/dev/null", folder / "script",
         os.path.realpath(world.shim), folder], env=dict(os.environ, **cluster.environment))
    assert copy.returncode == 3
    assert world.server.job(job_id)["status"] == "RUNNING"
    (world.workspace / "go").touch()
    job = world.ends(job_id)
    assert (job["status"], job["artifacts_hint"]) == ("SUCCESS", {"value": "done"})
    assert world.starts(job_id) == [f"{job_id}.1"]


# ---- The controller ----


def test_the_controller_is_down_for_a_while(make_world, cluster):
    world = make_world(rest="slurm: {command_timeout_sec: 3}\n")
    world.server.start()
    running = world.submit("until [ -e go ]; do sleep 0.1; done")
    queued = world.submit("true", slots=4, gpus=2)
    world.began(running)
    with cluster.without_controller():
        waiting = world.submit("true")
        eventually(lambda: world.server.job(waiting)["waiting_for"] == "Slurm does not answer", 60)
        if os.environ.get("RUNYARD_FULL"):
            time.sleep(60)  # nothing is given up only because it takes long
        assert world.server.job(running)["status"] == "RUNNING"
        assert world.server.request("GET", "/readyz").status == 200
        (world.workspace / "go").touch()
        # Its own record says it, without Slurm.
        assert world.ends(running)["status"] == "SUCCESS"
    for job_id in (waiting, queued):
        assert world.ends(job_id)["status"] == "SUCCESS"
        assert world.starts(job_id) == [f"{job_id}.1"]


def test_ids_that_slurm_gives_again_are_told_apart(make_world, cluster):
    """A controller that lost its state begins with the same ids: they are other people's jobs."""
    world = make_world(rest="slurm: {flags: [--hold], command_timeout_sec: 3}\n")
    world.server.start()
    forgotten, cancelled = world.submit("true"), world.submit("true")
    ids = {world.slurm_id(forgotten), world.slurm_id(cancelled)}
    eventually(lambda: world.server.job(forgotten)["waiting_for"] == "Slurm: it is held")
    with cluster.without_controller(forgets=True):
        world.server.post(f"/api/jobs/{cancelled}/cancel")
    others = set()
    while not ids <= others:
        others.add(cluster.call("sbatch", "--parsable", "--hold", "--output=/dev/null",
                                "--wrap=true").strip())
        assert len(others) < 1000
    job = world.ends(forgotten)
    assert (job["status"], job["end_reason"]) == ("FAILED", "spawn_error")
    assert job["error_message"] == "Slurm has lost this job before it began"
    assert world.ends(cancelled)["status"] == "CANCELLED"
    assert world.starts(forgotten) == []
    left = set(cluster.call("squeue", "-h", "-t", "pending", "-o", "%i").split())
    assert ids <= left, "another one's job was cancelled"
    cluster.call("scancel", *others)


# ---- A node ----


# Slurm's own time limit for a node takes half a minute or more to run out.
@pytest.mark.parametrize("told", [True, pytest.param(False, marks=full)], ids=["told", "silent"])
def test_a_node_fails(make_world, cluster, told):
    world = make_world(rest="slurm: {flags: [--nodelist=n2]}\n")
    world.server.start()
    script = "until [ -e go ]; do sleep 0.1; done; echo value=late"
    plain = world.submit(script)
    again = world.submit("[ $RUNYARD_ATTEMPT = $RUNYARD_JOB_ID.1 ] || exit 0; " + script,
                         max_retries=1, retry_lost=True)
    world.began(plain)
    world.began(again)
    with cluster.without_node("n2", told):
        job = world.ends(plain)
        assert (job["status"], job["end_reason"]) == ("FAILED", "lost")
        assert "NODE_FAIL" in job["error_message"]
        assert "its processes may go on until the node is back" in job["error_message"]
        assert job["attempt"] == 1
        # A retry is asked for here; it waits for the node.
        eventually(lambda: world.server.job(again)["attempt"] == 2, 30)
        # A restart of the server makes no difference to what follows.
        world.server.kill()
        world.server.start()
        assert world.server.job(plain)["end_reason"] == "lost"
        # The processes have gone on, and now they end.
        (world.workspace / "go").touch()
        job = world.server.wait(plain, until={"SUCCESS"}, timeout=60)
        assert (job["end_reason"], job["exit_code"], job["error_message"]) == (None, 0, None)
        assert job["artifacts_hint"] == {"value": "late"}
        assert job["attempts"][0]["end_reason"] is None
        assert world.server.record(plain, until=lambda r: r["status"] == "SUCCESS")
    job = world.ends(again)
    assert (job["status"], job["attempt"]) == ("SUCCESS", 2)
    assert job["attempts"][0]["end_reason"] == "lost"
    assert world.starts(plain) == [f"{plain}.1"]
    assert world.starts(again) == [f"{again}.1", f"{again}.2"]
    eventually(lambda: world.left() == [], 30, what="the removal of the run folders")


def test_a_supervisor_is_killed_on_its_node(world):
    """Slurm's state stands in for the record, and nobody knows what the processes do."""
    job_id = world.submit("exec sleep 300")
    world.began(job_id)
    for pid in world.shims(job_id):
        os.kill(pid, signal.SIGKILL)
    job = world.ends(job_id)
    assert (job["status"], job["end_reason"], job["attempt"]) == ("FAILED", "lost", 1)
    assert "FAILED" in job["error_message"]


# ---- The server, at every step ----


@pytest.mark.parametrize("step", ["slurm_spec_written", "slurm_submitted"])
def test_the_server_dies_while_it_submits(world, step):
    world.server.stop()
    world.server.start({"RUNYARD_KILL_POINT": step})
    job_id = world.submit("true")
    assert world.server.process.wait(60) == -signal.SIGKILL
    world.server.stop()
    world.server.start()
    assert world.ends(job_id)["status"] == "SUCCESS"
    assert world.starts(job_id) == [f"{job_id}.1"], "submitted twice"
