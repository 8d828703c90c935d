"""What is lost, damaged or brought in from elsewhere: database, records, the server's identity."""

import json
import os
import random
import shutil
import signal
import sqlite3

import pytest
from crash_kit import CONFIG, TERMINAL, World, eventually, has_kill_points

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


def test_a_record_that_knows_an_earlier_attempt_only(world):
    server = world.server.start()
    mark = f'echo "$RUNYARD_ATTEMPT" >> {world.effects}; '
    job_id = server.submit("command", {
        "script": mark + "[ $RUNYARD_ATTEMPT = $RUNYARD_JOB_ID.1 ] && exit 7; exec sleep 300",
        "_job": {"max_retries": 2}})["job_id"]
    eventually(lambda: world.starts()[f"{job_id}.2"] == 1, what="the second attempt")
    first = server.record(job_id, until=lambda r: r["attempt"] == 2)
    server.kill()
    # The record as it was a quarter of a second before: the second attempt had not begun.
    path = records_folder(world) / f"{job_id}.json"
    first.update(status="QUEUED", attempt=1, attempts=first["attempts"][:1], seq=first["seq"] - 1)
    path.write_text(json.dumps(first))
    remove_database(world)
    server.start()
    job = server.job(job_id)
    assert (job["status"], job["attempt"], len(job["attempts"])) == ("RUNNING", 2, 2)
    assert server.get("/api/admin/queue")["slots"]["used"] == 1
    assert world.cancel(job_id).status == 202
    assert server.wait(job_id)["status"] == "CANCELLED"
    assert world.starts() == {f"{job_id}.1": 1, f"{job_id}.2": 1}, "started twice"
    world.check()


def test_run_folders_of_removed_jobs_go(world):
    server = world.server.start()
    ended, removed = world.submit("quick"), world.submit("quick")
    world.settle()
    assert server.request("DELETE", f"/api/jobs/{removed}").status == 204
    del world.accepted[removed]
    server.kill()
    unknown, claimed = "job_20260101_000000__0123abcd", "job_20260101_000000__4567cdef"
    for name in (f"{ended}.1", f"{removed}.1", f"{unknown}.1", f"{claimed}.1", "what is this"):
        (world.state / "attempts" / name).mkdir()
        (world.state / "attempts" / name / "spec").write_text("left by a crash")
    (world.state / "attempts" / f"{claimed}.1" / "record").write_bytes(b"claim")
    server.start()
    # Of a job that this database has never known nothing is thrown away that may have run.
    eventually(lambda: set(os.listdir(world.state / "attempts")) == {f"{claimed}.1", "what is this"})
    for name in (f"{claimed}.1", "what is this"):
        shutil.rmtree(world.state / "attempts" / name)
    world.check()


def test_a_timeout_that_was_not_told_is_told_at_the_adoption(world):
    server = world.server.start()
    job_id = world.submit("endless")
    eventually(lambda: world.starts()[f"{job_id}.1"] == 1, what="the start")
    server.kill()
    # As if the server had died between the commit of a PATCH and the control file.
    with sqlite3.connect(world.state / "jobs.db") as database:
        (doc,) = database.execute("SELECT doc FROM jobs WHERE job_id=?", (job_id,)).fetchone()
        changed = dict(json.loads(doc), timeout_sec=1)
        database.execute("UPDATE jobs SET doc=? WHERE job_id=?", (json.dumps(changed), job_id))
    database.close()
    server.start()
    job = server.wait(job_id)
    assert (job["status"], job["end_reason"]) == ("FAILED", "timeout"), job


@pytest.mark.parametrize("how", ["drain", "full"])
def test_a_follow_up_that_finds_no_place_is_kept(tmp_path, how):
    config = CONFIG.replace("slots: 4", "slots: 1, max_queued: 1") if how == "full" else CONFIG
    world = World(tmp_path, config=config, shipped=True)
    for name, text in {
            "scripts/run_experiment.py": "import os, time\n"
            f"while not os.path.exists('{tmp_path}/go'): time.sleep(0.02)\n",
            "configs/a.yaml": "a: 1",
            "scripts/index_runs.py": f"open('{world.effects}', 'a').write('indexed\\n')"}.items():
        (world.workspace / name).parent.mkdir(exist_ok=True)
        (world.workspace / name).write_text(text)
    server = world.server.start()
    try:
        job = server.submit("train", {"config_path": "configs/a.yaml"})["job_id"]
        server.wait(job, until={"RUNNING"})
        if how == "drain":
            server.post("/api/admin/queue/drain")
        else:
            server.post("/api/admin/queue/pause")
            waiting = world.submit("quick")
        (tmp_path / "go").touch()
        assert server.wait(job)["status"] == "SUCCESS"
        eventually(lambda: "its follow-up waits" in server.log_text(), what="the refusal")
        server.stop()
        if how == "full":  # room by the next start
            (tmp_path / "config.yaml").write_text(CONFIG)
        server.start()
        server.post("/api/admin/queue/resume")
        world.settle()
        follow_ups = [j for j in world.jobs().values() if j["job_type"] == "index_runs"]
        assert [(j["note"], j["status"]) for j in follow_ups] == [(f"after {job}", "SUCCESS")]
        assert world.starts()["indexed"] == 1
        if how == "full":
            assert server.wait(waiting)["status"] == "SUCCESS"
    finally:
        world.close()


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
