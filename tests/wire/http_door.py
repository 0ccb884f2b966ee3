"""HTTP/1.1 with keep-alive under the double: reads a request, has it answered, keeps count of connections."""

from __future__ import annotations

import itertools
import secrets
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from .exchange import Exchange, parsed
from .misbehaviour import Refusal
from .requests_log import RecordedRequest
from .sse_out import ClientGone, StreamOver, cut, encoded

if TYPE_CHECKING:
    from .openai_server import OpenAIServer


class Door(ThreadingHTTPServer):
    """The listening socket and its connections."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(self, upstream: OpenAIServer, port: int) -> None:
        self.upstream = upstream
        self.connections: set[socket.socket] = set()
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Connection)

    def server_bind(self) -> None:
        """Binds, without the look-up of the host's name that http.server does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def close_connections(self, seconds: float = 2.0) -> None:
        """Ends all connections, and waits for their threads."""
        deadline = time.monotonic() + seconds
        while self.connections and time.monotonic() < deadline:
            with self.lock:
                for connection in self.connections:
                    cut(connection)
            time.sleep(0.002)

    def shutdown_request(self, request: Any) -> None:
        """Closes a connection; not by a polite shutdown first, which would come before a TCP reset."""
        request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that break are this server's daily bread."""


class Connection(BaseHTTPRequestHandler):
    """One connection."""

    server: Door
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """A connection begins."""
        super().setup()
        with self.server.lock:
            self.number = next(self.server.numbers)
            self.server.connections.add(self.connection)

    def finish(self) -> None:
        """A connection ends."""
        try:
            super().finish()
        finally:
            with self.server.lock:
                self.server.connections.discard(self.connection)

    def serve(self) -> None:
        """One request; what broke off before all of it had arrived is none."""
        request = self._read()
        if request is None:
            self.close_connection = True
            return
        upstream = self.server.upstream
        upstream.log.add(request)
        exchange = Exchange(upstream, self, request)
        try:
            self._answer(upstream, exchange)
        except StreamOver:
            pass
        except (ClientGone, OSError):
            exchange.client_gone()
        finally:
            upstream.log.finished(request)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = serve

    def _answer(self, upstream: OpenAIServer, exchange: Exchange) -> None:
        try:
            upstream.answer(exchange)
        except Refusal as refusal:
            exchange.send_refusal(refusal)
        except (ClientGone, StreamOver, OSError):
            raise
        except Exception as error:
            if not exchange.began:
                exchange.send_broken(error)
            raise

    def _read(self) -> RecordedRequest | None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        if len(raw) < length:
            return None
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        request_id = f"req_{secrets.token_hex(16)}"
        return RecordedRequest(self.command, path, query, headers, parsed(raw), raw, self.number, request_id)

    def head(self, status: int, headers: dict[str, str]) -> None:
        """The status line and headers, in one write."""
        lines = [f"HTTP/1.1 {status} {self.responses[status][0] if status in self.responses else 'Unknown'}"]
        lines += [f"Date: {self.date_time_string()}", "openai-version: 2020-10-01", "openai-processing-ms: 12"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.log_request(status)
        self.connection.sendall(encoded("\r\n".join(lines) + "\r\n\r\n"))

    def log_message(self, format: str, *args: Any) -> None:
        """To stderr, if asked for."""
        if self.server.upstream.verbose:
            super().log_message(format, *args)
