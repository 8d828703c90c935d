"""How a command can end, and what the record says of it."""

import errno
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from shim_kit import PYTHON, SHIM, attempt, needs_shim, script, stat_fields  # noqa: F401

pytestmark = needs_shim


@pytest.mark.parametrize("code", [0, 1, 3, 127, 255])
def test_exit_code(script, code):
    end = script(f"exit {code}").run()
    assert (end["reason"], end["exit_code"]) == ("exited", code)
    assert "signal" not in end and "stage" not in end and end["left"] == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGHUP])
def test_ended_by_a_signal_of_others(script, number):
    end = script(f"kill -{int(number)} $$").run()
    assert (end["reason"], end["signal"]) == ("exited", number)
    assert "exit_code" not in end


def test_record_tells_who_and_when(script):
    before = time.time_ns() // 1_000_000
    job = script("read line < gate")
    os.mkfifo(job.home / "gate")
    shim = job.start()
    start = job.started()
    claim = job.record()["claim"]
    assert claim["version"] == 1 and claim["pid"] == shim.pid
    assert claim["ticks"] == int(stat_fields(shim.pid)[21])
    assert claim["boot"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert start["pid"] != shim.pid and start["ticks"] == int(stat_fields(start["pid"])[21])
    assert os.stat(job.folder / "record").st_blocks * 512 >= 4096
    (job.home / "gate").write_text("go\n")
    end = job.finish()
    after = time.time_ns() // 1_000_000
    assert before <= claim["wall_ms"] <= start["wall_ms"] <= end["wall_ms"] <= after


def test_usage_counts_the_whole_tree(attempt):
    burn = ("import time\nx = bytearray(60 << 20)\nend = time.process_time() + 0.2\n"
            "while time.process_time() < end: pass")
    end = attempt("sh", "-c", '"$0" -c "$1"; exit 5', PYTHON, burn).run()
    assert end["exit_code"] == 5
    assert end["user_us"] + end["sys_us"] >= 200_000
    assert 60_000 <= end["max_rss_kb"] <= 300_000


def test_a_long_command_is_recorded_as_a_short_one(script):
    # Takes the way of a record that is flushed to the disk.
    assert script("sleep 1.05; exit 6").run()["exit_code"] == 6


def refused(job, stage, code):
    end = job.run()
    assert (end["reason"], end["stage"], end["errno"]) == ("spawn_error", stage, code)
    assert "exit_code" not in end and "signal" not in end and "start" not in job.record()


def test_program_that_cannot_be_executed(attempt, tmp_path):
    files = {"plain": b"#!/bin/sh\n", "lost": b"#!/no/such/interpreter\n", "bare": b"echo hello\n"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o644 if name == "plain" else 0o755)
    refused(attempt("no-such-program"), "exec", errno.ENOENT)
    refused(attempt("/no/such/program"), "exec", errno.ENOENT)
    refused(attempt(str(tmp_path / "plain")), "exec", errno.EACCES)
    refused(attempt("plain", env={"PATH": f"{tmp_path}:/usr/bin"}), "exec", errno.EACCES)
    refused(attempt(str(tmp_path)), "exec", errno.EACCES)
    refused(attempt(str(tmp_path / "lost")), "exec", errno.ENOENT)
    refused(attempt(str(tmp_path / "bare")), "exec", errno.ENOEXEC)  # never through a shell
    refused(attempt("true", "x" * 200_000), "exec", errno.E2BIG)


def test_working_directory_that_is_gone(attempt, tmp_path):
    refused(attempt("true", cwd=tmp_path / "gone"), "chdir", errno.ENOENT)
    (tmp_path / "file").write_text("")
    refused(attempt("true", cwd=tmp_path / "file"), "chdir", errno.ENOTDIR)


def test_log_that_cannot_be_opened(attempt, tmp_path):
    refused(attempt("true", log=tmp_path / "gone" / "x.log"), "log", errno.ENOENT)
    (tmp_path / "elsewhere").write_text("untouched")
    (tmp_path / "link.log").symlink_to("elsewhere")
    refused(attempt("true", log=tmp_path / "link.log"), "log", errno.ELOOP)
    assert (tmp_path / "elsewhere").read_text() == "untouched"
    os.mkfifo(tmp_path / "fifo.log")
    refused(attempt("true", log=tmp_path / "fifo.log"), "log", errno.ENXIO)
    reader = os.open(tmp_path / "fifo.log", os.O_RDONLY | os.O_NONBLOCK)
    refused(attempt("true", log=tmp_path / "fifo.log"), "log", errno.EINVAL)
    os.close(reader)


@pytest.mark.parametrize("damage", [None, b"", b"rubbish", "cut", "flip"])
def test_damaged_spec_runs_nothing(attempt, tmp_path, damage):
    job = attempt("touch", str(tmp_path / "ran"))
    spec = job.folder / "spec"
    if damage is None:
        spec.unlink()
        spec.symlink_to("/dev/null")
    elif isinstance(damage, bytes):
        spec.write_bytes(damage)
    elif damage == "cut":
        spec.write_bytes(job.spec[:job.spec.index(b"env=")])
    else:
        spec.write_bytes(job.spec.replace(b"ran", b"run"))
    refused(job, "spec", errno.ELOOP if damage is None else errno.EPROTO)
    assert not (tmp_path / "ran").exists()


def test_wrong_use_creates_nothing(tmp_path):
    for arguments in ([], ["a", "b"], ["--help"], [""]):
        shim = subprocess.run([SHIM, *arguments], stderr=subprocess.PIPE, cwd=tmp_path)
        assert shim.returncode == (4 if arguments == [""] else 2) and shim.stderr
    assert subprocess.run([SHIM, "gone"], stderr=subprocess.DEVNULL, cwd=tmp_path).returncode == 4
    assert os.listdir(tmp_path) == []
