"""The installed package from outside: a plugin is written, built, dropped in, upgraded and removed."""

import json
import os
import pathlib
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


def test_a_plugin_from_nothing_to_a_job_and_its_upgrade(prefix, tmp_path):
    runyard = prefix / "bin" / "runyard"
    run(runyard, "plugin", "new", "model_report", folder=tmp_path)
    author = tmp_path / "model_report"
    library = build(author, prefix) / "model_report.so"
    assert "100% tests passed" in run("ctest", "--test-dir", author / "build")

    workspace, folder = tmp_path / "workspace", tmp_path / "plugins"
    folder.mkdir()
    shutil.copytree(author / "scripts", workspace / "scripts")
    server = Server(workspace, build=prefix, plugin_dirs=[folder]).start()
    try:
        shutil.copy(library, folder)
        eventually(lambda: [one["slug"] for one in server.get("/api/job-types")] == ["model-report"])
        assert "/api/jobs/model-report" in server.get("/api/openapi.json")["paths"]
        shown = subprocess.run([str(runyard), "submit", "model-report", "--who", "Ada", "--steps", "5",
                                "--follow", "--server", server.url], capture_output=True, text=True, timeout=120)
        assert shown.returncode == 0 and "step 5/5" in shown.stdout, (shown.stdout, shown.stderr)
        old = server.get("/api/jobs/recent")[0]
        assert old["artifacts_hint"] == {"result": "Ada-5"} and old["plugin_version"] == "1.0.0"

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
