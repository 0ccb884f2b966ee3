"""Something that answers where Elasticsearch should be: another version, something else, or Elasticsearch in trouble.

It only gives what it is told to; that a real one gives the same is shown by `tests/real`.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

# By name: as an attribute of its package it is eventlet's green one once eventlet has been imported.
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from app.transcripts.fields import mapping

ELASTICSEARCH = {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json"}


@dataclass
class Answer:
    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=lambda: dict(ELASTICSEARCH))


@dataclass
class Request:
    method: str
    path: str
    authorization: str | None
    body: bytes


Script = Callable[[Request], Answer]


def error(status: int, kind: str, reason: str = "", **headers: str) -> Answer:
    """An error as Elasticsearch words it."""
    cause = {"type": kind, "reason": reason}
    body = {"error": {**cause, "root_cause": [cause]}, "status": status}
    return Answer(status, body, ELASTICSEARCH | {name.replace("_", "-"): value for name, value in headers.items()})


def info(number: str) -> Answer:
    return Answer(body={"name": "stand-in", "version": {"number": number}, "tagline": "You Know, for Search"})


def index_is_there(index: str = "ai-index") -> Answer:
    return Answer(body={index: {"mappings": mapping()}})


def healthy(bulk: Script) -> Script:
    """Elasticsearch 9 with our index, that answers `_bulk` with `bulk`."""

    def answer(request: Request) -> Answer:
        if request.path == "/":
            return info("9.4.3")
        return bulk(request) if "/_bulk" in request.path else index_is_there()

    return answer


def stored(request: Request) -> Answer:
    return items(request, lambda id_: {"_id": id_, "status": 201})


def items(request: Request, item: Callable[[str], dict[str, Any]]) -> Answer:
    """The answer of `_bulk` with what `item` says of each document's id."""
    actions = [json.loads(line) for line in request.body.splitlines()[::2]]
    return Answer(body={"items": [{"create": item(action["create"]["_id"])} for action in actions]})


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients that break off are what is tested."""


class StandIn:
    """`with StandIn(script) as server:` then `server.url`. `requests`: what it was asked."""

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        server = _Server(("127.0.0.1", 0), self._handler(script))
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self._server = server
        self.port = server.server_port
        self.url = f"{'https' if tls else 'http'}://localhost:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self, script: Script) -> type[BaseHTTPRequestHandler]:
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = Request(self.command, self.path, self.headers.get("Authorization"), body)
                requests.append(request)
                given = script(request)
                content = given.body if isinstance(given.body, str) else json.dumps(given.body)
                self.send_response(given.status)
                for name, value in given.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content.encode())))
                self.end_headers()
                self.wfile.write(content.encode() if self.command != "HEAD" else b"")

            do_GET = do_POST = do_PUT = do_HEAD = answer

            def log_message(self, format: str, *arguments: object) -> None:
                """Say nothing."""

        return Handler
