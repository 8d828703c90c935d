"""The benchmark: Runyard against the limits of the machine and against its peers.

    ./test bench                 everything; writes docs/performance.md
    ./test bench --quick         a shortened form that only shows that all of it works
    ./test bench --only NAME...  some of the rows (their names are listed by --list)

Each reference is measured in the same run as Runyard, alternating, so that what else the machine
does hits both. A row is the median of the rounds; the ratio is taken round by round.
"""

import argparse
import contextlib
import datetime
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")

CONFIG = """\
queue: {slots: %(slots)d, max_queued: 1000000}
plugins: {allow: ["scripts.*", "/bin/true", "/bin/sh", "%(bin)s/bench_stamp"]}
"""


class Failure(Exception):
    pass


def check(condition, message):
    """A functional error: the only thing that makes the benchmark fail."""
    if not condition:
        raise Failure(message)


# ------------------------------------------------------------------------------- programs and servers

class Server:
    """One `runyard serve` on a folder of its own."""

    def __init__(self, bench, slots=2, folder=None, threads=None):
        self.bench = bench
        self.folder = folder or bench.fresh("server")
        self.workspace = self.folder / "workspace"
        self.state = self.folder / "state"
        self.slots, self.threads = slots, threads

    def __enter__(self):
        (self.workspace / "configs").mkdir(parents=True, exist_ok=True)
        text = CONFIG % {"slots": self.slots, "bin": self.bench.bin}
        if self.threads:
            text += "server: {threads: %d}\n" % self.threads
        (self.workspace / "configs/runyard.yaml").write_text(text)
        command = [self.bench.bin / "runyard", "serve", "--workspace", self.workspace,
                   "--state-dir", self.state, "--port", "0"]
        for name in ("bench-plugins", "test-plugins/command", "plugins"):
            command += ["--plugin-dir", self.bench.build / name]
        self.log = open(self.folder / "server.log", "ab")
        self.began = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log,
                                        stdin=subprocess.DEVNULL)
        line = self.process.stdout.readline().decode()
        found = re.search(r"http://[^: ]+:(\d+)", line)
        check(found, f"the server did not start: {(self.folder / 'server.log').read_text()[-2000:]}")
        self.port = int(found[1])
        self.get("/healthz")
        self.first_answer = time.monotonic() - self.began
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self.process.stdout.close()
            self.log.close()

    @contextlib.contextmanager
    def connection(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            yield connection
        finally:
            connection.close()

    def ask(self, connection, method, path, body=None):
        data = None if body is None else json.dumps(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        connection.request(method, path, body=data, headers=headers)
        reply = connection.getresponse()
        text = reply.read()
        check(reply.status < 300, f"{method} {path}: {reply.status} {text[:500]}")
        return reply, text

    def get(self, path):
        with self.connection() as connection:
            return json.loads(self.ask(connection, "GET", path)[1])

    def post(self, path, body=None):
        with self.connection() as connection:
            return json.loads(self.ask(connection, "POST", path, body or {})[1])

    def total(self, connection, status):
        reply, _ = self.ask(connection, "GET", f"/api/jobs/recent?limit=1&status={status}")
        return int(reply.headers["X-Total-Count"])

    def run(self, slug, body, timeout=600):
        """Submits a job and waits for its end."""
        job = self.post(f"/api/jobs/{slug}", body)
        limit = time.monotonic() + timeout
        with self.connection() as connection:
            while job["status"] in ("QUEUED", "RUNNING"):
                check(time.monotonic() < limit, f"{job['job_id']} did not end")
                time.sleep(0.05)
                job = json.loads(self.ask(connection, "GET", f"/api/jobs/{job['job_id']}")[1])
        check(job["status"] == "SUCCESS", f"{job['job_id']}: {job['error_message']}")
        return job

    def cpu(self):
        """CPU seconds of the server and of the shims and commands that it has waited for."""
        fields = stat_fields(self.process.pid)
        return sum(int(fields[i]) for i in (11, 12, 13, 14)) / TICKS

    def own_cpu(self):
        """CPU seconds of the server's threads, finer than a tick of the clock."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def rss(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * PAGE


def stat_fields(pid):
    """/proc/PID/stat after the name: [0] is the state."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


class Nginx:
    """The reference for bytes from a file."""

    def __init__(self, bench, folder):
        self.bench, self.files = bench, folder

    def __enter__(self):
        self.folder = self.bench.fresh("nginx")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (self.folder / "nginx.conf").write_text(f"""
worker_processes 2; daemon off; error_log {self.folder}/error.log; pid {self.folder}/pid;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; types {{ text/plain log; }}
  client_body_temp_path {self.folder}/a; proxy_temp_path {self.folder}/b;
  fastcgi_temp_path {self.folder}/c; uwsgi_temp_path {self.folder}/d; scgi_temp_path {self.folder}/e;
  server {{ listen 127.0.0.1:{self.port}; root {self.files}; }}
}}
""")
        os.chmod(self.bench.base, 0o755)
        user = [] if os.getuid() else ["-g", "user root;"]
        self.process = subprocess.Popen(["nginx", "-c", self.folder / "nginx.conf", *user])
        limit = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return self
            check(time.monotonic() < limit, "nginx did not start")
            time.sleep(0.05)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)


class Constant:
    """The reference for small answers: the same HTTP layer with one constant text."""

    def __init__(self, bench, text, workers):
        self.bench, self.text, self.workers = bench, text, workers

    def __enter__(self):
        path = self.bench.fresh("constant") / "text"
        path.write_bytes(self.text)
        self.process = subprocess.Popen([self.bench.bin / "bench_constant_server",
                                         str(self.workers), path], stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline().split()[1])
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()


def wrk(port, path, seconds):
    """Requests a second over 32 keep-alive connections."""
    out = subprocess.run(["wrk", "-t2", "-c32", f"-d{seconds}s", f"http://127.0.0.1:{port}{path}"],
                         capture_output=True, text=True, check=True).stdout
    check("Non-2xx" not in out and "Socket errors" not in out, out)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])


def download(port, path, headers=None):
    """Seconds until the last byte of an answer, and how many bytes it had."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
    for name, value in (headers or {}).items():
        request += f"{name}: {value}\r\n"
    buffer = bytearray(1 << 20)
    begin = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(request.encode() + b"\r\n")
        size, head = 0, b""
        while read := client.recv_into(buffer):
            if b"\r\n\r\n" not in head:
                head += bytes(buffer[:read])
                size = len(head) - head.find(b"\r\n\r\n") - 4
            else:
                size += read
    seconds = time.perf_counter() - begin
    check(head.split(b" ")[1] in (b"200", b"206"), head[:200].decode(errors="replace"))
    return seconds, size


# -------------------------------------------------------------------------------------------- the table

class Row:
    """What was measured: one value a round for us, and one for the reference (or none)."""

    def __init__(self, what, unit, reference, target, met):
        self.what, self.unit, self.reference = what, unit, reference
        self.target, self.met = target, met  # the target in words; met(ratio or value)
        self.ours, self.theirs = [], []

    def add(self, ours, theirs=None):
        self.ours.append(ours)
        if theirs is not None:
            self.theirs.append(theirs)
        return self

    @property
    def ratios(self):
        return [a / b for a, b in zip(self.ours, self.theirs) if b]

    @property
    def judged(self):
        return statistics.median(self.ratios if self.theirs else self.ours)

    @property
    def verdict(self):
        if self.target.startswith("("):
            return "–"
        return "met" if self.met(self.judged) else "**missed**"

    def cells(self):
        def spread(values):
            if not values:
                return "–"
            return f"{number(statistics.median(values))} ({number(min(values))}–{number(max(values))})"
        return [self.what, f"{spread(self.ours)} {self.unit}",
                f"{self.reference}: {spread(self.theirs)} {self.unit}" if self.theirs else "–",
                spread(self.ratios), self.target, self.verdict]


def number(value):
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


class Bench:
    def __init__(self, build, quick, only):
        self.build, self.bin, self.quick, self.only = build, build / "bin", quick, only
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="runyard-bench-"))
        self.rounds = 1 if quick else 5
        self.rows, self.growth, self.count = [], {}, 0

    def fresh(self, name):
        """A folder that never existed: ext4 is slow where thousands of files were just deleted."""
        self.count += 1
        folder = self.base / f"{self.count:03}-{name}"
        folder.mkdir()
        return folder

    def row(self, *args):
        row = Row(*args)
        self.rows.append(row)
        return row

    def program(self, name, *args):
        out = subprocess.run([self.bin / name, *map(str, args)], capture_output=True, text=True)
        check(out.returncode == 0, f"{name}: {out.stderr}")
        return json.loads(out.stdout) if out.stdout else None

    def flush(self):
        """How long the disk itself takes to make 64 KiB durable, in µs: the median. On the virtual
        disks of such machines it changes between two values from one minute to the next."""
        took = []
        with open(self.fresh("flush") / "file", "wb", buffering=0) as file:
            for _ in range(5 if self.quick else 50):
                file.write(b"." * 65536)
                begin = time.perf_counter()
                os.fdatasync(file.fileno())
                took.append((time.perf_counter() - begin) * 1e6)
        return statistics.median(took)

    # ------------------------------------------------------------------ throughput, CPU and latency

    def jobs_per_second(self):
        count = 60 if self.quick else 2000
        rate = self.row(f"{count:,} × `/bin/true`, two at a time", "jobs/s", "plain spawn limit",
                        "≥ 0.33 ×", lambda r: r >= 0.33)
        peer = self.row("the same", "jobs/s", "task-spooler", "≥ 1.2 ×", lambda r: r >= 1.2)
        synced = self.row("the same", "jobs/s", "spawn limit, a record fsynced for each",
                          "(for comparison)", lambda r: True)
        xargs = self.row("the same", "jobs/s", "xargs -P 2", "(no queue; for comparison)",
                         lambda r: True)
        cpu = self.row("CPU of server, shims and client for a job, above its own", "ms", "",
                       "≤ 1.3 ms", lambda v: v <= 1.3)
        body = self.base / "empty.json"
        body.write_text("{}")
        for _ in range(self.rounds):
            limit = self.program("bench_spawn_limit", 2, count, self.fresh("spawn"), "/bin/true")
            fsync = self.program("bench_spawn_limit", "--fsync", 2, count, self.fresh("spawn"),
                                 "/bin/true")
            begin = time.perf_counter()
            subprocess.run(f"seq {count} | xargs -P 2 -n 1 /bin/true", shell=True, check=True)
            of_xargs = count / (time.perf_counter() - begin)
            of_spooler = self.task_spooler(count)
            with Server(self) as server, server.connection() as connection:
                before = server.cpu()
                load = self.program("bench_http_load", server.port, 8, count, "POST",
                                    "/api/jobs/noop", body)
                check(load["statuses"] == {"201": count}, f"submits: {load['statuses']}")
                deadline = time.monotonic() + 300
                while server.total(connection, "SUCCESS") < count:
                    check(time.monotonic() < deadline, "the jobs did not end")
                    time.sleep(0.02)
                newest = json.loads(server.ask(connection, "GET", "/api/jobs/recent?limit=50")[1])
                ended = max(datetime.datetime.fromisoformat(job["ended_at"]).timestamp()
                            for job in newest)
                ours = count / (ended - load["wall_ms"] / 1000)
                used = server.cpu() - before + load["cpu"] - limit["children_cpu"]
            rate.add(ours, count / limit["seconds"])
            synced.add(ours, count / fsync["seconds"])
            xargs.add(ours, of_xargs)
            peer.add(ours, of_spooler)
            cpu.add(used / count * 1000)

    def task_spooler(self, count):
        """Jobs a second of task-spooler, submitted by eight clients, two at a time."""
        folder = self.fresh("spooler")
        environment = dict(os.environ, TS_SOCKET=str(folder / "socket"), TMPDIR=str(folder),
                           TS_MAXFINISHED="10", TS_MAXCONN="1000")
        subprocess.run(["tsp", "-S", "2"], env=environment, check=True, stdout=subprocess.DEVNULL)
        begin = time.perf_counter()
        subprocess.run(f"seq {count} | xargs -P 8 -n 1 tsp /bin/true >/dev/null", shell=True,
                       env=environment, check=True)
        # The last one has the highest id; what is queued ends in order.
        subprocess.run(["tsp", "-w"], env=environment, check=False, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - begin
        subprocess.run(["tsp", "-K"], env=environment, check=False)
        return count / seconds

    def submit_to_start(self):
        count = 10 if self.quick else 200
        half = self.row("submit → the command's first instruction, idle: p50", "ms",
                        "spawn limit", "≤ 2.5 ×", lambda r: r <= 2.5)
        tail = self.row("the same: p99", "ms", "spawn limit", "≤ 3 ×", lambda r: r <= 3)
        flushed = self.row("the same: p50", "ms", "a flush of the disk", "(for comparison)",
                           lambda r: True)
        for _ in range(self.rounds):
            flush = self.flush() / 1000
            folder = self.fresh("stamps")
            self.program("bench_spawn_limit", "--begin", 1, count, folder, self.bin / "bench_stamp")
            limit = sorted(stamp_delay(path.read_text()) for path in folder.glob("*.log"))
            ours = []
            with Server(self) as server, server.connection() as connection:
                for _ in range(count):
                    begin = time.monotonic_ns()
                    job = json.loads(server.ask(connection, "POST", "/api/jobs/stamp", {})[1])
                    path = server.workspace / job["log_path"]
                    deadline = time.monotonic() + 20
                    while not path.exists() or "stamp=" not in (text := path.read_text()):
                        check(time.monotonic() < deadline, "a job did not start")
                        time.sleep(0.002)
                    ours.append(stamp_delay(text + f"begin={begin}\n"))
                    time.sleep(0.01)  # idle again
            ours.sort()
            half.add(ours[len(ours) // 2], limit[len(limit) // 2])
            flushed.add(ours[len(ours) // 2], flush)
            tail.add(ours[int(len(ours) * 0.99)], limit[int(len(limit) * 0.99)])

    def plugin_argv(self):
        count = 50 if self.quick else 2000
        row = self.row("plugin: validated argv from parameters, through the plugin host and HTTP: p50",
                       "µs", "", "≤ 200 µs", lambda v: v <= 200)
        with Server(self) as server:
            (server.workspace / "configs/train.yaml").write_text("train: {}\n")
            body = self.base / "train.json"
            body.write_text(json.dumps({"params": {"config_path": "configs/train.yaml",
                                                   "overrides": ["train.pretrain.steps=1000"]}}))
            for _ in range(self.rounds):
                load = self.program("bench_http_load", server.port, 1, count, "POST",
                                    "/api/job-types/train/preview", body)
                check(load["statuses"] == {"200": count}, f"previews: {load['statuses']}")
                row.add(load["p50"])

    # ---------------------------------------------------------------------------- history and growth

    def history(self):
        sizes = [10, 1000] if self.quick else [10, 1000, 20_000, 100_000, 1_000_000]
        seconds = 1 if self.quick else 3
        flat = {}
        body = self.base / "submit.json"
        body.write_text(json.dumps({"script": "true"}))
        for size in sizes:
            with Server(self) as server:
                folder = server.folder
            self.program("bench_fill_store", folder / "state", size)
            starts, memory = [], []
            for _ in range(self.rounds):
                with Server(self, folder=folder) as server:
                    starts.append(server.first_answer)
                    memory.append(server.rss() / 1e6)
            limit = {1_000_000: (1, 120), 100_000: (0.5, 60)}.get(size)
            if limit:
                row = self.row(f"start-up to the first answer, {size:,} ended jobs", "s", "",
                               f"≤ {limit[0]} s", lambda v, limit=limit: v <= limit[0])
                row.ours = starts
                row = self.row(f"memory then, {size:,} ended jobs", "MB", "",
                               f"≤ {limit[1]} MB", lambda v, limit=limit: v <= limit[1])
                row.ours = memory
            points = self.growth.setdefault(size, {})
            points["start-up, s"] = statistics.median(starts)
            with Server(self, folder=folder) as server:
                server.post("/api/admin/queue/pause")
                newest = server.get("/api/jobs/recent?limit=50")
                oldest_id = newest[-1]["job_id"]
                for path, what in (("/api/jobs/recent?limit=50", "recent"),
                                   (f"/api/jobs/{oldest_id}", "one job")):
                    with server.connection() as connection:
                        text = server.ask(connection, "GET", path)[1]
                    with Constant(self, text, workers=8) as constant:
                        row = None
                        if size in (1000, 20_000, 1_000_000):
                            row = self.row(f"GET {what}, {size:,} jobs of history, 32 connections",
                                           "requests/s", "the same HTTP layer, a constant text",
                                           "≥ 0.4 ×", lambda r: r >= 0.4)
                        values = []
                        for _ in range(self.rounds):
                            ours = wrk(server.port, path, seconds)
                            values.append(ours)
                            if row:
                                row.add(ours, wrk(constant.port, "/", seconds))
                    points[f"GET {what}, requests/s"] = statistics.median(values)
                    flat.setdefault(what, {})[size] = values
                submits, flushes = [], []
                for _ in range(self.rounds):
                    flushes.append(self.flush())
                    load = self.program("bench_http_load", server.port, 1, 20 if self.quick else 200,
                                        "POST", "/api/jobs/command", body)
                    check(list(load["statuses"]) == ["201"], f"submits: {load['statuses']}")
                    submits.append(load["p50"])
                points["submit p50, µs"] = statistics.median(submits)
                points["a flush of the disk then, µs"] = statistics.median(flushes)
        for what, by_size in flat.items():
            if 1000 in by_size and 1_000_000 in by_size:
                row = self.row(f"GET {what}: 1,000,000 jobs of history against 1,000", "requests/s",
                               "1,000 jobs", "0.9–1.1 ×", lambda r: r >= 0.9)
                row.ours, row.theirs = by_size[1_000_000], by_size[1000]

    def full_queue(self):
        waiting = 1000 if self.quick else 10_000
        count = 50 if self.quick else 500
        row = self.row(f"submit p99 while {waiting:,} jobs wait", "µs", "an empty queue",
                       "≤ 1.2 ×", lambda r: r <= 1.2)
        batch = self.row("a batch of 1,000 jobs", "ms", "1,000 single submits on 8 connections",
                         "one commit", lambda r: r < 1)
        body = self.base / "submit.json"
        body.write_text(json.dumps({"script": "true"}))
        matrix = {"type": "command", "params": {"script": "true"},
                  "matrix": {"label": [str(i) for i in range(1000)]}}
        for _ in range(self.rounds):
            with Server(self) as empty, Server(self) as full:
                for server in (empty, full):
                    server.post("/api/admin/queue/pause")
                begin = time.perf_counter()
                full.post("/api/jobs/batch", matrix)
                took = (time.perf_counter() - begin) * 1000
                single = self.program("bench_http_load", empty.port, 8, 1000, "POST",
                                      "/api/jobs/command", body)
                batch.add(took, single["seconds"] * 1000)
                for _ in range(waiting // 1000 - 1):
                    full.post("/api/jobs/batch", matrix)
            # The one that is compared with has as good as nothing in its queue.
            with Server(self) as empty, Server(self, folder=full.folder) as full:
                empty.post("/api/admin/queue/pause")
                full.post("/api/admin/queue/pause")
                latencies = {}
                for name, server in (("empty", empty), ("full", full)):
                    load = self.program("bench_http_load", server.port, 1, count, "POST",
                                        "/api/jobs/command", body)
                    check(load["statuses"] == {"201": count}, f"submits: {load['statuses']}")
                    latencies[name] = load["p99"]
                row.add(latencies["full"], latencies["empty"])

    # ------------------------------------------------------------------------------------------- logs

    def big_log(self):
        size = (16 << 20) if self.quick else (1 << 30)
        name = f"{size >> 20} MiB log"
        files = self.fresh("files")
        big = files / "big.log"
        line = b"".join(b"step %07d | loss 0.%06d | ep_rew_mean %7.3f\n" % (i, i * 7919 % 999983, i / 97)
                        for i in range(20_000))
        with open(big, "wb") as out:
            while out.tell() < size:
                out.write(line)
            out.truncate(size - 1)
            out.seek(0, os.SEEK_END)
            out.write(b"\n")
        last = self.row(f"the last 64 KiB of a {name}", "ms", "nginx", "≤ 3 ×", lambda r: r <= 3)
        whole = self.row(f"the whole {name}", "MB/s", "nginx", "≥ 0.6 ×", lambda r: r >= 0.6)
        middle = self.row(f"any line of a {name} by its number: p50", "ms", "", "≤ 5 ms",
                          lambda v: v <= 5)
        search = self.row(f"a search in a {name} that finds nothing", "MB/s", "", "≥ 500 MB/s",
                          lambda v: v >= 500)
        with Server(self) as server, Nginx(self, files) as nginx:
            job = server.run("command", {"script": f"exec cat {big}"})
            path = f"/api/jobs/{job['job_id']}/log"
            total = self.wait_for_index(server, path)
            for _ in range(self.rounds):
                tail = {"Range": "bytes=-65536"}
                ours, theirs = [], []
                for _ in range(20):
                    ours.append(download(server.port, path, tail)[0] * 1000)
                    theirs.append(download(nginx.port, "/big.log", tail)[0] * 1000)
                last.add(statistics.median(ours), statistics.median(theirs))
                seconds, got = download(server.port, path)
                check(got >= size, f"only {got} of {size} bytes came")
                of_nginx, _ = download(nginx.port, "/big.log")
                whole.add(got / seconds / 1e6, size / of_nginx / 1e6)
                with server.connection() as connection:
                    delays = []
                    for i in range(40):
                        start = 1 + (i * 7919 * 131) % max(1, total - 1)
                        begin = time.perf_counter()
                        _, text = server.ask(connection, "GET", f"{path}/lines?start={start}&count=1")
                        delays.append((time.perf_counter() - begin) * 1000)
                        check(len(json.loads(text)["lines"]) == 1, f"line {start} is not there")
                    middle.add(statistics.median(delays))
                    begin, at = time.perf_counter(), 1
                    while at:
                        found = json.loads(server.ask(
                            connection, "GET", f"{path}/search?q=nowhere-to-be-found&from={at}")[1])
                        check(not found["matches"], "something was found that is not there")
                        at = found["next"]
                    search.add(size / (time.perf_counter() - begin) / 1e6)

    def wait_for_index(self, server, path):
        """The number of lines, once the server knows all of them."""
        deadline = time.monotonic() + 120
        seen = -1
        while True:
            page = server.get(f"{path}/lines?tail=1")
            if page["total"] == seen and page["total"] > 1:
                return seen
            check(time.monotonic() < deadline, "the lines of the log are not known")
            seen = page["total"]
            time.sleep(0.3)

    def chatty(self):
        lines = 20_000 if self.quick else 1_000_000
        row = self.row(f"a job that prints {lines:,} lines", "s", "a plain redirect", "≤ 1.02 ×",
                       lambda r: r <= 1.02)
        program = self.base / "chatty.py"
        program.write_text(f"for i in range({lines}): print('line', i)\n")
        with Server(self) as server:
            for _ in range(self.rounds):
                out = self.fresh("redirect") / "out.log"
                environment = dict(os.environ, PYTHONUNBUFFERED="1", PYTHONUTF8="1")
                with open(out, "ab") as log:
                    begin = time.perf_counter()
                    subprocess.run(["/bin/sh", "-c", f"exec /usr/bin/python3 {program}"], stdout=log,
                                   stderr=log, check=True, env=environment)
                    redirect = time.perf_counter() - begin
                job = server.run("command", {"script": f"exec /usr/bin/python3 {program}"})
                row.add(job["duration_sec"], redirect)

    # ------------------------------------------------------------------------------- memory and idle

    def memory(self):
        shim = self.row("memory of a running job beside its command (the shim)", "MB", "", "≤ 1.5 MB",
                        lambda v: v <= 1.5)
        idle = self.row("CPU of an idle server", "% of a core", "", "≤ 0.1 %", lambda v: v <= 0.1)
        listeners = 50 if self.quick else 5000
        follower = self.row(f"memory of an idle follower ({listeners:,} of them)", "KB", "", "≤ 20 KB",
                            lambda v: v <= 20)
        raise_file_limit()
        with Server(self) as server:
            for _ in range(self.rounds):
                before = server.own_cpu()
                span = 1 if self.quick else 20
                time.sleep(span)
                idle.add((server.own_cpu() - before) / span * 100)
            job = server.post("/api/jobs/command", {"script": "sleep 600"})
            deadline = time.monotonic() + 20
            while not (pids := shims_of(server)):
                check(time.monotonic() < deadline, "the job did not start")
                time.sleep(0.05)
            for pid in pids:
                rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
                shim.add(int(re.search(r"Rss:\s+(\d+)", rollup)[1]) / 1000)
            before = server.rss()
            clients = []
            request = (f"GET /api/jobs/{job['job_id']}/log/stream HTTP/1.1\r\n"
                       f"Host: 127.0.0.1:{server.port}\r\n\r\n").encode()
            for _ in range(listeners):
                client = socket.create_connection(("127.0.0.1", server.port))
                client.sendall(request)
                clients.append(client)
            for client in clients:
                check(b"200" in client.recv(4096)[:20], "a follower was refused")
            follower.add((server.rss() - before) / listeners / 1000)
            for client in clients:
                client.close()
            server.post(f"/api/jobs/{job['job_id']}/cancel")
            while server.get(f"/api/jobs/{job['job_id']}")["status"] == "RUNNING":
                time.sleep(0.1)

    # -------------------------------------------------------------------------------------- the report

    def report(self):
        head = ["what", "Runyard: median (min–max)", "reference", "ratio", "target", ""]
        lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
        lines += ["| " + " | ".join(row.cells()) + " |" for row in self.rows]
        if self.growth:
            measures = list(next(iter(self.growth.values())))
            lines += ["", "| jobs of history | " + " | ".join(measures) + " |",
                      "|" + " --- |" * (len(measures) + 1)]
            for size, values in self.growth.items():
                lines.append(f"| {size:,} | " + " | ".join(number(values[m]) for m in measures) + " |")
        return "\n".join(lines)


ALL = ["jobs_per_second", "submit_to_start", "plugin_argv", "history", "full_queue", "big_log",
       "chatty", "memory"]


def stamp_delay(text):
    """Milliseconds from `begin=` to `stamp=`, both in nanoseconds."""
    values = dict(re.findall(r"(begin|stamp)=(\d+)", text))
    return (int(values["stamp"]) - int(values["begin"])) / 1e6


def shims_of(server):
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                command = (folder / "cmdline").read_bytes()
                if b"runyard-shim" in command and str(server.state).encode() in command:
                    found.append(int(folder.name))
    return found


def raise_file_limit():
    import resource
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def machine():
    name = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return (f"{datetime.date.today()}, Debian {pathlib.Path('/etc/debian_version').read_text().strip()}, "
            f"{os.cpu_count()} cores, {name[1] if name else 'unknown processor'}, "
            f"load {os.getloadavg()[0]:.1f} at the start")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--quick", action="store_true", help="shortened; its figures mean nothing")
    parser.add_argument("--only", nargs="+", choices=ALL, default=ALL)
    parser.add_argument("--write", type=pathlib.Path, help="put the table between the marks of this page")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list:
        print("\n".join(ALL))
        return 0
    for program in ("wrk", "tsp", "nginx"):
        if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin"):
            print(f"error: {program} is missing: apt-get install wrk task-spooler nginx-light",
                  file=sys.stderr)
            return 1
    os.environ["PATH"] += ":/usr/sbin"
    about = machine()
    bench = Bench(options.build.resolve(), options.quick, options.only)
    failed = []
    try:
        for name in options.only:
            print(f"==> {name}", file=sys.stderr, flush=True)
            rows = len(bench.rows)
            try:
                getattr(bench, name)()
            except (Failure, OSError, subprocess.SubprocessError, KeyError, http.client.HTTPException) as error:
                failed.append(name)
                del bench.rows[rows:]
                print(f"error: {name}: {error!r}", file=sys.stderr, flush=True)
            for row in bench.rows[rows:]:
                print("    " + " | ".join(row.cells()), file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(bench.base, ignore_errors=True)
    table = f"{about}; {bench.rounds} round(s).\n\n{bench.report()}"
    print(table)
    if options.write and not failed and not options.quick:
        page = options.write.read_text()
        begin, end = "<!-- bench: begin -->\n", "<!-- bench: end -->"
        before, rest = page.split(begin)
        options.write.write_text(before + begin + "\n" + table + "\n\n" + end + rest.split(end)[1])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
