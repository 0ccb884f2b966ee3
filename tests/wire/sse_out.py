"""Frames to bytes on a socket: server-sent events in every framing that servers use, and notice of a client that left.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from typing import Any

from .frames import Cut, End, Event, Frame, Lines, Pause
from .scenario import Scenario

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
SLICE = 0.02  # seconds between looks at `wake` while nothing is sent


class ClientGone(Exception):
    """The client has closed the connection."""


class StreamOver(Exception):
    """The scenario ended the stream before its last frame; `cut` if the connection is closed."""

    def __init__(self, cut: bool) -> None:
        super().__init__(cut)
        self.cut = cut


def to_json(data: Any, indent: int | None = None) -> str:
    """JSON with real characters, as OpenAI sends it."""
    separators = None if indent else (",", ":")
    return json.dumps(data, ensure_ascii=False, separators=separators, indent=indent)


def encoded(text: str) -> bytes:
    """UTF-8; a lone surrogate goes back as the escape that it came as."""
    return "".join(f"\\u{ord(char):04x}" if "\ud800" <= char <= "\udfff" else char for char in text).encode()


def event_bytes(event: Event, scenario: Scenario) -> bytes:
    """One event in the scenario's framing."""
    text = event.data if isinstance(event.data, str) else to_json(event.data, 1 if scenario.multiline else None)
    lines = [f"event: {event.name}"] if event.name and not scenario.bare else []
    lines += [f"data: {line}" for line in text.split("\n")]
    return lines_bytes("\n".join(lines) + "\n\n", scenario)


def lines_bytes(text: str, scenario: Scenario) -> bytes:
    """Lines with the scenario's line end."""
    return encoded(text.replace("\n", "\r\n") if scenario.crlf else text)


class SseWriter:
    """Writes frames to a connection. `wake` shortens pauses (a cancelled run)."""

    def __init__(self, connection: socket.socket, scenario: Scenario, wake: threading.Event | None = None) -> None:
        self.connection, self.scenario, self.wake = connection, scenario, wake
        self.held = bytearray()
        self.mark = BYTE_ORDER_MARK if scenario.bom else b""

    def write(self, frame: Frame) -> None:
        """Sends one frame, or waits. Raises ClientGone, or StreamOver where the scenario ends the stream."""
        match frame:
            case Event():
                self._body(event_bytes(frame, self.scenario))
            case Lines(text):
                self._body(lines_bytes(text, self.scenario))
            case Pause(seconds):
                pause(self.connection, seconds, self.wake)
            case End():
                self.finish()
                raise StreamOver(cut=False)
            case Cut(reset):
                self._flush()
                cut(self.connection, reset)
                raise StreamOver(cut=True)

    def finish(self) -> None:
        """Ends the body properly."""
        self._flush()
        if not self.scenario.unchunked:
            send(self.connection, b"0\r\n\r\n")

    def _body(self, data: bytes) -> None:
        data, self.mark = self.mark + data, b""
        if self.scenario.one_write:
            self.held += data
        elif self.scenario.one_byte:
            for byte in data:
                self._chunk(bytes((byte,)))
        else:
            self._chunk(data)

    def _flush(self) -> None:
        if self.held:
            self._chunk(bytes(self.held))
            self.held.clear()

    def _chunk(self, data: bytes) -> None:
        send(self.connection, data if self.scenario.unchunked else b"%x\r\n%b\r\n" % (len(data), data))


def send(connection: socket.socket, data: bytes) -> None:
    """Sends all, or says that the client has gone."""
    try:
        connection.sendall(data)
    except OSError as error:
        raise ClientGone from error


def pause(connection: socket.socket, seconds: float, wake: threading.Event | None = None) -> None:
    """Waits, but not for a client that has gone, nor once `wake` is set."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if wake is not None and wake.is_set():
            return
        if has_gone(connection, min(left, SLICE) if wake is not None else left):
            raise ClientGone


def has_gone(connection: socket.socket, seconds: float) -> bool:
    """Waits for so long for the client to close, and says whether it did."""
    try:
        connection.settimeout(max(seconds, 0.0001))
        gone = connection.recv(1, socket.MSG_PEEK) == b""
    except TimeoutError:
        return False
    except OSError:
        return True
    finally:
        if connection.fileno() >= 0:
            connection.settimeout(None)
    if not gone:  # The next request is already waiting: time passes without a look.
        time.sleep(min(seconds, SLICE))
    return gone


def cut(connection: socket.socket, reset: bool = False) -> None:
    """Closes the connection at once, with a TCP reset where asked (sent when the server closes the socket)."""
    if reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
