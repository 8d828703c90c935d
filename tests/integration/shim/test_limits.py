"""Cancel, timeout, and the limit of the log."""

import os
import signal
import time

import pytest
from shim_kit import attempt, needs_shim, script, stat_fields, until  # noqa: F401

pytestmark = needs_shim


def test_cancel(script):
    job = script("echo up; exec sleep 100")
    job.start()
    job.saw(b"up")
    began = time.monotonic()
    job.control("cancel\n")
    end = job.finish()
    assert (end["reason"], end["signal"]) == ("cancelled", signal.SIGTERM)
    assert time.monotonic() - began < 1


def test_cancel_is_noticed_without_a_signal(script):
    job = script("exec sleep 100")
    job.start()
    job.started()
    began = time.monotonic()
    job.control("cancel\n", hurry=False)
    assert job.finish()["reason"] == "cancelled"
    assert time.monotonic() - began < 2


def test_cancel_lets_the_command_clean_up(script):
    job = script("trap 'sleep 0.2; echo clean; exit 7' TERM; echo up; while :; do sleep 0.05; done")
    job.start()
    job.saw(b"up")
    job.control("cancel\n")
    end = job.finish()
    assert (end["reason"], end["exit_code"]) == ("cancelled", 7)
    assert b"clean" in job.output()


def test_command_that_ignores_term_is_killed_after_the_grace(script):
    job = script("trap '' TERM; echo up; while :; do sleep 0.05; done", grace_ms=400)
    job.start()
    job.saw(b"up")
    began = time.monotonic()
    job.control("cancel\n")
    job.control("cancel\n")  # a second one changes nothing
    end = job.finish()
    assert (end["reason"], end["signal"]) == ("cancelled", signal.SIGKILL)
    assert 0.4 <= time.monotonic() - began < 2


def test_stopped_command_is_ended(script):
    job = script("trap 'exit 9' TERM; echo up; kill -STOP $$; sleep 100")
    job.start()
    job.saw(b"up")
    until(lambda: stat_fields(job.started()["pid"])[2] == "T", "the command stops")
    job.control("cancel\n")
    end = job.finish()
    assert (end["reason"], end["exit_code"]) == ("cancelled", 9)


def test_timeout(script):
    began = time.monotonic()
    end = script("exec sleep 100", timeout_ms=300).run()
    assert (end["reason"], end["signal"]) == ("timeout", signal.SIGTERM)
    assert 0.3 <= time.monotonic() - began < 2


def test_timeout_is_not_reached(script):
    assert script("exit 2", timeout_ms=60_000).run()["reason"] == "exited"
    assert script("exit 2", timeout_ms=2**64 - 1, grace_ms=2**64 - 1).run()["exit_code"] == 2


def test_grace_without_end(script):
    job = script("trap 'echo told' TERM; echo up; while :; do sleep 0.05; done", grace_ms=2**64 - 1)
    job.start()
    job.saw(b"up")
    job.control("cancel\n")
    job.saw(b"told")
    os.kill(job.started()["pid"], signal.SIGKILL)
    assert job.finish()["reason"] == "cancelled"


def test_timeout_made_longer_shorter_or_removed_while_running(script):
    longer = script("sleep 0.7; exit 1", timeout_ms=400)
    removed = script("sleep 0.7; exit 2", timeout_ms=400)
    shorter = script("exec sleep 100", timeout_ms=100_000)
    passed = script("exec sleep 100")
    jobs = [longer, removed, shorter, passed]
    for job in jobs:
        job.start()
    for job in jobs:
        job.started()
    longer.control("timeout_ms=60000\n")
    removed.control("timeout_ms=0\n")
    shorter.control("timeout_ms=300\n")
    time.sleep(0.05)  # so that the new limit below has passed already
    passed.control("timeout_ms=1\n")
    assert passed.finish()["reason"] == "timeout"
    assert shorter.finish()["reason"] == "timeout"
    assert (longer.finish()["reason"], longer.finish()["exit_code"]) == ("exited", 1)
    assert (removed.finish()["reason"], removed.finish()["exit_code"]) == ("exited", 2)


def test_timeout_changed_twice(script):
    job = script("exec sleep 100", timeout_ms=60_000)
    job.start()
    job.started()
    job.control("timeout_ms=0\n")
    job.control("timeout_ms=50000\n")
    job.control("timeout_ms=200\n")
    assert job.finish()["reason"] == "timeout"


def test_cancel_comes_before_a_timeout(script):
    job = script("exec sleep 100")
    job.start()
    job.started()
    job.control("timeout_ms=1\ncancel\n")
    assert job.finish()["reason"] == "cancelled"


@pytest.mark.parametrize("content", ["", "nonsense\n", "cancel", "timeout_ms=x\n", "x" * 9000])
def test_control_that_says_nothing_changes_nothing(script, content):
    job = script("read line < gate; exit 3")
    os.mkfifo(job.home / "gate")
    job.start()
    job.started()
    job.control(content)
    job.control(content)
    (job.home / "gate").write_text("\n")
    end = job.finish()
    assert (end["reason"], end["exit_code"]) == ("exited", 3)


def test_log_limit(script):
    job = script("while :; do echo 0123456789; sleep 0.001; done", log_max_bytes=1000)
    end = job.run()
    assert end["reason"] == "log_limit"
    assert 1000 < end["log_end"] == job.log.stat().st_size


def test_log_within_its_limit(script):
    end = script("head -c 5000 /dev/zero; sleep 1.2", log_max_bytes=10_000).run()
    assert (end["reason"], end["exit_code"]) == ("exited", 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_shim_that_is_told_to_end_ends_its_job(script, number):
    job = script("exec sleep 100")
    shim = job.start()
    job.started()
    shim.send_signal(number)
    end = job.finish()
    assert (end["reason"], end["signal"]) == ("terminated", signal.SIGTERM)


def test_other_signals_do_not_disturb_the_shim(script):
    job = script("read line < gate; exit 3")
    os.mkfifo(job.home / "gate")
    shim = job.start()
    job.started()
    for number in (signal.SIGQUIT, signal.SIGUSR2, signal.SIGALRM, signal.SIGPIPE, signal.SIGXFSZ,
                   signal.SIGUSR1, signal.SIGTSTP, signal.SIGTTOU, signal.SIGCHLD, signal.SIGRTMIN):
        shim.send_signal(number)
    (job.home / "gate").write_text("\n")
    assert job.finish()["exit_code"] == 3
