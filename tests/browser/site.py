"""A site on an origin of its own that has the chat, strict about what it lets in, and that counts what it is asked for.

Its strict policy is the one that docs/embedding.md gives to site owners, read from there.
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.running_server import ROOT

DOCUMENT = ROOT / "docs/embedding.md"
EXAMPLE = "chat.example.com"
REPORTS = "/reports"

WATCH = """\
window.violations = []; window.failed = []; window.faults = []
addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
  violations.push(`${violatedDirective} ${blockedURI}`))
addEventListener("error", (event) => (event.message ? faults.push(event.message) : failed.push(event.target.src)), true)
addEventListener("unhandledrejection", (event) => faults.push(String(event.reason)))
"""
"""The site's own script: counts what its policy forbade, what did not load, and what went wrong."""


def fenced(language: str) -> list[str]:
    """The blocks of a language in docs/embedding.md."""
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.M | re.S)


def filled_in(text: str, url: str) -> str:
    """The document's lines with the address of a real server in them."""
    websocket = url.replace("http", "ws", 1)
    return text.replace(f"https://{EXAMPLE}", url).replace(f"wss://{EXAMPLE}", websocket)


def strict_policy(url: str) -> str:
    """The whole policy that docs/embedding.md shows, for the server at `url`."""
    (header,) = (block for block in fenced("http") if block.startswith("Content-Security-Policy:"))
    policy = " ".join(header.partition(":")[2].split())
    assert EXAMPLE in policy
    return filled_in(policy, url)


class Shop:
    """`page`: what is at `/` and at `/prices`, in `charset`, sent with `headers`.

    `scripts`: its own, by path. `asked`: every path that anybody asked for.
    """

    def __init__(self) -> None:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.origin = f"http://127.0.0.1:{self._http.server_port}"
        self.clear()

    def clear(self) -> None:
        """As at first."""
        self.page = ""
        self.charset = "utf-8"
        self.scripts: dict[str, str] = {"/watch.js": WATCH}
        self.headers: dict[str, str] = {}
        self.asked: list[str] = []
        self.reports: list[dict[str, Any]] = []

    def enforce(self, policy: str) -> None:
        """Send this Content Security Policy with the page; breaches are reported to the site itself."""
        self.headers["Content-Security-Policy"] = f"{policy.rstrip('; ')}; report-uri {REPORTS}"

    def answer(self, path: str) -> tuple[str, bytes]:
        """(content type, body) of a path."""
        if path in self.scripts:
            return "text/javascript; charset=utf-8", self.scripts[path].encode()
        if _is_page(path):
            return f"text/html; charset={self.charset}", self.page.encode(self.charset)
        return "text/plain", b"nothing"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._http.shutdown()
        self._http.server_close()


def _is_page(path: str) -> bool:
    return path.partition("?")[0] in ("/", "/prices")


def _handler(site: Shop) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            content_type, body = site.answer(self.path)
            self.send_response(200)
            headers = {"Content-Type": content_type, "Content-Length": str(len(body)), "Cache-Control": "no-store"}
            for name, value in {**headers, **(site.headers if _is_page(self.path) else {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            site.asked.append(self.path)
            site.reports.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Quiet."""

    return Handler
