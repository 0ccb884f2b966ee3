"""Engine.IO frames as they come from clients, checked before the library decodes them.

The library decodes websocket frames outside its own `try`, so that one bad frame ends in an HTTP error page
written into the websocket; a polling request with a packet type that clients do not send makes it wait for a
poll that never comes. Here a bad websocket frame becomes one that the packet layer refuses with a clear
error, and a bad polling request is answered with 400; a body is read for known sessions only, and within a time.

The frame format: https://github.com/socketio/engine.io-protocol
"""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from ws.admission import RETRY_AFTER, Admission, sid_of
from ws.outgoing import Text
from ws.packets import NAMESPACE
from ws.transfers import RESPONSE, Response, Transfers

REFUSED_FRAME = f"42{NAMESPACE},"
"""A message that decodes, and that `ws.packets` refuses."""

CLOSE, PONG, MESSAGE, UPGRADE, PING = "1", "3", "4", "5", "2"
SEPARATOR = "\x1e"
MAX_PACKETS = 16
MAX_BODY = 4 * 1024 * 1024
"""Bytes of one frame or of one polling request; above the longest text that is allowed, so that a text that
is too long is told so and the connection lives. Also of all that one session is sending at the same time."""
LEAST_BODY = MAX_BODY // 16
"""Bytes that a body counts for at least, so that one session has a few bodies under way and not hundreds."""

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class CheckedFrames:
    """A websocket whose `wait` gives only frames that the library can decode, and whose `send` takes encoded text."""

    def __init__(self, websocket: Any) -> None:
        self._websocket = websocket

    def __getattr__(self, name: str) -> Any:
        return getattr(self._websocket, name)

    def send(self, frame: Any) -> None:
        if not isinstance(frame, Text):
            self._websocket.send(frame)
        elif hasattr(self._websocket, "send_text"):
            self._websocket.send_text(frame)
        else:
            self._websocket.send(frame.decode())

    def wait(self) -> Any:
        try:
            frame = self._websocket.wait()
        except Exception:
            # Not a message at all. During an upgrade the library reads outside its own `try`.
            return None
        return frame if frame is None or _is_frame(frame) else REFUSED_FRAME

    def close(self) -> None:
        # With real threads it may have ended since the library looked; each kind of websocket has its own error for it.
        with suppress(Exception):
            self._websocket.close()


def checked_websocket(websocket_class: Any) -> Any:
    """The websocket class of an async mode, handing out checked frames."""

    def make(handler: Callable[[Any], Any], server: Any) -> Any:
        return websocket_class(lambda websocket: handler(CheckedFrames(websocket)), server)

    return make


class CheckedRequests:
    """WSGI middleware: looks at the requests under `path` before Engine.IO does, and after all responses."""

    def __init__(
        self, application: Application, admission: Admission, transfers: Transfers, path: str = "/socket.io"
    ) -> None:
        self._application = application
        self._admission = admission
        self._transfers = transfers
        self._path = path
        self._sending: Counter[str] = Counter()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        response = environ[RESPONSE] = Response(environ.get("gunicorn.socket"), self._transfers)
        try:
            response.body = self._answer(environ, start_response)
        except BaseException:
            response.close()
            raise
        return response

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not environ.get("PATH_INFO", "").startswith(self._path):
            return self._application(environ, start_response)
        if self._admission.refuses(environ):
            headers = [("Content-Type", "text/plain"), ("Connection", "close"), ("Retry-After", RETRY_AFTER)]
            start_response("503 Service Unavailable", headers)
            return [b"There are as many connections as this server takes. Please try again shortly.\n"]
        # No compression: it costs more than it saves on short pieces, and its options can raise.
        environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        body: bytes | None = b""
        if environ["REQUEST_METHOD"] == "POST" and self._admission.knows(environ):
            body = self._body(environ)
            if body is None or self._admission.has_ended(environ):
                headers = [("Content-Type", "text/plain"), ("Connection", "close")]
                start_response("400 Bad Request", headers)
                return [b"This is no Engine.IO payload.\n"]
        # For all others as well: the library refuses them unread, and an old kind of websocket reads a GET's body.
        environ["wsgi.input"] = io.BytesIO(body or b"")
        return self._application(environ, start_response)

    def _body(self, environ: dict[str, Any]) -> bytes | None:
        """The request's body if it is a payload of well-formed packets."""
        try:
            length = int(environ.get("CONTENT_LENGTH") or 0)
            body = self._read(environ, length) if 0 < length <= MAX_BODY else None
            frames = body.decode().split(SEPARATOR) if body is not None else []
        except ValueError:
            return None
        return body if 0 < len(frames) <= MAX_PACKETS and all(map(_is_polled, frames)) else None

    def _read(self, environ: dict[str, Any], length: int) -> bytes | None:
        sid, counts = sid_of(environ), max(length, LEAST_BODY)
        if self._sending[sid] + counts > MAX_BODY:
            return None
        self._sending[sid] += counts
        try:
            return self._transfers.read(environ, length)
        finally:
            self._sending[sid] -= counts
            if not self._sending[sid]:
                del self._sending[sid]


def _is_frame(frame: str | bytes) -> bool:
    if isinstance(frame, (bytes, bytearray)):
        return True
    if frame[:1] == "b":
        return _is_base64(frame[1:])
    return frame[:1] in {CLOSE, PING, PONG, MESSAGE, UPGRADE}


def _is_polled(frame: str) -> bool:
    # A ping belongs to the upgrade; by polling the library would wait for a poll that never comes.
    return _is_frame(frame) and frame[0] != PING


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text)
    except ValueError:
        return False
    return True
