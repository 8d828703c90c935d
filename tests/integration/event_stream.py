"""A client of Server-Sent Events, as strict as a browser's EventSource."""

import json
import socket


class Event:
    def __init__(self, kind, data, event_id):
        self.kind, self.data, self.id = kind, data, event_id

    @property
    def json(self):
        return json.loads(self.data)

    def __repr__(self):
        return f"<{self.kind} {self.id} {self.data[:80]}>"


class EventStream:
    """One connection. `last_id` is what a browser would send when it connects again."""

    def __init__(self, server, path, last_id=None, headers=None, timeout=60):
        self.socket = socket.create_connection((server.host, server.port), timeout=timeout)
        lines = [f"GET {path} HTTP/1.1", f"Host: {server.host}:{server.port}",
                 "Accept: text/event-stream"]
        if last_id is not None:
            lines.append(f"Last-Event-ID: {last_id}")
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.last_id, self.retry, self.comments = last_id, None, 0
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        while line := self.file.readline().rstrip(b"\r\n"):
            name, _, value = line.decode().partition(":")
            self.headers[name.lower()] = value.strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def next(self):
        """The next event; None when the server has closed."""
        kind, data = "message", []
        while True:
            line = self.file.readline()
            if not line.endswith(b"\n"):
                return None
            line = line[:-1].decode()
            if not line:
                if data:
                    return Event(kind, "\n".join(data), self.last_id)
                kind = "message"
                continue
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not name:
                self.comments += 1
            elif name == "id":
                self.last_id = value
            elif name == "event":
                kind = value
            elif name == "data":
                data.append(value)
            elif name == "retry":
                self.retry = int(value)
            else:
                raise AssertionError(f"not a field of an event: {line!r}")

    def until(self, condition):
        """Events up to and with the first one that fits."""
        events = []
        while True:
            event = self.next()
            assert event is not None, events[-3:]
            events.append(event)
            if condition(event):
                return events


def ready(stream):
    """Its place in the sequence is taken: the first lines say where."""
    while stream.last_id is None:
        line = stream.file.readline().decode()
        assert line, "closed"
        if line.startswith("id: "):
            stream.last_id = line[4:].rstrip("\n")
    stream.file.readline()
    return stream
