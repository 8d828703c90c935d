"""The files of the web UI, and downloads, over HTTP."""

import gzip
import os
import socket
import time

import pytest

from conftest import Server, eventually

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SCRIPT = "/assets/app-B3xk9f2Q.js"


@pytest.fixture
def web(tmp_path):
    folder = tmp_path / "web"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>UI</title>")
    script = b"export const x = 1;\n" * 20_000
    (folder / SCRIPT[1:]).write_bytes(script)
    (folder / (SCRIPT[1:] + ".gz")).write_bytes(gzip.compress(script))
    (folder / "logo.png").write_bytes(b"\x89PNG")
    return folder


@pytest.fixture
def site(make_server, web):
    return make_server(options=["--web-dir", str(web)]).start()


def test_pages_and_assets(site, web):
    index = site.request("GET", "/")
    assert index.status == 200 and "<title>UI" in index.text
    assert index.headers["Content-Type"] == "text/html; charset=utf-8"
    assert index.headers["Cache-Control"] == "no-cache"
    for name, word in (("Content-Security-Policy", "frame-ancestors 'none'"),
                       ("Content-Security-Policy", "default-src 'self'"),
                       ("X-Content-Type-Options", "nosniff"),
                       ("Referrer-Policy", "no-referrer")):
        assert index.headers.get_all(name) and word in index.headers[name], name
        assert len(index.headers.get_all(name)) == 1

    script = site.request("GET", SCRIPT)  # large: by the stream server
    assert script.body == (web / SCRIPT[1:]).read_bytes()
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert script.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Content-Encoding" not in script.headers
    packed = site.request("GET", SCRIPT, headers={"Accept-Encoding": "gzip, br"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == script.body
    assert packed.headers["ETag"] != script.headers["ETag"]
    assert site.request("GET", "/logo.png").headers["Content-Type"] == "image/png"


def test_head_etag_and_range(site, web):
    whole = (web / SCRIPT[1:]).read_bytes()
    head = site.request("HEAD", SCRIPT)
    assert head.status == 200 and head.body == b""
    assert head.headers["Content-Length"] == str(len(whole))
    etag = head.headers["ETag"]
    same = site.request("GET", SCRIPT, headers={"If-None-Match": etag})
    assert same.status == 304 and same.body == b"" and same.headers["ETag"] == etag
    assert same.headers["Cache-Control"].endswith("immutable")
    part = site.request("GET", SCRIPT, headers={"Range": "bytes=5-99999", "If-Range": etag})
    assert part.status == 206 and part.body == whole[5:100_000]
    assert part.headers["Content-Range"] == f"bytes 5-99999/{len(whole)}"
    whole_again = site.request("GET", SCRIPT, headers={"Range": "bytes=5-9", "If-Range": '"x"'})
    assert whole_again.status == 200 and whole_again.body == whole
    assert site.request("GET", SCRIPT, headers={"Range": f"bytes={len(whole)}-"}).status == 416
    os.utime(web / SCRIPT[1:], ns=(1, 1))
    assert site.request("GET", SCRIPT, headers={"If-None-Match": etag}).status == 200


def test_deep_links_and_what_is_not_there(site):
    for path in ("/jobs/job_1", "/a/b/c?x=1"):
        assert "<title>UI" in site.request("GET", path, headers=PAGE).text
    for path in ("/jobs/job_1", "/assets/gone-12345678.js", "/index.htm"):
        assert site.request("GET", path, headers={"Accept": "*/*"}).status == 404
    # The API never answers with a page.
    for path in ("/api", "/api/", "/api/nothing", "/healthz/x"):
        reply = site.request("GET", path, headers=PAGE)
        assert reply.status == 404, path
        assert reply.headers["Content-Type"] == "application/problem+json"
    reply = site.request("POST", "/jobs/job_1", {})
    assert reply.status == 405 and reply.headers["Allow"] == "GET"


@pytest.mark.parametrize("path", [
    "/../secret", "/%2e%2e/secret", "/..%2fsecret", "/%252e%252e/secret", "/assets/%2e%2e/%2e%2e/secret",
    "//etc/passwd", "/%2fetc/passwd", "/link", "/.hidden", "/assets/.hidden", "/index.html%00",
    "/index.html/", "/assets", "/" + "a" * 3000])
def test_nothing_beside_the_folder(site, web, path):
    for secret in (web.parent / "secret", web / ".hidden", web / "assets" / ".hidden"):
        secret.write_text("SECRET")
    if not (web / "link").is_symlink():
        (web / "link").symlink_to(web.parent / "secret")
    reply = site.request("GET", path, headers={"Accept": "*/*"})
    assert reply.status in (400, 404) and b"SECRET" not in reply.body and b"root:" not in reply.body


def test_without_a_ui_the_server_says_how_to_build_it(make_server, tmp_path):
    server = make_server(options=["--web-dir", str(tmp_path / "absent")]).start()
    reply = server.request("GET", "/", headers=PAGE)
    assert reply.status == 200 and "npm run build" in reply.text
    assert server.request("GET", "/app.js").status == 404
    (tmp_path / "absent").mkdir()
    (tmp_path / "absent" / "index.html").write_text("built")
    assert server.request("GET", "/", headers=PAGE).text == "built"


def test_the_log_as_a_download(make_server, command_plugin):
    server = make_server(plugin_dirs=[command_plugin],
                         environment={"RUNYARD_PLUGINS__ALLOW": '["/bin/sh"]'}).start()
    job = server.submit("command", {"script": "seq 1 50000"})
    server.wait(job["job_id"])
    path = f"/api/jobs/{job['job_id']}/log"
    saved = server.request("GET", path + "?download=1")
    assert saved.headers["Content-Disposition"] == f'attachment; filename="{job["job_id"]}.log"'
    assert "Content-Disposition" not in server.request("GET", path).headers
    assert server.request("GET", path + "?download=maybe").status == 422
    etag = saved.headers["ETag"]
    rest = server.request("GET", path, headers={"Range": "bytes=100000-", "If-Range": etag})
    assert rest.status == 206 and rest.body == saved.body[100_000:]
    assert server.request("GET", path, headers={"If-None-Match": etag}).status == 304


@pytest.fixture(scope="module")
def large_log(tmp_path_factory, command_plugin):
    """A server with a job whose log has 100 MB."""
    folder = tmp_path_factory.mktemp("large")
    (folder / "workspace").mkdir()
    server = Server(folder / "workspace", plugin_dirs=[command_plugin],
                    environment={"RUNYARD_PLUGINS__ALLOW": '["/bin/sh"]'}).start()
    job = server.submit("command", {"script": "yes 0123456789abcdef | head -c 100000000"})
    assert server.wait(job["job_id"])["status"] == "SUCCESS"
    server.large = f"/api/jobs/{job['job_id']}/log"
    server.size = server.job(job["job_id"])["log_size"]
    yield server
    server.stop()


def ask(server, *requests, receive_buffer=0):
    client = socket.socket()
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(60)
    client.connect((server.host, server.port))
    client.sendall(b"".join(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
                            for path in requests))
    return client


def read_to_end(client):
    received = bytearray()
    while piece := client.recv(1 << 20):
        received += piece
    return bytes(received)


def used(server):
    with open(f"/proc/{server.process.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    with open(f"/proc/{server.process.pid}/statm") as statm:
        pages = int(statm.read().split()[1])
    ticks = int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE")


def test_clients_that_never_read_a_large_log_cost_nobody_anything(large_log):
    server = large_log
    server.get("/api/jobs/recent")
    deaf = [ask(server, server.large, receive_buffer=4096) for _ in range(50)]
    for client in deaf:
        assert client.recv(20).startswith(b"HTTP/1.1 200")
    cpu, memory = used(server)
    begin = time.monotonic()
    while time.monotonic() - begin < 2:
        assert server.request("GET", "/healthz").status == 200
        time.sleep(0.1)
    more_cpu, more_memory = used(server)
    assert more_cpu - cpu < 0.5, "the server is busy with clients that do not read"
    assert more_memory - memory < 10 << 20
    # And another one gets all of it meanwhile.
    whole = server.request("GET", server.large).body
    assert len(whole) == server.size
    for client in deaf:
        client.close()


def test_a_large_answer_closes_the_connection_and_half_closed_clients_get_it(large_log):
    server = large_log
    client = ask(server, server.large, "/healthz")  # pipelined: the second one is not answered
    received = read_to_end(client)
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"Connection: close" in head and len(body) == server.size
    client = ask(server, server.large)
    client.shutdown(socket.SHUT_WR)
    assert len(read_to_end(client).partition(b"\r\n\r\n")[2]) == server.size


def test_aborted_downloads_leave_nothing(large_log):
    server = large_log
    descriptors = lambda: len(os.listdir(f"/proc/{server.process.pid}/fd"))  # noqa: E731
    before = descriptors()
    for number in range(300):
        client = ask(server, server.large, receive_buffer=4096)
        if number % 2:
            client.recv(1000)
        client.close()
    eventually(lambda: descriptors() <= before, what="closed descriptors")
