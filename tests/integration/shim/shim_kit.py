"""Run folders and the shim as a program, for the tests of this folder.

RUNYARD_SHIM names the program. Nothing here uses Runyard's own code: the files are written and
read after docs/run-folder.md, so these tests hold the document and the program to each other.
"""

import errno
import os
import signal
import subprocess
import time
import zlib
from pathlib import Path

import pytest

SHIM = os.environ.get("RUNYARD_SHIM", "")
PYTHON = "/usr/bin/python3"
ALL_BYTES = bytes(range(1, 256))
PATIENCE = 10.0

needs_shim = pytest.mark.skipif(not SHIM, reason="RUNYARD_SHIM does not name the program")
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


# ---- cgroups ----


def own_cgroup():
    """The folder of the version 2 cgroup of this process, when it may make others there."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    path = next((line[3:] for line in lines if line.startswith("0::/")), None)
    for mount in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        folder = Path(mount + (path or "").rstrip("/"))
        if path and (folder / "cgroup.procs").exists() and os.access(folder, os.W_OK):
            return folder
    return None


needs_cgroup = pytest.mark.skipif(
    own_cgroup() is None, reason="no cgroup v2 here into which this user may write")


def clear_cgroup(folder):
    folder = Path(folder)
    if not folder.exists():
        return
    (folder / "cgroup.kill").write_text("1")
    until(lambda: "populated 0" in (folder / "cgroup.events").read_text(), "an empty cgroup")
    for beneath in sorted(folder.rglob("*/"), reverse=True):
        if beneath.is_dir():
            beneath.rmdir()
    folder.rmdir()


# ---- run folders ----


class Attempt:
    """One run folder, and the shim that works in it."""

    count = 0

    def __init__(self, folder, args, *, env=None, cwd=None, log=None, timeout_ms=0, grace_ms=5000,
                 log_max_bytes=0, token=None, inherit=()):
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
        records += [b"inherit=" + os.fsencode(name) for name in inherit]
        spec = b"".join(record + b"\0" for record in records)
        self.spec = spec + b"crc32=%08x\0" % zlib.crc32(spec)
        (self.folder / "spec").write_bytes(self.spec)
        self.shims = []

    def start(self, *, env=None, hold=False, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stderr", subprocess.DEVNULL)
        shim = subprocess.Popen([SHIM, str(self.folder), *(["--hold"] if hold else [])],
                                env=env or {}, **options)
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
        path = self.folder / "record"
        is_whole = path.exists() and path.stat().st_size == 4096  # a test may have put another there
        if is_whole and (cgroup := self.record().get("claim", {}).get("cgroup")):
            clear_cgroup(cgroup)


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


# ---- a process that leaves its session and its parents ----

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
