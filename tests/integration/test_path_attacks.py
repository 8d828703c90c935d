"""No address leads out of the workspace: every route with an id or a file in its path or query, with
every way that is known to climb out of a folder, ids that are links to elsewhere, and links that are
swapped while they are asked for. Always 4xx, and never a byte of a file from outside."""

import json
import os
import threading

import pytest

from conftest import Server, make_workspace
from route_table import head_of, operations_of

SECRET = "secret-of-another-user-7c1f"
RUN, LINKED_RUN, HOLLOW_RUN = (f"20260101_12000{i}__0123abcd" for i in range(3))
BACKTEST, LINKED_BACKTEST, HOLLOW_BACKTEST = (f"bt_20260101_12000{i}__0123abcd" for i in range(3))
JOB, LINKED_JOB, LINKED_LOG = (f"job_20260101_12000{i}__0123abcd" for i in range(3))

CLIMBS = [
    "..", ".", "...", "%2e%2e", "%2E.", "..%2f..%2f..%2f..%2fetc%2fpasswd", "%2e%2e%2f%2e%2e%2fsecret",
    "..%5c..%5csecret", "%252e%252e%252fsecret", "..%252f..%252fsecret", "%25252e%25252e",
    "%00", "..%00", "%2fetc%2fpasswd", "/etc/passwd", "//etc/passwd", "%2f%2fetc%2fpasswd",
    "C:%5cWindows%5cwin.ini", "file:%2f%2f%2fetc%2fpasswd", "%5c%5chost%5cshare", "~root", "~%2f.ssh",
    "$HOME", "%24%28id%29", "%60id%60", "%25s%25n", "*", "?", "%3f", "%23", ":id", "%7bid%7d", "-", "--help",
    "%c0%ae%c0%ae%c0%af", "%e0%80%ae%e0%80%ae", "%f0%80%80%af", "%ed%a0%80", "%ff%fe", "%c3",
    "%EF%BC%8E%EF%BC%8E%EF%BC%8F", "%E2%80%AE", "%0a", "%0d%0aX-Evil:%201", "%09", "%20", "%7f",
    "A" * 255, "A" * 4000, "A" * 5000, "%41" * 1300, "..%2f" * 700, ".hidden", "con", "nul.txt",
    "link", "link%2fsecret.txt",
]


def behind(known):
    """What is put behind an id that exists."""
    return [known + tail for tail in (
        "%00", "%00.json", "%0a", "%20", "%2f", "%2f..", "%2f..%2f..%2fsecret", "..", ".json", ".log", "%2ejson",
        "%5c..", "x", "%c0%af", "%e2%80%8b")] + [
            "%20" + known, "%2e%2f" + known, "..%2fruns%2f" + known, "%00" + known, known + "%2f" + known]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A workspace with something of everything, and links out of it wherever a name can be a link."""
    folder = tmp_path_factory.mktemp("attacked")
    outside = folder / "outside"
    outside.mkdir()
    for name in ("secret.txt", "config.yaml", "manifest.json", "metrics.json", "selection.json", "equity.csv",
                 "trades.csv", "summary.txt", "final.zip", "job.json", "job.log"):
        (outside / name).write_text(SECRET + "\n")
    (outside / "manifest.json").write_text(json.dumps({"run_id": SECRET, "end_time": SECRET}))
    (outside / "metrics.json").write_text(json.dumps({"overall": {SECRET: 1}, "ticker": SECRET}))
    (outside / "config.yaml").write_text(f"universe: {{tickers: [{SECRET}]}}\n")
    (outside / "models" / "base").mkdir(parents=True)
    (outside / "models" / "base" / f"{SECRET}.zip").write_text(SECRET)
    (outside / "models" / "base" / "checkpoint_step_1.zip").write_text(SECRET)
    (outside / "plots").mkdir()
    (outside / "plots" / "equity_curve.png").write_bytes(b"\x89PNG" + SECRET.encode())
    record = {"job_id": JOB, "job_type": "train", "status": "SUCCESS", "created_at": "2026-01-01T12:00:00.000Z"}
    (outside / "job.json").write_text(json.dumps({**record, "job_id": LINKED_JOB, "note": SECRET}))

    workspace = make_workspace(folder / "workspace")
    (workspace / "configs" / "link").symlink_to(outside)
    jobs = workspace / "reports" / "jobs"
    jobs.mkdir(parents=True)
    for job in (JOB, LINKED_LOG):
        (jobs / f"{job}.json").write_text(json.dumps({**record, "job_id": job}))
    (jobs / f"{JOB}.log").write_text("inside\n" * 10)
    (jobs / f"{LINKED_LOG}.log").symlink_to(outside / "job.log")
    (jobs / f"{LINKED_JOB}.json").symlink_to(outside / "job.json")
    (jobs / f"{LINKED_JOB}.log").symlink_to(outside / "job.log")
    for parent, real, linked, hollow in (("runs", RUN, LINKED_RUN, HOLLOW_RUN),
                                         ("backtests", BACKTEST, LINKED_BACKTEST, HOLLOW_BACKTEST)):
        (workspace / parent / real).mkdir(parents=True)
        for name, text in (("config.yaml", "seed: 1\n"), ("metrics.json", "{}"), ("manifest.json", "{}")):
            (workspace / parent / real / name).write_text(text)
        (workspace / parent / linked).symlink_to(outside)
        (workspace / parent / "link").symlink_to(outside)
        (workspace / parent / hollow).mkdir()
        for entry in outside.iterdir():
            (workspace / parent / hollow / entry.name).symlink_to(entry)
    registry = workspace / "reports" / "registry"
    registry.mkdir()
    for name in ("registry_models.csv", "registry_best_by_ticker.csv"):
        (outside / name).write_text(f"run_id,ticker\n{SECRET},{SECRET}\n")
        (registry / name).symlink_to(outside / name)
    return workspace, outside


@pytest.fixture(scope="module")
def attacked(place):
    server = Server(place[0]).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def operations(attacked):
    return operations_of(attacked.get("/api/openapi.json"))


def ask(server, operation, path):
    headers = {"Content-Type": "application/json"} if operation.body is not None else {}
    # A stream of something that has a name ends: all jobs here have ended.
    status, answered, content = head_of(server, operation.method, path, operation.body, headers,
                                        reads_streams=bool(operation.path_names))
    assert SECRET.encode() not in content and b"root:" not in content, (operation, path[:200])
    assert "X-Evil" not in answered
    return status


def known_values(name):
    return {"id": [JOB], "run_id": [RUN], "bt_run_id": [BACKTEST], "slug": ["train"]}.get(name, ["x"])


def test_no_value_of_a_path_climbs_out(attacked, operations):
    tried = 0
    for operation in operations:
        for name in operation.path_names:
            values = {other: known_values(other)[0] for other in operation.path_names}
            for attack in CLIMBS + behind(known_values(name)[0]):
                status = ask(attacked, operation, operation.at({**values, name: attack}))
                assert 400 <= status < 500, (operation, attack[:100], status)
                tried += 1
    assert tried > 500


def test_no_file_of_the_web_ui_is_from_elsewhere(attacked):
    """What is no route is a file of the UI, a page of it, or nothing."""
    for folder in ("", "assets/", "docs-assets/", "docs/"):
        for attack in CLIMBS:
            status, _, content = head_of(attacked, "GET", f"/{folder}{attack}")
            assert SECRET.encode() not in content and b"root:" not in content, attack[:100]
            assert status < 500, (folder, attack[:100], status)


def test_no_value_of_a_query_climbs_out(attacked, operations):
    for operation in operations:
        values = {name: known_values(name)[0] for name in operation.path_names}
        if operation.changes:
            continue
        for query in operation.queries:
            for attack in CLIMBS:
                target = operation.at(values) + f"?{query['name']}={attack.replace('?', '%3f')}"
                status = ask(attacked, operation, target)
                assert status < 500, (operation, target[:200], status)


def test_ids_that_are_links_to_elsewhere(attacked, operations):
    links = {"id": [LINKED_JOB], "run_id": [LINKED_RUN, "link"], "bt_run_id": [LINKED_BACKTEST, "link"]}
    hollow = {"id": [LINKED_LOG], "run_id": [HOLLOW_RUN], "bt_run_id": [HOLLOW_BACKTEST]}
    for operation in operations:
        for name in operation.path_names:
            others = {other: known_values(other)[0] for other in operation.path_names}
            for link in links.get(name, ()):
                status = ask(attacked, operation, operation.at({**others, name: link}))
                assert 400 <= status < 500, (operation, link, status)
            if operation.changes:
                continue
            for value in hollow.get(name, ()):  # the folder is inside, its files are links to outside
                assert ask(attacked, operation, operation.at({**others, name: value})) < 500
        if not operation.changes and not operation.path_names:
            assert ask(attacked, operation, operation.path) < 500  # the lists


def test_links_that_are_swapped_while_they_are_asked_for(attacked, operations, place):
    """A folder and a log that are now inside and now a link to outside, as fast as possible."""
    workspace, outside = place
    pairs = []
    for target, link_to in ((workspace / "runs" / RUN, outside),
                            (workspace / "runs" / HOLLOW_RUN / "config.yaml", outside / "config.yaml"),
                            (workspace / "backtests" / BACKTEST, outside),
                            (workspace / "reports" / "jobs" / f"{JOB}.log", outside / "job.log")):
        link = target.with_name(target.name + ".other")
        link.symlink_to(link_to)
        pairs.append((target, link))
    stop = threading.Event()
    swaps = 0

    def swap():
        nonlocal swaps
        while not stop.is_set():
            for target, link in pairs:
                spare = target.with_name(target.name + ".spare")
                os.rename(target, spare)
                os.rename(link, target)
                os.rename(spare, link)
            swaps += 1

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for round_ in range(30):
            for operation in operations:
                if operation.changes or not operation.path_names:
                    continue
                for values in ({"id": JOB, "run_id": RUN, "bt_run_id": BACKTEST, "slug": "train"},
                               {"id": JOB, "run_id": HOLLOW_RUN, "bt_run_id": BACKTEST, "slug": "train"}):
                    path = operation.at({**{name: "x" for name in operation.path_names}, **values})
                    assert ask(attacked, operation, path) < 500, operation
    finally:
        stop.set()
        swapper.join()
    assert swaps > 30
