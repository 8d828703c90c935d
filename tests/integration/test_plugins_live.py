"""Plugins that come, change and go while the server runs; and the commands for their authors."""

import json
import os
import shutil
import subprocess
import threading
import time

import pytest
from conftest import BUILD, eventually
from event_stream import EventStream, ready

RUNYARD = BUILD / "bin" / "runyard"
TEST_PLUGINS = BUILD / "test-plugins"


def plugin(server, name):
    for one in server.get("/api/admin/plugins"):
        if one["path"].endswith("/" + name):
            return one
    return None


def offers(server, *wanted):
    """Waits until exactly these job types are offered."""
    try:
        eventually(lambda: slugs(server) == list(wanted))
    except AssertionError:
        raise AssertionError((wanted, server.get("/api/admin/plugins"), server.log_text()[-3000:])) from None


def slugs(server):
    return [one["slug"] for one in server.get("/api/job-types")]


def run(*words, code=0, folder=None):
    done = subprocess.run([str(RUNYARD), *map(str, words)], capture_output=True, text=True, timeout=300,
                          cwd=folder, env=dict(os.environ, NO_COLOR="1"))
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return done


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "plugins"
    made.mkdir()
    return made


def told(stream):
    """Waits until the server says that its plugins are others now."""
    stream.until(lambda event: event.kind == "plugins_changed")


def test_a_library_that_comes_changes_or_goes_is_noticed_within_a_second(make_server, folder):
    server = make_server(plugin_dirs=[folder]).start()
    assert slugs(server) == []
    file, took = folder / "scripted.so", []
    with ready(EventStream(server, "/api/events")) as stream:
        for version in ("1.0.0", "2.0.0") * 2:
            shutil.copy(TEST_PLUGINS / ("scripted.so" if version == "1.0.0" else "scripted_v2.so"), file)
            begun = time.monotonic()
            told(stream)
            took.append(time.monotonic() - begun)
            assert server.get("/api/job-types/scripted")["version"] == version
        assert "/api/jobs/scripted" in server.get("/api/openapi.json")["paths"]
        file.unlink()
        begun = time.monotonic()
        told(stream)
        took.append(time.monotonic() - begun)
        assert slugs(server) == []
        assert plugin(server, "scripted.so")["state"] == "removed"
    # The quickest of five: a machine that is busy for a moment does not count.
    assert min(took) < 1, took


SOUND = {"scripted", "scripted_v2", "same_slug", "other_type", "slow_in_describe", "plain_c"}


def test_broken_libraries_are_listed_and_hurt_nobody(make_server, folder):
    shutil.copy(BUILD / "test-plugins" / "command" / "command.so", folder)
    server = make_server(plugin_dirs=[folder], environment={
        "RUNYARD_PLUGINS__ALLOW": "['/bin/sh', 'scripts.*']"}).start()
    pid = server.process.pid
    running = server.submit("command", {"script": "while [ ! -e ended ]; do sleep 0.1; done; echo to the end"})
    server.wait(running["job_id"], until={"RUNNING"})

    whole = (TEST_PLUGINS / "scripted.so").read_bytes()
    files = {
        "text": (b"#!/bin/sh\necho hello\n", "the file is no ELF library"),
        "empty": (b"", "the file is empty"),
        "truncated": (whole[:len(whole) // 2], "the file is incomplete: copy it again"),
        "arm": (whole[:18] + b"\xb7\x00" + whole[20:], "the library is for another kind of machine"),
        "torn": (whole[:64] + bytes(len(whole) // 2) + whole[64 + len(whole) // 2:], "it"),
    }
    for name, (content, _) in files.items():
        (folder / f"{name}.so").write_bytes(content)
    # Their exact reasons are in the contract tests.
    broken = {path.stem for path in TEST_PLUGINS.glob("*.so")} - SOUND
    assert len(broken) > 15
    for name in broken:
        shutil.copy(TEST_PLUGINS / f"{name}.so", folder)
    shutil.copy(TEST_PLUGINS / "plain_c.so", folder / "zz_good.so")  # the last to be tried
    # What is half written may be completed yet, for ten seconds; who asks is told at once.
    assert server.post("/api/admin/plugins/rescan").status == 200
    for name in {*files, *broken}:
        listed = plugin(server, f"{name}.so")
        assert listed["state"] == "quarantined" and len(listed["reason"]) > 10, listed
        assert name not in files or files[name][1] in listed["reason"], listed
    assert "undefined symbol" in plugin(server, "missing_dependency.so")["reason"]
    assert "tried again" in plugin(server, "loop_in_describe.so")["reason"]
    assert slugs(server) == ["command", "plain-c"]
    assert server.job(running["job_id"])["status"] == "RUNNING"
    (server.workspace / "ended").touch()
    assert server.wait(running["job_id"])["status"] == "SUCCESS"
    assert "to the end" in server.log_of(running["job_id"])
    assert server.process.poll() is None and server.process.pid == pid
    assert server.post("/api/jobs/plain-c").status == 201


def test_the_configuration_is_read_again_for_what_plugins_may_run(make_server, folder):
    shutil.copy(BUILD / "test-plugins" / "command" / "command.so", folder)
    server = make_server(plugin_dirs=[folder])
    (server.workspace / "configs").mkdir()
    file = server.workspace / "configs" / "runyard.yaml"
    file.write_text("plugins: {allow: ['scripts.*']}\n")
    server.start()
    reason = plugin(server, "command.so")["reason"]
    line = reason.split("write in the configuration: ")[1]
    file.write_text("plugins: {allw: 1}\n")  # a mistake is told, and changes nothing
    eventually(lambda: "did you mean 'allow'" in server.log_text())
    file.write_text(line + "\n")
    offers(server, "command")
    assert "read again" in server.log_text()


def test_copying_over_a_library_in_use_hurts_nobody(make_server, folder):
    versions = [TEST_PLUGINS / "scripted.so", TEST_PLUGINS / "scripted_v2.so"]
    shutil.copy(versions[0], folder / "scripted.so")
    server = make_server(plugin_dirs=[folder]).start()
    server.post("/api/admin/queue/pause")
    pid, stop, answers = server.process.pid, threading.Event(), []

    def submit():
        while not stop.is_set():
            reply = server.post("/api/jobs/scripted", {"do": "ok"})
            answers.append((reply.status, reply.text))

    clients = [threading.Thread(target=submit) for _ in range(2)]
    for client in clients:
        client.start()
    for turn in range(100):
        subprocess.run(["cp", str(versions[turn % 2]), str(folder / "scripted.so")], check=True)
        time.sleep(0.03)  # others use it meanwhile
    stop.set()
    for client in clients:
        client.join()
    assert server.process.poll() is None and server.process.pid == pid
    assert {status for status, _ in answers} <= {201, 503}, [a for a in answers if a[0] not in (201, 503)][:3]
    assert all("plugin" in json.loads(text)["detail"] for status, text in answers if status == 503)
    assert sum(status == 201 for status, _ in answers) > 20
    eventually(lambda: server.get("/api/job-types/scripted")["version"] == "2.0.0")


@pytest.mark.parametrize("action", ["crash", "loop", "bomb"])
def test_a_bad_plugin_costs_its_requests_and_then_its_place(make_server, folder, action):
    shutil.copy(TEST_PLUGINS / "scripted.so", folder)
    shutil.copy(BUILD / "plugins" / "index_runs.so", folder)
    server = make_server(plugin_dirs=[folder]).start()
    server.post("/api/admin/queue/pause")
    others = []

    def go_on():
        others.extend(server.post("/api/jobs/index-runs").status for _ in range(5))

    for turn in range(3):
        client = threading.Thread(target=go_on)  # meanwhile
        client.start()
        asked = time.monotonic()
        reply = server.post("/api/jobs/scripted", {"do": action})
        assert reply.status == 500 and "scripted" in reply.json["detail"], (turn, reply.text)
        assert time.monotonic() - asked < 20  # two seconds, on a machine that is not busy
        client.join()
    assert others == [201] * 15
    assert server.post("/api/jobs/scripted", {"do": "ok"}).status in (404, 503)
    assert plugin(server, "scripted.so")["state"] == "quarantined"
    assert "3 times" in plugin(server, "scripted.so")["reason"]
    assert server.process.poll() is None


# ---- For authors ----

def rules(file, *words, code=0):
    report = json.loads(run("plugin", "check", file, "--json", *words, code=code).stdout)
    assert report["ok"] is (code == 0)
    return {rule["rule"]: rule for rule in report["rules"]}


def test_check_holds_the_shipped_plugins_to_every_rule():
    for name in ("train", "backtest", "eval_metrics", "index_runs"):
        found = rules(BUILD / "plugins" / f"{name}.so", "--tries", "300")
        assert [rule["state"] for rule in found.values()] == ["ok"] * len(found), found
        assert set(found) == {"file", "abi", "describe", "descriptor", "schema", "examples", "argv",
                              "arguments", "repeatable", "program", "random"}


@pytest.mark.parametrize("library, rule, words", [
    ("no_symbol", "abi", "does not export"),
    ("missing_dependency", "abi", "undefined symbol"),
    ("crash_in_describe", "describe", "crashed"),
    ("garbage_descriptor", "descriptor", "not JSON"),
    ("example_does_not_fit", "examples", "does not fit"),
    ("crash_on_example", "argv", "crashed"),
    ("undeclared_flag", "arguments", "declared flags"),
    ("random_arguments", "repeatable", "another command each time"),
    ("scripted", "random", "its inputs were"),  # its inputs say what it does wrong
])
def test_check_names_the_broken_rule_and_the_mend(library, rule, words):
    found = rules(TEST_PLUGINS / f"{library}.so", code=1)
    bad = [name for name, one in found.items() if one["state"] == "bad"]
    assert bad == [rule], found
    assert words in found[rule]["text"] and found[rule]["mend"]
    names = [name for name in found if name != "program"]
    after = names[names.index(rule) + 1:]
    assert all(found[name]["state"] == "-" for name in after), found


def test_check_of_files_that_are_no_plugins(tmp_path):
    text = tmp_path / "text.so"
    text.write_text("hello")
    assert "no ELF library" in rules(text, code=1)["file"]["text"]
    open_to_all = tmp_path / "open.so"
    shutil.copy(BUILD / "plugins" / "train.so", open_to_all)
    open_to_all.chmod(0o666)
    assert "chmod go-w" in rules(open_to_all, code=1)["file"]["text"]
    run("plugin", "check", tmp_path / "absent.so", code=2)
    # Its script is one that sh runs, so any text is a command: no rule is broken without random inputs.
    program = rules(TEST_PLUGINS / "command" / "command.so", "--tries", "0")["program"]
    assert program["state"] == "note" and "plugins: {allow:" in program["text"]


def test_new_refuses_what_cannot_be(tmp_path):
    for name in ("Report", "9a", "a-b", "../x", "", "a" * 65):
        run("plugin", "new", name, code=2, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
    run("plugin", "new", "model_report", folder=tmp_path)
    written = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert written == [f"model_report/{name}" for name in (
        ".gitignore", "CMakeLists.txt", "README.md", "plugin.cpp", "schema.json",
        "scripts/model_report.py")]
    for path in (tmp_path / "model_report").rglob("*"):
        text = path.read_text() if path.is_file() else ""
        assert not any(name in text for name in ("__TYPE__", "__SLUG__", "__CLASS__", "__TITLE__")), path
    run("plugin", "new", "model_report", code=2, folder=tmp_path)
