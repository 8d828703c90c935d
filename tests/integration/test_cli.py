"""The `runyard` program against a real server: flags from the schema, following, exit codes, JSON."""

import json
import shlex
import os
import pty
import signal
import subprocess

import pytest

TIMEOUT = 120


class Cli:
    """Runs `runyard` against the server of the test."""

    def __init__(self, server):
        self.server = server
        self.environment = dict(os.environ, RUNYARD_SERVER=server.url, NO_COLOR="1")

    def start(self, *words):
        return subprocess.Popen(
            [str(self.server.runyard), *words], env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def __call__(self, *words, code=0, input=None):
        done = subprocess.run(
            [str(self.server.runyard), *words], env=self.environment, input=input,
            capture_output=True, text=True, encoding="utf-8", timeout=TIMEOUT)
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *words, code=0, input=None):
        out = self(*words, "--json", code=code, input=input).stdout
        assert out.count("\n") == 1, out
        return json.loads(out)

    def dry_train(self, *words):
        return self.json("submit", "train", "--config-path", "configs/smoke.yaml", "--dry-run",
                         *words)


@pytest.fixture
def cli(server):
    return Cli(server)


@pytest.fixture
def paused(cli):
    """A queue that accepts jobs and starts none: what a test does to a waiting job is not a race."""
    cli("pause")
    yield cli
    cli("resume")


def test_help_needs_no_server(server):
    cli = Cli(server)
    cli.environment["RUNYARD_SERVER"] = "http://127.0.0.1:1"
    assert "Exit codes" in cli("--help").stdout
    for command in ("ls", "show", "log", "wait", "cancel", "rerun", "delete", "group", "top",
                    "pause", "resume", "drain", "plugins", "submit"):
        assert command in cli(command, "--help").stdout
    cli(code=2)
    assert "no command 'nonsense'" in cli("nonsense", code=2).stderr
    cli("ls", "--nonsense", code=2)


def test_no_server_is_a_clear_sentence(server):
    cli = Cli(server)
    cli.environment["RUNYARD_SERVER"] = "http://127.0.0.1:1"
    for words in (("ls",), ("show", "@"), ("submit", "train"), ("log", "-f", "@"), ("top",)):
        failed = cli(*words, code=3)
        assert "runyard serve" in failed.stderr and failed.stdout == ""


def test_what_is_typed_wrong_is_told_with_what_to_type(cli):
    def said(*words):
        return cli(*words, code=2).stderr

    assert "no option --confg-path; did you mean --config-path?" in said(
        "submit", "train", "--confg-path", "configs/smoke.yaml")
    assert "no option --limt; did you mean --limit?" in said("ls", "--limt=3")
    assert "no option --zzzzzzzz\n" in said("ls", "--zzzzzzzz")
    assert "not expected: 7" in said("ls", "7")
    assert "--priority: 'high' is no number" in said("submit", "train", "--priority", "high")
    assert "not in range 0 to 1048576" in said("log", "@", "--tail", "-1")
    assert "not in range 0 to 65535" in said("serve", "--port", "99999")


def test_output_that_cannot_be_written_is_a_failure(cli):
    for words in (("plugins",), ("config", "show"), ("ls", "--json")):
        with open("/dev/full", "w") as full:
            done = subprocess.run([str(cli.server.runyard), *words], env=cli.environment, stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=TIMEOUT)
        assert done.returncode == 1 and "No space left on device" in done.stderr, (words, done)


def test_top_on_a_terminal_that_does_not_know_its_size(cli):
    cli.json("submit", "train", "--config-path", "configs/smoke.yaml", "--dry-run", "--follow")
    mine, its = pty.openpty()
    top = subprocess.Popen([str(cli.server.runyard), "top"], env=cli.environment, stdin=its, stdout=its,
                           stderr=its)
    os.close(its)
    shown = b""
    while b"job_" not in shown and len(shown) < 20000:
        shown += os.read(mine, 4096)
    top.send_signal(signal.SIGINT)
    while top.poll() is None:
        try:
            os.read(mine, 4096)
        except OSError:
            break
    assert top.wait(TIMEOUT) in (0, 130) and b"job_" in shown, shown
    os.close(mine)


def test_submit_help_comes_from_the_schema(cli):
    text = cli("submit", "train", "--help").stdout
    for flag in ("--config-path", "--override", "--dry-run", "--no-dry-run", "--priority"):
        assert flag in text
    text = cli("submit", "--help").stdout
    for slug in ("train", "backtest", "eval-metrics"):
        assert slug in text


def test_flags_become_inputs(paused):
    cli = paused
    job = cli.dry_train("--override", "label.horizon_days=40", "--override=a.b=[1,2]",
                        "--overrides", "c=x, y=日本", "--priority", "7", "--timeout", "2h",
                        "--name", "a name", "--group", "cli-flags")
    assert job["params"]["config_path"] == "configs/smoke.yaml"
    assert job["params"]["overrides"] == ["label.horizon_days=40", "a.b=[1,2]", "c=x, y=日本"]
    assert job["params"]["dry_run"] is True
    assert (job["priority"], job["timeout_sec"]) == (7, 7200)
    assert (job["name"], job["group"]) == ("a name", "cli-flags")
    second = cli.json("submit", "backtest", "--params", "-", "--tickers", "spx,goog", "--ticker",
                      "TSM", "--dry-run", "--after", job["job_id"],
                      input='{"config_path": "configs/backtest/base.yaml", "tickers": ["X"]}')
    assert [t.upper() for t in second["params"]["tickers"]] == ["SPX", "GOOG", "TSM"]
    assert second["after"] == [job["job_id"]]
    for each in (second, job):
        cli("cancel", each["job_id"])


def test_what_the_server_refuses(cli):
    failed = cli("submit", "train", "--config-path", "/etc/passwd", code=2)
    assert failed.stderr.startswith("error: ") and "/config_path" in failed.stderr
    failed = cli("submit", "train", "--config-path", "configs/smoke.yaml", "--override", "--force",
                 code=2)
    assert "/overrides/0" in failed.stderr
    assert "train" in cli("submit", "nonsense", code=4).stderr
    cli("show", "job_20200101_000000__00000000", code=4)
    cli("show", "zzzzzzzz", code=4)
    cli("ls", "--status", "nonsense", code=2)


def test_follow_prints_the_log_and_ends_with_the_jobs_code(cli):
    done = cli("submit", "train", "--config-path", "configs/smoke.yaml", "--dry-run", "--follow")
    assert done.stdout.startswith("$ ") and "run_id" in done.stdout
    assert "SUCCESS" in done.stderr and "run_id" in done.stderr
    job = cli.json("ls", "--type", "train", "-n", "1")[0]
    log = (cli.server.workspace / job["log_path"]).read_text(encoding="utf-8")
    assert done.stdout == log
    assert cli("log", job["job_id"]).stdout == log
    assert cli("log", "-f", job["job_id"][-8:]).stdout == log
    assert cli("log", "-n", "1", job["job_id"]).stdout == log.splitlines(keepends=True)[-1]
    assert cli("wait", job["job_id"]).stdout.startswith(job["job_id"] + " SUCCESS")


def test_a_failed_job_fails_the_command(cli):
    (cli.server.workspace / "configs/cli_broken.yaml").write_text("label: [", encoding="utf-8")
    job = cli.json("submit", "train", "--config-path", "configs/cli_broken.yaml")
    waited = subprocess.run([str(cli.server.runyard), "wait", "--json", job["job_id"]],
                            env=cli.environment, capture_output=True, timeout=TIMEOUT)
    ended = json.loads(waited.stdout)[0]
    assert ended["status"] == "FAILED" and ended["exit_code"] not in (0, None)
    assert waited.returncode == ended["exit_code"]
    followed = cli("rerun", job["job_id"], "--follow", code=ended["exit_code"])
    assert "FAILED" in followed.stderr
    assert followed.stdout.startswith("$ ")


def test_json_and_follow_keep_stdout_for_the_document(cli):
    done = cli("submit", "train", "--config-path", "configs/smoke.yaml", "--dry-run", "--follow",
               "--json")
    job = json.loads(done.stdout)
    assert job["status"] == "SUCCESS" and job["artifacts_hint"]["run_id"]
    assert "$ " in done.stderr


def test_a_chain_runs_in_order(cli):
    jobs = cli.json("submit", "train", "--config-path", "configs/smoke.yaml", "--dry-run",
                    "--then", "backtest", "--config-path", "configs/backtest/base.yaml",
                    "--ticker", "SPX", "--dry-run", "--follow")
    assert [job["job_type"] for job in jobs] == ["train", "backtest"]
    assert jobs[1]["after"] == [jobs[0]["job_id"]]
    assert [job["status"] for job in jobs] == ["SUCCESS", "SUCCESS"]
    assert jobs[0]["ended_at"] <= jobs[1]["started_at"]


def test_a_chain_is_submitted_whole_or_not_at_all(paused):
    cli = paused
    failed = cli("submit", "train", "--config-path", "configs/smoke.yaml", "--group", "cli-chain",
                 "--then", "train", "--config-path", "configs/missing.yaml", code=2)
    assert "/config_path" in failed.stderr
    jobs = cli.json("ls", "--group", "cli-chain")
    assert [job["status"] for job in jobs] == ["CANCELLED"]


def test_preview_prints_the_command_and_queues_nothing(cli):
    before = cli("ls").stdout
    line = cli("submit", "train", "--config-path", "configs/smoke.yaml", "--override", "a=b c",
               "--preview").stdout
    words = shlex.split(line)
    assert words[1:] == ["-m", "scripts.run_experiment", "--config", "configs/smoke.yaml", "--set",
                         "a=b c"]
    plans = cli.json("submit", "train", "--config-path", "configs/smoke.yaml", "--preview",
                     "--then", "eval-metrics", "--run-id", "{hint.run_id}")
    assert plans[0]["params"]["dry_run"] is False and plans[0]["command"][2] == "scripts.run_experiment"
    assert plans[1] == {"params": {"run_id": "{hint.run_id}"}, "command": []}
    assert "# known when" in cli("submit", "train", "--config-path", "configs/smoke.yaml", "--then",
                                 "eval-metrics", "--run-id", "{hint.run_id}", "--preview").stdout
    failed = cli("submit", "train", "--config-path", "configs/none.yaml", "--preview", code=2)
    assert "/config_path" in failed.stderr
    cli("submit", "train", "--config-path", "configs/smoke.yaml", "--preview", "--follow", code=2)
    assert cli("ls").stdout == before


def test_ctrl_c_ends_the_following_and_not_the_job(paused):
    cli = paused
    job = cli.dry_train()
    follower = cli.start("log", "-f", job["job_id"])
    # The follower says what the job waits for once it follows.
    assert b"waits" in follower.stderr.readline()
    follower.send_signal(signal.SIGINT)
    _, stderr = follower.communicate(timeout=TIMEOUT)
    assert follower.returncode == 130
    assert f"runyard log -f {job['job_id']}".encode() in stderr and b"cancel" in stderr
    assert cli.json("show", job["job_id"])["status"] == "QUEUED"
    cli("cancel", job["job_id"])
    cli("wait", job["job_id"], code=130)
    assert cli("cancel", job["job_id"], code=1).stderr.startswith("error: ")


def test_groups_and_delete(paused):
    cli = paused
    ids = {cli.dry_train("--group", "cli-group")["job_id"] for _ in range(3)}
    assert {job["job_id"] for job in cli.json("group", "cli-group")} == ids
    assert "cli-group" in cli("group").stdout
    assert {job["job_id"] for job in cli.json("group", "cli-group", "--cancel")} == ids
    cli("wait", *ids, code=130)
    assert set(cli.json("delete", *ids)["deleted"]) == ids
    assert cli.json("group", "cli-group") == []
    for job_id in ids:
        cli("show", job_id, code=4)


def test_rerun_changes_what_it_is_told(paused):
    cli = paused
    job = cli.dry_train("--override", "a=1")
    again = cli.json("rerun", job["job_id"], "--set", "overrides=b=2", "--set", "overrides=c=3",
                     "--set", "dry_run=false", "--priority", "3")
    assert again["rerun_of"] == job["job_id"]
    assert again["params"] == dict(job["params"], overrides=["b=2", "c=3"], dry_run=False)
    assert again["priority"] == 3
    assert "config_path" in cli("rerun", job["job_id"], "--set", "nonsense=1", code=2).stderr
    for each in (again, job):
        cli("cancel", each["job_id"])


def test_the_queue(cli):
    assert cli.json("pause")["mode"] == "paused"
    assert cli("top", "--once").stdout.splitlines()[0].startswith(cli.server.url + "  paused")
    assert cli.json("resume")["mode"] == "open"
    assert cli.json("top")["mode"] == "open"


def test_tables(cli):
    job = cli.dry_train("--name", "turned \u202e around")
    cli("wait", job["job_id"])
    text = cli("ls", "--type", "train").stdout
    assert text.startswith("JOB ") and job["job_id"] in text
    shown = cli("show", job["job_id"]).stdout
    assert "configs/smoke.yaml" in shown and "\u202e" not in shown and "\\xe2\\x80\\xae" in shown
    assert "loaded" in cli("plugins").stdout
    assert {"train", "backtest"} <= {plugin["type"] for plugin in cli.json("plugins")}
