"""An HTTP proxy before a server of models: routes that are missing there, and answers that break off."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler
from typing import Literal, Self
from urllib.parse import urlsplit

from tests.real.faulty_proxy import DROPPED, Door, cut
from tests.real.peers import LONG

NOT_FOUND = {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}}
"""What llama.cpp says of a route that it does not have."""

Cut = Literal["reset", "end"]
"""A connection that is reset, or a body that ends as it should before the answer has."""


class Between:
    """`missing`: paths that are not there. `cut`: how the next answers break off. `asked`: paths, and how often."""

    def __init__(self, url: str, missing: frozenset[str] = frozenset()) -> None:
        parts = urlsplit(url)
        self.target = (parts.hostname or "", parts.port or 80)
        self.missing = missing
        self.cut: Cut | None = None
        self.cut_after = 1500
        self.cuts = 0
        self.asked: Counter[str] = Counter()
        self._door = Entry(self)
        self.url = f"http://127.0.0.1:{self._door.server_address[1]}{parts.path}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._door.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._door.shutdown()
        self._door.server_close()
        self._door.cut_all()


class Entry(Door):
    def __init__(self, between: Between) -> None:
        self.between = between
        self.connections = set()
        super(Door, self).__init__(("127.0.0.1", 0), Passage)


class Passage(BaseHTTPRequestHandler):
    server: Entry
    protocol_version = "HTTP/1.1"

    def serve(self) -> None:
        between = self.server.between
        self.server.connections.add(self.connection)
        between.asked[self.path] += 1
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path in between.missing:
            return self._refuse()
        connection = http.client.HTTPConnection(*between.target, timeout=LONG)
        with contextlib.closing(connection), contextlib.suppress(ConnectionError):
            kept = {name: value for name, value in self.headers.items() if name.lower() not in DROPPED}
            connection.request(self.command, self.path, body, kept)
            self._pass_on(connection.getresponse())

    do_GET = do_POST = serve

    def _pass_on(self, response: http.client.HTTPResponse) -> None:
        between = self.server.between
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in DROPPED:
                self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        passed, how = 0, between.cut if response.status == 200 else None
        while data := response.read1(4096):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            passed += len(data)
            if how and passed >= between.cut_after:
                between.cuts += 1
                break
        if how == "reset" and passed >= between.cut_after:
            return cut(self.connection)
        self.wfile.write(b"0\r\n\r\n")

    def _refuse(self) -> None:
        answer = json.dumps(NOT_FOUND).encode()
        self.send_response(404)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_arguments: object) -> None:
        """Not here."""
