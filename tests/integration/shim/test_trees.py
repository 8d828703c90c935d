"""Whole trees of processes."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from shim_kit import (  # noqa: F401
    DAEMON, PATIENCE, PYTHON, as_root, attempt, children, daemon_pid, holders, is_alive,
    needs_shim, script, stat_fields, until)

pytestmark = needs_shim


def test_cancel_reaches_a_daemon(attempt):
    job = attempt("sh", "-c", '"$0" -c "$1"; exec sleep 100', PYTHON, DAEMON)
    shim = job.start()
    daemon = daemon_pid(job)
    until(lambda: stat_fields(daemon)[3] == str(shim.pid), "the shim adopts the daemon")
    job.control("cancel\n")
    assert job.finish()["reason"] == "cancelled"
    assert not is_alive(daemon)


def test_cancel_reaches_a_daemon_without_the_token(attempt):
    job = attempt("sh", "-c", 'env -i "$0" -c "$1"; exec sleep 100', PYTHON, DAEMON)
    job.start()
    daemon = daemon_pid(job)
    assert daemon not in holders(job.token)
    job.control("cancel\n")
    assert job.finish()["reason"] == "cancelled"
    assert not is_alive(daemon)


def test_cancel_reaches_who_has_the_token_but_is_no_descendant(script):
    job = script("exec sleep 100", grace_ms=300)
    outside = subprocess.Popen(["/bin/sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"],
                               env=job.env, stdout=subprocess.PIPE)
    stranger = subprocess.Popen(["/bin/sleep", "100"], env={"RUNYARD_ATTEMPT": job.token + "0"})
    try:
        assert outside.stdout.readline() == b"up\n"
        job.start()
        job.started()
        job.control("cancel\n")
        assert outside.wait(PATIENCE) == -signal.SIGKILL
        assert job.finish()["reason"] == "cancelled"
        assert stranger.poll() is None
    finally:
        for process in (outside, stranger):
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


def test_cancel_clears_a_tree_of_fifty(script):
    # Every node ignores TERM, starts two more, and half of them leave the session.
    job = script("""
        node() {
          trap '' TERM
          echo node
          if [ $1 -gt 0 ]; then
            node $(($1 - 1)) &
            if [ $(($1 % 2)) = 0 ]; then (node $(($1 - 1)) &) else node $(($1 - 1)) & fi
          fi
          while :; do sleep 0.3; done
        }
        node 5""", grace_ms=200)
    job.start()
    until(lambda: job.log.exists() and job.output().count(b"node") == 63, "63 nodes")
    job.control("cancel\n")
    end = job.finish()
    assert (end["reason"], end["signal"]) == ("cancelled", signal.SIGKILL)


def test_cancel_wins_against_a_tree_that_keeps_forking(attempt):
    flee = ("import os, signal, time\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "print('up', flush=True)\n"
            "end = time.monotonic() + 30\n"
            "while time.monotonic() < end:\n"
            "    if os.fork(): os._exit(0)\n"
            "    os.setsid()\n"
            "    time.sleep(0.001)\n")
    job = attempt("sh", "-c", '"$0" -c "$1" & exec sleep 100', PYTHON, flee, grace_ms=100)
    job.start()
    job.saw(b"up")
    job.control("cancel\n")
    assert job.finish()["reason"] == "cancelled"


def test_what_outlives_the_command_gets_term_then_kill(script):
    job = script("(trap 'echo told' TERM; echo up; while :; do sleep 0.05; done) & "
                 "until grep -q ^up log; do sleep 0.01; done; exit 3", grace_ms=400)
    os.symlink(job.log, job.home / "log")
    began = time.monotonic()
    end = job.run()
    assert (end["reason"], end["exit_code"]) == ("exited", 3)
    assert b"told" in job.output()
    assert time.monotonic() - began >= 0.4


def test_what_outlives_the_command_may_end_in_its_grace(script):
    job = script("(trap 'sleep 0.1; echo saved; exit' TERM; echo up; while :; do sleep 0.02; done) & "
                 "until grep -q ^up log; do sleep 0.01; done; exit 3")
    os.symlink(job.log, job.home / "log")
    began = time.monotonic()
    end = job.run()
    assert (end["reason"], end["exit_code"]) == ("exited", 3)
    assert b"saved" in job.output()
    assert time.monotonic() - began < 4


def test_cancel_after_the_command_ended_is_too_late(script):
    job = script("(trap '' TERM; echo up; while :; do sleep 0.05; done) & "
                 "until grep -q ^up log; do sleep 0.01; done; exit 3", grace_ms=700)
    os.symlink(job.log, job.home / "log")
    job.start()
    pid = job.started()["pid"]
    until(lambda: not Path(f"/proc/{pid}").exists(), "the command is reaped")
    job.control("cancel\ntimeout_ms=1\n")
    job.shim.send_signal(signal.SIGTERM)
    end = job.finish()
    assert (end["reason"], end["exit_code"]) == ("exited", 3)


def test_orphans_are_reaped_while_the_command_runs(script):
    job = script("for i in 1 2 3 4 5 6 7 8 9 10; do (true &); done; echo up; read line < gate")
    os.mkfifo(job.home / "gate")
    shim = job.start()
    job.saw(b"up")
    until(lambda: children(shim.pid) == [job.started()["pid"]], "orphans are reaped")
    (job.home / "gate").write_text("\n")
    job.finish()


@as_root
def test_process_of_another_user_is_left_and_counted(attempt, tmp_path):
    home = Path("/tmp") / f"runyard-shim-test-{os.getpid()}"  # other users may enter it
    home.mkdir(mode=0o777)
    home.chmod(0o777)
    try:
        shutil.copy("/usr/bin/setpriv", home / "become-root")
        (home / "become-root").chmod(0o4755)
        if os.statvfs(home).f_flag & os.ST_NOSUID:
            pytest.skip("setuid programs do not work here")
        job = attempt("sh", "-c", "./become-root --reuid=0 --regid=0 --clear-groups sleep 100 & "
                      "sleep 0.3; exit 3", folder=home, grace_ms=200)
        os.chown(job.folder, 65534, 65534)

        def drop():
            os.setgid(65534)
            os.setuid(65534)

        job.start(preexec_fn=drop)
        assert job.shim.wait(PATIENCE) == 0
        end = job.record()["exit"]
        assert (end["reason"], end["exit_code"], end["left"]) == ("exited", 3, 1)
        assert len(holders(job.token)) == 1
    finally:
        shutil.rmtree(home)
