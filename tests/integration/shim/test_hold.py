"""A shim that is started before it may begin."""

import subprocess

from shim_kit import PATIENCE, attempt, holders, needs_shim, stat_fields, until  # noqa: F401

pytestmark = needs_shim


def held(job):
    """It has read its spec and waits."""
    shim = job.start(hold=True, stdin=subprocess.PIPE)
    until(lambda: stat_fields(shim.pid)[2] == "S", "the shim waits")
    return shim


def test_it_begins_when_it_is_let_go(attempt):
    job = attempt("sh", "-c", "read line; echo got=$?; exit 3")
    shim = held(job)
    assert job.record() == {} and not job.log.exists()
    shim.stdin.write(b"x")
    shim.stdin.flush()
    exit = job.finish()
    assert (exit["reason"], exit["exit_code"]) == ("exited", 3)
    assert b"got=1" in job.output()  # its own standard input is empty


def test_it_ends_when_there_is_nobody_to_let_it_go(attempt):
    job = attempt("true")
    shim = held(job)
    shim.stdin.close()
    assert shim.wait(PATIENCE) == 5
    assert job.record() == {} and not job.log.exists() and holders(job.token) == []
    second = job.start()  # the attempt is free
    assert second.wait(PATIENCE) == 0 and job.record()["exit"]["exit_code"] == 0


def test_a_claim_in_a_folder_that_is_being_removed_counts_for_nothing(attempt):
    """Another shim has run the attempt, and the server is through with the spec and the record."""
    job = attempt("sh", "-c", "echo ran")
    shim = held(job)
    (job.folder / "spec").unlink()
    shim.stdin.write(b"x")
    shim.stdin.flush()
    assert shim.wait(PATIENCE) == 3
    assert not job.folder.exists() and not job.log.exists()


def test_a_signal_does_not_let_it_go(attempt):
    job = attempt("true")
    shim = held(job)
    shim.terminate()
    shim.stdin.write(b"x")
    shim.stdin.flush()
    assert job.finish()["reason"] == "terminated"
