"""Logs through the API: lines as a terminal shows them, search, following."""

import concurrent.futures
import hashlib
import http.client
import json
import os
import re
import time
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


# ---- Following ----


class Listener:
    """One connection to a log's event stream."""

    def __init__(self, server, job_id, offset=None, last_id=None):
        self.connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
        query = "" if offset is None else f"?offset={offset}"
        headers = {} if last_id is None else {"Last-Event-ID": str(last_id)}
        self.connection.request("GET", f"/api/jobs/{job_id}/log/stream{query}", headers=headers)
        self.reply = self.connection.getresponse()
        assert self.reply.status == 200, self.reply.read()
        assert self.reply.headers["Content-Type"] == "text/event-stream"

    def events(self):
        """(name, id, data) of each event, until the server closes the stream."""
        name, last_id, data = "", None, []
        for line in self.reply:
            line = line.decode().rstrip("\n")
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("id: "):
                last_id = int(line[4:])
            elif line.startswith("data: "):
                data.append(line[6:])
            elif not line and data:
                yield name, last_id, json.loads("\n".join(data))
                name, data = "", []

    def close(self):
        self.reply.close()
        self.connection.close()


def follow(server, job_id, **where):
    """All the text, and the data of the end."""
    listener, text = Listener(server, job_id, **where), []
    for name, _, data in listener.events():
        if name == "end":
            listener.close()
            return "".join(text), data
        assert name == "", name
        text.append(data["text"])
    raise AssertionError("the stream ended without an end")


def test_a_stream_has_the_whole_log_and_an_end(runner):
    job_id = run(runner, r"""printf 'a\r\nb\r \033[1m\377 \346\225'; exit 3""")
    text, end = follow(runner, job_id)
    assert end == {"status": "FAILED", "end_reason": "exit_code", "exit_code": 3}
    assert text == runner.request("GET", f"/api/jobs/{job_id}/log").body.decode(errors="replace")
    assert follow(runner, job_id, offset=2)[0] == text[2:]
    assert follow(runner, job_id, offset=2, last_id=5)[0] == text[5:]  # as a browser connects again
    assert follow(runner, job_id, offset=10**9)[0] == ""
    assert runner.request("GET", "/api/jobs/job_20260101_120000__0123abcd/log/stream").status == 404
    assert runner.request("GET", f"/api/jobs/{job_id}/log/stream?offset=x").status == 422


def test_a_stream_goes_on_through_waiting_and_retries(runner, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    first = runner.submit("command", {"script": f"read line < {gate}"})
    job = runner.submit("command", {
        "script": 'echo "attempt $RUNYARD_ATTEMPT"; test -e go || { touch go; exit 1; }',
        "_job": {"after": [first["job_id"]], "max_retries": 1}})
    with concurrent.futures.ThreadPoolExecutor() as pool:
        followed = pool.submit(follow, runner, job["job_id"])
        gate.write_text("go\n")
        text, end = followed.result(60)
    assert end["status"] == "SUCCESS"
    assert len(re.findall(r"(?m)^attempt ", text)) == 2
    assert text == runner.log_of(job["job_id"])
    (runner.workspace / "go").unlink()


def test_twenty_reconnects_lose_and_repeat_nothing(runner):
    script = r"""i=0; while [ $i -lt 400 ]; do i=$((i+1))
        printf '\r训练 %s%% 🚀 \033[32m█\033[0m' $i; [ $((i % 50)) = 0 ] && printf '\n'
        [ $((i % 10)) = 0 ] && sleep 0.03; done"""
    job = runner.submit("command", {"script": script})
    digest, offset, connections, ended = hashlib.sha256(), 0, 0, False
    while not ended:
        listener = Listener(runner, job["job_id"], last_id=offset)
        connections += 1
        for name, last_id, data in listener.events():
            ended = name == "end"
            if ended:
                break
            text = data["text"].encode()
            assert last_id == offset + len(text)
            digest.update(text)
            offset = last_id
            if connections <= 20:
                break  # in the middle of it
        listener.close()
    assert connections > 20
    assert digest.digest() == hashlib.sha256(
        (runner.workspace / job["log_path"]).read_bytes()).digest()


def test_many_listeners_get_the_same(runner):
    job = runner.submit("command", {"script": "for i in $(seq 40); do seq 1000; sleep 0.02; done"})
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        followed = [pool.submit(follow, runner, job["job_id"]) for _ in range(30)]
        texts = {each.result(120)[0] for each in followed}
    assert texts == {runner.log_of(job["job_id"])}


def rss_mb(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) / 1024


def test_a_large_log_while_it_grows(runner):
    """At 50 MB/s, followed through more than 20 reconnects; in the long run a GiB, with the server's
    memory measured."""
    full = os.environ.get("RUNYARD_FULL") == "1"
    size = 1 << (30 if full else 26)
    program = (
        "import sys, time\n"
        "block = b''.join((b'' if i % 40 else b'wait\\r') + b'%07d %s\\n' % (i, ('é🚀x' * (i % 21)).encode())"
        " for i in range(60000))\n"
        f"left, begin, sent = {size}, time.monotonic(), 0\n"
        "while left > 0:\n"
        "    sent += sys.stdout.buffer.write(block[:block.rfind(b'\\n', 0, left) + 1]); left -= len(block)\n"
        "    time.sleep(max(0, sent / 50e6 - (time.monotonic() - begin)))\n")
    block = ["%07d %s" % (i, "é🚀x" * (i % 21)) for i in range(60000)]  # as it is seen
    script = f"exec /usr/bin/python3 -u - <<'END'\n{program}END\n"
    job = runner.submit("command", {"script": script})
    job_id = job["job_id"]
    head = 1  # `$ ...`

    def follow_and_hash():
        digest, offset, connections = hashlib.sha256(), 0, 0
        while True:
            listener, connections = Listener(runner, job_id, last_id=offset), connections + 1
            for name, last_id, data in listener.events():
                if name == "end":
                    listener.close()
                    assert connections > 20
                    return digest.hexdigest()
                text = data["text"].encode()
                assert last_id == offset + len(text)
                digest.update(text)
                offset = last_id
                if offset > size // 24 * connections:
                    break
            listener.close()

    with concurrent.futures.ThreadPoolExecutor() as pool:
        followed = pool.submit(follow_and_hash)
        most, slowest, slowest_jump, looks = 0, 0, 0, 0
        while not followed.done():
            time.sleep(0.05)
            begin = time.monotonic()
            page = lines(runner, job_id, tail=50)
            slowest = max(slowest, time.monotonic() - begin)
            if page["total"] > head + 200:
                middle, begin = page["total"] // 2, time.monotonic()
                there = lines(runner, job_id, start=middle, count=50)["lines"]
                before = lines(runner, job_id, start=middle - 50, count=50)["lines"]
                slowest_jump = max(slowest_jump, time.monotonic() - begin)
                numbers = [int(line.split()[0]) for line in before + there]
                assert all(b in (a + 1, 0) for a, b in zip(numbers, numbers[1:])), numbers
                looks += 1
            most = max(most, rss_mb(runner.process.pid))
        digest = followed.result()
    assert runner.wait(job_id)["status"] == "SUCCESS"
    assert looks > 5
    log = runner.workspace / job["log_path"]
    with open(log, "rb") as file:
        assert digest == hashlib.file_digest(file, "sha256").hexdigest()
    # Any line by its number, and nothing that is not there.
    while not (last := lines(runner, job_id, tail=1))["is_complete"]:
        pass
    for line in (2, 70_001, last["total"] // 3, last["total"] - 1):
        page = lines(runner, job_id, start=line, count=1)
        assert page["lines"] == [block[(line - 1 - head) % len(block)]]
    begin = time.monotonic()
    part = search(runner, job_id, q="there is no such text")
    while part["next"]:
        assert part["matches"] == []
        part = search(runner, job_id, q="there is no such text", **{"from": part["next"]})
    rate = size / 1e6 / max(time.monotonic() - begin, 1e-6)
    print(f"memory {most:.0f} MB, slowest tail {slowest * 1000:.0f} ms, slowest jump to the middle "
          f"and page back {slowest_jump * 1000:.0f} ms, search {rate:.0f} MB/s")
    if full and "release" in str(runner.build):
        assert most < 100
