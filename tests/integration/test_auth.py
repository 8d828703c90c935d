"""Who may call: tokens, roles, cookies, proxies and the audit log, against real servers."""

import http.client
import json
import os
import re
import subprocess
import time

import pytest

from conftest import BUILD, Server
from event_stream import EventStream

RUNYARD = BUILD / "bin" / "runyard"
EVERYONE = (None, "viewer", "operator", "admin")


def token(server, *args, fails=False):
    """`runyard token ...` for this server; what it printed."""
    done = subprocess.run([RUNYARD, "token", *args, "--workspace", server.workspace,
                           "--state-dir", server.state], capture_output=True, text=True)
    assert (done.returncode != 0) == fails, done.stderr
    return done.stderr if fails else done.stdout


def audit(server):
    return [json.loads(line) for line in (server.state / "audit.log").read_text().splitlines()]


def bearer(text, **more):
    return {"Authorization": f"Bearer {text}", **more}


class Guarded:
    """A server that asks for tokens, with one of each role."""

    def __init__(self, server):
        self.server = server
        self.tokens = {role: token(server, "add", f"a-{role}", "--role", role).strip()
                       for role in EVERYONE if role}

    def status(self, role, method, path, body=None, **headers):
        if role:
            headers.update(bearer(self.tokens[role]))
        return self.server.request(method, path, body, headers).status


def guarded(workspace, options=(), configuration="", plugin=None):
    workspace.mkdir()
    (workspace / "configs").mkdir()
    (workspace / "configs" / "runyard.yaml").write_text(
        f"server:\n  auth: required\n{configuration}plugins:\n  allow: [/bin/sh]\n")
    server = Server(workspace, options=options, plugin_dirs=[plugin] if plugin else ())
    made = Guarded(server)
    server.start()
    return made


@pytest.fixture(scope="module")
def yard(tmp_path_factory, command_plugin):
    made = guarded(tmp_path_factory.mktemp("guarded") / "workspace", plugin=command_plugin)
    yield made
    made.server.stop()


@pytest.fixture
def make_yard(tmp_path, command_plugin):
    made = []

    def make(**options):
        made.append(guarded(tmp_path / f"yard{len(made)}", plugin=command_plugin, **options))
        return made[-1]

    yield make
    for each in made:
        each.server.stop()


def test_roles_on_real_routes(yard):
    job = yard.server.request("POST", "/api/jobs/command", {"script": "true"},
                              bearer(yard.tokens["operator"]))
    assert job.status == 201, job.text
    path = f"/api/jobs/{job.json['job_id']}"
    for method, route, body, needs, reached in [
            ("GET", "/api/jobs/recent", None, "viewer", 200),
            ("GET", path, None, "viewer", 200),
            ("GET", f"{path}/log", None, "viewer", 200),
            ("GET", "/api/admin/queue", None, "viewer", 200),
            ("POST", "/api/jobs/command", {"script": 1}, "operator", 422),
            ("POST", f"{path}/rerun", {"params": 1}, "operator", 422),
            ("PATCH", path, {"note": "x"}, "operator", 200),
            ("POST", "/api/admin/queue/pause", None, "admin", 200),
            ("POST", "/api/admin/queue/resume", None, "admin", 200),
            ("POST", "/api/admin/plugins/rescan", None, "admin", 200)]:
        for role in EVERYONE:
            expected = (401 if role is None else
                        reached if EVERYONE.index(role) >= EVERYONE.index(needs) else 403)
            assert yard.status(role, method, route, body) == expected, (role, method, route)


def test_what_does_not_exist_is_told_to_those_who_are_signed_in(yard):
    for method, path in [("GET", "/api/nothing"), ("POST", "/api/jobs/recent/x/y/z"),
                         ("PUT", "/api/jobs/recent"), ("DELETE", "/api/jobs/job_x"),
                         ("GET", "/api/jobs/%zz"), ("GET", "/api/jobs/recent?a=%zz")]:
        assert yard.status(None, method, path) == 401, path
        assert yard.status("admin", method, path) in (400, 404, 405), path
    assert yard.status(None, "GET", "/healthz") == 200


def test_a_refusal_says_what_to_do(yard):
    reply = yard.server.request("GET", "/api/jobs/recent")
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert "runyard token add" in reply.json["detail"]
    assert reply.json["title"] == "Sign in first"


def test_a_token_is_revoked_at_once(make_yard):
    yard = make_yard()
    assert yard.status("operator", "GET", "/api/jobs/recent") == 200
    token(yard.server, "revoke", "a-operator")
    assert yard.status("operator", "GET", "/api/jobs/recent") == 401
    assert yard.status("admin", "GET", "/api/jobs/recent") == 200
    # And one that is made while the server runs counts at once.
    text = token(yard.server, "add", "late", "--role", "viewer", "--expires", "1").strip()
    assert yard.server.request("GET", "/api/jobs/recent", headers=bearer(text)).status == 200


def test_the_streams_of_a_revoked_token_end(make_yard):
    """A stream of events, one of a log that is printed to, and one of a log that is silent."""
    yard = make_yard(options=["--slots", "2"])
    server = yard.server
    server.headers = bearer(yard.tokens["admin"])
    talks, sleeps = (server.submit("command", {"script": script})["job_id"] for script in (
        "while sleep 0.1; do echo talk; done", "echo asleep; sleep 600"))
    for job_id in (talks, sleeps):
        server.wait(job_id, until={"RUNNING"})
    paths = ["/api/events", f"/api/jobs/{talks}/log/stream", f"/api/jobs/{sleeps}/log/stream"]
    cookie = {"Cookie": "runyard_token=" + yard.tokens["viewer"]}
    streams = [EventStream(server, path, headers=headers)
               for path in paths for headers in (bearer(yard.tokens["viewer"]), cookie)]
    stays = EventStream(server, paths[1], headers=bearer(yard.tokens["operator"]))
    for stream in (*streams[2:], stays):
        assert stream.status == 200 and "text" in stream.next().json
    token(server, "revoke", "a-viewer")
    # Whoever gets something new is looked at within two seconds, the others with their heartbeat.
    begin = time.monotonic()
    for stream, limit in zip(streams, (8, 8, 8, 8, 25, 25)):
        while (event := stream.next()) is not None:
            assert event.kind not in ("end", "shutdown"), event
            assert time.monotonic() - begin < limit, stream
            server.request("PATCH", f"/api/jobs/{sleeps}", {"note": str(begin)})  # an event
        stream.close()
    assert time.monotonic() - begin < 25
    assert "talk" in stays.next().json["text"]
    stays.close()
    again = server.request("GET", paths[1], headers=bearer(yard.tokens["viewer"]))
    assert again.status == 401
    for job_id in (talks, sleeps):
        server.post(f"/api/jobs/{job_id}/cancel")
        server.wait(job_id)


def test_the_commands_of_tokens(tmp_path):
    server = Server(tmp_path / "w", state=tmp_path / "s")
    server.workspace.mkdir()
    made = subprocess.run([RUNYARD, "token", "add", "ada", "--role", "admin", "--workspace",
                           server.workspace, "--state-dir", server.state],
                          capture_output=True, text=True)
    assert re.fullmatch(r"ryd_[0-9a-f]{64}\n", made.stdout), "the token alone: it can go to a file"
    assert made.stdout.strip() not in made.stderr and "only time" in made.stderr
    assert (server.state / "tokens.json").stat().st_mode & 0o777 == 0o600
    assert made.stdout.strip()[4:] not in (server.state / "tokens.json").read_text()
    assert "already" in token(server, "add", "ada", "--role", "viewer", fails=True)
    assert "viewer" in token(server, "add", "bob", "--role", "boss", fails=True)
    assert "ada" in token(server, "ls") and "never" in token(server, "ls")
    assert json.loads(token(server, "ls", "--json"))[0]["role"] == "admin"
    assert "no token 'bob'" in token(server, "revoke", "bob", fails=True)
    token(server, "revoke", "ada")
    assert json.loads(token(server, "ls", "--json")) == []
    assert [line["what"] for line in audit(server)] == ["token add ada admin", "token revoke ada"]


def test_a_session_in_a_cookie(yard):
    server = yard.server
    document = server.request("GET", "/api/session").json
    assert document == {"auth_required": True, "authenticated": False, "role": None, "name": None}
    reply = server.request("POST", "/api/session", {"token": yard.tokens["operator"]})
    assert reply.status == 200 and reply.json["role"] == "operator"
    cookie = reply.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    kept = {"Cookie": "other=1; " + cookie.split(";")[0]}
    assert server.request("GET", "/api/session", headers=kept).json["name"] == "a-operator"
    assert server.request("GET", "/api/jobs/recent", headers=kept).status == 200
    assert server.request("POST", "/api/admin/queue/pause", headers=kept).status == 403
    # A page elsewhere cannot use it, not even one of another port of this host.
    for strange in ({"Origin": "http://127.0.0.1:1"}, {"Sec-Fetch-Site": "same-site"}):
        assert server.request("GET", "/api/jobs/recent", headers={**kept, **strange}).status == 401
        assert server.request("POST", "/api/jobs/command", {"script": "true"},
                              {**kept, **strange}).status == 403
    out = server.request("DELETE", "/api/session", headers=kept)
    assert out.status == 200 and "Max-Age=0" in out.headers["Set-Cookie"]
    # A wrong one is taken back, so that the browser does not go on sending it.
    wrong = server.request("GET", "/api/jobs/recent", headers={"Cookie": "runyard_token=ryd_0"})
    assert wrong.status == 401 and "Max-Age=0" in wrong.headers["Set-Cookie"]


def test_signing_in_needs_an_own_page_and_json(yard):
    body = json.dumps({"token": yard.tokens["admin"]})
    for headers, status in [({"Origin": "http://evil.example"}, 403),
                            ({"Sec-Fetch-Site": "cross-site"}, 403),
                            ({"Content-Type": "text/plain"}, 415),
                            ({"Host": "evil.example"}, 421)]:
        assert yard.server.request("POST", "/api/session", body, headers).status == status


def test_guessing_is_limited(make_yard):
    yard = make_yard()
    statuses = [yard.server.request("POST", "/api/session", {"token": f"ryd_{i}"}).status
                for i in range(15)]
    assert statuses[:10] == [401] * 10 and statuses[-1] == 429
    refused = yard.server.request("POST", "/api/session", {"token": yard.tokens["admin"]})
    assert refused.status == 429 and int(refused.headers["Retry-After"]) >= 1
    assert yard.server.request("GET", "/api/jobs/recent", headers=bearer("ryd_0")).status == 429
    # Who has a right token is not locked out by others at the same address.
    assert yard.status("viewer", "GET", "/api/jobs/recent") == 200
    failed = [line for line in audit(yard.server) if line["what"] == "sign in"]
    assert len(failed) == statuses.count(401)
    assert {(line["who"], line["status"], line["from"]) for line in failed} == {
        (None, 401, "127.0.0.1")}


def test_the_chain_comes_before_the_token(yard):
    good = bearer(yard.tokens["admin"])
    for headers, status in [({"Host": "evil.example"}, 421),
                            ({"X-Forwarded-For": "1.2.3.4"}, 403),
                            ({"Forwarded": "for=1.2.3.4"}, 403)]:
        assert yard.server.request("GET", "/api/jobs/recent", headers={**good, **headers}).status \
            == status
        assert yard.server.request("GET", "/api/nothing", headers=headers).status == status
    assert yard.server.request("POST", "/api/jobs/command", '{"script": "true"}',
                               {**good, "Content-Type": "text/plain"}).status == 415
    assert yard.server.request("POST", "/api/jobs/command", {"script": "true"},
                               {**good, "Origin": "http://evil.example"}).status == 403


def test_the_audit_log(make_yard):
    yard = make_yard()
    server = yard.server
    yard.status("viewer", "GET", "/api/jobs/recent")
    made = server.request("POST", "/api/jobs/command", {"script": "true"},
                          bearer(yard.tokens["operator"]))
    job_id = made.json["job_id"]
    batch = server.request("POST", "/api/jobs/batch",
                           {"type": "command", "params": {}, "matrix": {"script": ["true", "id"]}},
                           bearer(yard.tokens["operator"]))
    yard.status("viewer", "POST", f"/api/jobs/{job_id}/cancel")
    yard.status(None, "POST", f"/api/jobs/{job_id}/cancel")
    lines = [line for line in audit(server) if line["from"]]
    assert [(line["who"], line["what"], line["status"], line.get("job_ids")) for line in lines] == [
        ("a-operator", "POST /api/jobs/command", 201, [job_id]),
        ("a-operator", "POST /api/jobs/batch", 201, [job["job_id"] for job in batch.json]),
        ("a-viewer", f"POST /api/jobs/{job_id}/cancel", 403, [job_id])]
    assert (server.state / "audit.log").stat().st_mode & 0o777 == 0o600
    text = (server.state / "audit.log").read_text() + server.log_text()
    assert not any(secret in text for secret in yard.tokens.values())


def test_without_tokens_the_audit_log_says_local(make_server, command_plugin):
    server = make_server(plugin_dirs=[command_plugin])
    server.workspace.joinpath("configs").mkdir()
    (server.workspace / "configs/runyard.yaml").write_text("plugins: {allow: [/bin/sh]}\n")
    server.start()
    job = server.submit("command", {"script": "true"})
    assert [(line["who"], line["job_ids"]) for line in audit(server)] == [("local",
                                                                          [job["job_id"]])]
    assert server.get("/api/session") == {"auth_required": False, "authenticated": True,
                                          "role": "admin", "name": "local"}


def test_a_trusted_proxy(make_yard):
    yard = make_yard(configuration="  trusted_proxies: [127.0.0.1]\n"
                                   "  allowed_hosts: [lab.example]\n")
    proxied = {"Host": "127.0.0.1", "X-Forwarded-For": "8.8.8.8, 192.0.2.9",
               "X-Forwarded-Proto": "https", "X-Forwarded-Host": "lab.example"}

    def request(method, path, body=None, **headers):
        return yard.server.request(method, path, body, {**proxied, **headers})

    reply = request("POST", "/api/session", {"token": yard.tokens["operator"]},
                    Origin="https://lab.example")
    assert reply.status == 200 and "Secure" in reply.headers["Set-Cookie"].split("; ")
    cookie = reply.headers["Set-Cookie"].split(";")[0]
    assert request("POST", "/api/jobs/command", {"script": "true"}, Cookie=cookie,
                   Origin="https://lab.example").status == 201
    assert audit(yard.server)[-1]["from"] == "192.0.2.9"
    assert request("POST", "/api/jobs/command", {"script": "true"}, Cookie=cookie,
                   Origin="http://lab.example").status == 403
    assert request("GET", "/api/jobs/recent", **{"X-Forwarded-Host": "evil.example"}).status == 421
    # Each client behind the proxy has its own attempts.
    for i in range(12):
        last = request("POST", "/api/session", {"token": "ryd_0"})
    assert last.status == 429
    elsewhere = {**proxied, "X-Forwarded-For": "192.0.2.10"}
    assert yard.server.request("POST", "/api/session", {"token": "ryd_0"}, elsewhere).status == 401


def refusal(workspace, *options, environment=None):
    """The sentence with which a server refuses to start."""
    done = subprocess.run([RUNYARD, "serve", "--workspace", workspace, "--port", "0", *options],
                          capture_output=True, text=True, timeout=60,
                          env={**os.environ, **(environment or {})})
    assert done.returncode != 0
    return done.stderr


def test_it_does_not_listen_beyond_loopback_without_tokens(tmp_path):
    for host in ("0.0.0.0", "::"):
        said = refusal(tmp_path, "--host", host)
        assert "runyard token add NAME --role admin" in said and "ssh -L" in said
    for setting in ({"RUNYARD_SERVER__AUTH": "required"},
                    {"RUNYARD_SERVER__TRUSTED_PROXIES": "10.0.0.1"}):
        assert "there is no token yet" in refusal(tmp_path, environment=setting)
    assert "10.0.0.0/33" in refusal(
        tmp_path, environment={"RUNYARD_SERVER__TRUSTED_PROXIES": "10.0.0.0/33"})


def test_it_does_not_listen_beyond_loopback_on_what_others_can_write(tmp_path):
    workspace, state, plugins = (tmp_path / name for name in ("w", "s", "p"))
    for folder in (workspace, plugins):
        folder.mkdir(mode=0o755)
    server = Server(workspace, state=state, plugin_dirs=[plugins], options=["--host", "0.0.0.0"])
    text = token(server, "add", "ada", "--role", "admin").strip()
    options = ("--host", "0.0.0.0", "--state-dir", state, "--plugin-dir", plugins)
    for folder in (state, plugins):
        mode = folder.stat().st_mode & 0o777
        folder.chmod(0o777)
        assert f"chmod go-w '{folder}'" in refusal(workspace, *options)
        folder.chmod(mode)
    (plugins / "libx.so").write_bytes(b"")
    (plugins / "libx.so").chmod(0o666)
    assert "libx.so" in refusal(workspace, *options)
    (plugins / "libx.so").unlink()
    server.start()
    try:
        # Any address in numbers is its own, a foreign name is not; and nothing goes without a token.
        for host, status in [("192.0.2.7:8000", 401), ("evil.example", 421)]:
            assert server.request("GET", "/api/jobs/recent", headers={"Host": host}).status == status
        assert server.request("GET", "/api/jobs/recent", headers=bearer(text)).status == 200
    finally:
        server.stop()


def test_on_loopback_a_folder_that_others_can_write_is_their_own_affair(make_server):
    server = make_server()
    server.state.mkdir(mode=0o777)
    server.state.chmod(0o777)
    server.start()


def test_the_commands_bring_their_token(yard, tmp_path):
    home = tmp_path / "home"
    (home / ".config/runyard").mkdir(parents=True)

    def run(*args, **environment):
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("RUNYARD", "XDG"))}
        return subprocess.run([RUNYARD, *args], capture_output=True, text=True, timeout=60,
                              env={**clean, "HOME": str(home), "RUNYARD_SERVER": yard.server.url,
                                   **environment})

    refused = run("ls")
    assert refused.returncode == 1
    assert "~/.config/runyard/token" in refused.stderr and "RUNYARD_TOKEN" in refused.stderr
    assert run("ls", RUNYARD_TOKEN=yard.tokens["viewer"]).returncode == 0
    file = home / ".config/runyard/token"
    file.write_text(yard.tokens["operator"] + "\n")
    file.chmod(0o644)
    open_to_others = run("ls")
    assert open_to_others.returncode != 0 and "chmod 600" in open_to_others.stderr
    file.chmod(0o600)
    assert run("ls").returncode == 0
    # The option goes before the variable, the variable before the file.
    assert run("ls", RUNYARD_TOKEN="ryd_0").returncode == 1
    assert run("ls", "--token", yard.tokens["viewer"], RUNYARD_TOKEN="ryd_0").returncode == 0
    too_low = run("pause")
    assert too_low.returncode == 1 and "'admin'" in too_low.stderr
    everything = "".join(done.stdout + done.stderr for done in (refused, open_to_others, too_low))
    assert not any(secret in everything for secret in yard.tokens.values())


def test_a_title_for_each_status_whoever_answers(yard):
    """What the HTTP layer refuses by itself, and what the API refuses, is named alike."""
    titles = {413: "Request too large", 414: "Address too long", 501: "Not implemented"}
    connection = http.client.HTTPConnection(yard.server.host, yard.server.port, timeout=30)
    for path, status in [("/" + "a" * 5000, 414)]:
        connection.request("GET", path)
        reply = connection.getresponse()
        assert reply.status == status
        assert json.loads(reply.read())["title"] == titles[status]
    connection.close()
    connection.request("POST", "/api/jobs/command", headers={
        "Content-Length": str(2 << 20), "Content-Type": "application/json"})
    reply = connection.getresponse()
    assert (reply.status, json.loads(reply.read())["title"]) == (413, titles[413])
    connection.close()
