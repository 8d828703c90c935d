"""The server, and now and then a supervisor, killed at random moments and at every named step.

RUNYARD_CRASH_ROUNDS says how many random rounds (10), RUNYARD_CRASH_SEED repeats a run.
"""

import contextlib
import os
import random
import re
import signal
import sqlite3
import time

import pytest
from crash_kit import (LOST, MIX, ROOT, TERMINAL, World, crash_in_rounds, eventually, has_kill_points,
                       run_through_everything, steps_in_sources)

ROUNDS = int(os.environ.get("RUNYARD_CRASH_ROUNDS", "10"))
SERVER_STEPS = steps_in_sources("kill_point", "core")
SHIM_STEPS = steps_in_sources("test_point", "core/exec/shim")

needs_kill_points = pytest.mark.skipif(not has_kill_points(),
                                       reason="this build has no kill points: use asan or dev")


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.clear()


def test_rounds(world):
    seed = int(os.environ.get("RUNYARD_CRASH_SEED", random.randrange(1 << 32)))
    print(f"RUNYARD_CRASH_SEED={seed}")
    dice = random.Random(seed)
    crash_in_rounds(world, dice, ROUNDS)
    world.server.start()
    world.settle(60 + ROUNDS)

    jobs = world.check()
    assert len(world.accepted) > ROUNDS
    ended = {job["status"] for job in jobs.values()}
    assert {"SUCCESS", "FAILED"} <= ended
    world.close()


# ---- Every named step ----


def kinds_lost_at(step):
    """What may be lost when the supervisors die at `step`: of every kind, or of the killed ones."""
    if step in ("kill_wanted", "kill_begun", "term_sent"):
        return {"endless", "forking", "daemon"}
    return set() if step == "exit_recorded" else set(MIX)


NOTHING_CLAIMED = {"shim_start", "ready"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One workspace for all steps: what one server leaves is what the next one finds."""
    made = World(tmp_path_factory.mktemp("steps"))
    yield made
    made.close()


# These happen only at another start, or with other job types: they have tests of their own.
ELSEWHERE = {"recovered", "record_taken", "follow_up_planned", "follow_up_committed",
             "slurm_spec_written", "slurm_submitted"}


@needs_kill_points
@pytest.mark.parametrize("step", [step for step in SERVER_STEPS if step not in ELSEWHERE])
def test_server_dies_at(shared, step):
    world, server = shared, shared.server
    server.start({"RUNYARD_KILL_POINT": step})
    run_through_everything(world)
    assert server.process.wait(20) == -signal.SIGKILL, "the step was not reached"
    server.stop()

    server.start()
    world.settle()
    if step == "remove_committed":  # committed, though the client was not told
        gone = set(world.accepted) - set(world.jobs())
        assert len(gone) == 1 and world.accepted.pop(gone.pop()) == "failing"
    world.check()
    server.stop()


@needs_kill_points
def test_the_machine_goes_down_when_a_start_is_committed(shared):
    """Without a claim on the disk nobody knows whether the command was started."""
    world, server = shared, shared.server
    server.start({"RUNYARD_KILL_POINT": "start_committed"})
    server.post("/api/admin/queue/pause")
    job_id = world.submit("quick")
    with contextlib.suppress(*LOST):
        server.post("/api/admin/queue/resume")
    assert server.process.wait(20) == -signal.SIGKILL
    server.stop()
    with sqlite3.connect(world.state / "jobs.db") as database:
        assert database.execute("UPDATE notes SET value='before' WHERE key='boot'").rowcount == 1
    database.close()
    server.start()
    job = server.wait(job_id)
    assert (job["status"], job["end_reason"]) == ("FAILED", "lost"), job
    assert "machine went down" in job["error_message"]
    assert world.starts()[f"{job_id}.1"] == 0
    world.shims_killed.add(f"{job_id}.1")
    world.check()
    server.stop()


@needs_kill_points
def test_server_dies_when_it_has_recovered(shared):
    world, server = shared, shared.server
    server.start()
    for kind in MIX:
        world.submit(kind)
    server.kill()
    for _ in range(3):
        server.start({"RUNYARD_KILL_POINT": "recovered"}, expect_failure=True)
    server.start()
    world.settle()
    world.check()
    server.stop()


@needs_kill_points
@pytest.mark.parametrize("step", [s for s in SERVER_STEPS if s.startswith("follow_up")])
def test_server_dies_between_a_job_and_its_follow_up(tmp_path, step):
    world = World(tmp_path, shipped=True)
    for name, text in {"scripts/run_experiment.py": "print('trained')", "configs/a.yaml": "a: 1",
                       "scripts/index_runs.py": f"open('{world.effects}', 'a').write('indexed\\n')"
                       }.items():
        (world.workspace / name).parent.mkdir(exist_ok=True)
        (world.workspace / name).write_text(text)
    server = world.server.start({"RUNYARD_KILL_POINT": step})
    job = server.submit("train", {"config_path": "configs/a.yaml"})
    assert server.process.wait(60) == -signal.SIGKILL
    server.stop()
    for _ in range(2):  # the second start must not do it again
        server.start()
        follow_ups = eventually(lambda: [job for job in world.jobs().values()
                                         if job["job_type"] == "index_runs"])
        world.settle()
        assert [j["note"] for j in follow_ups] == [f"after {job['job_id']}"]
        assert server.wait(follow_ups[0]["job_id"])["status"] == "SUCCESS"
        assert world.starts() == {"indexed": 1}
        server.stop()
    world.close()


@needs_kill_points
@pytest.mark.parametrize("step", SHIM_STEPS)
def test_supervisor_dies_at(shared, step):
    world, server = shared, shared.server
    server.start({"RUNYARD_SHIM_KILL_POINT": step})
    jobs = [world.submit(kind) for kind in ("endless", "quick", "forking", "chatty", "failing")]
    server.wait(jobs[0], until={"RUNNING"} | TERMINAL)
    world.cancel(jobs[0])
    world.settle()
    may_be_lost = kinds_lost_at(step)
    lost = lambda job: job["job_id"] in jobs and job["params"]["label"] in may_be_lost  # noqa: E731
    ended = world.check(lost)
    # It was reached: what must be lost is, what never began says so.
    first = ended[jobs[0]]["end_reason"]
    if step in NOTHING_CLAIMED:
        assert first in ("spawn_error", "cancelled")
    elif step == "exit_recorded":
        assert first == "cancelled" and ended[jobs[1]]["status"] == "SUCCESS"
    else:
        assert first == "lost", ended[jobs[0]]
    server.stop()
    server.start()  # nothing changes afterwards
    assert {job_id: ended[job_id]["status"] for job_id in jobs} == {
        job_id: server.job(job_id)["status"] for job_id in jobs}
    world.shims_killed |= {f"{job_id}.{ended[job_id]['attempt']}" for job_id in jobs}
    world.check()
    server.stop()


@needs_kill_points
@pytest.mark.parametrize("step", SHIM_STEPS)
def test_server_dies_while_a_supervisor_stands_at(shared, step):
    """Every supervisor stops at the step; the server is killed and started; then they go on."""
    world, server = shared, shared.server
    server.start({"RUNYARD_SHIM_PAUSE_POINT": step})
    endless, quick, forking = (world.submit(kind) for kind in ("endless", "quick", "forking"))
    server.wait(endless, until={"RUNNING"} | TERMINAL)
    world.cancel(endless)

    def standing():
        return [pid for pid in world.shims() if stopped(pid)]

    eventually(standing, what="a supervisor that stands")
    server.kill()
    server.start()
    while True:
        for pid in standing():
            os.kill(pid, signal.SIGCONT)
        if all(job["status"] in TERMINAL for job in world.jobs().values()) and not world.shims():
            break
        time.sleep(0.02)
    jobs = world.check()
    assert jobs[quick]["status"] == jobs[forking]["status"] == "SUCCESS"
    assert jobs[endless]["status"] == "CANCELLED"
    server.stop()


def stopped(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "T"
    except OSError:
        return False


def test_the_documents_list_every_step():
    def listed(document, heading):
        text = (ROOT / "docs" / document).read_text()
        section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.M | re.S)[1]
        return sorted(re.findall(r"^\| `(\w+)` \|", section, re.M))

    assert listed("recovery.md", "Steps for tests") == SERVER_STEPS
    assert listed("run-folder.md", "Steps for tests") == SHIM_STEPS
