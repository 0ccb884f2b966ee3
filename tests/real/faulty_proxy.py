"""A proxy before Elasticsearch with the weather of a network: answers lost after the write, 429, nobody there."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

from tests.running_server import PATIENCE

Weather = Literal["fine", "answer lost", "busy", "broken off"]
DROPPED = ("connection", "transfer-encoding", "content-length", "keep-alive")


class FaultyProxy:
    """`weather` is asked for each bulk request, in the order in which they come. `counts`: what happened.

    `written`: called when Elasticsearch has done a bulk request, before the answer goes on.
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self.target = (parts.hostname or "", parts.port or 9200)
        self.weather: Callable[[], Weather] = lambda: "fine"
        self.written: Callable[[], object] = lambda: None
        self.counts: Counter[str] = Counter()
        self.bulk_bytes: list[int] = []
        self.port = 0
        self._door: Door | None = None
        self.open()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Listen, always on the same port."""
        self._door = Door(self, self.port)
        self.port = self._door.server_address[1]
        threading.Thread(target=self._door.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Refuse connections, and end those that there are."""
        if self._door is not None:
            self._door.shutdown()
            self._door.server_close()
            self._door.cut_all()
            self._door = None

    def __enter__(self) -> FaultyProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Door(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, proxy: FaultyProxy, port: int) -> None:
        self.proxy = proxy
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), Visitor)

    def cut_all(self) -> None:
        for connection in list(self.connections):
            cut(connection)

    def handle_error(self, *_arguments: Any) -> None:
        """Broken connections are what it is for."""


class Visitor(BaseHTTPRequestHandler):
    server: Door
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def serve(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        bulk = "_bulk" in self.path
        weather = proxy.weather() if bulk else "fine"
        proxy.counts[weather] += bulk
        if weather == "busy":
            return self._answer(429, {"Retry-After": "1", "X-Elastic-Product": "Elasticsearch"}, b"{}")
        if weather == "broken off":
            return cut(self.connection)
        try:
            status, headers, answer = self._ask(body)
        except OSError:
            proxy.counts["nobody there"] += 1
            return self._answer(502, {}, b"")
        if bulk and status == 200:
            proxy.bulk_bytes.append(len(body))
            proxy.counts["409"] += sum(item["create"]["status"] == 409 for item in json.loads(answer)["items"])
            proxy.written()
        if weather == "answer lost":
            return cut(self.connection)
        self._answer(status, headers, answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = serve

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(*self.server.proxy.target, timeout=2 * PATIENCE)
        with contextlib.closing(connection):
            kept = {name: value for name, value in self.headers.items() if name.lower() not in DROPPED}
            connection.request(self.command, self.path, body, {**kept, "Accept-Encoding": "identity"})
            response = connection.getresponse()
            headers = {name: value for name, value in response.getheaders() if name.lower() not in DROPPED}
            return response.status, headers, response.read()

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Not here."""


def cut(connection: socket.socket) -> None:
    """End a connection at once, with a reset, also while another thread reads from it."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()
