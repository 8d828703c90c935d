"""Logs through the API: lines as a terminal shows them, search, following."""

import re
import urllib.parse

import pytest


@pytest.fixture(scope="module")
def runner(tmp_path_factory, command_plugin):
    from conftest import Server

    workspace = tmp_path_factory.mktemp("logs") / "workspace"
    (workspace / "configs").mkdir(parents=True)
    (workspace / "configs" / "runyard.yaml").write_text('plugins: {allow: ["/bin/sh"]}\n')
    running = Server(workspace, plugin_dirs=[command_plugin]).start()
    yield running
    running.stop()


def run(server, script):
    job = server.submit("command", {"script": script})
    return server.wait(job["job_id"])["job_id"]


def lines(server, job_id, **query):
    return server.get(f"/api/jobs/{job_id}/log/lines?" + urllib.parse.urlencode(query))


def search(server, job_id, **query):
    return server.get(f"/api/jobs/{job_id}/log/search?" + urllib.parse.urlencode(query))


def test_lines_are_folded(runner):
    job_id = run(runner, r"""printf 'a\r\nloading 1%%\rloading 100%%\n\033[31mred\033[0m \377 no end'""")
    page = lines(runner, job_id, start=1)
    assert page["lines"][0].startswith("$ /bin/sh -c ")
    assert page["lines"][1:] == ["a", "loading 100%", "\x1b[31mred\x1b[0m \ufffd no end"]
    assert (page["start"], page["next"], page["total"], page["cut"]) == (1, 5, 4, [])
    assert page["is_complete"] and page["size"] == runner.job(job_id)["log_size"]
    assert lines(runner, job_id, tail=2)["lines"] == page["lines"][2:]
    assert lines(runner, job_id, tail=2)["start"] == 3
    assert lines(runner, job_id, start=3, count=1)["lines"] == ["loading 100%"]
    assert lines(runner, job_id, start=99)["lines"] == []


def test_a_log_that_is_not_there_is_empty(runner):
    first = runner.submit("command", {"script": "sleep 60"})
    second = runner.submit("command", {"script": "true", "_job": {"after": [first["job_id"]]}})
    page = lines(runner, second["job_id"])
    assert (page["lines"], page["total"]) == ([], 0)
    assert search(runner, second["job_id"], q="x") == {
        "job_id": second["job_id"], "matches": [], "next": None, "total": 0}
    runner.post(f"/api/jobs/{first['job_id']}/cancel")
    runner.wait(second["job_id"])


def test_search(runner):
    job_id = run(runner, r"""for i in 1 2 3; do printf 'Error %s\n\033[1mer\033[0mror %s\n' $i $i; done""")
    found = search(runner, job_id, q="error")
    assert found["matches"] == [
        {"line": line, "text": f"error {n}"} for line, n in ((3, 1), (5, 2), (7, 3))]
    assert found["next"] is None and found["total"] == 7
    part = search(runner, job_id, q="^ERROR [12]$", regex="true", ignore_case="true", limit=3)
    assert [match["line"] for match in part["matches"]] == [2, 3, 4]
    assert part["next"] == 5
    rest = search(runner, job_id, q="^ERROR [12]$", regex="1", ignore_case="1", **{"from": 5})
    assert [match["line"] for match in rest["matches"]] == [5]


def test_bad_queries(runner):
    job_id = run(runner, "true")
    for path in ("lines?start=0", "lines?count=5001", "lines?tail=x", "lines?tail=1&start=1", "search",
                 "search?q=", "search?q=(&regex=true", "search?q=x&regex=maybe", "search?q=%0A",
                 "search?q=x&limit=0"):
        reply = runner.request("GET", f"/api/jobs/{job_id}/log/{path}")
        assert reply.status == 422, (path, reply.text)
        assert reply.json["errors"][0]["pointer"].startswith("/"), path
    for path in ("lines", "search?q=x"):
        assert runner.request("GET", f"/api/jobs/job_20260101_120000__0123abcd/log/{path}").status == 404


def test_the_index_goes_with_the_job(runner):
    job_id = run(runner, "seq 1 50000")
    assert lines(runner, job_id, start=40_001, count=2)["lines"] == ["40000", "40001"]
    index = runner.state / "logindex" / job_id
    assert index.exists()
    assert runner.request("DELETE", f"/api/jobs/{job_id}").status == 204
    assert not index.exists()


def test_lines_while_the_log_grows(runner):
    job = runner.submit("command", {"script": "for i in $(seq 1 30); do seq 1 3000; sleep 0.02; done"})
    job_id, seen = job["job_id"], []
    while True:
        ended = runner.job(job_id)["status"] not in ("QUEUED", "RUNNING")
        page = lines(runner, job_id, start=len(seen) + 1, count=5000)
        # The last line may not be whole yet.
        whole = page["lines"] if ended else page["lines"][:-1]
        seen += whole
        if ended and page["next"] > page["total"]:
            break
    assert seen[1:] == [str(i) for i in range(1, 3001)] * 30
    assert re.match(r"\$ ", seen[0])
