"""The server is stopped while jobs run, and another binary goes on with them."""

import hashlib
import shutil

import pytest
from crash_kit import BUILD, World, eventually

JOBS = 10
LINES = 40  # in each of three parts: before the stop, while nobody serves, after the start

SCRIPT = """
part() {{
  until [ -e {folder}/go$1 ]; do sleep 0.02; done
  i=0; while [ $i -lt {lines} ]; do i=$((i+1)); echo "value=v$1x$i of $RUNYARD_ATTEMPT"; done
}}
printf 'value=half'; part 1; part 2; part 3
"""


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path, config='plugins: {allow: ["scripts.*", "/bin/sh"]}\nqueue: {slots: 10}\n')
    yield made
    made.close()


def expected_lines(job_id):
    lines = [f"value=v{part}x{i + 1} of {job_id}.1\n" for part in (1, 2, 3) for i in range(LINES)]
    lines[0] = "value=half" + lines[0]
    return "".join(lines)


def test_running_jobs_survive_an_upgrade(world, tmp_path):
    server = world.server.start()
    script = SCRIPT.format(folder=tmp_path, lines=LINES)
    jobs = [server.submit("command", {"script": script})["job_id"] for _ in range(JOBS)]
    logs = {job_id: world.workspace / "reports" / "jobs" / f"{job_id}.log" for job_id in jobs}

    def printed(part):
        return all(path.exists() and f"v{part}x{LINES} " in path.read_text() for path in logs.values())

    eventually(lambda: all(server.job(job_id)["status"] == "RUNNING" for job_id in jobs))
    (tmp_path / "go1").touch()
    eventually(lambda: printed(1), what="the first part")
    shims = world.shims()
    assert len(shims) == JOBS
    server.stop()
    assert world.shims() == shims, "the server took its jobs along"
    (tmp_path / "go2").touch()
    eventually(lambda: printed(2), what="the part that no server sees")

    new = tmp_path / "new" / "bin"
    new.mkdir(parents=True)
    shutil.copy(BUILD / "bin" / "runyard", new / "runyard-next")
    shutil.copy(BUILD / "bin" / "runyard-shim", new / "runyard-shim")
    server.runyard = new / "runyard-next"
    server.start()
    assert {job["status"] for job in world.jobs().values()} == {"RUNNING"}
    queue = server.get("/api/admin/queue")
    assert queue["slots"]["used"] == JOBS and len(queue["running"]) == JOBS
    assert world.shims() == shims
    (tmp_path / "go3").touch()
    world.settle()

    for job_id in jobs:
        job = server.job(job_id)
        assert (job["status"], job["attempt"]) == ("SUCCESS", 1), job
        text = logs[job_id].read_text()
        log = text[text.index("value=half" + "value=v1x1 "):]
        assert hashlib.sha256(log.encode()).digest() == hashlib.sha256(
            expected_lines(job_id).encode()).digest(), log
        assert server.log_of(job_id) == text
        found = [link["value"] for link in job["links"] if link["name"] == "value"]
        assert found == ["halfvalue"] + [
            f"v{part}x{i + 1}" for part in (1, 2, 3) for i in range(LINES)][1:], found
    world.check()
