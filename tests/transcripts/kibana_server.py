"""A stand-in for Kibana: its status and its import of saved objects, and what it does when something is wrong."""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

AVAILABLE = {"version": {"number": "9.2.1"}, "status": {"overall": {"level": "available"}}}
NOT_YET = (503, "text/plain", "Kibana server is not ready yet.")


@dataclass
class KibanaServer:
    """`answers` come first, one a request (status, content type, body); then it behaves as Kibana does.

    `authorization`: the header that it wants. `errors`: what it says of objects that it does not take.
    """

    answers: list[tuple[int, str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    authorization: str | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    destination: dict[str, str] = field(default_factory=dict)
    level: str = "available"
    certificate: tuple[str, str] | None = None
    requests: list[str] = field(default_factory=list)
    imports: list[list[dict[str, Any]]] = field(default_factory=list)
    """The objects of every import that was well formed."""

    def __enter__(self) -> KibanaServer:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler_for(self))
        self._server.daemon_threads = True
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, method: str, target: str, headers: Any, body: bytes) -> tuple[int, str, str]:
        self.requests.append(f"{method} {target}")
        if self.answers:
            return self.answers.pop(0)
        if self.authorization and headers.get("Authorization") != self.authorization:
            return 401, "application/json", '{"statusCode":401,"error":"Unauthorized","message":"Unauthorized"}'
        path = urlsplit(target).path
        if (method, path) == ("GET", "/api/status"):
            return 200, "application/json", json.dumps({**AVAILABLE, "status": {"overall": {"level": self.level}}})
        if (method, path) == ("POST", "/api/saved_objects/_import"):
            return self._import(target, headers, body)
        return 404, "application/json", '{"statusCode":404,"error":"Not Found","message":"Not Found"}'

    def _import(self, target: str, headers: Any, body: bytes) -> tuple[int, str, str]:
        """As Kibana: 400 for a bad request; otherwise 200, whatever became of the objects."""
        if "kbn-xsrf" not in headers:
            return 400, "application/json", '{"message":"Request must contain a kbn-xsrf header."}'
        if parse_qs(urlsplit(target).query) != {"overwrite": ["true"]}:
            return 400, "application/json", '{"message":"Bad query"}'
        head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
        parts = list(BytesParser(policy=HTTP).parsebytes(head + body).iter_parts())
        names = [part.get_param("name", header="content-disposition") for part in parts]
        if names != ["file"] or not str(parts[0].get_filename()).endswith(".ndjson"):
            return 400, "application/json", '{"message":"Invalid file extension"}'
        objects = [json.loads(line) for line in parts[0].get_payload(decode=True).decode().splitlines()]
        self.imports.append(objects)
        refused = {error["id"] for error in self.errors}
        results = [
            {"type": item["type"], "id": item["id"], "meta": {"title": item["attributes"]["title"]}, "overwrite": True}
            | ({"destinationId": self.destination[item["id"]]} if item["id"] in self.destination else {})
            for item in objects
            if item["id"] not in refused
        ]
        outcome = {"success": not self.errors, "successCount": len(results), "successResults": results}
        return 200, "application/json", json.dumps(outcome | ({"errors": self.errors} if self.errors else {}))


def handler_for(kibana: KibanaServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, kind, text = kibana.answer(self.command, self.path, self.headers, body)
            content = text.encode()
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **kibana.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer

        def log_message(self, format: str, *args: Any) -> None:
            """Tests are quiet."""

    return Handler
