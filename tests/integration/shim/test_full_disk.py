"""Full disks."""

import os
import subprocess
from shim_kit import (  # noqa: F401
    PATIENCE, as_root, attempt, fill, needs_shim, script, small_disk)

pytestmark = needs_shim


@as_root
def test_exit_is_recorded_on_a_full_disk(script, small_disk):
    job = script("cat /dev/zero; exit 9", folder=small_disk)
    end = job.run()
    assert (end["reason"], end["exit_code"]) == ("exited", 9)
    assert end["log_end"] == job.log.stat().st_size > 100_000
    assert os.statvfs(small_disk).f_bfree == 0


@as_root
def test_command_runs_although_its_first_line_does_not_fit(script, small_disk, tmp_path):
    (small_disk / "job.log").write_bytes(b"x" * 4095 + b"\n")
    job = script("echo ran > ran; exit 9", log=small_disk / "job.log")
    fill(small_disk)
    assert job.run()["exit_code"] == 9
    assert (tmp_path / "ran").exists()


@as_root
def test_attempt_is_not_claimed_without_room_for_its_record(script, small_disk):
    job = script("echo ran", folder=small_disk)
    fill(small_disk)
    shim = job.start(stderr=subprocess.PIPE)
    with shim.stderr:
        assert b"No space left" in shim.stderr.read()
    assert shim.wait(PATIENCE) == 4
    assert os.listdir(job.folder) == ["spec"] and not job.log.exists()
    (small_disk / "filler").unlink()
    assert job.start().wait(PATIENCE) == 0  # nothing half-made was in the way
    assert job.record()["exit"]["exit_code"] == 0
