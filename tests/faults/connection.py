"""One websocket to the chat's namespace, by hand: Socket.IO packets (its protocol 5) in Engine.IO frames (its 4).

The libraries' clients heal and reorder by themselves; here a cut is an exception and order is the wire's.
"""

from __future__ import annotations

import itertools
import json
import time
from typing import Any, NamedTuple

import websocket

from tests.chat_client import NAMESPACE

ENTERING = 10.0
"""Seconds for the connection and each step of its handshake."""


class Lost(Exception):
    """The connection is over, or never came to be."""


class Event(NamedTuple):
    """An event of the server."""

    name: str
    payload: dict[str, Any]


class Answer(NamedTuple):
    """The acknowledgement of what was sent with this number."""

    number: int
    payload: dict[str, Any]


class Connection:
    """Raises `Lost` from every method once it is over."""

    def __init__(self, url: str, auth: dict[str, Any]) -> None:
        address = url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
        self._numbers = itertools.count(1)
        try:
            self._socket = websocket.create_connection(address, timeout=ENTERING, suppress_origin=True)
            opened = self._frame()
        except (OSError, websocket.WebSocketException, ValueError, IndexError) as error:
            # The last two are what the library makes of half a status line.
            raise Lost(str(error)) from error
        if opened[:1] != "0":
            raise Lost(f"no open packet: {opened[:50]}")
        hello = json.loads(opened[1:])
        self._silence = (hello["pingInterval"] + hello["pingTimeout"]) / 1000
        self._heard_at = time.monotonic()
        self._send(f"40{NAMESPACE},{json.dumps(auth)}")

    def receive(self, seconds: float) -> Event | Answer | None:
        """The next packet for the client; None if there was none within `seconds`."""
        self._socket.settimeout(seconds)
        try:
            frame = self._frame()
        except TimeoutError:
            if time.monotonic() - self._heard_at > self._silence:
                self.close()
                raise Lost("no ping for too long") from None
            return None
        self._heard_at = time.monotonic()
        if frame == "2":
            self._send("3")
            return None
        return self._packet(frame)

    def emit(self, event: str, payload: dict[str, Any]) -> int:
        """Send an event that is to be acknowledged. Its number."""
        number = next(self._numbers)
        self._send(f"42{NAMESPACE},{number}{json.dumps([event, payload], ensure_ascii=False)}")
        return number

    def close(self) -> None:
        self._socket.shutdown()

    def _packet(self, frame: str) -> Event | Answer | None:
        kind, body = frame[:2], frame[2 + len(NAMESPACE) + 1 :]
        if kind == "42":
            name, payload = json.loads(body)
            return Event(name, payload)
        if kind == "43":
            number, bracket, rest = body.partition("[")
            return Answer(int(number), json.loads(bracket + rest)[0])
        if kind == "40":
            return None
        self.close()
        raise Lost(f"ended by the server: {frame[:200]}")

    def _frame(self) -> str:
        try:
            opcode, data = self._socket.recv_data()
        except websocket.WebSocketTimeoutException as error:
            raise TimeoutError from error
        except (OSError, websocket.WebSocketException) as error:
            self.close()
            raise Lost(str(error)) from error
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            self.close()
            raise Lost("closed by the server")
        return str(data.decode())

    def _send(self, frame: str) -> None:
        try:
            self._socket.settimeout(ENTERING)
            self._socket.send(frame)
        except (OSError, websocket.WebSocketException) as error:
            self.close()
            raise Lost(str(error)) from error
