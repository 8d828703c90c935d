"""The crash tests of local jobs (tests/integration/crash), with jobs that are in Slurm.

RUNYARD_CRASH_ROUNDS, RUNYARD_CRASH_SEED as there; every named step only with RUNYARD_FULL.
"""

import os
import pathlib
import random
import signal
import sys

import pytest
from slurm_kit import HERE, cluster, eventually, full, needs_slurm  # noqa: F401

sys.path.insert(0, str(HERE.parent / "integration" / "crash"))
from crash_kit import (CONFIG, World, crash_in_rounds, has_kill_points,  # noqa: E402
                       run_through_everything, steps_in_sources)

ROUNDS = int(os.environ.get("RUNYARD_CRASH_ROUNDS", "2"))
OF_SLURM = {"slurm_spec_written", "slurm_submitted", "end_seen"}
STEPS = sorted(set(steps_in_sources("kill_point", "core/service")) | OF_SLURM)
# These happen only at another start, with other job types, or when nothing is in Slurm any more.
ELSEWHERE = {"recovered", "record_taken", "follow_up_planned", "follow_up_committed",
             "remove_committed"}

pytestmark = needs_slurm


class SlurmWorld(World):
    def __init__(self, folder, cluster):
        super().__init__(folder, config=CONFIG.replace("jobs: {", "jobs: {executor: slurm, "),
                         environment=cluster.environment)
        self.run_folders = self.workspace / ".runyard" / "slurm"
        self.run_folders.mkdir(parents=True)  # the server makes it with the first job

    def shims(self):
        """{pid: token}, on whichever node."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            except (OSError, UnicodeDecodeError):
                continue
            if len(words) > 1 and words[1].startswith(f"{self.run_folders}/"):
                found[int(pid)] = words[1].rsplit("/", 1)[1]
        return found


@pytest.fixture
def world(tmp_path, cluster):  # noqa: F811
    made = SlurmWorld(tmp_path, cluster)
    yield made
    made.clear()


def test_rounds(world):
    seed = int(os.environ.get("RUNYARD_CRASH_SEED", random.randrange(1 << 32)))
    print(f"RUNYARD_CRASH_SEED={seed}")
    # What a killed supervisor leaves on a node is Slurm's to end.
    crash_in_rounds(world, random.Random(seed), ROUNDS, kill_shims=False)
    world.server.start()
    world.settle(120)
    jobs = world.check()
    assert len(world.accepted) > ROUNDS
    assert {job["executor"] for job in jobs.values()} == {"slurm"}
    world.close()


@full
@pytest.mark.skipif(not has_kill_points(), reason="this build has no kill points: use asan or dev")
@pytest.mark.parametrize("step", [step for step in STEPS if step not in ELSEWHERE])
def test_server_dies_at(world, step):
    world.server.start({"RUNYARD_KILL_POINT": step})
    run_through_everything(world)
    assert world.server.process.wait(60) == -signal.SIGKILL, "the step was not reached"
    world.server.stop()
    world.server.start()
    world.settle(120)
    world.check()
    world.close()
