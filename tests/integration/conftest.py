"""Real servers on fresh workspaces, for every integration test."""

import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

import api_document

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("RUNYARD_BUILD", ROOT / "build" / "release"))
TERMINAL = {"SUCCESS", "FAILED", "CANCELLED"}


def make_workspace(folder):
    """A workspace like the checkout: the sample workload with its configurations and prices."""
    folder.mkdir(parents=True)
    for name in ("scripts", "configs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "data").symlink_to(ROOT / "data")  # leaves the workspace; only the scripts read it
    return folder


# Answers of the module's servers, each with the document of its server.
checked_answers = []


@pytest.fixture(autouse=True, scope="module")
def answers_are_as_documented():
    """Whatever a test asks for: every answer is what /api/openapi.json says."""
    checked_answers.clear()
    yield
    for document, answers in checked_answers:
        api_document.check(document, answers)


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)


class Server:
    """One `runyard serve` and a client for it."""

    def __init__(self, workspace, state=None, options=(), environment=None, build=BUILD,
                 plugin_dirs=()):
        self.workspace = pathlib.Path(workspace)
        self.build = build
        self.runyard = build / "bin" / "runyard"
        self.state = pathlib.Path(state) if state else self.workspace / ".runyard"
        self.options = list(options)
        self.plugin_dirs = list(plugin_dirs)
        self.environment = dict(os.environ, **(environment or {}))
        self.process = None
        self.url = None
        self.log = self.workspace.parent / (self.workspace.name + ".server.log")
        self.answers = api_document.Answers()
        self.headers = {}  # of every request, e.g. a token

    def start(self, environment=None, expect_failure=False):
        command = [str(self.runyard), "serve", "--workspace", str(self.workspace), "--port", "0",
                   "--state-dir", str(self.state), *self.options]
        for folder in self.plugin_dirs:
            command += ["--plugin-dir", str(folder)]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL,
                env=dict(self.environment, **(environment or {})))
        line = self.process.stdout.readline().decode()
        found = re.search(r"http://([^: ]+):(\d+)", line)
        if expect_failure:
            assert not found, line
            return self.process.wait(30)
        if not found:
            self.process.wait(30)
            raise AssertionError(f"the server did not start: {line}\n{self.log_text()[-4000:]}")
        self.host, self.port = found[1], int(found[2])
        self.url = f"http://{self.host}:{self.port}"
        return self

    def stop(self, with_signal=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            if with_signal == signal.SIGTERM:
                self.keep_answers()
            self.process.send_signal(with_signal)
            code = self.process.wait(60)
            assert code in (0, -with_signal), (code, self.log_text()[-4000:])
        if self.process:
            self.process.stdout.close()

    def keep_answers(self):
        """For the check at the end of the module."""
        samples, self.answers = self.answers, api_document.Answers()
        reply = self.request("GET", "/api/openapi.json") if self.url and samples.samples else None
        if reply and reply.status == 200:
            document = reply.json
            known = next((entry for entry in checked_answers if entry[0] == document), None)
            if not known:
                checked_answers.append(known := (document, []))
            known[1].extend(samples.of(document))

    def kill(self):
        self.stop(signal.SIGKILL)

    def shims(self):
        """{pid: token} of the supervisors that work for this server or an earlier one."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            except (OSError, UnicodeDecodeError):
                continue
            if len(words) > 1 and words[1].startswith(str(self.state / "attempts") + "/"):
                found[int(pid)] = words[1].rsplit("/", 1)[1]
        return found

    def clear(self):
        """Stops it, and the jobs that a failed test has left."""
        self.stop()
        for pid in self.shims():
            os.kill(pid, signal.SIGTERM)

    def log_text(self):
        return self.log.read_text(errors="replace")

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            headers = {**self.headers, **(headers or {})}
            if body is not None and not isinstance(body, (bytes, str)):
                body = json.dumps(body)
            if body is not None:
                headers.setdefault("Content-Type", "application/json")
            connection.request(method, path, body=body, headers=headers)
            reply = Reply(connection.getresponse())
            self.answers.record(method, path, reply)
            return reply
        finally:
            connection.close()

    def get(self, path):
        reply = self.request("GET", path)
        assert reply.status == 200, (path, reply.status, reply.text)
        return reply.json

    def post(self, path, body=None):
        return self.request("POST", path, {} if body is None else body)

    def submit(self, slug, body):
        reply = self.post(f"/api/jobs/{slug}", body)
        assert reply.status == 201, (reply.status, reply.text)
        return reply.json

    def job(self, job_id):
        return self.get(f"/api/jobs/{job_id}")

    def wait(self, job_id, until=TERMINAL, timeout=120):
        """The job as soon as its status is one of `until`."""
        deadline = time.monotonic() + timeout
        while True:
            job = self.job(job_id)
            if job["status"] in until:
                return job
            assert time.monotonic() < deadline, (job, self.log_text()[-2000:])
            time.sleep(0.02)  # polling an HTTP API: there is no event to wait for

    def log_of(self, job_id):
        return self.request("GET", f"/api/jobs/{job_id}/log").text

    def record(self, job_id, until=None, timeout=10):
        """The JSON of a job in reports/jobs, which may be 250 ms behind."""
        path = self.workspace / "reports" / "jobs" / f"{job_id}.json"
        deadline = time.monotonic() + timeout
        while True:
            if path.exists():
                record = json.loads(path.read_text())
                if until is None or until(record):
                    return record
            assert time.monotonic() < deadline, path
            time.sleep(0.02)


def eventually(condition, timeout=20, what="the condition"):
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come true in {timeout} s"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def command_plugin():
    """Folder of the test plugin `command`, whose jobs run any shell text."""
    return BUILD / "test-plugins" / "command"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server on the sample workload; the tests of a module share it."""
    running = Server(make_workspace(tmp_path_factory.mktemp("sample") / "workspace")).start()
    yield running
    running.clear()


@pytest.fixture
def make_server(tmp_path):
    """Servers on fresh workspaces, stopped at the end of the test."""
    servers = []

    def make(name="workspace", workspace=None, sample=False, **options):
        if workspace is None:
            workspace = tmp_path / name
            make_workspace(workspace) if sample else workspace.mkdir()
        servers.append(Server(workspace, **options))
        return servers[-1]

    yield make
    for server in servers:
        server.clear()
