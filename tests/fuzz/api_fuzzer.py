#!/usr/bin/env python3
"""Asks a server for whatever its OpenAPI document has, with random and spoiled inputs.

    tests/fuzz/api_fuzzer.py --build build/asan --requests 2000 [--seed 1]

Starts a server of its own on a small workspace, where every job's command is /usr/bin/true, so that
submits run their whole way and harm nothing. An error of the server (5xx but a documented 503 or
507), an answer that is not what its content type says, a crash, a leak (of an asan build), or a job
table that does not hold together ends it with exit code 1 and the request that did it. The same seed
makes the same requests, as far as the server's ids allow.
"""

import argparse
import http.client
import json
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

from inputs import Inputs

ROOT = pathlib.Path(__file__).resolve().parents[2]
SETTINGS = """
workspace: {python: /usr/bin/true}
jobs: {grace_sec: 1, retry_backoff_sec: 0}
queue: {max_queued: 2000}
"""
TERMINAL = {"SUCCESS", "FAILED", "CANCELLED"}
SENSIBLE = {"Accept": "*/*", "User-Agent": "fuzzer"}


class Broken(Exception):
    """The server did what it must not do."""


class Server:
    def __init__(self, build, folder):
        self.workspace = folder / "workspace"
        shutil.copytree(ROOT / "configs", self.workspace / "configs")
        (self.workspace / "configs" / "runyard.yaml").write_text(SETTINGS)
        (self.workspace / "runs" / "20260217_171416__0e304dfc").mkdir(parents=True)
        self.log = folder / "server.log"
        self.process = subprocess.Popen(
            [str(build / "bin" / "runyard"), "serve", "--workspace", str(self.workspace), "--port", "0",
             "--state-dir", str(folder / "state"), "--slots", "2"],
            stdout=subprocess.PIPE, stderr=open(self.log, "wb"), stdin=subprocess.DEVNULL)
        line = self.process.stdout.readline().decode()
        found = re.search(r":(\d+) with", line)
        if not found:
            raise Broken("the server did not start: " + line + self.log.read_text()[-2000:])
        self.port = int(found[1])
        self.connection = None

    def send(self, method, target, headers, body):
        """(status, headers, body); of a stream the head alone."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            self.connection.putrequest(method, target, skip_accept_encoding=True,
                                       skip_host=any(name.lower() == "host" for name, _ in headers))
            for name, value in headers:
                self.connection.putheader(name, value)
            try:
                self.connection.endheaders(body if body else None)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before all of it was read; the answer is there
            answer = self.connection.getresponse()
            is_stream = answer.headers.get("Content-Type", "").startswith("text/event-stream")
            content = b"" if is_stream else answer.read()
            if is_stream or answer.will_close:
                self.close()
            return answer.status, answer.headers, content
        except (http.client.HTTPException, OSError):
            self.close()
            raise

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def get(self, target, method="GET"):
        status, headers, content = self.send(method, target, list(SENSIBLE.items()), None)
        if status != 200:
            raise Broken(f"{method} {target}: {status} {content[:300]}")
        return headers, json.loads(content)

    def stop(self):
        """Ends it; what it left unfreed or broke shows in its exit code."""
        self.close()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(120)
        text = self.log.read_text(errors="replace")
        if code != 0 or "ERROR: AddressSanitizer" in text or "runtime error" in text:
            raise Broken(f"the server ended with {code}:\n{text[-6000:]}")


class Fuzzer:
    def __init__(self, server, seed):
        self.server = server
        self.random = random.Random(seed)
        document = server.get("/api/openapi.json")[1]
        self.components = document["components"]
        self.inputs = Inputs(self.random, self.components)
        self.operations = [(path, method, item) for path, methods in document["paths"].items()
                           for method, item in methods.items()]
        self.statuses = {}
        self.keys = ["k"]

    def resolve(self, entry):
        if "$ref" in entry:
            _, _, kind, name = entry["$ref"].split("/")
            return self.components[kind][name]
        return entry

    def path_value(self, name):
        if name == "id" and self.random.random() < 0.8:
            return self.random.choice(self.inputs.job_ids[-50:])
        if self.random.random() < 0.3:
            return {"run_id": "20260217_171416__0e304dfc", "slug": "train"}.get(name, "x")
        text = self.inputs.text().encode("utf-8", "surrogatepass")[:self.random.choice((20, 300, 5000))]
        return urllib.parse.quote(text, safe="" if self.random.random() < 0.7 else "/.~:@!$&'()*+,;=") or "-"

    def query(self, parameters):
        pairs = []
        for parameter in parameters:
            if self.random.random() < 0.5:
                value = self.inputs.fitting(parameter["schema"]) if self.random.random() < 0.6 else self.inputs.anything(9)
                pairs.append((parameter["name"], value if isinstance(value, str) else json.dumps(value)))
        if self.random.random() < 0.05:
            pairs.append((self.inputs.text(), self.inputs.text()))
        if pairs and self.random.random() < 0.1:
            pairs.append(pairs[0])
        text = "&".join(urllib.parse.quote(name.encode("utf-8", "surrogatepass")[:200]) + "=" +
                        urllib.parse.quote(value.encode("utf-8", "surrogatepass")[:1500]) for name, value in pairs)
        if self.random.random() < 0.02:
            text += self.random.choice(("%", "%zz", "%c3", "&&&", "=", "a=%00", "%00=1"))
        return "?" + text if text else ""

    def header(self, name):
        if name == "Idempotency-Key":
            self.keys.append(self.random.choice((self.random.choice(self.keys[-5:]), str(self.random.random()), "k" * 256)))
            return self.keys[-1]
        if name == "Range":
            return self.random.choice(("bytes=0-1", "bytes=-5", "bytes=5-", "bytes=9-1", "bytes=0-0,2-3", "bytes=-0", "bytes=a-b",
                                       "bytes=18446744073709551616-", "bytes=9223372036854775807-", "items=1-2", "bytes=--1"))
        return self.random.choice(("0", "1", "5-1", "x", "-1", "99999999999999999999", "a-b-c", "1795313730-7"))

    def headers(self, parameters, body):
        headers = list(SENSIBLE.items())
        if body is not None:
            kind = "application/json" if self.random.random() < 0.96 else self.random.choice(
                ("text/plain", "application/json; charset=utf-16", "application/xml", "", "application/json;;;"))
            headers += [("Content-Type", kind), ("Content-Length", str(len(body)))]
        for parameter in parameters:
            if self.random.random() < 0.3:
                headers.append((parameter["name"], self.header(parameter["name"])))
        if self.random.random() < 0.1:
            headers.append(self.random.choice((
                ("Host", "evil.example"), ("Host", "localhost"), ("Origin", "http://evil.example"), ("Accept", "text/html;q=x"),
                ("Sec-Fetch-Site", "cross-site"), ("X-Forwarded-For", "1"), ("Authorization", "Bearer x"), ("Authorization", "Basic"),
                ("Cookie", "runyard_token=x; ;=;"), ("If-None-Match", "*"), ("If-Modified-Since", "yesterday"),
                ("Accept-Encoding", "br;q=0, gzip;q=nan"), ("Expect", "100-continue"), ("X-Noise", "n" * 30000),
                ("Last-Event-ID", "7"), ("Connection", "close"), ("Range", "bytes=0-"), ("Content-Encoding", "gzip"),
                ("X-HTTP-Method-Override", "DELETE"), ("Accept-Language", "\xff\xfe"))))
        return headers

    def request(self):
        path, method, item = self.random.choice(self.operations)
        parameters = [self.resolve(each) for each in item.get("parameters", ())]
        of = lambda place: [each for each in parameters if each["in"] == place]
        target = path
        for parameter in of("path"):
            target = target.replace("{" + parameter["name"] + "}", self.path_value(parameter["name"]))
        target += self.query(of("query"))
        media = item.get("requestBody", {}).get("content", {}).get("application/json")
        body = None
        if media:
            body = self.inputs.body(media["schema"], [each["value"] for each in media.get("examples", {}).values()])
        elif method != "get" and self.random.random() < 0.2:
            body = self.inputs.body(True, [])
        verb = method.upper()
        if self.random.random() < 0.02:
            verb = self.random.choice(("PUT", "OPTIONS", "HEAD", "PATCH", "DELETE", "TRACE", "get"))
        return verb, target, self.headers(of("header"), body), body, item, verb == method.upper()

    def one(self):
        verb, target, headers, body, item, is_documented = self.request()
        try:
            status, answered, content = self.server.send(verb, target, headers, body)
        except (http.client.HTTPException, OSError) as error:
            raise Broken(f"{verb} {target[:500]}: {error!r}\n{headers}\n{(body or b'')[:2000]}") from error
        self.statuses[status] = self.statuses.get(status, 0) + 1
        mistake = self.judge(status, answered, content, item, is_documented, verb)
        if mistake:
            raise Broken(f"{mistake}\n{verb} {target[:1000]}\n{headers}\n{(body or b'')[:3000]}\n{status} {content[:1500]}")
        if verb == "POST" and status in (200, 201) and content[:1] in b"{[":
            jobs = json.loads(content)
            for job in jobs if isinstance(jobs, list) else [jobs]:
                if isinstance(job, dict) and "job_id" in job:
                    self.inputs.job_ids.append(job["job_id"])

    def judge(self, status, headers, content, item, is_documented, verb):
        if status >= 500 and not (status in (503, 507) and str(status) in item["responses"]) and status not in (501, 505):
            return "an error of the server"
        kind = headers.get("Content-Type", "")
        if is_documented and status < 300 and str(status) not in item["responses"]:
            return "a status that is not documented"
        if status >= 400 and verb != "HEAD":
            problem = json.loads(content)
            if kind != "application/problem+json" or problem["status"] != status or not problem["detail"]:
                return "an error that is no problem document"
        elif "json" in kind and content:
            json.loads(content)
        if len(content) > 50_000_000:
            return "an answer without bounds"
        return None

    def run(self, count):
        for number in range(1, count + 1):
            self.one()
            if number % 100 == 0:
                self.server.get("/api/admin/queue/resume", "POST")  # one of them may have paused or drained it
                if self.server.process.poll() is not None:
                    raise Broken("the server has gone")

    def check_jobs(self):
        """All jobs come to an end, and every list says the same of them."""
        self.server.get("/api/admin/queue/resume", "POST")
        deadline = time.monotonic() + 120
        while True:
            queue = self.server.get("/api/admin/queue")[1]
            if not queue["running"] and not queue["queued"]:
                break
            if time.monotonic() > deadline:
                raise Broken(f"jobs that do not end: {queue}")
            time.sleep(0.1)  # polling an HTTP API
        jobs, target, total = {}, "/api/jobs/recent?limit=500", None
        while target:
            headers, page = self.server.get(target)
            total = int(headers["X-Total-Count"])
            for job in page:
                if job["job_id"] in jobs:
                    raise Broken(f"{job['job_id']} is on two pages")
                jobs[job["job_id"]] = job
            following = re.match(r"<(.*)>; rel", headers.get("Link", ""))
            target = following[1] if following else None
        if len(jobs) != total:
            raise Broken(f"{len(jobs)} jobs are listed, {total} counted")
        for job_id, job in jobs.items():
            if job["status"] not in TERMINAL or not job["ended_at"]:
                raise Broken(f"no end: {job}")
        for job_id in list(jobs)[:200]:
            if self.server.get(f"/api/jobs/{job_id}")[1] != jobs[job_id]:
                raise Broken(f"{job_id} is another one in the list")
        return len(jobs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "asan")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"{options.requests} requests, seed {options.seed}", flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="runyard_api_fuzz_"))
    server = Server(options.build, folder)
    try:
        fuzzer = Fuzzer(server, options.seed)
        fuzzer.run(options.requests)
        server.get("/healthz")
        jobs = fuzzer.check_jobs()
        server.stop()
    except Broken as broken:
        server.process.kill()
        print(f"BROKEN (seed {options.seed}; {folder} is kept): {broken}\n{server.log.read_text(errors='replace')[-3000:]}")
        return 1
    shutil.rmtree(folder)
    print(f"nothing broken; {jobs} jobs; statuses: " +
          ", ".join(f"{status}: {count}" for status, count in sorted(fuzzer.statuses.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
