"""What the command gets, and what is in its log."""

import os
import select
import shlex
import signal
import socket
import stat
import subprocess
from shim_kit import ALL_BYTES, PATIENCE, attempt, needs_shim, script  # noqa: F401

pytestmark = needs_shim


def test_log_holds_the_command_then_its_output(script):
    job = script("echo out; echo err >&2; printf end")
    end = job.run()
    expected = b"$ sh -c 'echo out; echo err >&2; printf end'\nout\nerr\nend"
    assert job.log.read_bytes() == expected
    assert job.record()["start"]["log_start"] == 0 and end["log_end"] == len(expected)
    assert stat.S_IMODE(job.log.stat().st_mode) == 0o644 & ~current_umask()


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_attempts_share_one_log(attempt, tmp_path):
    log = tmp_path / "job.log"
    first = attempt("printf", "no newline", log=log)
    first.run()
    second = attempt("echo", "two", log=log)
    end = second.run()
    assert log.read_bytes() == b"$ printf 'no newline'\nno newline\n$ echo two\ntwo\n"
    data = log.read_bytes()
    assert data[second.record()["start"]["log_start"]:end["log_end"]] == b"$ echo two\ntwo\n"
    assert first.record()["exit"]["log_end"] == data.index(b"\n$ echo two")


WORDS = ["", " ", "plain-Word_1.0@%+=:,/", "a b", "it's", '"$HOME"', "`id`", "$(id)", "\\", "~", "*",
         "!", "#x", "a=b", "ümläut €", "-", "--override=a.b='x y'", "\u2028", "new\nline", "tab\there",
         "\r", "\x1b[31m", "\x7f", "\u009b31m", "\\'\n", "\n1", "日本語", "🚂"]


def test_first_line_can_be_pasted_into_a_shell(attempt):
    words = [os.fsencode(word) for word in WORDS]
    words += [ALL_BYTES, b"\xff\xfe", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf5\x80"]
    job = attempt("true", *[os.fsdecode(word) for word in words])
    job.run()
    data = job.log.read_bytes()
    assert data.count(b"\n") == 1
    line = data[:-1].decode()  # it is UTF-8, whatever the arguments were
    assert line.startswith("$ true ")
    assert not [c for c in line if ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u2029"]
    echo = subprocess.run(["bash", "-c", "printf '%s\\0' " + line[2:]], stdout=subprocess.PIPE,
                          env={"LC_ALL": "C"}, check=True)
    assert echo.stdout.split(b"\0")[:-1] == [b"true", *words]


def test_first_line_is_plain_posix_where_it_can_be(attempt):
    words = ["a b", "it's", "", "x=y", "ü"]
    job = attempt("true", *words)
    job.run()
    assert shlex.split(job.log.read_text()[2:]) == ["true", *words]
    assert "$'" not in job.log.read_text()


def test_command_that_closes_its_output(script):
    job = script("exec >&- 2>&-; exit 4")
    assert job.run()["exit_code"] == 4
    assert job.output() == b""


def test_arguments_arrive_byte_for_byte(attempt, tmp_path):
    words = [b"", ALL_BYTES, b" ", b"$HOME", b"'", b"--", b"arg=x", b"env=A=B", b"x" * 100_000]
    job = attempt("sh", "-c", "cat /proc/$$/cmdline > seen; exit 0", "sh",
                  *[os.fsdecode(word) for word in words])
    assert job.run()["exit_code"] == 0
    assert (tmp_path / "seen").read_bytes().split(b"\0")[4:-1] == words


def test_environment_is_exactly_that_of_the_spec(attempt):
    env = {"RUNYARD_ATTEMPT": "t.1", "EMPTY": "", "B": os.fsdecode(ALL_BYTES), "A": "x=y"}
    job = attempt("/usr/bin/env", "-0", env=env, token="t.1")
    job.start(env={"RUNYARD_PAUSE_POINT": "none", "LD_LIBRARY_PATH": "/x", "SECRET": "1"})
    job.finish()
    expected = [os.fsencode(name) + b"=" + os.fsencode(value) for name, value in env.items()]
    assert job.output().split(b"\0")[:-1] == expected


def test_what_the_spec_names_is_inherited(attempt):
    job = attempt("/usr/bin/env", "-0", env={"RUNYARD_ATTEMPT": "t.1", "GPUS": "none", "A": "1"},
                  token="t.1", inherit=["GPUS", "SLURM_*"])
    job.start(env={"GPUS": "0,1", "GPUS_OTHER": "x", "SLURM_JOB_ID": "7", "SLURM": "x", "A": "2"})
    job.finish()
    assert sorted(job.output().split(b"\0")[:-1]) == [
        b"A=1", b"GPUS=0,1", b"RUNYARD_ATTEMPT=t.1", b"SLURM_JOB_ID=7"]


def test_nothing_of_the_starter_is_inherited(script):
    job = script("cat /proc/self/status /proc/$$/stat; ls -l /proc/$$/fd; pwd")

    def disturb():
        for number in (signal.SIGPIPE, signal.SIGHUP, signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))

    ours, theirs = socket.socketpair()
    shim = job.start(preexec_fn=disturb, restore_signals=False, pass_fds=[theirs.fileno()])
    theirs.close()
    job.finish()
    text = job.output().decode()
    status = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    assert int(status["SigBlk"], 16) == 0 and int(status["SigIgn"], 16) == 0
    fields = next(line for line in text.splitlines() if ") " in line and line[0].isdigit())
    pid, _, _, parent, group, session, terminal = fields.split()[:7]
    assert group == pid and session == parent == str(shim.pid) and terminal == "0"
    links = dict(line.split(" -> ") for line in text.splitlines() if " -> " in line)
    links = {int(name.split()[-1]): target for name, target in links.items()}
    assert links == {0: "/dev/null", 1: str(job.log), 2: str(job.log)}
    assert text.splitlines()[-1] == str(job.home)
    assert ours.recv(1) == b""  # nobody holds the other end


def test_shim_lets_go_of_the_standard_files_of_its_starter(script):
    job = script("read line < gate")
    os.mkfifo(job.home / "gate")
    shim = job.start(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    job.started()
    with shim.stdout, shim.stderr:
        for pipe in (shim.stdout, shim.stderr):
            assert select.select([pipe], [], [], PATIENCE)[0], "the shim holds on to it"
            assert pipe.read() == b""
    assert shim.poll() is None
    (job.home / "gate").write_text("\n")
    job.finish()


def test_program_is_looked_up_in_the_path_of_the_job(attempt, tmp_path):
    for name in ("a", "b", "relative"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "tool").write_text("not executable")
    for name in ("b", "relative"):
        (tmp_path / name / "tool").write_text(f"#!/bin/sh\necho {name}\n")
        (tmp_path / name / "tool").chmod(0o755)
    path = f"relative::{tmp_path}/none:{tmp_path}/a:{tmp_path}/b"
    job = attempt("tool", env={"PATH": path})
    assert job.run()["reason"] == "exited"
    assert job.output() == b"b\n"
    assert attempt("true", env={}).run()["exit_code"] == 0  # a sensible default
    assert attempt("./b/tool", env={}).run()["exit_code"] == 0  # relative to the cwd
