"""runyard-shim as a program: every way a job can end, and every way the shim can be disturbed.

RUNYARD_SHIM names the program. Nothing here uses Runyard's own code: the files are written and
read after docs/run-folder.md, so these tests hold the document and the program to each other.
"""

import errno
import os
import select
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

SHIM = os.environ.get("RUNYARD_SHIM", "")
PYTHON = "/usr/bin/python3"
ALL_BYTES = bytes(range(1, 256))
PATIENCE = 10.0

pytestmark = pytest.mark.skipif(not SHIM, reason="RUNYARD_SHIM does not name the program")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def until(holds, what):
    """Waits for something that is about to become true, and returns it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        value = holds()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.004)


# ---- processes, seen through /proc ----


def stat_fields(pid):
    """The fields of /proc/<pid>/stat, numbered as in proc(5) minus 1; None when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    name_end = text.rindex(")")
    return [str(pid), text[text.index("(") + 1:name_end], *text[name_end + 2:].split()]


def is_alive(pid):
    fields = stat_fields(pid)
    return fields is not None and fields[2] not in "ZX"


def holders(token):
    """Living processes with the token in their environment."""
    wanted = b"RUNYARD_ATTEMPT=" + token.encode()
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            variables = Path(f"/proc/{entry}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if wanted in variables:
            found.append(int(entry))
    return found


def children(pid):
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := stat_fields(entry)) and fields[3] == str(pid):
            found.append(int(entry))
    return found


# ---- run folders ----


class Attempt:
    """One run folder, and the shim that works in it."""

    count = 0

    def __init__(self, folder, args, *, env=None, cwd=None, log=None, timeout_ms=0, grace_ms=5000,
                 log_max_bytes=0, token=None):
        Attempt.count += 1
        self.token = token or f"test_{os.getpid()}_{Attempt.count}.1"
        self.home = Path(folder)
        self.folder = self.home / self.token
        self.folder.mkdir(mode=0o700, parents=True)
        self.log = Path(log) if log else self.home / f"{self.token}.log"
        self.env = {"PATH": "/usr/bin:/bin", "RUNYARD_ATTEMPT": self.token} if env is None else env
        records = [b"runyard-run=1", b"token=" + self.token.encode(),
                   b"cwd=" + os.fsencode(cwd or self.home), b"log=" + os.fsencode(self.log),
                   b"timeout_ms=%d" % timeout_ms, b"grace_ms=%d" % grace_ms,
                   b"log_max_bytes=%d" % log_max_bytes]
        records += [b"arg=" + os.fsencode(arg) for arg in args]
        records += [b"env=" + os.fsencode(name) + b"=" + os.fsencode(value)
                    for name, value in self.env.items()]
        spec = b"".join(record + b"\0" for record in records)
        self.spec = spec + b"crc32=%08x\0" % zlib.crc32(spec)
        (self.folder / "spec").write_bytes(self.spec)
        self.shims = []

    def start(self, *, env=None, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stderr", subprocess.DEVNULL)
        shim = subprocess.Popen([SHIM, str(self.folder)], env=env or {}, **options)
        self.shims.append(shim)
        return shim

    @property
    def shim(self):
        return self.shims[0]

    def record(self):
        """The whole slots: {"claim": {...}, "start": {...}, "exit": {...}}."""
        try:
            data = (self.folder / "record").read_bytes()
        except FileNotFoundError:
            return {}
        assert len(data) == 4096
        slots = {}
        for offset in (0, 1024, 2048):
            line, newline, padding = data[offset:offset + 1024].partition(b"\n")
            if not newline:
                continue
            body, _, crc = line.rpartition(b" crc32=")
            if int(crc, 16) != zlib.crc32(body) or padding.strip(b"\0"):
                continue
            kind, *fields = body.decode().split(" ")
            slots[kind] = {key: int(value) if value.lstrip("-").isdigit() else value
                           for key, value in (field.split("=", 1) for field in fields)}
        return slots

    def started(self):
        return until(lambda: self.record().get("start"), "start record")

    def output(self):
        """What is in the log behind the first line."""
        return self.log.read_bytes().partition(b"\n")[2]

    def saw(self, text):
        until(lambda: self.log.exists() and text in self.output(), f"{text!r} in the log")

    def control(self, text, *, hurry=True):
        temporary = self.folder / "control.tmp"
        temporary.write_text(text)
        temporary.rename(self.folder / "control")
        if hurry:
            self.shim.send_signal(signal.SIGUSR1)

    def finish(self):
        """The exit slot, once the shim has ended; nothing of the job is left then."""
        assert self.shim.wait(PATIENCE) == 0
        left = holders(self.token)
        assert not left, f"processes are left: {left}"
        record = self.record()
        assert "claim" in record and "exit" in record
        assert sorted(os.listdir(self.folder)) in (["record", "spec"], ["control", "record", "spec"])
        return record["exit"]

    def run(self):
        self.start()
        return self.finish()

    def clear(self):
        for shim in self.shims:
            if shim.poll() is None:
                shim.kill()
            shim.wait()
        deadline = time.monotonic() + PATIENCE
        while (left := holders(self.token)) and time.monotonic() < deadline:
            for pid in left:
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def attempt(tmp_path):
    made = []

    def make(*args, folder=tmp_path, **options):
        made.append(Attempt(folder, args, **options))
        return made[-1]

    yield make
    for one in made:
        one.clear()


@pytest.fixture
def script(attempt):
    """An attempt that runs a shell script."""
    return lambda text, **options: attempt("sh", "-c", text, **options)


@pytest.fixture(scope="session")
def test_points(tmp_path_factory):
    """Skips unless the program was built with RUNYARD_KILL_POINTS."""
    folder = tmp_path_factory.mktemp("points")
    shim = subprocess.run([SHIM, str(folder)], env={"RUNYARD_KILL_POINT": "shim_start"},
                          stderr=subprocess.DEVNULL, timeout=PATIENCE)
    if shim.returncode != -signal.SIGKILL:
        pytest.skip("this build has no kill points")


# ---- a command that ends by itself ----


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


# ---- log ----


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


# ---- what the command gets ----


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


# ---- a command that cannot be started ----


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


# ---- one start only ----


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


# ---- cancel, timeout, limits ----


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


# ---- whole trees ----

DAEMON = (
    "import os, sys, time\n"
    "if os.fork(): os._exit(0)\n"
    "os.setsid()\n"
    "if os.fork(): os._exit(0)\n"
    "print('daemon', os.getpid(), flush=True)\n"
    "time.sleep(100)\n")


def daemon_pid(job):
    job.saw(b"daemon")
    until(lambda: job.output().endswith(b"\n"), "the pid")
    return int(job.output().split(b"daemon ")[1].split()[0])


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


# ---- the shim alone ----


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


# ---- full disks ----


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)],
                             stderr=subprocess.DEVNULL)
    if mounted.returncode != 0:
        pytest.skip("cannot mount a small tmpfs here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder):
    with open(folder / "filler", "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError as error:
            assert error.errno == errno.ENOSPC


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


# ---- death and delay at every step ----

# step: the slots that are written, and whether the command has run by then
STEPS = {
    "shim_start": ([], False),
    "claimed": (["claim"], False),
    "log_opened": (["claim"], False),
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
    if step == "shim_start":
        job.saw(b"ran")
        second.terminate()
        assert second.wait(PATIENCE) == 0
    else:
        assert second.wait(PATIENCE) == 3
    runs = job.log.read_bytes().count(b"\nran\n") if job.log.exists() else 0
    assert runs == (1 if ran or step == "shim_start" else 0)


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


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, *sys.argv[1:]]))
