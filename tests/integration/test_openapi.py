"""GET /api/openapi.json is valid, has every loaded job type, and says what the server does. (That
every answer of every test here is as documented is checked at each module's end: conftest.py.)"""

import json
import shutil

import pytest

import api_document
from conftest import BUILD, eventually

ALLOW = 'plugins: {allow: ["scripts.*", "/bin/sh"]}\njobs: {grace_sec: 1, retry_backoff_sec: 60}\n'
COMMAND = {"script": "echo value=1; echo step 1/2; sleep 30", "label": "x"}


@pytest.fixture
def make_command_server(make_server, tmp_path):
    """A server whose jobs run any shell text."""
    def make(plugin_dir, **options):
        workspace = tmp_path / "workspace"
        (workspace / "configs").mkdir(parents=True)
        (workspace / "configs" / "runyard.yaml").write_text(ALLOW)
        return make_server(workspace=workspace, plugin_dirs=[plugin_dir], **options).start()
    return make


def test_it_is_valid_and_has_the_shipped_job_types(server):
    document = server.get("/api/openapi.json")
    assert document["openapi"].startswith("3.1")
    api_document.check(document)
    for slug in ("train", "backtest", "eval-metrics", "index-runs"):
        operation = document["paths"][f"/api/jobs/{slug}"]["post"]
        content = operation["requestBody"]["content"]["application/json"]
        name = content["schema"]["$ref"].split("/")[-1]
        schema = document["components"]["schemas"][name]
        job_type = server.get(f"/api/job-types/{slug}")
        assert set(schema["properties"]) == set(job_type["input_schema"].get("properties", {})) | {"_job"}
        assert [each["value"] for each in content["examples"].values()] == job_type["examples"]


def test_a_plugin_more_is_a_path_more(make_command_server, tmp_path, command_plugin):
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    server = make_command_server(plugins)
    before = server.get("/api/openapi.json")
    assert "/api/jobs/command" not in before["paths"]
    shutil.copy(command_plugin / "command.so", plugins)
    assert server.post("/api/admin/plugins/rescan").status == 200
    after = server.get("/api/openapi.json")
    assert set(after["paths"]) - set(before["paths"]) >= {"/api/jobs/command"}
    api_document.check(after)
    (plugins / "command.so").unlink()
    assert server.post("/api/admin/plugins/rescan").status == 200
    assert server.get("/api/openapi.json") == before


def test_every_field_of_a_job_in_every_state(make_command_server, command_plugin):
    """The check at the module's end has these answers to compare."""
    server = make_command_server(command_plugin, options=["--slots", "1"])
    done = server.submit("command", {"script": "echo value=1; echo step 2/2", "label": "x",
                                     "_job": {"group": "g", "name": "n", "priority": 2}})
    done = server.wait(done["job_id"])
    assert done["links"] and done["usage"] and done["progress"] and done["artifacts_hint"]
    failed = server.submit("command", {"script": "exit 3", "_job": {"max_retries": 1}})
    eventually(lambda: server.job(failed["job_id"])["not_before"], what="the pause before a retry")
    running = server.submit("command", {**COMMAND, "_job": {"priority": 9}})
    server.wait(running["job_id"], until={"RUNNING"})
    waiting = server.submit("command", {"script": "true", "_job": {"after": [running["job_id"]]}})
    assert server.request("PATCH", f"/api/jobs/{waiting['job_id']}",
                          {"tags": ["a"], "note": "b"}).status == 200
    assert server.get("/api/admin/queue")["waiting"]
    assert len(server.post("/api/jobs/batch", {
        "type": "command", "params": {"script": "true"}, "matrix": {"label": ["a", "b"]}}).json) == 2
    for path in ("/api/jobs/recent", f"/api/jobs/{running['job_id']}/log",
                 f"/api/jobs/{running['job_id']}/log?tail=10", "/api/job-types",
                 "/api/job-types/command", "/api/admin/plugins", "/api/version", "/healthz",
                 "/api/openapi.json", "/docs"):
        assert server.request("GET", path).status == 200, path
    assert server.post(f"/api/jobs/{running['job_id']}/cancel").status == 202
    assert server.wait(running["job_id"])["status"] == "CANCELLED"
    assert server.post(f"/api/jobs/{running['job_id']}/cancel").status == 409
    assert server.post(f"/api/jobs/{done['job_id']}/rerun").status == 201
    assert server.request("DELETE", f"/api/jobs/{running['job_id']}").status == 204
    assert server.wait(waiting["job_id"])["end_reason"] == "dependency"


def test_a_wrong_answer_is_seen(server):
    """The check is one: a field more, a field less and another type are mistakes."""
    document = server.get("/api/openapi.json")
    queue = server.get("/api/admin/queue")
    for change in ({"more": 1}, {"mode": 1}, {"queued": None}):
        answer = {"operation": "GET /api/admin/queue", "status": 200,
                  "content_type": "application/json", "body": json.dumps({**queue, **change})}
        with pytest.raises(AssertionError):
            api_document.check(document, [answer])
    del queue["slots"]["used"]
    for status, content_type in ((200, "application/json"), (299, "application/json"),
                                 (200, "text/html")):
        with pytest.raises(AssertionError):
            api_document.check(document, [{"operation": "GET /api/admin/queue", "status": status,
                                           "content_type": content_type, "body": json.dumps(queue)}])


def test_the_page_needs_nothing_from_elsewhere(server):
    page = server.request("GET", "/docs")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    script = server.request("GET", "/docs/page.js")
    assert script.headers["Content-Type"].startswith("text/javascript")
    for text in (page.text, script.text):
        assert "//" not in text.replace("https://json-schema.org", ""), "an address elsewhere"
    assert "<script>" not in page.text and "style=" not in page.text  # the policy refuses them
    assert "openapi.json" in page.text  # what is seen without the files of the page
