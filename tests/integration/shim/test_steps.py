"""Death and delay at every step."""

import os
import signal

import pytest
from shim_kit import (  # noqa: F401
    PATIENCE, attempt, holders, needs_shim, script, stat_fields, test_points, until)

pytestmark = needs_shim


# step: the slots that are written, and whether the command has run by then
STEPS = {
    "shim_start": ([], False),
    "ready": ([], False),
    "claimed": (["claim"], False),
    "log_opened": (["claim"], False),
    "fenced": (["claim"], False),
    "spawned": (["claim"], True),
    "start_recorded": (["claim", "start"], True),
    "command_ended": (["claim", "start"], True),
    "exit_recorded": (["claim", "start", "exit"], True),
    "kill_wanted": (["claim", "start"], True),
    "kill_begun": (["claim", "start"], True),
    "term_sent": (["claim", "start"], True),
}


@pytest.mark.parametrize("step", STEPS)
def test_shim_dies_at(script, test_points, step):
    slots, ran = STEPS[step]
    ending = step in ("command_ended", "exit_recorded")
    job = script("echo ran; exit 0" if ending else "echo ran; exec sleep 100")
    shim = job.start(env={"RUNYARD_KILL_POINT": step})
    if step in ("kill_wanted", "kill_begun", "term_sent"):
        job.saw(b"ran")
        job.control("cancel\n")
    assert shim.wait(PATIENCE) == -signal.SIGKILL
    assert list(job.record()) == slots
    if ran:
        job.saw(b"ran")
    # Whatever is left can be found; a second shim starts the command only if none claimed it.
    if step in ("spawned", "start_recorded", "kill_wanted", "kill_begun"):
        assert len(holders(job.token)) == 1
    second = job.start()
    if not slots:
        job.saw(b"ran")
        second.terminate()
        assert second.wait(PATIENCE) == 0
    else:
        assert second.wait(PATIENCE) == 3
    runs = job.log.read_bytes().count(b"\nran\n") if job.log.exists() else 0
    assert runs == (1 if ran or not slots else 0)


def paused(job, step):
    shim = job.start(env={"RUNYARD_PAUSE_POINT": step})
    until(lambda: stat_fields(shim.pid)[2] == "T", f"the shim pauses at {step}")
    return shim


def test_cancel_before_the_spawn(script, test_points):
    job = script("echo ran")
    shim = paused(job, "claimed")
    job.control("cancel\n")
    shim.send_signal(signal.SIGCONT)
    end = job.finish()
    assert end["reason"] == "cancelled" and "exit_code" not in end and "signal" not in end
    assert "start" not in job.record() and not job.log.exists()


def test_told_to_end_before_the_spawn(script, test_points):
    job = script("echo ran")
    shim = paused(job, "claimed")
    shim.terminate()
    shim.send_signal(signal.SIGCONT)
    assert job.finish()["reason"] == "terminated"
    assert "start" not in job.record() and not job.log.exists()


@pytest.mark.parametrize("step", ["log_opened", "spawned", "start_recorded"])
def test_cancel_around_the_spawn(script, test_points, step):
    job = script("exec sleep 100")
    shim = paused(job, step)
    job.control("cancel\n")
    shim.send_signal(signal.SIGCONT)
    assert job.finish()["reason"] == "cancelled"
    assert "start" in job.record()


@pytest.mark.parametrize("step", ["command_ended", "exit_recorded"])
def test_cancel_around_the_end(script, test_points, step):
    job = script("exit 5")
    shim = paused(job, step)
    job.control("cancel\n")
    shim.send_signal(signal.SIGCONT)
    end = job.finish()
    assert (end["reason"], end["exit_code"]) == ("exited", 5)


def test_cancel_of_a_command_whose_end_was_not_yet_noticed(script):
    job = script("read line < gate; exit 5")
    os.mkfifo(job.home / "gate")
    shim = job.start()
    pid = job.started()["pid"]
    shim.send_signal(signal.SIGSTOP)
    (job.home / "gate").write_text("\n")
    until(lambda: stat_fields(pid)[2] == "Z", "the command ends")
    job.control("cancel\n")
    shim.terminate()
    shim.send_signal(signal.SIGCONT)
    end = job.finish()
    assert (end["reason"], end["exit_code"]) == ("exited", 5)


@pytest.mark.parametrize("step, reason", [("kill_wanted", "exited"), ("kill_begun", "cancelled")])
def test_command_that_ends_around_the_beginning_of_the_kill(script, test_points, step, reason):
    job = script("read line < gate; exit 5")
    os.mkfifo(job.home / "gate")
    shim = job.start(env={"RUNYARD_PAUSE_POINT": step})
    pid = job.started()["pid"]
    job.control("cancel\n")
    until(lambda: stat_fields(shim.pid)[2] == "T", "the shim pauses")
    (job.home / "gate").write_text("\n")
    until(lambda: stat_fields(pid)[2] == "Z", "the command ends")
    shim.send_signal(signal.SIGCONT)
    end = job.finish()
    assert (end["reason"], end["exit_code"]) == (reason, 5)
