"""What is lost, damaged or brought in from elsewhere: database, records, the server's identity."""

import json
import os
import random
import signal

import pytest
from crash_kit import TERMINAL, World, eventually, has_kill_points

FOREIGN = "f" * 16


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


def records_folder(world):
    return world.workspace / "reports" / "jobs"


def fill(world):
    """Ended jobs, one that runs and one that waits for it, all in the records; the server is killed."""
    for kind in ("quick", "failing", "signalled", "retrying"):
        world.submit(kind)
    world.settle()
    running = world.submit("endless")
    waiting = world.submit("quick", after=[running])
    world.server.wait(running, until={"RUNNING"})
    eventually(lambda: world.starts()[f"{running}.1"] == 1, what="the running job's mark")
    eventually(lambda: {i: r["status"] for i, r in world.records().items()} == {
        i: j["status"] for i, j in world.jobs().items()}, what="the records")
    world.server.kill()
    return running, waiting


def remove_database(world):
    for path in world.state.glob("jobs.db*"):
        path.unlink()


def damage(at):
    def scribble(world):
        # Everything into the one file first, as after a clean stop.
        world.server.start()
        world.server.stop()
        path = world.state / "jobs.db"
        size = path.stat().st_size
        assert size > 5 * 4096
        with open(path, "r+b") as file:
            file.seek({"head": 0, "middle": size // 8192 * 4096, "root": 4096}[at])
            file.write(random.Random(7).randbytes(4096))
    return scribble


def truncate(world):
    path = world.state / "jobs.db"
    world.server.start()
    world.server.stop()
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("lose", [remove_database, damage("head"), damage("root"), damage("middle"),
                                  truncate],
                         ids=["removed", "head", "root", "middle", "truncated"])
def test_the_database_is_rebuilt_from_the_records(world, lose):
    world.server.start()
    running, waiting = fill(world)
    before = world.records()
    lose(world)
    aside = set(world.state.glob("jobs.db.damaged-*"))
    world.server.start()
    assert bool(set(world.state.glob("jobs.db.damaged-*")) - aside) == (lose is not remove_database)
    jobs = world.jobs()
    assert set(jobs) == set(before)
    for job_id, record in before.items():
        if record["status"] in TERMINAL:
            assert {k: jobs[job_id][k] for k in record} == record
    assert jobs[running]["status"] == "RUNNING" and jobs[waiting]["status"] == "QUEUED"
    assert world.cancel(running).status == 202
    assert world.server.wait(running)["status"] == "CANCELLED"
    assert world.server.wait(waiting)["end_reason"] == "dependency"
    # Numbers and versions go on where they were.
    new = world.server.job(world.submit("quick"))
    assert new["number"] > max(r["number"] for r in before.values())
    world.settle()
    world.check()


def test_a_waiting_job_of_the_records_runs_with_a_new_database(world):
    server = world.server.start()
    server.post("/api/admin/queue/pause")
    waiting = [world.submit(kind) for kind in ("quick", "chatty", "failing")]
    eventually(lambda: set(world.records()) == set(waiting), what="the records")
    server.kill()
    # The command of a record is not believed: the plugin says it again from the inputs.
    path = records_folder(world) / f"{waiting[0]}.json"
    path.write_text(json.dumps(dict(json.loads(path.read_text()), command=["/bin/false"])))
    remove_database(world)
    server.start()
    world.settle()
    jobs = world.check()
    assert [jobs[job_id]["status"] for job_id in waiting] == ["SUCCESS", "SUCCESS", "FAILED"]


@pytest.mark.skipif(not has_kill_points(), reason="this build has no kill points")
def test_server_dies_while_it_rebuilds_the_database(world):
    world.server.start()
    running, waiting = fill(world)
    before = set(world.records())
    remove_database(world)
    code = world.server.start({"RUNYARD_KILL_POINT": "record_taken"}, expect_failure=True)
    assert code == -signal.SIGKILL
    world.server.start()
    assert set(world.jobs()) == before
    world.cancel(running)
    world.settle()
    world.check()


def test_a_damaged_record_is_restored(world):
    server = world.server.start()
    ids = [world.submit("quick") for _ in range(4)]
    world.settle()
    world.check()
    good = world.records()
    server.stop()
    paths = [records_folder(world) / f"{job_id}.json" for job_id in ids]
    paths[0].write_text(paths[0].read_text()[:100])
    paths[1].write_bytes(os.urandom(500))
    paths[2].write_text(paths[3].read_text())  # another job's
    paths[3].write_text(json.dumps(dict(good[ids[3]], seq=1, status="QUEUED")))  # an old one
    (records_folder(world) / "job_20260101_000000__00000000.json").write_text("{")  # nobody's
    (records_folder(world) / "notes.json").write_text("{")
    server.start()
    eventually(lambda: "4 damaged record(s)" in server.log_text(), what="the end of the import")
    for name in ("notes.json", "job_20260101_000000__00000000.json"):
        (records_folder(world) / name).unlink()  # left as they were

    def restored():
        try:
            return world.records() == good
        except ValueError:
            return False
    eventually(restored, what="the records")
    assert "is damaged and is restored from the database" in server.log_text()
    assert "job_20260101_000000__00000000 is damaged and is skipped" in server.log_text()
    world.check()


def foreign_record(world, like, number, **changes):
    job_id = f"job_20260101_00000{number}__0000000{number}"
    record = dict(like, job_id=job_id, instance=FOREIGN, seq=10, number=number,
                  log_path=f"reports/jobs/{job_id}.log", meta_path=f"reports/jobs/{job_id}.json",
                  created_at=f"2026-01-01T00:00:0{number}.000+00:00", **changes)
    (records_folder(world) / f"{job_id}.json").write_text(json.dumps(record))
    return job_id, record


@pytest.mark.parametrize("new_database", [False, True], ids=["beside", "rebuilt"])
def test_jobs_of_another_server_are_history(world, new_database):
    server = world.server.start()
    own = world.submit("quick")
    world.settle()
    world.check()
    server.stop()
    like = world.records()[own]
    never = {"status": "QUEUED", "attempt": 0, "attempts": [], "started_at": None,
             "ended_at": None, "exit_code": None, "usage": None}
    queued, queued_record = foreign_record(world, like, 1, **never)
    running, _ = foreign_record(world, like, 2, **dict(
        never, status="RUNNING", attempt=1, attempts=like["attempts"]))
    ended, _ = foreign_record(world, like, 3)
    if new_database:
        remove_database(world)
    server.start()
    jobs = eventually(lambda: len(world.jobs()) == 4 and world.jobs(), what="the foreign jobs")
    assert [jobs[i]["status"] for i in (queued, running, ended)] == ["QUEUED", "RUNNING", "SUCCESS"]
    for job_id in (queued, running):
        for call in (("POST", f"/api/jobs/{job_id}/cancel"), ("DELETE", f"/api/jobs/{job_id}"),
                     ("PATCH", f"/api/jobs/{job_id}", {"note": "mine"}),
                     ("PATCH", f"/api/jobs/{job_id}", {"priority": 3})):
            reply = server.request(*call)
            assert reply.status == 409 and "another server" in reply.json["detail"], reply.text
    queue = server.get("/api/admin/queue")
    assert queue["slots"]["used"] == queue["queued"] == 0 and not queue["running"]
    assert server.request("GET", f"/api/jobs/{queued}/log").body == b""
    # Its inputs can be used here all the same.
    assert server.post(f"/api/jobs/{queued}/rerun").status == 201

    def own_ended():
        return all(j["status"] in TERMINAL for j in world.jobs().values() if j["instance"] != FOREIGN)
    eventually(own_ended)
    server.stop()

    # git brings newer and older states of them; the newer ones are shown.
    foreign_record(world, like, 1, **dict(never, status="CANCELLED"))
    path = records_folder(world) / f"{queued}.json"
    path.write_text(json.dumps(dict(json.loads(path.read_text()), seq=30)))
    path = records_folder(world) / f"{ended}.json"
    path.write_text(json.dumps(dict(queued_record, job_id=ended, seq=3)))
    server.start()
    eventually(lambda: server.job(queued)["status"] == "CANCELLED", what="the newer state")
    assert server.job(ended)["status"] == "SUCCESS"
    assert server.job(running)["status"] == "RUNNING"
    assert not any(token.startswith(("job_20260101_00000",)) for token in world.starts())


def test_a_removed_job_stays_removed(world):
    server = world.server.start()
    job_id = world.submit("quick")
    world.settle()
    record = server.record(job_id, until=lambda r: r["status"] == "SUCCESS")
    log = records_folder(world) / f"{job_id}.log"
    assert log.exists()
    assert server.request("DELETE", f"/api/jobs/{job_id}").status == 204
    del world.accepted[job_id]
    path = records_folder(world) / f"{job_id}.json"
    eventually(lambda: not path.exists() and not log.exists(), what="the removal")
    server.stop()
    path.write_text(json.dumps(record))  # as git may
    other = {**record, "job_id": "job_20260101_000009__00000009", "instance": FOREIGN}
    (records_folder(world) / f"{other['job_id']}.json").write_text(json.dumps(other))
    server.start()
    eventually(lambda: other["job_id"] in world.jobs(), what="the end of the import")
    assert server.request("GET", f"/api/jobs/{job_id}").status == 404
    assert job_id not in world.jobs()


def test_a_missing_record_is_no_delete(world):
    server = world.server.start()
    job_id = world.submit("quick")
    world.settle()
    world.check()
    server.stop()
    (records_folder(world) / f"{job_id}.json").unlink()
    server.start()
    assert server.job(job_id)["status"] == "SUCCESS"


def test_a_record_of_ours_that_the_database_does_not_know_never_runs(world):
    server = world.server.start()
    job_id = world.submit("quick")
    world.settle()
    record = dict(server.record(job_id, until=lambda r: r["status"] == "SUCCESS"),
                  job_id="job_20260101_000000__00000001", status="QUEUED", attempt=0, attempts=[],
                  started_at=None, ended_at=None, exit_code=None, seq=5000, number=70)
    server.stop()
    (records_folder(world) / f"{record['job_id']}.json").write_text(json.dumps(record))
    server.start()
    job = eventually(lambda: world.jobs().get(record["job_id"]), what="the job of the record")
    assert job["status"] == "FAILED" and job["end_reason"] == "lost"
    assert "rerun" in job["error_message"]
    # Versions and numbers go on above it.
    reply = server.request("PATCH", f"/api/jobs/{record['job_id']}", {"note": "seen"})
    assert reply.status == 200 and reply.json["note"] == "seen"
    new = world.submit("quick")
    assert server.job(new)["number"] > 70
    world.settle()
    world.check(lost=lambda j: j["job_id"] == record["job_id"])


def test_the_identity_of_a_server(world):
    server = world.server.start()
    server.post("/api/admin/queue/pause")
    job_id = world.submit("quick")
    eventually(lambda: job_id in world.records(), what="the record")
    server.stop()
    path = world.state / "instance"
    old = path.read_text()
    path.write_text("not an id\n")
    assert server.start(expect_failure=True) == 1
    assert "instance is damaged" in server.log_text()
    path.unlink()
    server.start()  # a new server: what the old one had is history
    assert path.read_text() != old
    assert server.job(job_id)["status"] == "QUEUED"
    assert server.get("/api/admin/queue")["queued"] == 0
    assert server.post(f"/api/jobs/{job_id}/cancel").status == 409
    server.stop()
    path.write_text(old)
    server.start()
    server.post("/api/admin/queue/resume")
    assert server.wait(job_id)["status"] == "SUCCESS"
    world.check()
