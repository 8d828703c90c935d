"""One start only, and the shim as a process of its own."""

import os
import select
import signal
import subprocess
import time
from pathlib import Path
from shim_kit import (  # noqa: F401
    DAEMON, PATIENCE, PYTHON, SHIM, attempt, daemon_pid, holders, is_alive, needs_shim, script,
    stat_fields, until)

pytestmark = needs_shim


def test_second_shim_runs_nothing(script):
    job = script("echo run")
    job.run()
    before = (job.folder / "record").read_bytes(), job.log.read_bytes()
    assert job.start().wait(PATIENCE) == 3
    assert ((job.folder / "record").read_bytes(), job.log.read_bytes()) == before


def test_foreign_claim_is_respected(script):
    job = script("echo run")
    (job.folder / "record").write_bytes(b"")  # whatever it is, it is there
    assert job.start().wait(PATIENCE) == 3
    assert not job.log.exists()


def test_ten_shims_race_for_one_start(script):
    for _ in range(5):
        job = script("echo run")
        shims = [job.start() for _ in range(10)]
        codes = sorted(shim.wait(PATIENCE) for shim in shims)
        assert codes == [0] + [3] * 9
        assert job.output() == b"run\n"
        assert sorted(os.listdir(job.folder)) == ["record", "spec"]
        winner = next(shim for shim in shims if shim.returncode == 0)
        assert job.record()["claim"]["pid"] == winner.pid


def test_shim_survives_its_starter(script, tmp_path):
    job = script("read line < gate; exit 3")
    os.mkfifo(job.home / "gate")
    starter = subprocess.Popen(["sh", "-c", '"$0" "$1" & echo $!; wait', SHIM, str(job.folder)],
                               stdout=subprocess.PIPE, start_new_session=True)
    shim = int(starter.stdout.readline())
    watch = os.pidfd_open(shim)
    job.started()
    os.killpg(starter.pid, signal.SIGKILL)
    starter.wait()
    starter.stdout.close()
    (job.home / "gate").write_text("\n")
    assert select.select([watch], [], [], PATIENCE)[0]
    os.close(watch)
    assert job.record()["exit"]["exit_code"] == 3


def test_killed_shim_leaves_a_tree_that_the_token_finds(attempt):
    job = attempt("sh", "-c", '"$0" -c "$1"; exec sleep 100', PYTHON, DAEMON)
    shim = job.start()
    daemon = daemon_pid(job)
    command = job.started()["pid"]
    shim.kill()
    shim.wait()
    assert set(holders(job.token)) >= {daemon, command}
    assert is_alive(daemon) and is_alive(command)
    assert "exit" not in job.record()
    assert job.start().wait(PATIENCE) == 3  # and nobody starts it again


def memory_kb(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def test_shim_is_small_and_idle(attempt):
    jobs = [attempt("sleep", "100"), attempt("sleep", "100", *["0" * 99_000] * 15)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.started()
        until(lambda: stat_fields(job.shim.pid)[2] == "S", "the shim waits")

    def cost(pid):
        fields = stat_fields(pid)
        return int(fields[13]) + int(fields[14])

    def wakes(pid):
        return int(Path(f"/proc/{pid}/status").read_text().split("\nvoluntary_ctxt_switches:")[1].split()[0])

    before = [(cost(job.shim.pid), wakes(job.shim.pid)) for job in jobs]
    time.sleep(2.5)
    for job, (ticks, switches) in zip(jobs, before):
        assert memory_kb(job.shim.pid) < 1500
        assert cost(job.shim.pid) - ticks <= 1
        assert wakes(job.shim.pid) - switches <= 4
