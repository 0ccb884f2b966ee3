"""A connection by long polling: one parked GET, and a POST for each frame, as a browser without websockets has it.

Each of the two has a TCP connection that is kept alive. When either is cut the session is given up, as
engine.io-client does: a POST whose answer is lost may have been handled, a GET may have taken frames with it.
"""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import threading
import time
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from tests.faults.connection import ENTERING, Connection, Lost

PATH = "/socket.io/?EIO=4&transport=polling"
SEPARATOR = "\x1e"
PARKED = 60.0
"""Seconds for a GET: the server pings every 25."""
IDLE = 1.0
"""Seconds after which the server may close a TCP connection that is only kept alive (2, `ws/gunicorn_config.py`)."""


class ByPolling(Connection):
    """Its GETs run in a thread of their own."""

    def close(self) -> None:
        self._closed = True
        for connection in (self._getting, self._posting):
            with contextlib.suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)  # Closing alone does not wake a thread that reads.
            connection.close()

    def _open(self, url: str) -> str:
        address = urlsplit(url)
        self._getting = HTTPConnection(str(address.hostname), address.port, timeout=ENTERING)
        self._posting = HTTPConnection(str(address.hostname), address.port, timeout=ENTERING)
        self._path, self._closed, self._posted_at = PATH, False, 0.0
        self._frames: queue.Queue[str | None] = queue.Queue()
        opened = self._request(self._getting, "GET")
        self._path = f"{PATH}&sid={json.loads(opened[1:])['sid']}"
        self._getting.sock.settimeout(PARKED)
        self._getting.timeout = PARKED
        threading.Thread(target=self._poll_on, daemon=True).start()
        return opened

    def _next(self, seconds: float) -> str:
        try:
            frame = self._frames.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError from None
        if frame is None:
            self.close()
            raise Lost("the poll has ended")
        return frame

    def _poll_on(self) -> None:
        with contextlib.suppress(Lost):
            while not self._closed:
                for frame in self._request(self._getting, "GET").split(SEPARATOR):
                    self._frames.put(frame)
        self._frames.put(None)

    def _send(self, frame: str) -> None:
        if time.monotonic() - self._posted_at > IDLE:
            self._posting.close()
        self._request(self._posting, "POST", frame.encode())
        self._posted_at = time.monotonic()

    def _request(self, connection: HTTPConnection, method: str, body: bytes | None = None) -> str:
        try:
            connection.request(method, self._path, body)
            response = connection.getresponse()
            content = response.read().decode()
            whole = response.chunked
        except (OSError, HTTPException, ValueError, AttributeError) as error:
            # The last two: half a status line, a connection that `close` took away meanwhile.
            self.close()
            raise Lost(f"{method}: {error}") from error
        # Half a head is one without an error to this library, and it ends the body where the connection ends.
        if response.status != 200 or not whole:
            self.close()
            raise Lost(f"{method}: {response.status} {content[:100]}")
        return content
