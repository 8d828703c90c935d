"""The cgroup around a command, where there is a delegated one; everywhere else the shim does without."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from shim_kit import (  # noqa: F401
    DAEMON, PATIENCE, PYTHON, as_root, attempt, clear_cgroup, daemon_pid, holders, is_alive,
    needs_cgroup, needs_shim, own_cgroup, script, until)

pytestmark = needs_shim
NOBODY = 65534


def cgroup_of(job):
    return Path(until(lambda: job.record().get("claim"), "the claim")["cgroup"])


@needs_cgroup
def test_command_has_a_cgroup_of_its_own(script):
    job = script("cat /proc/self/cgroup; cat /proc/$PPID/cgroup")
    job.run()
    own, shims = [line[3:] for line in job.output().decode().splitlines() if line.startswith("0::")]
    assert own == f"{shims.rstrip('/')}/runyard-{job.token}"
    folder = cgroup_of(job)
    assert str(folder).endswith(own) and not folder.exists()


@needs_cgroup
def test_cgroups_that_the_command_makes_are_removed(script):
    job = script(f"d={own_cgroup()}/runyard-$RUNYARD_ATTEMPT; mkdir -p $d/a/b && "
                 "echo $$ > $d/a/b/cgroup.procs && exit 4")
    assert job.run()["exit_code"] == 4
    assert not cgroup_of(job).exists()


@needs_cgroup
def test_command_that_cannot_be_started_leaves_no_cgroup(attempt):
    job = attempt("/nowhere/program")
    assert job.run()["stage"] == "exec"
    assert not cgroup_of(job).exists()


@needs_cgroup
def test_what_a_killed_shim_leaves_is_in_its_cgroup(attempt):
    # No token, no parent, no session: nothing else of the attempt leads to this process.
    job = attempt("sh", "-c", 'env -i "$0" -c "$1"; exec sleep 100', PYTHON, DAEMON)
    shim = job.start()
    daemon = daemon_pid(job)
    command = job.started()["pid"]
    shim.kill()
    shim.wait()
    assert daemon not in holders(job.token)
    members = (cgroup_of(job) / "cgroup.procs").read_text().split()
    assert {str(daemon), str(command)} <= set(members)


@needs_cgroup
def test_cgroup_of_the_same_name_is_left_alone(script):
    job = script("cat /proc/self/cgroup")
    folder = own_cgroup() / f"runyard-{job.token}"
    folder.mkdir()
    stranger = subprocess.Popen(["sleep", "100"])
    try:
        (folder / "cgroup.procs").write_text(str(stranger.pid))
        assert job.run()["reason"] == "exited"
        assert f"runyard-{job.token}" not in job.output().decode()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
        clear_cgroup(folder)


@pytest.fixture
def delegated():
    """A cgroup that belongs to nobody, as systemd delegates one to a user, and a home for him."""
    folder = own_cgroup() / f"runyard-tests-{os.getpid()}"
    home = Path("/tmp") / f"runyard-cgroup-test-{os.getpid()}"  # other users may enter it
    folder.mkdir()
    for path in (folder, folder / "cgroup.procs", folder / "cgroup.subtree_control"):
        os.chown(path, NOBODY, NOBODY)
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    yield folder, home
    clear_cgroup(folder)
    shutil.rmtree(home)


def start_as_nobody(job, cgroup=None):
    os.chown(job.folder, NOBODY, NOBODY)

    def become():
        if cgroup:
            (cgroup / "cgroup.procs").write_text("0")
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    return job.start(preexec_fn=become)


@needs_cgroup
@as_root
def test_delegated_cgroup_holds_a_process_of_another_user(attempt, delegated):
    cgroup, home = delegated
    shutil.copy("/usr/bin/setpriv", home / "become-root")
    (home / "become-root").chmod(0o4755)
    if os.statvfs(home).f_flag & os.ST_NOSUID:
        pytest.skip("setuid programs do not work here")
    job = attempt("sh", "-c", "./become-root --reuid=0 --regid=0 --clear-groups sleep 100 & "
                  "echo root $!; sleep 0.3; exit 3", folder=home, grace_ms=200)
    start_as_nobody(job, cgroup)
    end = job.finish()
    assert (end["reason"], end["exit_code"], end["left"]) == ("exited", 3, 0)
    assert cgroup_of(job).parent == cgroup and not cgroup_of(job).exists()
    assert not is_alive(int(job.output().split()[1]))


@needs_cgroup
@as_root
def test_command_runs_where_no_cgroup_can_be_made(attempt, delegated):
    _, home = delegated
    job = attempt("sh", "-c", "exit 3", folder=home)
    start_as_nobody(job)
    assert job.finish()["exit_code"] == 3
    assert "cgroup" not in job.record()["claim"]


@needs_cgroup
@as_root
def test_cancel_wins_against_a_tree_that_hides_and_keeps_forking(attempt):
    flee = ("import os, signal, time\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "print('up', flush=True)\n"
            "end = time.monotonic() + 30\n"
            "while time.monotonic() < end:\n"
            "    if os.fork(): os._exit(0)\n"
            "    os.setsid()\n")
    job = attempt("sh", "-c", 'env -i "$0" -c "$1" & exec sleep 100', PYTHON, flee, grace_ms=100)
    job.start()
    job.saw(b"up")
    began = time.monotonic()
    job.control("cancel\n")
    assert job.finish()["reason"] == "cancelled"
    assert time.monotonic() - began < PATIENCE / 2
    assert not cgroup_of(job).exists()
