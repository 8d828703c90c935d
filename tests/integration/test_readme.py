"""What README.md and docs/ say is true: every command of the README runs, every link leads
somewhere, and the API page names every route.

Each ```sh block of the README follows a line `<!-- run: WAY -->`:

    server    by bash, in a workspace like the checkout with a server up
    serve     `./run ARGS` is `runyard serve ARGS` after the build; the paths are moved into the test
    checkout  by bash, in the checkout
    slurm     as `serve`, with a job that must run in a cluster: tests/slurm/test_slurm.py
    ssh       needs another machine: only that the program of the first word is a known one
    ci        `./run demo`, `./run demo --exit` (their program after the build is run here with the
              built server), `./run` (see `serve`), and `./test`, which is the whole of .ci/run: on a
              clean clone CI calls it, and it calls the same set-up and build as `./run`
"""

import os
import pathlib
import re
import shlex
import subprocess

import pytest

from conftest import BUILD, ROOT, make_workspace

README = (ROOT / "README.md").read_text(encoding="utf-8")
WAYS = {"server", "serve", "slurm", "checkout", "ssh", "ci"}
BLOCK = re.compile(r"(?:^<!-- run: ([^\n]*) -->\n)?^```(\w*)\n(.*?)^```$", re.M | re.S)


def blocks(way):
    return [text for found, _, text in BLOCK.findall(README) if found == way]


def lines_of(text):
    joined = text.replace("\\\n", " ").splitlines()
    return [words for words in (shlex.split(line, comments=True) for line in joined) if words]


def run_block(text, folder, environment):
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], cwd=folder, env=environment,
                          capture_output=True, text=True, encoding="utf-8", timeout=300,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_every_block_is_covered():
    found = BLOCK.findall(README)
    assert [language for _, language, _ in found].count("sh") > 5
    for way, language, text in found:
        assert language in ("sh", "text", "cpp"), "unknown kind of block:\n" + text
        assert (way in WAYS) == (language == "sh"), "no line <!-- run: WAY --> before:\n" + text
    ci = [words for text in blocks("ci") for words in lines_of(text)]
    assert ci == [["./run"], ["./run", "demo"], ["./run", "demo", "--exit"], ["./test"]]
    assert "exec ./test" in (ROOT / ".ci" / "run").read_text()
    for name in ("run", "test"):
        text = (ROOT / name).read_text()
        assert "source tools/setup.sh" in text and re.search(r"\bbuild release\b", text)
    for text in blocks("ssh"):
        assert [words[0] for words in lines_of(text)] == ["ssh"]


def test_commands_with_a_server(tmp_path, make_server):
    workspace = make_workspace(tmp_path / "checkout")
    server = make_server(workspace=workspace).start()
    assert server.get("/api/jobs/recent") == []  # as the README says
    bin_folder = workspace / "build" / "release" / "bin"
    bin_folder.parent.mkdir(parents=True)
    bin_folder.symlink_to(BUILD / "bin")
    (tmp_path / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")
    environment = dict(os.environ, RUNYARD_SERVER=server.url, CURL_HOME=str(tmp_path), NO_COLOR="1",
                       PATH=f"{bin_folder}:{os.environ['PATH']}")
    outputs = [run_block(text.replace("http://127.0.0.1:8000", server.url), workspace, environment)
               for text in blocks("server")]
    assert outputs[0] == "[]"
    jobs = server.get("/api/jobs/recent")
    assert {job["job_type"] for job in jobs} == {"train", "backtest", "eval_metrics", "index_runs"}
    jobs = [server.wait(job["job_id"]) for job in jobs]
    assert sorted({job["status"] for job in jobs}) == ["CANCELLED", "SUCCESS"]
    for job in jobs:
        record = server.record(job["job_id"], lambda r, job=job: r["status"] == job["status"])
        assert record["params"] == job["params"]
    backtest = next(job for job in jobs if job["job_type"] == "backtest" and not job["dry_run"])
    made = [link["value"] for link in backtest["links"] if link["name"] == "bt_run_id"]
    assert len(made) == 2
    for name in made:
        assert (workspace / "backtests" / name / "metrics.json").is_file()


def test_demo(tmp_path):
    workspace = make_workspace(tmp_path / "demo")
    done = subprocess.run(
        [str(ROOT / "tools" / "demo.sh"), str(BUILD / "bin" / "runyard"), "--exit", "--port", "0",
         "--workspace", str(workspace), "--state-dir", str(tmp_path / "state")],
        capture_output=True, text=True, encoding="utf-8", timeout=300, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("SUCCESS") == 7  # each of three when it ends, and the list of four
    for words in ("buy and hold", "lift", "/api/jobs/job_"):
        assert words in done.stdout
    for name in re.findall(r"^ +((?:runs|backtests)/\S+)$", done.stdout, re.M):
        assert (workspace / name / "metrics.json").is_file()
    assert (workspace / "reports" / "registry" / "registry_models.csv").is_file()
    bad = subprocess.run([str(ROOT / "tools" / "demo.sh"), "runyard", "--nonsense"],
                         capture_output=True, text=True, timeout=30)
    assert bad.returncode == 2 and "--nonsense" in bad.stderr


def test_demo_of_the_readme_is_the_real_one():
    """The commands in the README's picture are those that the demo shows and runs."""
    picture = next(text for _, language, text in BLOCK.findall(README) if language == "text")
    assert picture.startswith("$ ./run demo\n")
    shown = lines_of(picture[picture.index("$ runyard submit") + 2:].split("\n\n")[0])[0]
    script = (ROOT / "tools" / "demo.sh").read_text(encoding="utf-8")
    told = lines_of(script[script.index("$ runyard submit") + 2:].split("\n\n")[0])[0]
    command = script[script.index('"$runyard" submit'):]
    run = lines_of(command[:command.index("\n{")])[0]
    assert shown == told and shown[1:] + [">$submitted"] == run[1:]


@pytest.mark.parametrize("text", blocks("serve"))
def test_own_repository(text, tmp_path, make_server):
    (words,) = lines_of(text)
    assert words[0] == "./run"
    options = dict(zip(words[1::2], words[2::2]))
    workspace = make_workspace(tmp_path / pathlib.Path(options.pop("--workspace")).name)
    state = options.pop("--state-dir", None)
    assert not options
    server = make_server(workspace=workspace, state=state and tmp_path / "state").start()
    assert server.get("/healthz") == {"status": "ok"}
    assert (workspace / ".runyard").exists() == (state is None)


@pytest.mark.parametrize("text", blocks("checkout"))
def test_in_the_checkout(text):
    assert "./run demo" in run_block(text, ROOT, dict(os.environ))


def test_the_plugin_of_the_readme_compiles(tmp_path):
    (source,) = [text for _, language, text in BLOCK.findall(README) if language == "cpp"]
    (tmp_path / "plugin.cpp").write_text(source)
    guide = (ROOT / "docs" / "plugin-guide.md").read_text(encoding="utf-8")
    assert source.splitlines()[2] in guide  # the page goes on with this example
    done = subprocess.run(["g++", "-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-I",
                           str(ROOT / "plugins" / "sdk" / "include"), str(tmp_path / "plugin.cpp")],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ---- The pages ----

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md"),
                *ROOT.glob("*/README.md"), *ROOT.glob("*/*/README.md")])
PAGES = [page for page in PAGES if not {"build", "node_modules"} & set(page.parts)]
# What `./test full`, a run, or the user makes; and the examples of the plugin guide.
MADE = re.compile(r"docs/test-log\.md|build/|plugins/(?:<|report\b)|scripts/report\.py|"
                  r"configs/(?:\*|x\.|<)|data/stocks/")
PATH = re.compile(r"(?:api|cli|core|configs|docs|plugins|scripts|tests|tools|cmake|data)/[\w./<>*-]+")


def anchors(page):
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_paths_exist(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    missing = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            missing.append(link)
    for code in re.findall(r"`([^`\n]+)`", text):
        if not PATH.fullmatch(code) or MADE.match(code):
            continue
        # A path of the repository, or of the folder of the page.
        pattern = re.sub(r"<[^>]*>", "*", code.rstrip("/"))
        if not any(ROOT.glob(pattern)) and not any(page.parent.glob(pattern)):
            missing.append(code)
    assert not missing, f"{page.name} names what is not there: {missing}"


def test_the_readme_links_every_page():
    for page in (ROOT / "docs").glob("*.md"):
        if page.name != "test-log.md":
            assert f"(docs/{page.name})" in README, page.name


def test_the_api_page_names_every_route():
    routes = set()
    for source in (ROOT / "api").glob("*.cpp"):
        routes |= set(re.findall(r'\{"(GET|POST|PUT|PATCH|DELETE)",\s*"(/[^"]*)"',
                                 source.read_text(encoding="utf-8")))
    assert len(routes) >= 19
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    named = {(method, re.sub(r"<(\w+)>", r":\1", path).replace(":job_id", ":id"))
             for method, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`\s?]*)", page)}
    assert routes - named == set(), "not in docs/api.md"
    assert named - routes == set(), "docs/api.md names what does not exist"


def test_the_settings_page_is_whole():
    """configs/runyard.yaml names every setting that the server reads, and no other."""
    table = (ROOT / "core" / "service" / "setting_table.cpp").read_text(encoding="utf-8")
    known = {name for entry in re.findall(r'Entry\("(\w+)", "(\w+)"\)', table) for name in entry}
    page = (ROOT / "configs" / "runyard.yaml").read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:  # |  )?(\w+):", page, re.M))
    assert known == named
