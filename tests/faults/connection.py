"""A connection to the chat's namespace, by hand: Socket.IO packets (its protocol 5) in Engine.IO frames (its 4).

The libraries' clients heal and reorder by themselves; here a cut is an exception and order is the wire's.
"""

from __future__ import annotations

import itertools
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

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


class Connection(ABC):
    """Raises `Lost` from every method once it is over. A transport opens it and carries frames."""

    def __init__(self, url: str, auth: dict[str, Any]) -> None:
        self._numbers = itertools.count(1)
        self._heard_at = time.monotonic()
        opened = self._open(url)
        if opened[:1] != "0":
            raise Lost(f"no open packet: {opened[:50]}")
        hello = json.loads(opened[1:])
        self._silence = (hello["pingInterval"] + hello["pingTimeout"]) / 1000
        self._send(f"40{NAMESPACE},{json.dumps(auth)}")

    @abstractmethod
    def close(self) -> None:
        """End it from this side, without a word."""

    @abstractmethod
    def _open(self, url: str) -> str:
        """Connect. The first frame."""

    @abstractmethod
    def _next(self, seconds: float) -> str:
        """The next frame. Raises `TimeoutError` if there was none within `seconds`."""

    @abstractmethod
    def _send(self, frame: str) -> None: ...

    def receive(self, seconds: float) -> Event | Answer | None:
        """The next packet for the client; None if there was none within `seconds`."""
        try:
            frame = self._next(seconds)
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

    def _packet(self, frame: str) -> Event | Answer | None:
        kind, body = frame[:2], frame[2 + len(NAMESPACE) + 1 :]
        if kind == "42":
            name, payload = json.loads(body)
            return Event(name, payload)
        if kind == "43":
            number, bracket, rest = body.partition("[")
            return Answer(int(number), json.loads(bracket + rest)[0])
        if kind in ("40", "6"):
            return None
        self.close()
        raise Lost(f"ended by the server: {frame[:200]}")


Connect = Callable[[str, dict[str, Any]], Connection]
"""Opens a connection by one of the transports."""
