"""The installed package from outside: a plugin is written, built, dropped in, upgraded and removed."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from conftest import BUILD, Server, eventually  # noqa: E402


def run(*command, folder=None, code=0):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RUNYARD_")}
    done = subprocess.run([str(word) for word in command], cwd=folder, env=environment,
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == code, (command, done.returncode, done.stdout, done.stderr)
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("install") / "prefix"
    run("cmake", "--install", BUILD, "--prefix", prefix)
    return prefix


def build(folder, prefix, *options):
    run("cmake", "-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={prefix}", *options)
    run("cmake", "--build", folder / "build")
    return folder / "build" / "plugins"


def test_what_is_installed(prefix):
    there = {str(path.relative_to(prefix)) for path in prefix.rglob("*") if path.is_file()}
    for name in ("bin/runyard", "bin/runyard-shim", "include/runyard/plugin.h", "include/runyard/plugin.hpp",
                 "lib/cmake/Runyard/RunyardConfig.cmake", "lib/runyard/plugins/train.so",
                 "share/runyard/runyard.yaml", "share/runyard/runyard.service",
                 "share/doc/runyard/plugin-guide.md", "share/doc/runyard/LICENSE"):
        assert name in there, sorted(there)
    unit = (prefix / "share/runyard/runyard.service").read_text()
    assert f"ExecStart={prefix}/bin/runyard serve" in unit and "KillMode=process" in unit
    for path in prefix.rglob("*.cmake"):
        assert str(ROOT) not in path.read_text(), path  # nothing leads back to the sources
    run(prefix / "bin/runyard", "config", "check", prefix / "share/runyard/runyard.yaml")


def tutorial():
    """The fenced blocks of the guide's tutorial: [(language, text)]."""
    guide = (ROOT / "docs" / "plugin-guide.md").read_text()
    section = guide.split("## A job type in ten minutes")[1].split("\n## ")[0]
    return re.findall(r"^```(\w*)\n(.*?)^```$", section, re.M | re.S)


def sh(commands, prefix, folder, **more):
    """Runs lines as they stand in the guide."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RUNYARD_")}
    environment.update(more, PATH=f"{prefix}/bin:{environment['PATH']}", NO_COLOR="1")
    done = subprocess.run(["sh", "-ec", commands], cwd=folder, env=environment, capture_output=True,
                          text=True, timeout=600)
    assert done.returncode == 0, (commands, done.stdout, done.stderr)
    return done.stdout


def test_the_tutorial_as_it_is_written(prefix, tmp_path):
    blocks = tutorial()
    first = {language: text for language, text in reversed(blocks)}  # the first of each language
    author = tmp_path / "report"
    author.mkdir()
    (author / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(report LANGUAGES CXX)\nfind_package(Runyard REQUIRED)\n"
        + first["cmake"])
    (author / "schema.json").write_text(first["json"])
    (author / "plugin.cpp").write_text(first["cpp"])
    plugins = build(author, prefix)
    workspace = tmp_path / "workspace"
    (workspace / "scripts").mkdir(parents=True)
    (workspace / "reports").mkdir()
    (workspace / "scripts" / "report.py").write_text(
        "import sys\nprint('page 1 of 2')\nprint('wrote', len(sys.argv), 'pages')\n")
    server = Server(workspace, build=prefix, plugin_dirs=[plugins]).start()
    try:
        [use] = [text for _, text in blocks if text.startswith("curl ")]
        out = sh(use.replace("http://127.0.0.1:8000", server.url), prefix, tmp_path, RUNYARD_SERVER=server.url)
        assert "wrote 5 pages" in out, out
        for job in server.get("/api/jobs/recent"):
            job = server.wait(job["job_id"])
            assert job["command"][-4:] == ["--year", "2024", "--out", "reports/report.html"]
            assert job["artifacts_hint"] == {"pages": "5"} and job["status"] == "SUCCESS"
        assert len(server.get("/api/jobs/recent")) == 2
        refused = server.post("/api/jobs/report", {"year": 1995, "draft": True})
        assert refused.status == 422 and refused.json["errors"][0]["pointer"] == "/draft"
    finally:
        server.stop()


def test_a_plugin_from_nothing_to_a_job_and_its_upgrade(prefix, tmp_path):
    runyard = prefix / "bin" / "runyard"
    author, workspace, folder = tmp_path / "model_report", tmp_path / "workspace", tmp_path / "plugins"
    folder.mkdir()
    (workspace / "scripts").mkdir(parents=True)
    server = Server(workspace, build=prefix, plugin_dirs=[folder]).start()
    try:
        # As the guide has it, up to the last line: the server is given a moment before that.
        [commands] = [text for _, text in tutorial() if text.startswith("runyard plugin new")]
        commands = commands.replace("<prefix>", str(prefix)).replace("<workspace>", str(workspace))
        commands, submit = commands.replace("<plugin folder>", str(folder)).rstrip().rsplit("\n", 1)
        assert "100% tests passed" in sh(commands, prefix, tmp_path)
        eventually(lambda: [one["slug"] for one in server.get("/api/job-types")] == ["model-report"])
        assert "/api/jobs/model-report" in server.get("/api/openapi.json")["paths"]
        assert "step 100/100" in sh(submit, prefix, tmp_path, RUNYARD_SERVER=server.url)
        old = server.get("/api/jobs/recent")[0]
        assert old["artifacts_hint"] == {"result": "Ada-100"} and old["plugin_version"] == "1.0.0"
        assert old["progress"]["fraction"] == 1, old
        [curve] = server.get(f"/api/jobs/{old['job_id']}/series")
        assert (curve["name"], curve["x_name"]) == ("loss", "step") and curve["points"][0] == [1, 1]

        # Version 2 comes while a job of version 1 runs.
        running = server.submit("model-report", {"who": "Bob", "steps": 1000})
        server.wait(running["job_id"], until={"RUNNING"})
        schema = json.loads((author / "schema.json").read_text())
        schema["version"] = "2.0.0"
        schema["input_schema"]["properties"]["steps"]["default"] = 3
        (author / "schema.json").write_text(json.dumps(schema))
        shutil.copy(build(author, prefix) / "model_report.so", folder)
        eventually(lambda: server.get("/api/job-types/model-report")["version"] == "2.0.0")
        assert server.job(running["job_id"])["status"] == "RUNNING"
        new = server.wait(server.submit("model-report", {"who": "Eve", "_job": {"priority": 9}})["job_id"])
        assert new["plugin_version"] == "2.0.0" and new["params"]["steps"] == 3
        assert server.wait(running["job_id"])["plugin_version"] == "1.0.0"

        (folder / "model_report.so").unlink()
        eventually(lambda: server.get("/api/job-types") == [])
        assert server.post("/api/jobs/model-report", {"who": "x"}).status == 404
        assert server.job(old["job_id"])["status"] == "SUCCESS"
        assert "hello Ada" in server.log_of(old["job_id"])
    finally:
        server.stop()


@pytest.mark.skipif(not shutil.which("clang++"), reason="there is no clang++")
def test_a_plugin_of_clang(prefix, tmp_path):
    run(prefix / "bin/runyard", "plugin", "new", "from_clang", folder=tmp_path)
    build(tmp_path / "from_clang", prefix, "-DCMAKE_CXX_COMPILER=clang++")
    run("ctest", "--test-dir", tmp_path / "from_clang" / "build", "--output-on-failure")


def test_a_plugin_in_plain_c(prefix, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(hello LANGUAGES C)\ninclude(CTest)\n"
        "find_package(Runyard REQUIRED)\nrunyard_add_plugin(hello SOURCES hello.c SCHEMA schema.json TESTS)\n")
    (tmp_path / "schema.json").write_text(json.dumps({
        "type": "hello", "version": "1.0.0", "title": "Hello", "program": {"python_module": "scripts.hello"},
        "input_schema": {"type": "object", "properties": {}}, "examples": [{}], "flags": ["--hello"]}))
    (tmp_path / "hello.c").write_text("""
#include <runyard/plugin.h>
static int32_t describe(runyard_emit_fn emit, void* context) {
  emit(context, runyard_descriptor, runyard_descriptor_size);
  return RUNYARD_OK;
}
static int32_t make_argv(const char* params, size_t size, runyard_emit_fn emit, void* context) {
  (void)params, (void)size;
  emit(context, "[\\"--hello\\"]", 11);
  return RUNYARD_OK;
}
static const runyard_plugin_v1 table = {sizeof(runyard_plugin_v1), describe, make_argv};
const runyard_plugin_v1* runyard_plugin_v1_get(void) { return &table; }
""")
    build(tmp_path, prefix)
    run("ctest", "--test-dir", tmp_path / "build", "--output-on-failure")
