"""The answers of servers under test, compared with what /api/openapi.json says of them.

`conftest.py` hands every answer of every integration test to `record`, and calls `check` at the end
of a module. The check itself is tests/openapi/check.mjs.
"""

import json
import pathlib
import re
import subprocess
import tempfile

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "openapi"
LARGEST = 200_000  # bytes of a body that is looked at
SAMPLES = 40  # of one operation and status; more of them say nothing new


class Answers:
    def __init__(self):
        self.samples = {}

    def record(self, method, target, reply):
        if len(reply.body) > LARGEST or reply.status == 304:
            return
        method = "GET" if method == "HEAD" else method
        path = target.split("?")[0]
        kept = self.samples.setdefault((method, re.sub(r"\d", "0", path), reply.status), [])
        if len(kept) < SAMPLES:
            kept.append((method, path, reply.status, reply.headers.get("Content-Type", ""), reply.body))

    def of(self, document):
        """What check.mjs reads: each answer with the name of its operation."""
        templates = [(re.compile(re.sub(r"\{[^}]*\}", "[^/]+", re.escape(path).replace(r"\{", "{")
                                        .replace(r"\}", "}")) + "$"), path)
                     for path in sorted(document["paths"], key=lambda path: path.count("{"))]
        answers = []
        for method, path, status, content_type, body in (
                sample for samples in self.samples.values() for sample in samples):
            operation = next((f"{method} {template}" for pattern, template in templates
                              if pattern.match(path) and method.lower() in document["paths"][template]),
                             None)
            if operation is None and status < 400 and not path.startswith("/api/"):
                continue  # a file of the web UI
            answers.append({"operation": operation, "status": status, "content_type": content_type,
                            "body": body.decode(errors="replace")})
        return answers


def check(document, answers=()):
    """Raises AssertionError with every mistake of the document or an answer."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [pathlib.Path(folder) / name for name in ("document.json", "answers.json")]
        for path, content in zip(paths, (document, list(answers))):
            path.write_text(json.dumps(content))
        done = subprocess.run(["node", str(FOLDER / "check.mjs"), *map(str, paths)],
                              capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
