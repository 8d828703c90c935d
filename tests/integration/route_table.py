"""Every operation of a running server, out of its own document: no list by hand, so tomorrow's routes
are in it too. (tests/unit/api/openapi_test.cpp checks that the document has the whole route table.)
"""

import http.client
import json


class Operation:
    def __init__(self, document, path, method, item):
        self.path = path
        self.method = method.upper()
        self.role = item["x-role"]
        self.parameters = [self._resolve(document, each) for each in item.get("parameters", ())]
        self.queries = [each for each in self.parameters if each["in"] == "query"]
        self.path_names = [each["name"] for each in self.parameters if each["in"] == "path"]
        self.responses = item["responses"]
        self.is_stream = any("text/event-stream" in answer.get("content", {})
                             for answer in self.responses.values())
        media = item.get("requestBody", {}).get("content", {}).get("application/json", {})
        self.body_schema = media.get("schema")
        examples = [each["value"] for each in media.get("examples", {}).values()]
        self.body = None if self.body_schema is None else (examples or [{}])[0]

    @staticmethod
    def _resolve(document, entry):
        if "$ref" in entry:
            kind, name = entry["$ref"].split("/")[-2:]
            return document["components"][kind][name]
        return entry

    @property
    def changes(self):
        return self.method != "GET"

    def at(self, values):
        """The address with a value (as it stands in an address) for each name of the path."""
        path = self.path
        for name in self.path_names:
            path = path.replace("{" + name + "}", values[name])
        return path

    def __repr__(self):
        return f"{self.method} {self.path}"


def operations_of(document):
    return [Operation(document, path, method, item)
            for path, methods in document["paths"].items() for method, item in methods.items()]


def head_of(server, method, path, body=None, headers=None, timeout=30, reads_streams=False):
    """(status, headers, body), where the body of a stream is left alone, unless it is known to end."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=timeout)
    try:
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        connection.putrequest(method, path, skip_host="Host" in (headers or {}))
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders(body.encode() if isinstance(body, str) else body)
        answer = connection.getresponse()
        is_stream = answer.headers.get("Content-Type", "").startswith("text/event-stream")
        return answer.status, answer.headers, b"" if is_stream and not reads_streams else answer.read()
    finally:
        connection.close()
