"""`runyard config` and `runyard doctor`: what they say of good and broken set-ups."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess

import pytest
from conftest import BUILD, eventually, make_workspace

RUNYARD = BUILD / "bin" / "runyard"


def run(*words, code=0, environment=None, program=RUNYARD):
    done = subprocess.run([str(program), *map(str, words)], capture_output=True, text=True, timeout=120,
                          env=dict(os.environ, NO_COLOR="1", **(environment or {})))
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return done


@pytest.fixture
def workspace(tmp_path):
    return make_workspace(tmp_path / "workspace")


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def configure(workspace, text):
    (workspace / "configs" / "runyard.yaml").write_text(text)


# ---- config ----

def test_config_check_tells_all_mistakes_with_their_lines(workspace):
    run("config", "check", "--workspace", workspace)
    configure(workspace, "queue:\n  slts: 2\n  gpus: [0, 0]\nserver: {port: many}\n")
    done = run("config", "check", "--workspace", workspace, code=2)
    lines = done.stderr.splitlines()
    assert len(lines) == 3, lines
    assert lines[0].endswith("line 2: unknown setting 'queue.slts'; did you mean 'slots'?")
    assert "line 3: 'queue.gpus' names 0 twice" in lines[1]
    assert "line 4: 'server.port' expects a whole number" in lines[2]
    report = json.loads(run("config", "check", "--workspace", workspace, "--json", code=2).stdout)
    assert report["ok"] is False and len(report["mistakes"]) == 3
    # The server refuses it with the same sentences.
    refused = run("serve", "--workspace", workspace, "--port", 0, code=2)
    assert "has 3 mistakes" in refused.stderr and "'queue.slts'" in refused.stderr


def test_a_truth_is_spelt_as_yaml_does(workspace):
    for text, value in (("true", True), ("True", True), ("TRUE", True), ("False", False)):
        configure(workspace, f"log: {{access: {text}}}\n")
        shown = json.loads(run("config", "show", "--workspace", workspace, "--json").stdout)
        assert shown["log.access"]["value"] is value
    configure(workspace, "log: {access: yes}\n")
    assert "expects true or false" in run("config", "check", "--workspace", workspace, code=2).stderr


def test_config_check_of_a_file(tmp_path):
    file = tmp_path / "other.yaml"
    file.write_text("queue: {slots: 1, groups: {a: 2}}\n")
    done = run("config", "check", file)
    assert done.stdout == f"{file}: ok\n" and "warning: " in done.stderr
    run("config", "check", tmp_path / "absent.yaml", code=2)
    run("config", "check", file, environment={"RUNYARD_QUEUE__SLOT": "1"}, code=2)
    run("config", "chck", code=2)


def test_config_show_is_a_configuration(workspace, tmp_path):
    configure(workspace, "queue: {slots: 3, groups: {'odd name: #': 2}}\n")
    environment = {"RUNYARD_QUEUE__GPUS": "1,0"}
    shown = run("config", "show", "--workspace", workspace, "--port", 9, environment=environment)
    assert "environment RUNYARD_QUEUE__GPUS" in shown.stdout and "option --port" in shown.stdout
    again = tmp_path / "again.yaml"
    again.write_text(shown.stdout)
    values = [{name: one["value"] for name, one in json.loads(done.stdout).items()} for done in (
        run("config", "show", "--json", "--workspace", workspace, "--port", 9, environment=environment),
        run("config", "show", "--json", "--workspace", workspace, "--config", again))]
    assert values[0] == values[1]
    assert values[0]["queue.gpus"] == [1, 0] and values[0]["server.port"] == 9


# ---- names and places ----

def test_a_mistyped_workspace_is_not_made(tmp_path):
    absent = tmp_path / "absent"
    for words in (("add", "ada", "--role", "admin"), ("ls",), ("revoke", "ada")):
        done = run("token", *words, "--workspace", absent, code=2)
        assert f"there is no folder {absent}" in done.stderr and not absent.exists()


def test_a_new_plugin_has_a_name_that_can_be_loaded(tmp_path):
    for name in ("recent", "batch"):
        done = run("plugin", "new", name, tmp_path / "new", code=2)
        assert "choose another" in done.stderr and not (tmp_path / "new").exists()


def test_an_address_of_another_machine(workspace, tmp_path):
    run("token", "add", "ada", "--role", "admin", "--workspace", workspace)
    done = run("serve", "--workspace", workspace, "--port", 0, "--host", "192.0.2.7", code=1)
    assert "--host takes an address of this machine" in done.stderr
    assert "another server" not in done.stderr


def test_the_address_that_is_printed_can_be_used(workspace):
    process = subprocess.Popen([str(RUNYARD), "serve", "--workspace", str(workspace), "--port", "0",
                                "--host", "::1"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        line = process.stdout.readline()
        url = re.search(r"http://\[::1\]:\d+", line)
        assert url, line
        run("ls", "--server", url[0])
    finally:
        process.terminate()
        process.communicate(timeout=60)


# ---- doctor ----

def doctor(workspace, *words, code=0, program=RUNYARD, environment=None):
    done = run("doctor", "--json", "--workspace", workspace, *words, code=code, program=program,
               environment=environment)
    report = json.loads(done.stdout)
    assert report["ok"] is (code == 0)
    for finding in report["findings"]:
        assert finding["health"] in ("ok", "note", "warning", "bad")
        assert finding["text"] and "\n" not in finding["text"]
        if finding["health"] in ("bad", "warning"):
            assert finding["mend"], finding
    return report["findings"]


def bad(findings):
    return {finding["check"]: finding for finding in findings if finding["health"] == "bad"}


def of(findings, check):
    return [finding for finding in findings if finding["check"] == check]


def test_doctor_finds_nothing_wrong(workspace, free_port):
    before = sorted(path for path in workspace.rglob("*") if "data" not in path.parts)
    findings = doctor(workspace, "--port", free_port)
    assert len(of(findings, "plugin")) == 4
    for check in ("config", "workspace", "git", "python", "state", "disk", "shim", "server", "access", "plugins",
                  "kernel", "open files", "inotify", "clock", "cgroup", "gpu"):
        assert of(findings, check), check
    assert sorted(path for path in workspace.rglob("*") if "data" not in path.parts) == before
    text = run("doctor", "--workspace", workspace, "--port", free_port).stdout
    assert len(text.splitlines()) == len(findings) + 1


def test_doctor_with_a_running_server(make_server, command_plugin):
    server = make_server(sample=True, plugin_dirs=[command_plugin]).start()
    words = ("--port", server.port, "--plugin-dir", command_plugin)
    findings = doctor(server.workspace, *words, code=1)
    assert "a server answers" in of(findings, "server")[0]["text"]
    # As the server sees it: the program of this plugin is not allowed.
    assert "program not allowed" in bad(findings)["plugin"]["text"]
    assert "no job type" in bad(findings)["plugins"]["text"]
    assert server.post("/api/admin/queue/drain").status == 200
    eventually(lambda: server.request("GET", "/readyz").status == 503)
    assert "draining" in bad(doctor(server.workspace, *words, code=1))["server"]["text"]


def test_doctor_names_a_port_that_is_taken(workspace):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))  # bound, and nobody listens
        found = bad(doctor(workspace, "--port", other.getsockname()[1], code=1))
    assert "another program" in found["server"]["text"] and "--port" in found["server"]["mend"]


def test_doctor_names_what_python_lacks(workspace, free_port):
    (workspace / "scripts" / "extra.py").write_text(
        "import no_such_module.part\nfrom another_missing import x\n"
        "try:\n    import optional_module\nexcept ImportError:\n    pass\n")
    found = [f for f in doctor(workspace, "--port", free_port, code=1) if f["health"] == "bad"]
    assert sorted(f["text"].split("'")[1] for f in found) == ["another_missing", "no_such_module"]
    assert "scripts/extra.py" in found[0]["text"] and "pip install" in found[0]["mend"]


@pytest.mark.parametrize("script, words", [
    ("exit 3", "exit code 3"), ("echo not json", "does not work"), ("sleep 1000", "did not answer within")])
def test_doctor_survives_a_bad_python(workspace, free_port, script, words):
    python = workspace / "bad python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    found = bad(doctor(workspace, "--port", free_port, code=1,
                       environment={"RUNYARD_WORKSPACE__PYTHON": str(python)}))
    assert list(found) == ["python"] and words in found["python"]["text"]


def test_doctor_without_a_python(workspace, free_port):
    found = bad(doctor(workspace, "--port", free_port, code=1,
                       environment={"RUNYARD_WORKSPACE__PYTHON": "no-such-python"}))
    assert "no Python interpreter" in found["python"]["text"]


def test_doctor_looks_at_folders_and_libraries(workspace, free_port, tmp_path):
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    plugins.chmod(0o777)
    (plugins / "broken.so").write_bytes(b"text")
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    state.chmod(0o777)
    findings = doctor(workspace, "--port", free_port, "--plugin-dir", plugins, "--state-dir", state, code=1)
    assert "no ELF library" in bad(findings)["plugin"]["text"]
    folder = [f for f in of(findings, "plugins") if "chmod" in f["mend"]]
    assert folder[0]["health"] == "bad"
    assert of(findings, "state")[0]["mend"].startswith("chmod")
    assert list(state.iterdir()) == []

    findings = doctor(workspace, "--port", free_port, "--state-dir", "/proc/none", code=1)
    assert "state" in bad(findings)
    shm = pathlib.Path("/dev/shm")
    if shm.is_dir():
        findings = doctor(workspace, "--port", free_port, "--state-dir", shm / "runyard-test")
        assert "tmpfs" in of(findings, "state")[0]["text"]


def test_doctor_says_what_a_server_that_others_reach_lacks(workspace, free_port, tmp_path):
    state = tmp_path / "state"
    words = ("--port", free_port, "--state-dir", state)
    assert of(doctor(workspace, *words), "access")[0]["health"] == "note"  # loopback
    asks = {"RUNYARD_SERVER__AUTH": "required"}
    assert "no token yet" in bad(doctor(workspace, *words, code=1, environment=asks))["access"]["text"]
    words += ("--host", "0.0.0.0")
    found = bad(doctor(workspace, *words, code=1))
    assert list(found) == ["access"] and "runyard token add" in found["access"]["text"], found
    assert not state.exists()  # it was looked at and not made
    run("token", "add", "ada", "--role", "admin", "--workspace", workspace, "--state-dir", state)
    assert of(doctor(workspace, *words), "access")[0]["health"] == "ok"
    (state / "tokens.json").parent.chmod(0o770)
    assert "access" in bad(doctor(workspace, *words, code=1))
    # As the server itself says.
    done = run("serve", "--workspace", workspace, *words, code=1)
    assert "other users" in done.stderr


def test_doctor_misses_the_shim_and_the_workspace(workspace, free_port, tmp_path):
    alone = tmp_path / "bin" / "runyard"
    alone.parent.mkdir()
    shutil.copy(RUNYARD, alone)
    found = bad(doctor(workspace, "--port", free_port, "--plugin-dir", BUILD / "plugins", code=1,
                       program=alone))
    assert list(found) == ["shim"]
    assert "workspace" in bad(doctor(tmp_path / "absent", "--port", free_port, code=1))


def test_doctor_goes_on_after_a_wrong_configuration(workspace, free_port):
    configure(workspace, "queue: {slts: 1, gpus: [7]}\n")
    findings = doctor(workspace, "--port", free_port, code=1)
    assert "did you mean 'slots'" in bad(findings)["config"]["text"]
    assert of(findings, "plugin") and of(findings, "gpu")[0]["health"] in ("warning", "bad")
