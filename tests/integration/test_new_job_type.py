"""A job type is one new folder under plugins/: no other line changes, and it is there everywhere."""

import json
import shutil
import subprocess

from conftest import ROOT

PLUGIN = """
#include <runyard/plugin.hpp>

class Greet {
 public:
  runyard::Args argv(const runyard::Params& params) const {
    runyard::Args args;
    args.option("--who", params.text("who"));
    return args;
  }
};

RUNYARD_PLUGIN(Greet)
"""

SCHEMA = {
    "type": "greet", "version": "1.0.0", "title": "Greet", "description": "Says hello.",
    "program": {"python_module": "scripts.greet"},
    "input_schema": {"type": "object", "required": ["who"],
                     "properties": {"who": {"type": "string", "description": "Whom to greet."}}},
    "examples": [{"who": "Ada"}], "flags": ["--who"],
    "hints": [{"name": "greeting", "pattern": r"greeting: (\w+)"}],
}

SCRIPT = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--who")
print("greeting:", parser.parse_args().who)
"""


def test_a_folder_is_enough(tmp_path, make_server):
    copy = tmp_path / "checkout"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(copy)], check=True)
    # The working tree may be ahead of the last commit.
    changed = subprocess.run(["git", "ls-files", "-m", "-o", "--exclude-standard"], cwd=ROOT,
                             check=True, capture_output=True, text=True).stdout.split("\n")
    for name in filter(None, changed):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    git = ["git", "-C", str(copy), "-c", "user.name=t", "-c", "user.email=t@t"]
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "as it is", "--allow-empty"], check=True)

    folder = copy / "plugins" / "greet"
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(
        "runyard_add_plugin(greet SOURCES plugin.cpp SCHEMA schema.json)\n")
    (folder / "plugin.cpp").write_text(PLUGIN)
    (folder / "schema.json").write_text(json.dumps(SCHEMA))
    for command in (["cmake", "--preset", "release", "-DBUILD_TESTING=OFF"],
                    ["cmake", "--build", "build/release", "--target", "runyard_plugin_greet"]):
        done = subprocess.run(command, cwd=copy, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    status = subprocess.run([*git, "status", "--porcelain", "--untracked-files=all"], check=True,
                            capture_output=True, text=True).stdout
    assert sorted(status.split("\n")[:-1]) == [
        "?? plugins/greet/CMakeLists.txt", "?? plugins/greet/plugin.cpp",
        "?? plugins/greet/schema.json"]

    server = make_server(sample=True, plugin_dirs=[copy / "build" / "release" / "plugins"])
    (server.workspace / "scripts" / "greet.py").write_text(SCRIPT)
    server.start()
    assert [t["slug"] for t in server.get("/api/job-types")] == ["greet"]
    done = subprocess.run(
        [str(server.runyard), "submit", "greet", "--who", "Ada", "--follow", "--server", server.url],
        capture_output=True, text=True)
    assert done.returncode == 0 and "greeting: Ada" in done.stdout, (done.stdout, done.stderr)
    assert server.get("/api/jobs/recent")[0]["artifacts_hint"] == {"greeting": "Ada"}
