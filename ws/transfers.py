"""Bodies and responses on their way: none may hold one of the worker's places without moving.

gunicorn's green worker reads and writes without a deadline, and accepts nobody any more when all its places are
taken. Here every body and every response has to move `LEAST` bytes within its patience, or its connection is cut.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

BODY_PATIENCE = 10.0
RESPONSE_PATIENCE = 20.0
"""Seconds in which `LEAST` bytes have to move."""
LEAST = 8 * 1024
PIECE = 16 * 1024
"""Bytes that are read or written at a time: what a blocked write holds besides the response itself."""
LOOK_EVERY = 0.5
RESPONSE = "chat.response"
"""Where a request's `environ` has its `Response`."""


def unsent(connection: Any) -> int:
    """Bytes that were given to the kernel and that the other side has not taken; 0 where the system cannot say."""
    try:
        return int(struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4)))[0])
    except (OSError, AttributeError, TypeError, ValueError):
        return 0


class Transfer:
    """What moves in one direction on one connection, and since when it has not moved enough."""

    def __init__(self, connection: Any, patience: float) -> None:
        self.given = 0
        self.was_cut = False
        self._connection = connection
        self._patience = patience
        self._seen = 0
        self._since: float | None = None

    def moved(self) -> int:
        """Bytes so far."""
        return self.given

    def look(self, now: float) -> None:
        """Cut the connection if too little has moved for too long. `now`: seconds of a monotonic clock."""
        moved = self.moved()
        if self._since is None or moved - self._seen >= LEAST:
            self._since, self._seen = now, moved
        elif now - self._since > self._patience:
            self.cut()

    def cut(self) -> None:
        """End both directions; whoever waits for this connection goes on at once and finds it ended."""
        self.was_cut = True
        with suppress(OSError, AttributeError):
            self._connection.shutdown(socket.SHUT_RDWR)


class Transfers:
    """All that is under way."""

    def __init__(self) -> None:
        self._under_way: set[Transfer] = set()

    def add(self, transfer: Transfer) -> None:
        """Look after it from now on."""
        self._under_way.add(transfer)

    def remove(self, transfer: Transfer) -> None:
        """It has ended."""
        self._under_way.discard(transfer)

    def look(self, now: float) -> None:
        """Cut those that have had their time."""
        for transfer in list(self._under_way):
            transfer.look(now)

    def watch(self) -> None:
        """Look for ever. For a green thread of its own: nothing slow may delay it."""
        while True:
            time.sleep(LOOK_EVERY)
            self.look(time.monotonic())

    def read(self, environ: dict[str, Any], length: int) -> bytes | None:
        """The request's body of `length` bytes; nothing if it ended before, or did not come in time."""
        transfer, pieces = Transfer(environ.get("gunicorn.socket"), BODY_PATIENCE), []
        self.add(transfer)
        try:
            while transfer.given < length:
                piece = environ["wsgi.input"].read(min(PIECE // 2, length - transfer.given))
                if not piece:
                    return None
                transfer.given += len(piece)
                pieces.append(piece)
        finally:
            self.remove(transfer)
        return b"".join(pieces)


class Response(Transfer):
    """A WSGI response that is written in pieces. `on_end` is called once: was it written whole?"""

    on_end: Callable[[bool], None] | None = None

    def __init__(self, connection: Any, transfers: Transfers) -> None:
        super().__init__(connection, RESPONSE_PATIENCE)
        self.body: Iterable[bytes] = ()
        self._transfers = transfers

    def moved(self) -> int:
        return self.given - unsent(self._connection)

    def __iter__(self) -> Iterator[bytes]:
        self._transfers.add(self)
        for part in self.body:
            for start in range(0, len(part), PIECE):
                piece = part[start : start + PIECE]
                self.given += len(piece)
                yield piece
        # Before the chunk that ends the response: the other side cannot ask for more earlier than we know it.
        self._end(written=True)

    def close(self) -> None:
        """Called by the WSGI server when it is done with this response, however that came."""
        self._transfers.remove(self)
        self._end(written=False)
        close = getattr(self.body, "close", None)
        if close is not None:
            close()

    def _end(self, *, written: bool) -> None:
        on_end, self.on_end = self.on_end, None
        if on_end is not None:
            on_end(written)
