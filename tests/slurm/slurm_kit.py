"""A private Slurm cluster, and servers whose jobs go to it."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
from conftest import (BUILD, Server, answers_are_as_documented, eventually,  # noqa: E402,F401
                      make_workspace)

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "scancel")
MISSING = [name for name in PROGRAMS if not shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")]
needs_slurm = pytest.mark.skipif(
    bool(MISSING) or os.geteuid() != 0,
    reason=f"needs root and the packages munge, slurmctld, slurmd and slurm-client: {MISSING}")
full = pytest.mark.skipif(not os.environ.get("RUNYARD_FULL"), reason="takes minutes: RUNYARD_FULL=1")
CONFIG = 'plugins: {{allow: ["scripts.*", "/bin/sh"]}}\njobs: {{grace_sec: 1, retry_backoff_sec: 0, {jobs}}}\n'


class Cluster:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="runyard-slurm-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.conf = self.folder / "slurm.conf"
        self.environment = {"SLURM_CONF": str(self.conf)}
        # One for each process of pytest-xdist.
        worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
        subprocess.run([HERE / "start.sh", self.folder], check=True, stdout=subprocess.DEVNULL,
                       timeout=60, env=dict(os.environ, SLURM_PORT=str(27817 + 10 * worker)))

    def call(self, *argv):
        return subprocess.run(argv, env=dict(os.environ, **self.environment), check=True,
                              stdout=subprocess.PIPE, timeout=30).stdout.decode()

    def pid(self, name):
        return int((self.folder / "run" / f"{name}.pid").read_text())

    def start_controller(self):
        self.call("slurmctld", "-f", self.conf)

    @contextlib.contextmanager
    def without_controller(self, forgets=False):
        """It is stopped, and started again at the end; `forgets`: killed, and without its state."""
        pid = self.pid("slurmctld")
        os.kill(pid, signal.SIGKILL if forgets else signal.SIGTERM)
        eventually(lambda: not os.path.exists(f"/proc/{pid}") or is_zombie(pid), 10)
        try:
            yield
        finally:
            if forgets:
                shutil.rmtree(self.folder / "state" / "controller")
                (self.folder / "state" / "controller").mkdir()
            self.start_controller()
            self.all_idle()

    @contextlib.contextmanager
    def without_node(self, name, told=True):
        """Its slurmd is killed, and Slurm is told that the node is gone, which it would find out by
        itself within half a minute; at the end it comes back (ReturnToService=2)."""
        os.kill(self.pid(f"slurmd.{name}"), signal.SIGKILL)
        if told:
            self.call("scontrol", "update", f"nodename={name}", "state=down", "reason=test")
        try:
            yield
        finally:
            self.call("slurmd", "-f", self.conf, "-N", name)
            self.all_idle()

    def all_idle(self):
        eventually(lambda: len(self.call("sinfo", "-h", "-N", "-t", "idle,mix,alloc", "-o", "%N")
                               .split()) >= 2, 30, "both nodes")

    def stop(self):
        subprocess.run([HERE / "stop.sh", self.folder], timeout=60)
        if not os.environ.get("RUNYARD_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)


def is_zombie(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


class World:
    """One workspace whose jobs run in Slurm."""

    def __init__(self, cluster, folder, plugin, jobs="executor: slurm", rest="", path=None,
                 sample=False):
        self.cluster = cluster
        self.folder = pathlib.Path(folder)
        self.workspace = self.folder / "workspace"
        make_workspace(self.workspace) if sample else self.workspace.mkdir(parents=True)
        self.config = self.folder / "config.yaml"
        # The interpreter that has what the sample needs.
        python = "workspace: {python: /usr/bin/python3}\n" if sample else ""
        self.config.write_text(CONFIG.format(jobs=jobs) + python + rest)
        environment = dict(cluster.environment)
        if path:
            environment["PATH"] = f"{path}:{os.environ['PATH']}"
        environment.update(RUNYARD_LOG__LEVEL="debug")
        self.server = Server(self.workspace, state=self.folder / "state", environment=environment,
                             options=["--config", str(self.config)],
                             plugin_dirs=[plugin, BUILD / "plugins"] if sample else [plugin])
        self.shim = BUILD / "bin" / "runyard-shim"
        self.effects = self.folder / "effects"
        self.effects.touch()
        self.runs = self.workspace / ".runyard" / "slurm"

    def submit(self, script, **options):
        body = {"script": f'echo "$RUNYARD_ATTEMPT" >> {self.effects}; {script}'}
        return self.server.submit("command", dict(body, _job=options) if options else body)["job_id"]

    def starts(self, job_id):
        return [line for line in self.effects.read_text().split() if line.startswith(job_id)]

    def began(self, job_id):
        eventually(lambda: self.starts(job_id), 60, "the start in the cluster")

    def ends(self, job_id, timeout=120):
        """The job when it has ended."""
        return self.server.wait(job_id, timeout=timeout)

    def slurm_id(self, job_id, attempt=1):
        """As soon as Slurm has it."""
        file = self.runs / f"{job_id}.{attempt}" / "slurm"
        return eventually(lambda: file.exists() and file.read_text(), 60, "Slurm's id")

    def shims(self, job_id):
        """Pids of the job's supervisors, on whichever node."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if len(words) > 1 and words[1].startswith(f"{self.runs}/{job_id}.".encode()):
                found.append(int(pid))
        return found

    def left(self):
        return sorted(os.listdir(self.runs)) if self.runs.exists() else []


def stub(folder, name, text):
    """A program before Slurm's in the server's PATH."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n" + text)
    (folder / name).chmod(0o755)


shared = []


@pytest.fixture(scope="session")
def cluster():
    """One for all modules that import this; the last one's end is its end."""
    shared.append(shared[-1] if shared else Cluster())
    yield shared[-1]
    last = shared.pop()
    if not shared:
        last.stop()


@pytest.fixture
def make_world(cluster, tmp_path):
    made = []

    def make(**options):
        folder = tmp_path / f"world{len(made)}"
        folder.mkdir()
        made.append(World(cluster, folder, BUILD / "test-plugins" / "command", **options))
        return made[-1]

    yield make
    for world in made:
        world.server.stop()


@pytest.fixture
def world(make_world):
    made = make_world()
    made.server.start()
    return made
