"""eventlet's websocket, mended in six places that a hostile, a slow or merely a large message would find.

Its unmasking is a loop over single bytes (0.9 s for 4 MB, with the whole worker held); only single frames
have a limit, not a message of many; compression can be asked for with options that raise; `close` takes the
descriptor away under the green thread that reads, which then waits for ever and an orderly end with it, and it
waits to say goodbye in the middle of a message that nobody reads; a message is copied three times to be sent;
the timeout that the library sets is met by a client that reads slowly and says nothing meanwhile.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from eventlet import websocket

from ws.outgoing import Text
from ws.transfers import unsent

JOINED = 4 * 1024
"""Bytes up to which a message is copied to be written together with its header."""


class PatientSocket:
    """A client's socket that waits beyond its timeout for as long as the client takes what is sent."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._given = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def taken(self) -> int:
        """Bytes that the client has taken so far."""
        return self._given - unsent(self._inner)

    def recv(self, size: int) -> bytes:
        return bytes(self._patiently(self._inner.recv, size))

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            sent = self._patiently(self._inner.send, rest)
            self._given += sent
            rest = rest[sent:]

    def _patiently(self, operation: Callable[[Any], Any], argument: object) -> Any:
        while True:
            taken = self.taken()
            try:
                return operation(argument)
            except TimeoutError:
                if self.taken() <= taken:
                    raise


class MendedWebSocket(websocket.RFC6455WebSocket):  # type: ignore[misc]
    """To be put in the place of the library's own: see `mend`."""

    def __init__(self, connection: Any, *arguments: Any, **named: Any) -> None:
        super().__init__(PatientSocket(connection), *arguments, **named)

    class Message(websocket.RFC6455WebSocket.Message):  # type: ignore[misc]
        """A message of one or several frames, with a limit for all of them together."""

        size = 0

        def push(self, data: bytes, final: bool = False) -> None:
            self.size += len(data)
            if self.size > self.max_frame_length:
                raise websocket.FailedConnectionError(1009, "The message is too large.")
            super().push(data, final)

    @staticmethod
    def _apply_mask(data: bytes, mask: tuple[int, ...], length: int | None = None, offset: int = 0) -> bytes:
        data = data[:length]
        key = bytes(mask[(offset + i) % 4] for i in range(4)) * (len(data) // 4 + 1)
        return (int.from_bytes(data) ^ int.from_bytes(key[: len(data)])).to_bytes(len(data))

    def send_text(self, text: Text) -> None:
        """Send a message that is encoded already, without a copy of it."""
        header = _header(len(text))
        if len(text) <= JOINED:
            self._send(header + text)
        else:
            self._send(header, text)

    def _send(self, *parts: bytes) -> None:
        with self._sendlock:
            try:
                for part in parts:
                    self.socket.sendall(part)
            except BaseException:
                # The other side waits for the rest of this message: nothing else can be said any more.
                self.websocket_closed = True
                raise

    def close(self, close_data: Any = None) -> None:
        """Say goodbye and end both directions; the WSGI server closes the descriptor when the handler returns."""
        if self._sendlock.locked():
            self.websocket_closed = True
        self._send_closing_frame(close_data=close_data, ignore_send_errors=True)
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


def _header(length: int) -> bytes:
    """Of one text frame, the last of its message, unmasked: RFC 6455, section 5.2."""
    if length < 126:
        return struct.pack("!BB", 0x81, length)
    return struct.pack("!BBH", 0x81, 126, length) if length < 65536 else struct.pack("!BBQ", 0x81, 127, length)


def mend() -> None:
    """Have eventlet use the mended class. To be called once, before the first connection."""
    websocket.RFC6455WebSocket = MendedWebSocket
