"""GET /api/events: every change, once, in order, also for those who come back."""

import json
import os
import random
import re
import resource
import signal
import socket
import threading
import time

import pytest

from conftest import Server, eventually
from event_stream import EventStream, ready

ALLOW = {"RUNYARD_PLUGINS__ALLOW": '["/bin/sh"]'}


@pytest.fixture
def server(make_server, command_plugin):
    return make_server(plugin_dirs=[command_plugin], options=["--slots", "2"],
                       environment=ALLOW).start()


def submit(server, script="true", **options):
    return server.submit("command", {"script": script, "_job": options})["job_id"]


def connect(server, path="/api/events"):
    return ready(EventStream(server, path))


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def memory_kb(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])


def test_a_job_from_its_submit_to_its_removal(server):
    with connect(server) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream"
        assert stream.headers["cache-control"] == "no-store"
        job_id = submit(server, "for i in 1 2 3; do echo step $i/3; sleep 0.3; done; echo value=7")
        events = stream.until(lambda e: e.kind == "job_updated" and e.json["status"] == "SUCCESS")
        assert events[0].kind == "job_created" and events[0].json["status"] == "QUEUED"
        statuses = [e.json["status"] for e in events if e.json["job_id"] == job_id]
        assert sorted(set(statuses), key=statuses.index) == ["QUEUED", "RUNNING", "SUCCESS"]
        assert any((e.json["progress"] or {}).get("current") == 2 for e in events)  # it ticks
        assert events[-1].json == server.job(job_id)  # the same document as by GET
        numbers = [int(e.id.split("-")[1]) for e in events]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert server.request("DELETE", f"/api/jobs/{job_id}").status == 204
        gone = stream.until(lambda e: e.kind == "job_deleted")[-1]
        assert gone.json == {"job_id": job_id}
        assert stream.retry in (None, 2000)


def test_queue_and_plugins(server, tmp_path):
    with connect(server) as stream:
        for action in ("pause", "resume"):
            server.post(f"/api/admin/queue/{action}")
            assert stream.until(lambda e: e.kind == "queue_changed")[-1].json == {}
        server.post("/api/admin/plugins/rescan")  # nothing is new: no event
        job_id = submit(server)
        events = stream.until(lambda e: e.kind == "job_created")
        assert [e.kind for e in events] == ["job_created"] and events[0].json["job_id"] == job_id


def test_plugins_changed(make_server, tmp_path, command_plugin):
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    server = make_server(plugin_dirs=[plugins], environment=ALLOW).start()
    with connect(server) as stream:
        (plugins / "command.so").symlink_to(command_plugin / "command.so")
        assert server.post("/api/admin/plugins/rescan").status == 200
        assert stream.next().kind == "plugins_changed"


def test_filter(make_server, command_plugin):
    from conftest import BUILD
    server = make_server(sample=True, plugin_dirs=[command_plugin, BUILD / "plugins"],
                         environment={"RUNYARD_PLUGINS__ALLOW": '["/bin/sh", "scripts.*"]'}).start()
    with connect(server, "/api/events?job_type=train") as stream:
        other = submit(server)
        server.wait(other)
        train = server.submit("train", {"config_path": "configs/smoke.yaml", "dry_run": True})
        events = stream.until(lambda e: e.json.get("status") in ("SUCCESS", "FAILED"))
        assert {e.json["job_id"] for e in events} == {train["job_id"]}
        server.post("/api/admin/queue/pause")
        assert stream.next().kind == "queue_changed"
        # It goes on behind what it was told, with the same filter.
        at = stream.last_id
    server.post("/api/admin/queue/resume")
    with EventStream(server, "/api/events?job_type=train", at) as stream:
        assert stream.next().kind == "queue_changed"


def test_head_and_other_methods(server):
    head = server.request("HEAD", "/api/events")
    assert head.status == 200 and head.headers["Content-Type"] == "text/event-stream"
    assert server.request("POST", "/api/events", {}).status == 405


@pytest.mark.parametrize("last_id", ["0-1", "nonsense", "-", "{start}-999999", "{start}-", "{start}-1x"])
def test_an_unknown_place_is_a_reset(server, last_id):
    with connect(server) as first:
        start = first.last_id.split("-")[0]
    with EventStream(server, "/api/events", last_id.format(start=start)) as stream:
        event = stream.next()
        assert event.kind == "reset" and event.json == {} and event.id.startswith(start)
        job_id = submit(server)
        assert stream.next().json["job_id"] == job_id  # and then it goes on


def test_a_restart_is_a_reset(server):
    with connect(server) as stream:
        submit(server)
        last_id = stream.next().id
        server.stop()
        assert [e.kind for e in iter(stream.next, None)][-1] == "shutdown"
        assert stream.retry == 2000
    server.start()
    with EventStream(server, "/api/events", last_id) as stream:
        assert stream.next().kind == "reset"


def test_who_reconnects_at_random_sees_what_one_who_stays_sees(server):
    jobs = 60
    steady = []
    with connect(server) as whole:
        begin = whole.last_id

        def stay():
            ended = 0
            while ended < jobs:
                event = whole.next()
                steady.append((event.id, event.kind, event.data))
                ended += event.kind == "job_deleted"
        thread = threading.Thread(target=stay)
        thread.start()

        def work():
            for number in range(jobs // 3):
                ids = [submit(server, "echo step 1/2; sleep 0.02; echo step 2/2")
                       for _ in range(3)]
                for job_id in ids:
                    server.wait(job_id)
                    server.request("DELETE", f"/api/jobs/{job_id}")
        worker = threading.Thread(target=work)
        worker.start()
        chance = random.Random(7)
        seen, last_id, connections, ended = [], begin, 0, 0
        while ended < jobs:
            connections += 1
            with EventStream(server, "/api/events", last_id) as stream:
                for _ in range(chance.randrange(0, 12)):
                    if ended == jobs:
                        break
                    event = stream.next()
                    seen.append((event.id, event.kind, event.data))
                    ended += event.kind == "job_deleted"
                    last_id = stream.last_id
        thread.join(), worker.join()
        assert connections > 20
        assert seen == steady


def test_too_far_behind_is_a_reset(server, command_plugin):
    """A listener that reads nothing while the ring goes round: begins anew, and holds up nobody."""
    with connect(server) as begin:
        first = begin.last_id
    server.post("/api/admin/queue/pause")
    for batch in range(5):
        reply = server.post("/api/jobs/batch", {"type": "command", "params": {"script": "true"},
                                                "matrix": {"label": [str(n) for n in range(900)]}})
        assert reply.status == 201
    with EventStream(server, "/api/events", first) as stream:
        event = stream.next()
        assert event.kind == "reset"
        # An id that is still there is served, in order and without a gap.
        number = int(event.id.split("-")[1])
    with EventStream(server, "/api/events", f"{first.split('-')[0]}-{number - 3000}") as stream:
        numbers = [int(stream.next().id.split("-")[1]) for _ in range(3000)]
        assert numbers == list(range(number - 2999, number + 1))


def test_thousands_of_connects_and_aborts_leave_nothing(server):
    rounds = int(os.environ.get("RUNYARD_STREAM_CHURN", "2000"))

    def churn(count):
        for number in range(count):
            client = socket.create_connection((server.host, server.port))
            client.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if number % 3 == 0:
                client.recv(100)
            if number % 3 == 1:  # aborted with a reset
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
    server.get("/healthz")
    before = descriptors(server)
    churn(200)
    eventually(lambda: descriptors(server) <= before, what="closed descriptors")
    memory = memory_kb(server)
    churn(rounds)
    eventually(lambda: descriptors(server) <= before, what="closed descriptors")
    assert memory_kb(server) < memory + 8 * 1024
    assert server.get("/healthz") == {"status": "ok"}


def test_many_streams_wait_longer_than_any_timeout_and_cost_little(server):
    """Streams are not met by the timeouts of requests, and an idle one is small."""
    clients = [connect(server) for _ in range(300)]
    before = memory_kb(server)
    clients += [connect(server) for _ in range(300)]
    each = (memory_kb(server) - before) / 300
    assert each < 20, f"{each} KB a listener"
    silent = float(os.environ.get("RUNYARD_STREAM_SILENCE", "0"))
    time.sleep(silent)  # with a value above 75: longer than every timeout of the HTTP layer
    job_id = submit(server)
    for client in clients:
        assert client.next().json["job_id"] == job_id
        if silent > 20:
            assert client.comments > 0
        client.close()


def test_limits(make_server, command_plugin):
    server = make_server(plugin_dirs=[command_plugin],
                         environment=dict(ALLOW, RUNYARD_SERVER__MAX_STREAMS="2")).start()
    with connect(server), connect(server):
        refused = server.request("GET", "/api/events")
        assert refused.status == 503 and refused.headers["Retry-After"]
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert "server.max_streams" in refused.json["detail"]
        assert server.get("/api/jobs/recent") == []  # only streams are refused
    with eventually(lambda: connect_or_none(server), what="a free place"):
        pass


def connect_or_none(server):
    stream = EventStream(server, "/api/events")
    return stream if stream.status == 200 else None


def test_stop_ends_requests_then_streams_then_the_engine(server):
    gate = server.workspace / "gate"
    job_id = submit(server, f"until [ -e {gate} ]; do sleep 0.02; done")
    server.wait(job_id, until={"RUNNING"})
    streams = [connect(server) for _ in range(20)]
    unread = socket.create_connection((server.host, server.port))
    unread.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    server.stop()
    for stream in streams:
        events = list(iter(stream.next, None))
        assert [e.kind for e in events][-1:] == ["shutdown"], events
        stream.close()
    unread.close()
    gate.touch()
    server.start()
    assert server.wait(job_id)["status"] == "SUCCESS"


def test_a_second_signal_ends_at_once(server):
    # A download that is not read holds the first stop up, for some seconds at most.
    job_id = submit(server, "head -c 60000000 /dev/zero")
    server.wait(job_id)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((server.host, server.port))
    client.sendall(f"GET /api/jobs/{job_id}/log HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    client.recv(100)
    server.process.send_signal(signal.SIGTERM)
    eventually(lambda: "stopping" in server.log_text())
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(3) != 0
    client.close()
    server.start()
    assert server.job(job_id)["status"] == "SUCCESS"


def test_the_server_raises_its_limit_of_open_files_and_jobs_do_not_see_it(make_server, command_plugin):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (500, before[1]))
    try:
        server = make_server(plugin_dirs=[command_plugin], environment=ALLOW).start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    with open(f"/proc/{server.process.pid}/limits") as limits:
        soft = int(re.search(r"Max open files\s+(\d+)", limits.read())[1])
    assert soft == min(before[1], 65536)
    job_id = submit(server, "ulimit -Sn")
    server.wait(job_id)
    assert server.log_of(job_id).splitlines()[-1] == "500"
