"""Nobody where they do not belong: every route of the server, streams too, is called without a token,
with too low a role, under a foreign host name, from a foreign page, through a proxy and with another
content type. Each time the expected refusal, and no effect."""

import subprocess

import pytest

from conftest import Server, eventually
from route_table import head_of, operations_of

ROLES = ("viewer", "operator", "admin")
SETTINGS = """
server: {{auth: {auth}}}
plugins: {{allow: ["scripts.*", "/bin/sh"]}}
"""


class Yard:
    """A server with an ended, a running and a queued job, and what a caller could change."""

    def __init__(self, folder, plugin, auth):
        (folder / "configs").mkdir(parents=True)
        (folder / "configs" / "runyard.yaml").write_text(SETTINGS.format(auth=auth))
        self.server = Server(folder, plugin_dirs=[plugin], options=["--slots", "1"])
        self.tokens = {}
        if auth == "required":
            for role in ROLES:
                self.tokens[role] = subprocess.run(
                    [self.server.runyard, "token", "add", f"the-{role}", "--role", role,
                     "--workspace", folder, "--state-dir", self.server.state],
                    check=True, capture_output=True, text=True).stdout.strip()
        self.server.start()
        if self.tokens:
            self.server.headers = {"Authorization": f"Bearer {self.tokens['admin']}"}
        ended = self.server.submit("command", {"script": "echo value=1"})["job_id"]
        self.server.wait(ended)
        running = self.server.submit("command", {"script": "sleep 600"})["job_id"]
        self.server.wait(running, until={"RUNNING"})
        self.queued = self.server.submit("command", {"script": "sleep 600"})["job_id"]
        eventually(lambda: self.server.job(self.queued)["waiting_for"], what="the reason to wait")
        self.operations = operations_of(self.server.get("/api/openapi.json"))
        assert len(self.operations) > 20 and any(each.changes for each in self.operations)
        self.values = {"id": self.queued, "slug": "command", "run_id": "20260217_171416__0e304dfc",
                       "bt_run_id": "bt_20260217_201717__e5ce1595"}
        for operation in self.operations:
            for name in operation.path_names:
                self.values.setdefault(name, "x")

    def state(self):
        """What must not change."""
        server = self.server
        files = {path: path.stat().st_mtime_ns for path in sorted(server.workspace.rglob("*"))
                 if ".runyard" not in path.parts and "jobs" not in path.parts}
        return (server.get("/api/jobs/recent?limit=500"), server.get("/api/admin/queue"),
                server.get("/api/admin/plugins"), files)

    def call(self, operation, role="admin", method=None, body=None, **headers):
        """The status; the request is right but for what the test changes."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if role in self.tokens:
            headers.setdefault("Authorization", f"Bearer {self.tokens[role]}")
        if operation.body is not None or body is not None:
            headers.setdefault("Content-Type", "application/json")
        status, answered, _ = head_of(self.server, method or operation.method,
                                      operation.at(self.values),
                                      operation.body if body is None else body, headers)
        assert not any(name.lower().startswith("access-control-") for name in answered), operation
        if status >= 400:
            assert answered["Content-Type"] == "application/problem+json", operation
        return status


def make(folder, plugin, auth):
    yard = Yard(folder / auth, plugin, auth)
    before = yard.state()
    yield yard
    try:
        after = yard.state()
        # The running job's log and duration go on by themselves.
        for state in (before, after):
            for job in state[0]:
                for name in ("duration_sec", "log_size", "seq", "progress"):
                    job.pop(name)
        for was, is_now in zip(before[0], after[0]):
            changed = {name: (was[name], is_now[name]) for name in was if was[name] != is_now[name]}
            assert not changed, (is_now["job_id"], changed)
        assert after == before, "a refused request had an effect"
    finally:
        yard.server.clear()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, command_plugin):
    yield from make(tmp_path_factory.mktemp("guarded"), command_plugin, "required")


@pytest.fixture(scope="module", params=["required", "auto"])
def yard(request, tmp_path_factory, command_plugin):
    """With tokens, and on loopback without."""
    if request.param == "required":
        yield request.getfixturevalue("guarded")
    else:
        yield from make(tmp_path_factory.mktemp("open"), command_plugin, "auto")


def test_without_a_token(guarded):
    for operation in guarded.operations:
        status = guarded.call(operation, role=None) if operation.role != "public" else 401
        assert status == 401, operation
        if operation.role != "public":
            # Not in a query, not as another scheme, and a cookie of another page counts nothing.
            token = guarded.tokens["admin"]
            assert guarded.call(operation, role=None, Authorization=f"Basic {token}") == 401
            assert guarded.call(operation, role=None, Cookie=f"runyard_token={token}",
                                Sec_Fetch_Site="cross-site") in (401, 403), operation


def test_with_too_low_a_role(guarded):
    for operation in guarded.operations:
        for role in ROLES:
            if operation.role in ROLES and ROLES.index(role) < ROLES.index(operation.role):
                assert guarded.call(operation, role=role) == 403, (operation, role)


def test_under_a_foreign_host(yard):
    for operation in yard.operations:
        for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000"):
            assert yard.call(operation, Host=host) == 421, (operation, host)


def test_from_a_foreign_page(yard):
    for operation in yard.operations:
        for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"},
                        {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"},
                        {"Sec_Fetch_Site": "cross-site", "Origin": "http://evil.example"}):
            if operation.changes or operation.is_stream:
                assert yard.call(operation, **headers) == 403, (operation, headers)


def test_through_a_proxy_that_nobody_configured(yard):
    for operation in yard.operations:
        for headers in ({"Forwarded": "for=1.2.3.4"}, {"X_Forwarded_For": "127.0.0.1"}):
            assert yard.call(operation, **headers) == 403, (operation, headers)


def test_with_a_body_that_a_form_can_send(yard):
    for operation in yard.operations:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            if operation.changes:
                assert yard.call(operation, body="{}", Content_Type=kind) == 415, (operation, kind)


def test_with_other_methods(yard):
    """A method that a path does not have does nothing, and HEAD is guarded like GET."""
    paths = {}
    for operation in yard.operations:
        paths.setdefault(operation.path, {})[operation.method] = operation
    for methods in paths.values():
        any_of_it = next(iter(methods.values()))
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - set(methods):
            if any_of_it.path == "/api/jobs/{id}" and method == "POST":
                continue  # the id would be a slug
            if any_of_it.path.startswith("/api/jobs/") and any_of_it.path.count("/") == 3:
                continue  # `recent` or a slug would be an id
            assert yard.call(any_of_it, method=method, body="{}") in (404, 405), (any_of_it, method)
        if "GET" in methods:
            assert yard.call(methods["GET"], method="HEAD", Host="evil.example") == 421
            if yard.tokens and methods["GET"].role != "public":
                assert yard.call(methods["GET"], method="HEAD", role=None) == 401


def test_the_same_requests_with_nothing_wrong_arrive(tmp_path, command_plugin):
    """So what was refused above was refused for the one thing that was wrong with it."""
    yard = Yard(tmp_path / "control", command_plugin, "required")
    try:
        for operation in yard.operations:
            role = operation.role if operation.role in ROLES else None
            assert yard.call(operation, role=role) not in (401, 403, 415, 421), operation
    finally:
        yard.server.clear()
