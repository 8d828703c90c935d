"""Jobs in a real Slurm cluster of two nodes: what works."""

import contextlib
import os
import re
import shlex
import subprocess
import time

import pytest
from slurm_kit import (BUILD, HERE, answers_are_as_documented, cluster, eventually, full,  # noqa: F401
                       is_zombie, make_world, needs_slurm, stub, world)

pytestmark = needs_slurm


def test_a_job_runs_in_the_cluster(world):
    job_id = world.submit("echo value=42; echo job $SLURM_JOB_ID; echo step 3/4; exit 3")
    job = world.ends(job_id)
    assert (job["status"], job["end_reason"], job["exit_code"]) == ("FAILED", "exit_code", 3)
    assert job["executor"] == "slurm" and job["artifacts_hint"]["value"] == "42"
    assert job["attempts"][0]["log_end"] == job["log_size"] and job["progress"]["current"] == 3
    log = world.server.log_of(job_id)
    assert log.startswith("$ /bin/sh -c ") and re.search(r"^job \d+$", log, re.M)
    assert world.starts(job_id) == [f"{job_id}.1"]
    eventually(lambda: world.left() == [], what="the removal of the run folder")
    # It took nothing of this machine.
    assert world.server.get("/api/admin/queue")["slots"]["used"] == 0


def test_the_sample_goes_through_unchanged(make_world):
    world = make_world(sample=True)
    world.server.start()

    def run(slug, body):
        job = world.ends(world.server.submit(slug, body)["job_id"], timeout=180)
        assert job["status"] == "SUCCESS", (job, world.server.log_of(job["job_id"])[-2000:])
        assert job["executor"] == "slurm"
        return job

    train = run("train", {"config_path": "configs/smoke.yaml", "overrides": [
        'train.finetune.tickers=["SPX","GOOG"]', "label.horizon_days=20"]})
    run_id = train["artifacts_hint"]["run_id"]
    assert train["progress"]["fraction"] == 1.0
    assert run("eval-metrics", {"run_id": run_id})["artifacts_hint"] == {"run_id": run_id}
    backtest = run("backtest", {"config_path": "configs/backtest/base.yaml",
                                "tickers": ["SPX", "GOOG"], "overrides": [f"model.run_id={run_id}"]})
    assert (world.workspace / "backtests" / backtest["artifacts_hint"]["bt_run_id"]).is_dir()


def test_as_the_readme_says(make_world):
    readme = (HERE.parents[1] / "README.md").read_text()
    (line,) = re.findall(r"<!-- run: slurm -->\n```sh\n(.*)\n```", readme)
    setting, program, *options = shlex.split(line)
    name, value = setting.split("=")
    assert program == "./run" and options[::2] == ["--workspace", "--state-dir"]
    world = make_world(jobs="executor: local")
    world.server.start({name: value})
    assert world.ends(world.submit("true"))["executor"] == "slurm"


def test_arguments_arrive_byte_for_byte(world):
    words = ["sh", "--wrap=id", "-n", "#SBATCH --array=1-9", "", "'", '"', "new\nline\ttab",
             "$(id) `id` $HOME ${IFS}", "%j %A %% %x", "\\", "a,b;c&d|e>f", "ü 日本 🚂",
             "x" * 50_000, "y\n" * 25_000]
    job = world.ends(world.server.submit(
        "command", {"script": "cat /proc/$$/cmdline > seen", "words": words})["job_id"])
    assert job["status"] == "SUCCESS", job
    seen = (world.workspace / "seen").read_bytes().decode().split("\0")[:-1]
    assert seen == job["command"] and seen[3:] == words and sum(map(len, seen)) > 100_000


def test_local_and_slurm_side_by_side(make_world):
    world = make_world(jobs="group_executors: {cluster: slurm}", rest="queue: {slots: 1}\n")
    world.server.start()
    # One slot here; what runs in the cluster does not need it.
    here = world.submit("until [ -e go ]; do sleep 0.1; done")
    there = world.submit("echo value=$SLURM_JOB_ID", group="cluster")
    job = world.ends(there)
    assert world.server.get("/api/admin/queue")["slurm_slots"] == {"total": 1000, "used": 0}
    assert (job["status"], job["executor"]) == ("SUCCESS", "slurm") and job["artifacts_hint"]["value"]
    assert world.server.job(here)["status"] == "RUNNING"
    (world.workspace / "go").touch()
    assert world.ends(here)["executor"] == "local"


def test_a_job_type_has_its_executor(make_world):
    world = make_world(jobs="executor: slurm, type_executors: {command: local}")
    world.server.start()
    assert world.ends(world.submit("true"))["executor"] == "local"


def test_only_the_administrator_gives_flags(make_world, tmp_path):
    stub(tmp_path / "bin", "sbatch",
         f'printf "%s\\n" "$@" > {tmp_path}/args\nexec /usr/bin/sbatch "$@"\n')
    world = make_world(path=tmp_path / "bin", rest=(
        "slurm: {partition: main, account: research, qos: normal, "
        'flags: [--comment=from the administrator, --nice=5], slots: 16}\n'))
    world.server.start({"SBATCH_PARTITION": "nowhere", "SLURM_CPUS_PER_TASK": "3"})
    body = {"script": "echo value=$SLURM_CPUS_PER_TASK,$SLURM_MEM_PER_NODE; "
                      "scontrol show job $SLURM_JOB_ID",
            "label": "--partition=other",
            "_job": {"slots": 2, "memory_mb": 300, "gpus": 1, "timeout_sec": 90, "name": "--hold",
                     "group": "--qos=x"}}
    job = world.ends(world.server.submit("command", body)["job_id"])
    assert job["status"] == "SUCCESS", job
    assert job["resources"] == {"slots": 2, "gpu_count": 1, "memory_mb": 300, "gpus": []}
    args = (tmp_path / "args").read_text().splitlines()
    folder = f"{world.runs}/{job['job_id']}.1"
    assert args == [
        "--parsable", f"--export-file={folder}/export", f"--chdir={folder}",
        f"--output={folder}/slurm.out", "--open-mode=append", f"--job-name={job['job_id']}-1-1",
        "--no-requeue", "--ntasks=1", "--cpus-per-task=2", "--mem=300M", "--gres=gpu:1", "--time=3",
        "--partition=main", "--account=research", "--qos=normal",
        "--comment=from the administrator", "--nice=5",
        f"{folder}/script", str(BUILD / "bin" / "runyard-shim"), folder]
    log = world.server.log_of(job["job_id"])
    assert "value=2,300\n" in log and "Comment=from the administrator" in log
    assert "TimeLimit=00:03:00" in log and "Requeue=0" in log


def test_what_slurm_says_of_a_waiting_job(world):
    blockers = [world.submit("exec sleep 300", slots=4) for _ in range(2)]
    for job_id in blockers:
        world.began(job_id)
    waiting = world.submit("true", slots=4)
    words = eventually(lambda: "Slurm" in (w := world.server.job(waiting)["waiting_for"] or "") and w,
                       what="Slurm's reason")
    assert words in ("Slurm: no node has what it asks for free",
                     "Slurm: jobs with a higher priority are before it",
                     "Slurm has not looked at it yet"), words
    assert world.server.job(blockers[0])["waiting_for"] is None
    world.server.post(f"/api/jobs/{waiting}/cancel")
    job = world.ends(waiting)
    assert (job["status"], job["end_reason"]) == ("CANCELLED", "cancelled")
    assert world.starts(waiting) == []
    for job_id in blockers:
        world.server.post(f"/api/jobs/{job_id}/cancel")
        assert world.ends(job_id)["status"] == "CANCELLED"


def test_cancel_kills_the_tree_on_the_node(world):
    job_id = world.submit("setsid sh -c 'trap \"\" TERM; echo $$ > inner; while :; do sleep 1; done' & "
                          "wait")
    pid_file = world.workspace / "inner"
    eventually(lambda: pid_file.exists() and pid_file.read_text().strip(), 30)
    world.server.post(f"/api/jobs/{job_id}/cancel")
    assert world.ends(job_id)["status"] == "CANCELLED"
    inner = pid_file.read_text().strip()
    assert not os.path.exists(f"/proc/{inner}") or is_zombie(inner)


def test_a_job_that_was_cancelled_in_slurm(world, cluster):
    running = world.submit("exec sleep 300")
    world.began(running)
    cluster.call("scancel", world.slurm_id(running))
    job = world.ends(running)
    assert (job["status"], job["error_message"]) == ("CANCELLED", "it was cancelled in Slurm")


def test_gpus_are_slurms(make_world):
    world = make_world()
    world.server.start({"CUDA_VISIBLE_DEVICES": "7"})
    value = "echo value=${CUDA_VISIBLE_DEVICES-none}"
    none, one, two = (world.submit(value, gpus=n) for n in range(3))
    assert world.ends(none)["artifacts_hint"]["value"] == "none"
    assert world.ends(one)["artifacts_hint"]["value"] in ("0", "1")
    assert world.ends(two)["status"] == "SUCCESS"
    assert "value=0,1\n" in world.server.log_of(two)


def test_a_job_over_its_memory_limit(world):
    job_id = world.submit("python3 -c 'import time; x = b\"x\" * (400 << 20); time.sleep(300)'",
                          memory_mb=100)
    job = world.ends(job_id)
    assert (job["status"], job["end_reason"], job["signal"]) == ("FAILED", "signal", 9)
    assert "the job used more memory than the 100 MB that it had asked for" in job["error_message"]
    assert "exceeded memory limit" in job["error_message"]


def test_a_request_that_slurm_refuses(world):
    job = world.ends(world.submit("true", slots=64))
    assert (job["status"], job["end_reason"]) == ("FAILED", "spawn_error")
    assert "Slurm refused the job: sbatch: error: " in job["error_message"]
    assert world.starts(job["job_id"]) == []


def test_a_node_without_the_supervisor(make_world):
    world = make_world(rest="slurm: {shim: /nonexistent/runyard-shim}\n")
    world.server.start()
    job = world.ends(world.submit("true"))
    assert (job["status"], job["end_reason"]) == ("FAILED", "spawn_error")
    assert "/nonexistent/runyard-shim" in job["error_message"], job["error_message"]


def test_timeout(world):
    first, second = (world.submit("exec sleep 300", timeout_sec=seconds) for seconds in (1, 0))
    world.began(second)
    assert world.server.request("PATCH", f"/api/jobs/{second}", {"timeout_sec": 1}).status == 200
    for job_id in (first, second):
        job = world.ends(job_id)
        assert (job["status"], job["end_reason"]) == ("FAILED", "timeout")


@pytest.mark.skipif(subprocess.run(["unshare", "--user", "--map-root-user", "true"]).returncode != 0,
                    reason="needs user namespaces")
def test_a_remote_job_is_followed_without_inotify(make_world, tmp_path):
    """What another machine writes is no event here, and there may be no watch left either."""
    world = make_world()
    bare = tmp_path / "bare"
    bare.write_text("#!/bin/sh\necho 0 > /proc/sys/user/max_inotify_instances\n"
                    f'exec {BUILD}/bin/runyard "$@"\n')
    bare.chmod(0o755)
    unshared = tmp_path / "unshared"
    unshared.write_text(f'#!/bin/sh\nexec unshare --user --map-root-user {bare} "$@"\n')
    unshared.chmod(0o755)
    world.server.runyard = unshared
    world.server.start()
    job_id = world.submit("echo step 1/4; until [ -e go ]; do sleep 0.1; done; echo value=late")
    job = eventually(lambda: (job := world.server.job(job_id))["progress"] and job, 30,
                     "the progress of a running job")
    assert (job["status"], job["progress"]["current"]) == ("RUNNING", 1)
    (world.workspace / "go").touch()
    assert world.ends(job_id)["artifacts_hint"] == {"value": "late"}
    # There really was none.
    assert not any("inotify" in target for target in open_files(world.server.process.pid))


def open_files(pid):
    """What the process has open, as /proc names it; a file may be closed meanwhile."""
    found = []
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/{pid}/fd/{descriptor}"))
    return found


def test_many_jobs(make_world, tmp_path):
    """None is lost, one squeue a poll, and not much slower than Slurm alone. RUNYARD_SLURM_JOBS says
    how many; the ratio is printed."""
    count = int(os.environ.get("RUNYARD_SLURM_JOBS", "100"))
    stub(tmp_path / "bin", "squeue", f'echo x >> {tmp_path}/polls; exec /usr/bin/squeue "$@"\n')
    world = make_world(path=tmp_path / "bin", rest="slurm: {slots: 1000}\n")
    bare = bare_slurm(world.cluster, tmp_path, count)
    world.server.start()
    began = time.monotonic()
    reply = world.server.post("/api/jobs/batch", {
        "type": "command", "params": {}, "matrix": {"script": [f"exit 0 # {n}" for n in range(count)]}})
    assert reply.status == 201
    jobs = {job["job_id"] for job in reply.json}
    for job_id in jobs:
        assert world.ends(job_id, timeout=120)["status"] == "SUCCESS"
    ours = time.monotonic() - began
    polls = len((tmp_path / "polls").read_text().split())
    print(f"{count} jobs: {ours:.1f} s, bare sbatch and squeue {bare:.1f} s, "
          f"{ours / bare:.2f} times; {polls} squeues")
    assert len(jobs) == count
    assert polls <= ours + 3, "more than one squeue a second"


@full
def test_five_thousand_jobs_that_wait(make_world):
    """All in Slurm's queue, none of them runs. What it costs is printed."""
    world = make_world(rest="slurm: {slots: 5000, flags: [--hold]}\nqueue: {max_queued: 10000}\n")
    world.server.start()
    began = time.monotonic()
    jobs = []
    for part in range(10):
        reply = world.server.post("/api/jobs/batch", {"type": "command", "params": {}, "matrix": {
            "script": [f"exit 0 # {part} {n}" for n in range(500)]}})
        assert reply.status == 201
        jobs += [job["job_id"] for job in reply.json]
    in_slurm = lambda: world.cluster.call(  # noqa: E731
        "squeue", "-h", "-t", "pending", "-o", "%i").count("\n")
    eventually(lambda: in_slurm() == 5000, 600, "5,000 jobs in Slurm")
    print(f"handed over in {time.monotonic() - began:.0f} s")
    eventually(lambda: world.server.job(jobs[-1])["waiting_for"] == "Slurm: it is held", 60)
    before, took = cpu_seconds(world.server.process.pid), []
    began = time.monotonic()
    while time.monotonic() < began + 30:
        asked = time.monotonic()
        assert world.server.job(jobs[len(took) % 5000])["status"] == "RUNNING"
        took.append(time.monotonic() - asked)
        time.sleep(0.05)  # load of a page that somebody looks at
    asked = time.monotonic()
    assert in_slurm() == 5000
    print(f"one squeue {1000 * (time.monotonic() - asked):.0f} ms; "
          f"server {100 * (cpu_seconds(world.server.process.pid) - before) / 30:.1f} % of a core; "
          f"GET of a job: median {1000 * sorted(took)[len(took) // 2]:.1f} ms, "
          f"slowest {1000 * max(took):.0f} ms")
    began = time.monotonic()
    world.cluster.call("scancel", "--user=root")
    for job_id in jobs:
        job = world.ends(job_id, timeout=300)
        assert (job["status"], job["attempt"]) == ("CANCELLED", 1)
    print(f"all ended {time.monotonic() - began:.0f} s after they left Slurm")


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bare_slurm(cluster, folder, count):
    """Seconds that as many jobs take with sbatch, four at a time, and one squeue a second."""
    (folder / "script").write_text("#!/bin/sh\nexec /bin/sh -c 'exit 0'\n")
    began = time.monotonic()
    subprocess.run(["sh", "-c", f"seq {count} | xargs -P 4 -I N sbatch --parsable --job-name=bare-N "
                    f"--output=/dev/null {folder}/script > {folder}/bare"],
                   env=dict(os.environ, **cluster.environment), check=True)
    ids = set((folder / "bare").read_text().split())
    assert len(ids) == count
    while True:
        states = dict(line.split("|")[:2] for line in
                      cluster.call("squeue", "-h", "-t", "all", "-O", "JobID:|,State:|").splitlines())
        if all(states[job_id] == "COMPLETED" for job_id in ids):
            return time.monotonic() - began
        time.sleep(1)
