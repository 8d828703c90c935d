"""The HTTP layer against hostile and clumsy clients, over plain sockets.

One test or more for each defect that api/pistache/README.md names. Takes the server from the
environment variable RUNYARD_ECHO_SERVER. RUNYARD_HTTP_STRESS sets how many answers the test with
aborting clients looks at with each number of workers (default 400; the full run uses 100000).
"""

import atexit
import json
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MIB = 1024 * 1024
LIMIT = 10  # seconds that any single wait may take


class Server:
    """The echo server as a child process."""

    def __init__(self, *options, descriptors=None):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        self.process = subprocess.Popen(
            [os.environ["RUNYARD_ECHO_SERVER"], *map(str, options)],
            stdout=subprocess.PIPE, text=True, preexec_fn=limit if descriptors else None)
        atexit.register(self.process.kill)  # a failed test leaves no server behind
        line = self.process.stdout.readline()
        assert line.startswith("port "), "the server did not start"
        self.port = int(line.split()[1])

    def connect(self, receive_buffer=None):
        return Client(self.port, receive_buffer)

    def settle(self):
        """With one worker: what was sent before this call has been handled after it."""
        with self.connect() as client:
            assert client.get("/id/settled") == b"settled"

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def assert_idle(self):
        start = self.cpu_seconds()
        time.sleep(0.5)  # the time measured, not a wait
        assert self.cpu_seconds() - start < 0.15

    def memory(self, name):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{name}:\s+(\d+) kB", status, re.M).group(1)) * 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def assert_descriptors(self, expected):
        wait_until(lambda: self.descriptors() <= expected)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(LIMIT)
        finally:
            self.process.kill()
            self.process.stdout.close()


class Client:
    """One connection that reads answers strictly."""

    def __init__(self, port, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(LIMIT)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def more(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def answer(self, to_head=False):
        """(status, fields with lower-case names, body) of the next answer."""
        while b"\r\n\r\n" not in self.buffer:
            assert self.more(), f"closed instead of an answer; got {self.buffer[:200]!r}"
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        match = re.fullmatch(r"HTTP/1\.1 (\d{3}) [ -~]+", first)
        assert match, first
        fields = dict((k.lower(), v) for k, v in (line.split(": ", 1) for line in lines))
        status = int(match.group(1))
        size = 0 if to_head or status == 100 else int(fields["content-length"])
        while len(self.buffer) < size:
            assert self.more(), "closed within a body"
        body, self.buffer = self.buffer[:size], self.buffer[size:]
        return status, fields, body

    def get(self, path, fields=""):
        self.send(request(path, fields))
        status, _, body = self.answer()
        assert status == 200
        return body

    def assert_closed(self):
        """The server closes, and has sent nothing but what was read."""
        while self.more():
            pass
        assert self.buffer == b""

    def abort(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def request(path, fields="", method="GET", body=b""):
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{fields}\r\n".encode() + body


def assert_problem(answer, status):
    got, fields, body = answer
    assert got == status, (got, body)
    assert fields["content-type"] == "application/problem+json"
    problem = json.loads(body)
    assert set(problem) == {"type", "title", "status", "detail"}
    assert problem["status"] == status and problem["detail"].endswith(".")
    return fields


def wait_until(is_true):
    deadline = time.monotonic() + LIMIT
    while not is_true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def short(value):
    """A test's name from a parameter that may be long."""
    return ascii(value)[:60] if isinstance(value, (bytes, str)) else None


@pytest.fixture(scope="module")
def server():
    own = Server()
    yield own
    assert own.process.poll() is None, "the server died"
    assert own.stop() == 0


@pytest.fixture(scope="module")
def single():
    """One worker, so that one stuck worker is seen by the next request."""
    own = Server("--workers", 1)
    yield own
    assert own.process.poll() is None, "the server died"
    assert own.stop() == 0


# D1: answers to the right client


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_each_client_gets_its_own_answer_while_others_abort(workers):
    answers = int(os.environ.get("RUNYARD_HTTP_STRESS", "400"))
    threads = 16
    wrong = []
    own = Server("--workers", workers)
    start = own.descriptors()

    def run(thread):
        try:
            for number in range(answers * 10 // 3 // threads + 1):
                own_id = f"{thread}-{number}"
                path = f"/later/0/{own_id}" if number % 4 == 0 else f"/id/{own_id}"
                client = own.connect()
                client.send(request(path))
                if number % 10 < 7:
                    client.abort()
                    continue
                with client:
                    status, _, body = client.answer()
                    if status != 200 or body != own_id.encode() or client.buffer:
                        wrong.append((own_id, status, body, client.buffer))
        except Exception as error:  # a thread's failure fails the test
            wrong.append((thread, repr(error)))

    runners = [threading.Thread(target=run, args=(n,)) for n in range(threads)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    assert wrong == []
    own.assert_descriptors(start)
    assert own.stop() == 0


def test_answers_from_another_thread_leave_the_connection_usable(server):
    def run(failures):
        try:
            with server.connect() as client:
                for number in range(100):
                    assert client.get(f"/later/0/{number}") == str(number).encode()
        except Exception as error:
            failures.append(repr(error))

    failures = []
    runners = [threading.Thread(target=run, args=(failures,)) for _ in range(8)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    assert failures == []


def test_late_answer_never_reaches_the_next_client():
    own = Server("--workers", 1, "--keepalive-timeout-ms", 300)
    start = own.descriptors()
    own.settle()
    own.assert_descriptors(start)
    threads = own.threads()
    with own.connect() as first:
        first.send(request("/later/1500/secret"))
        first.assert_closed()  # given up after the keep-alive time
    with own.connect() as last:  # gets the descriptor's number of the first one
        last.send(b"GET /id/7 HTTP/1.1\r\n")
        wait_until(lambda: own.threads() == threads)  # the late answer was given
        last.send(b"Host: x\r\n\r\n")
        assert last.answer()[2] == b"7"
    assert own.stop() == 0


# D12: wake-ups


def test_no_connection_is_forgotten():
    own = Server("--workers", 1, "--event-delay-us", 2000)
    for step in range(60):
        with own.connect() as first:
            time.sleep(step * 0.0001)  # so that one step meets the moment
            with own.connect() as second:
                assert (first.get("/id/1"), second.get("/id/2")) == (b"1", b"2")
    assert own.stop() == 0


def test_no_answer_of_another_thread_is_forgotten():
    own = Server("--workers", 1, "--event-delay-us", 2000)
    with own.connect() as first, own.connect() as second:
        for step in range(60):
            second.send(request(f"/later/{1 + step % 12}/3") + request("/id/4"))
            first.send(request("/later/1/1") + request("/id/2"))
            answers = [client.answer()[2] for client in (first, first, second, second)]
            assert answers == [b"1", b"2", b"3", b"4"]
    assert own.stop() == 0


# D2, D9: chunked bodies


CHUNKED = request("/echo", "Transfer-Encoding: chunked\r\n", "POST",
                  b"5;name=\"value\"\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: x\r\n\r\n")


def test_chunked_body_cut_at_every_place(single):
    for cut in range(1, len(CHUNKED)):
        with single.connect() as client:
            client.send(CHUNKED[:cut])
            single.settle()
            client.send(CHUNKED[cut:])
            assert client.answer()[2] == b"6:hello!"


def test_requests_byte_by_byte(single):
    with single.connect() as client:
        for byte in CHUNKED + request("/id/7") + CHUNKED:
            client.send(bytes([byte]))
        assert [client.answer()[2] for _ in range(3)] == [b"6:hello!", b"7", b"6:hello!"]


@pytest.mark.parametrize("body, status", [
    (b"x\r\n", 400), (b"\r\n", 400), (b"-1\r\n", 400), (b"0x5\r\nhello\r\n", 400),
    (b"5\nhello\r\n0\r\n\r\n", 400), (b"5\r\nhelloX\r\n0\r\n\r\n", 400), (b"5\rx\nhello", 400),
    (b"ffffffffffffffffffff\r\n", 413), (b"100001\r\n", 413), (b"7fffffffffffffff\r\n", 413),
    (b"1" * 300, 400), (b"1;" + b"e" * 300 + b"\r\n", 400),
    (b"0\r\n" + b"a: b\r\n" * 3000 + b"\r\n", 431)], ids=short)
def test_bad_chunks_are_refused(server, body, status):
    with server.connect() as client:
        client.send(request("/echo", "Transfer-Encoding: chunked\r\n", "POST", body))
        assert_problem(client.answer(), status)
        client.assert_closed()


# D3: long addresses


def test_many_slashes(server):
    with server.connect() as client:
        client.send(request("/" * 4000))
        assert_problem(client.answer(), 404)
        assert client.get("//id////7///") == b"7"
    with server.connect() as client:
        client.send(request("/" * 14600))
        assert_problem(client.answer(), 414)
        client.assert_closed()


def test_router_cleans_a_path_of_any_length():
    run = subprocess.run([os.environ["RUNYARD_ECHO_SERVER"], "--slashes", "1000000"],
                         capture_output=True, text=True, timeout=LIMIT)
    assert (run.returncode, run.stdout) == (0, "a/b\n")


# D4: clients that do not read, lengths that are only announced


def test_clients_that_do_not_read_leave_the_workers_idle(single):
    silent = [single.connect(receive_buffer=4096) for _ in range(3)]
    for client in silent:
        client.send(request("/large"))
    single.settle()
    single.assert_idle()
    with single.connect() as client:
        assert client.get("/id/7") == b"7"
    assert silent[0].answer()[2] == b"x" * (4 * MIB)
    assert silent[0].get("/id/8") == b"8"
    silent[0].send(request("/large"))
    for client in silent:
        client.abort()
    single.settle()
    single.assert_idle()


def test_announced_length_reserves_nothing(server):
    before = server.memory("VmSize")
    with server.connect() as client:
        client.send(request("/echo", "Content-Length: 50000000000\r\n", "POST"))
        assert_problem(client.answer(), 413)
        client.assert_closed()
    waiting = [server.connect() for _ in range(100)]
    for client in waiting:
        client.send(request("/echo", f"Content-Length: {MIB}\r\n", "POST"))
    for client in waiting[:3]:
        client.send(b"x" * MIB)
        assert client.answer()[2] == b"%d:" % MIB + b"x" * MIB
    assert server.memory("VmSize") - before < 64 * MIB
    for client in waiting:
        client.socket.close()


# D7: framing that could be read in two ways


SMUGGLED = request("/id/smuggled")


@pytest.mark.parametrize("fields", [
    f"Content-Length: {MIB + 1}\r\n", "Transfer-Encoding: chunked\r\n",
    "Content-Length: 18446744073709551617\r\n", "Content-Length: " + "9" * 40 + "\r\n"],
    ids=short)
def test_nothing_is_read_as_a_request_after_413(server, fields):
    body = SMUGGLED * 40000
    if "chunked" in fields:
        body = b"%x\r\n" % len(body) + body
    with server.connect() as client:
        client.send(request("/echo", fields, "POST"))
        try:
            client.send(body)
        except OSError:
            pass  # the server may have had enough
        assert_problem(client.answer(), 413)
        client.assert_closed()


def test_endless_input_after_413_is_cut_off(server):
    with server.connect() as client:
        client.send(request("/echo", "Content-Length: 99999999999\r\n", "POST"))
        with pytest.raises(OSError):
            for _ in range(1024):
                client.send(b"x" * MIB)


@pytest.mark.parametrize("head, status", [
    (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n", 400),
    (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\ncontent-length: 6\r\n", 400),
    (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n", 400),
    (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n", 400),
    (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n", 400),
    (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n", 400),
    (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0x5\r\n", 400),
    (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5 5\r\n", 400),
    (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n", 400),
    (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
    (b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", 400),
    (b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n", 501),
    (b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n", 501),
    (b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", 400),
    (b"GET /id/1 HTTP/1.1\r\n", 400),
    (b"GET /id/1 HTTP/1.1\r\nHost: x\r\nHost: y\r\n", 400),
    (b"GET /id/1 HTTP/1.1\r\nHost : x\r\n", 400),
    (b"GET /id/1 HTTP/1.1\r\nHost: x\r\n folded\r\n", 400),
    (b"GET /id/1 HTTP/1.1\r\n Host: x\r\n", 400),
    (b"GET /id/1 HTTP/1.1\r\nHost: x\r\nno colon\r\n", 400),
    (b"GET /id/1 HTTP/1.1\r\nHost: x\r\n: empty\r\n", 400),
    (b"GET /id/1 HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n", 400),
    (b"GET /id/1 HTTP/1.1\r\nHost: x\r\nA: b\nB: c\r\n", 400),
    (b"GET /id/1 HTTP/1.1\r\nHost: x\r\nA: b\rB: c\r\n", 400),
    (b"GET /id/1 HTTP/1.1\nHost: x\n", 400),
    (b"\n", 400),
    (b"GET\r\n", 400),
    (b"GET /id/1\r\n", 400),
    (b"GET  /id/1 HTTP/1.1\r\nHost: x\r\n", 400),
    (b"GET /id/1 HTTP/1.1 \r\nHost: x\r\n", 400),
    (b"GET /id/1 http/1.1\r\nHost: x\r\n", 400),
    (b"G\xc3T /id/1 HTTP/1.1\r\nHost: x\r\n", 400),
    (b"GET /id/\xff HTTP/1.1\r\nHost: x\r\n", 400),
    (b"GET /id/\0 HTTP/1.1\r\nHost: x\r\n", 400),
    (b"GET /id/1#a HTTP/1.1\r\nHost: x\r\n", 400),
    (b"GET http://x/id/1 HTTP/1.1\r\nHost: x\r\n", 400),
    (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n", 400),
    (b"PRI * HTTP/2.0\r\n", 505),
    (b"GET /id/1 HTTP/1.9\r\nHost: x\r\n", 505),
    (b"BREW /id/1 HTTP/1.1\r\nHost: x\r\n", 501),
    (b"TRACE /id/1 HTTP/1.1\r\nHost: x\r\n", 501),
    (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n", 501),
    (b"GET /id/1 HTTP/1.1\r\nHost: x\r\nExpect: more\r\n", 417),
    (b"GET /" + b"a" * 4096 + b" HTTP/1.1\r\nHost: x\r\n", 414),
    (b"GET /?" + b"a=b&" * 100000, 414),
    (b"GET /id/1 HTTP/1.1\r\nHost: x\r\n" + b"".join(b"a%d: b\r\n" % n for n in range(100)), 431),
    (b"GET /id/1 HTTP/1.1\r\nHost: x\r\n" + b"a: " + b"b" * 70000 + b"\r\n", 431),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 400)],
    ids=short)
def test_bad_requests_are_refused_and_the_connection_closed(server, head, status):
    with server.connect() as client:
        client.send(head + b"\r\nhello" + SMUGGLED)
        fields = assert_problem(client.answer(), status)
        assert fields["connection"] == "close"
        client.assert_closed()


# D8: keep-alive and close


@pytest.mark.parametrize("version, field, stays", [
    ("1.1", "", True), ("1.1", "Connection: keep-alive\r\n", True),
    ("1.1", "Connection: close\r\n", False), ("1.1", "Connection: foo, CLOSE\r\n", False),
    ("1.0", "", False), ("1.0", "Connection: Keep-Alive\r\n", True),
    ("1.0", "Connection: keep-alive, close\r\n", False)])
@pytest.mark.parametrize("path, body", [("/id/7", b"7"), ("/later/20/7", b"7"),
                                        ("/large", b"x" * (4 * MIB))], ids=short)
def test_keep_alive(server, version, field, stays, path, body):
    text = f"GET {path} HTTP/{version}\r\nHost: x\r\n{field}\r\n".encode()
    with server.connect() as client:
        client.send(text)
        status, fields, got = client.answer()
        assert (status, got) == (200, body)
        assert fields["connection"] == ("keep-alive" if stays else "close")
        if stays:
            client.send(text)
            assert client.answer()[2] == body
        else:
            client.assert_closed()


def test_head_has_no_body_and_errors_leave_the_connection(server):
    with server.connect() as client:
        client.send(request("/id/abc", method="HEAD"))
        status, fields, _ = client.answer(to_head=True)
        assert (status, fields["content-length"]) == (200, "3")
        client.send(request("/large", method="HEAD"))
        assert client.answer(to_head=True)[1]["content-length"] == "4194304"
        client.send(request("/nowhere"))
        assert_problem(client.answer(), 404)
        client.send(request("/id/abc", method="PUT"))
        assert "GET" in assert_problem(client.answer(), 405)["allow"]
        assert client.get("/id/7") == b"7"


# D9: pipelining, 100-continue, half-closed clients, odd fields


def test_pipelined_requests_are_all_answered_in_order(server):
    paths = [f"/later/1/{n}" if n % 10 == 0 else f"/id/{n}" for n in range(300)]
    with server.connect() as client:
        client.send(b"".join(request(path) for path in paths))
        assert [client.answer()[2] for _ in paths] == [b"%d" % n for n in range(300)]


def test_pipelined_after_large_and_after_posts(server):
    post = request("/echo", "Content-Length: 3\r\n", "POST", b"abc")
    with server.connect() as client:
        client.send(request("/large") + post + b"\r\n\r\n" + post + request("/id/7"))
        assert len(client.answer()[2]) == 4 * MIB
        assert [client.answer()[2] for _ in range(3)] == [b"3:abc", b"3:abc", b"7"]


def test_pipelined_after_close_is_dropped(server):
    with server.connect() as client:
        client.send(request("/id/1", "Connection: close\r\n") + SMUGGLED)
        assert client.answer()[2] == b"1"
        client.assert_closed()


def test_expect_continue(server):
    fields = "Expect: 100-continue\r\nContent-Length: {}\r\n"
    with server.connect() as client:
        client.send(request("/echo", fields.format(5), "POST"))
        assert client.answer()[0] == 100
        client.send(b"hello")
        assert client.answer()[2] == b"5:hello"
        client.send(request("/echo", fields.format(5), "POST", b"hello"))
        assert client.answer()[2] == b"5:hello"  # the body was here: nothing to wait for
        client.send(request("/echo", fields.format(2 * MIB), "POST"))
        assert_problem(client.answer(), 413)
        client.assert_closed()


@pytest.mark.parametrize("path, body", [("/id/7", b"7"), ("/later/100/7", b"7"),
                                        ("/large", b"x" * (4 * MIB))], ids=short)
def test_half_closed_client_is_answered(server, path, body):
    with server.connect(receive_buffer=4096) as client:
        client.send(request(path))
        client.socket.shutdown(socket.SHUT_WR)
        assert client.answer()[2] == body
        client.assert_closed()


@pytest.mark.parametrize("field", [
    "Date: yesterday", "Cookie: ;=;;a", "Cookie: a", "Content-Type: ???", "Content-Type: text/html",
    "Accept: a/b/c;q=x", "Authorization: Basic", "Cache-Control: max-age=x", "If-Modified-Since: x",
    "Accept-Encoding: ;;", "Location: x", "Access-Control-Max-Age: x", "Last-Modified: 0",
    "Upgrade: websocket", "X-Utf8: \u00e9"])
def test_odd_fields_are_no_error(server, field):
    name, value = field.split(": ")
    with server.connect() as client:
        client.send(request(f"/field/{name.lower()}").replace(b"\r\n\r\n",
                                                               f"\r\n{field}\r\n\r\n".encode()))
        status, fields, body = client.answer()
        assert (status, body.decode()) == (200, value)
        assert fields["x-echo"] == "yes"
        assert fields["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("host", ["", ":", "a:b", "[::1", "x:99999999", "\u00e9"])
def test_odd_hosts_reach_the_handler(server, host):
    with server.connect() as client:
        client.send(f"GET /field/host HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert client.answer()[2].decode() == host


def test_repeated_fields_are_joined(server):
    with server.connect() as client:
        assert client.get("/field/accept", "Accept: a/b\r\naccept: c/d\r\n") == b"a/b, c/d"
        assert client.get("/field/cookie", "Cookie: a=1\r\nCookie: b=2\r\n") == b"a=1; b=2"


@pytest.mark.parametrize("query, value", [
    ("", b"-"), ("?", b"-"), ("?q", b""), ("?q=", b""), ("?q=1", b"1"), ("?q=a=b&", b"a=b"),
    ("?&&=&q=1&q=2", b"1"), ("?q=%zz+", b"%zz+"), ("?" + "a&" * 1000 + "q=1", b"1"),
    ("?q=?q=/", b"?q=/")], ids=short)
def test_queries(server, query, value):
    with server.connect() as client:
        assert client.get("/query" + query) == value


# D5, D6: what is not used because it cannot be made safe


def test_the_api_uses_no_file_or_stream_of_the_library():
    banned = re.compile(r"serveFile|ResponseStream|(?:writer|response|resp|res)\w*(?:\.|->)stream\(")
    for path in sorted((ROOT / "api").rglob("*")):
        if path.suffix in (".h", ".cpp"):
            assert not banned.search(path.read_text(encoding="utf-8")), path


def test_aborted_downloads_do_not_kill(single):
    start = single.descriptors()
    for _ in range(20):
        client = single.connect(receive_buffer=4096)
        client.send(request("/large") * 3)
        client.socket.recv(1000)
        client.abort()
    single.settle()
    single.assert_descriptors(start)


# D10: timeouts


def test_timeouts_never_meet_an_answer_and_slow_clients_are_dropped():
    own = Server("--header-timeout-ms", 300, "--keepalive-timeout-ms", 2500)
    slow, idle, late, cut, new = (own.connect() for _ in range(5))
    slow.send(b"GET /id/1 HTTP/1.1\r\nHo")
    late.send(request("/later/1500/7"))
    assert idle.get("/id/7") == b"7"
    cut.send(request("/echo", "Content-Length: 5\r\n", "POST") + b"he")
    for client in (slow, new):  # `new` has sent nothing
        fields = assert_problem(client.answer(), 408)
        assert fields["connection"] == "close"
        client.assert_closed()
    cut.send(b"llo")  # the time for a body is another one
    assert cut.answer()[2] == b"5:hello"
    assert late.answer()[2] == b"7"
    assert idle.get("/id/8") == b"8"
    late.assert_closed()  # in silence, after the keep-alive time
    idle.assert_closed()
    assert own.stop() == 0


# D11: descriptors, shutdown


def test_out_of_descriptors_is_no_spin():
    own = Server("--workers", 1, descriptors=40)
    clients = [own.connect() for _ in range(60)]
    own.assert_idle()
    for client in clients:
        client.socket.close()
    own.settle()
    assert own.stop() == 0


def test_shutdown_loses_no_answer():
    own = Server()
    clients = [own.connect() for _ in range(5)]
    for number, client in enumerate(clients):
        client.send(request(f"/later/400/{number}"))
    with own.connect() as client:  # answered after the others were read: same loop, or both workers
        client.get("/later/100/x")
    own.process.send_signal(signal.SIGTERM)
    for number, client in enumerate(clients):
        _, fields, body = client.answer()
        assert (body, fields["connection"]) == (str(number).encode(), "close")
        client.assert_closed()
    assert own.process.wait(LIMIT) == 0


# What the layer adds


def test_exceptions_tell_clients_nothing(server):
    with server.connect() as client:
        client.send(request("/fail") + SMUGGLED)
        status, fields, body = client.answer()
        assert b"secret" not in body
        assert_problem((status, fields, body), 500)
        client.assert_closed()


def test_taken_over_sockets_belong_to_the_taker():
    own = Server("--header-timeout-ms", 300, "--keepalive-timeout-ms", 300)
    start = own.descriptors()
    with own.connect() as client:
        client.send(request("/stream") + SMUGGLED)
        while client.buffer.count(b"line\n") < 30:  # 1.5 s: no timeout reaches it
            assert client.more()
        assert client.buffer.startswith(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nline\nline\n")
        assert own.descriptors() == start + 1  # one for a follower, not two
    own.assert_descriptors(start)
    assert own.stop() == 0
