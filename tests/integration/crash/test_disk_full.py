"""A file system without room: nothing half-created, and everything goes on when there is room."""

import os
import subprocess

import pytest
from crash_kit import World, eventually

SIZE = 8 << 20


@pytest.fixture
def small(tmp_path):
    """A world whose workspace and state folder share a small file system."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]).returncode != 0:
        pytest.skip("needs root and the right to mount")
    made = World(folder)
    made.effects = tmp_path / "effects"  # what jobs did is counted elsewhere
    made.effects.touch()
    made.server.log = tmp_path / "server.log"
    yield made
    try:
        (folder / "ballast").unlink(missing_ok=True)
        made.close()
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(world):
    """Not a byte is left."""
    with open(world.folder / "ballast", "wb", buffering=0) as ballast:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    ballast.write(b"x" * size)
            except OSError:
                continue


def make_room(world):
    (world.folder / "ballast").unlink()


def refused(world):
    """Submits until the first refusal; what fits into what is allocated already is accepted."""
    for _ in range(2000):
        reply = world.server.post("/api/jobs/command", world.body("quick"))
        if reply.status != 201:
            return reply
        world.accepted[reply.json["job_id"]] = "quick"
    raise AssertionError("nothing was refused")


def test_submitting_without_room(small):
    world, server = small, small.server.start()
    for _ in range(3):
        world.submit("quick")
    world.settle()
    server.post("/api/admin/queue/pause")
    fill(world)
    reply = refused(world)
    assert reply.status in (503, 507), (reply.status, reply.text)
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert "full" in reply.json["detail"] or "space" in reply.json["detail"], reply.text
    known = set(world.accepted)
    assert set(world.jobs()) == known
    assert server.get("/healthz") == {"status": "ok"}
    batch = server.post("/api/jobs/batch", {"type": "command", "params": world.body("quick"),
                                            "matrix": {"label": ["quick"] * 50}})
    assert batch.status in (503, 507) and set(world.jobs()) == known
    make_room(world)
    reply = eventually(lambda: (r := server.post("/api/jobs/command", world.body("quick"))
                                ).status == 201 and r, what="room for a job")
    world.accepted[reply.json["job_id"]] = "quick"
    server.post("/api/admin/queue/resume")
    world.settle()
    jobs = world.check()
    assert set(jobs) == known | {reply.json["job_id"]}
    server.kill()
    server.start()
    world.check()


def test_readiness_follows_the_database(small):
    world, server = small, small.server.start()
    server.post("/api/admin/queue/pause")
    assert server.get("/readyz") == {"status": "ready"}
    fill(world)
    refused(world)
    reply = eventually(lambda: (r := server.request("GET", "/readyz")).status == 503 and r,
                       what="that it is not ready")
    assert "the database cannot be written" in reply.json["detail"], reply.text
    assert server.get("/healthz") == {"status": "ok"}
    make_room(world)
    # Nobody submits meanwhile: who balances load sends nothing to a server that is not ready.
    eventually(lambda: server.request("GET", "/readyz").status == 200, what="that it is ready")
    server.post("/api/admin/queue/resume")
    world.settle()


def test_cancelling_and_ending_without_room(small):
    world, server = small, small.server.start()
    endless = world.submit("endless")
    ending = world.submit("long")
    for job_id in (endless, ending):
        eventually(lambda: world.starts()[f"{job_id}.1"], what="the start")
    fill(world)
    reply = world.server.post(f"/api/jobs/{endless}/cancel")
    assert reply.status in (202, 503, 507), (reply.status, reply.text)
    # What matters: the processes go, whether or not it can be written down yet.
    eventually(lambda: not world.shims(), what="the end of both jobs")
    assert world.processes(f"RUNYARD_ATTEMPT={endless}") == []
    make_room(world)
    assert server.wait(endless)["status"] == "CANCELLED"
    assert server.wait(ending)["status"] == "SUCCESS"
    world.check()


def test_a_timeout_changed_without_room(small):
    world, server = small, small.server.start()
    endless = world.submit("endless", timeout_sec=3600)
    eventually(lambda: world.starts()[f"{endless}.1"], what="the start")
    fill(world)
    reply = server.request("PATCH", f"/api/jobs/{endless}", {"timeout_sec": 1})
    assert reply.status in (200, 503, 507), (reply.status, reply.text)
    make_room(world)
    # The supervisor hears of it without a restart of the server.
    job = server.wait(endless)
    assert (job["end_reason"], job["timeout_sec"]) == ("timeout", 1), job


def test_a_server_killed_without_room(small):
    world, server = small, small.server.start()
    endless = world.submit("endless")
    quick = world.submit("quick", after=[endless])
    eventually(lambda: world.starts()[f"{endless}.1"], what="the start")
    fill(world)
    server.kill()
    make_room(world)
    server.start()
    world.cancel(endless)
    assert server.wait(endless)["status"] == "CANCELLED"
    assert server.wait(quick)["end_reason"] == "dependency"
    world.check()


def test_a_job_that_could_start_at_once_without_room(small):
    """It is made ready while its submit is being committed, and the commit fails."""
    world, server = small, small.server.start()
    world.submit("quick")
    world.settle()
    fill(world)
    reply = refused(world)
    assert reply.status in (503, 507), (reply.status, reply.text)
    assert set(world.jobs()) == set(world.accepted)
    make_room(world)
    eventually(lambda: not world.shims(), what="the end of every supervisor")
    logs = world.workspace / "reports" / "jobs"
    eventually(lambda: {path.stem for path in logs.glob("*.log")} <= set(world.accepted),
               what="the removal of the log")
    eventually(lambda: server.post("/api/jobs/command", world.body("quick")).status != 507,
               what="room")
    world.accepted = {job_id: "quick" for job_id in world.jobs()}
    world.settle()
    world.check()


def test_a_job_that_fills_the_disk(small):
    world, server = small, small.server.start()
    script = (f"cat /dev/zero > {world.folder}/ballast; echo $RUNYARD_ATTEMPT >> {world.effects}; "
              "echo '[ERROR] no room'; exit 28")
    filling = server.submit("command", {"script": script})["job_id"]
    eventually(lambda: world.starts()[f"{filling}.1"] and not world.shims(),
               what="the end of its process")
    assert server.get("/healthz") == {"status": "ok"}
    make_room(world)
    job = server.wait(filling)
    assert (job["status"], job["exit_code"]) == ("FAILED", 28), job
    assert job["error_message"]
    world.submit("quick")
    world.settle()
    world.check()
