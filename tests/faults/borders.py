"""Where the units end in one direction of a connection, so that a cut can fall on a border or beside it.

Units are the HTTP head and then websocket frames; of a connection that polls, each head and each body.
"""

from __future__ import annotations

import re

HEAD_ENDS = b"\r\n\r\n"
MASKED = 0x80
UPGRADES = re.compile(rb"\r\nupgrade: *websocket\r\n", re.I)
MEASURED = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.I)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.I)
LAST_CHUNK = b"\r\n0\r\n\r\n"
"""What JSON that is polled cannot contain."""


class Borders:
    """Reads along. Border 0 is the end of the first head, border n that of unit n (RFC 6455 5.2, RFC 9112 6)."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        """Of the units that have passed whole: the head, then each frame, or each body and head."""
        self.framed = False
        """It is a websocket, as far as its head has passed."""
        self._body: int | bytes | None = None
        """What ends the body that comes next: its length, or its last bytes; None: a head comes."""
        self._rest = b""

    def feed(self, data: bytes) -> list[int]:
        """The offsets in `data` behind which a border lies, in order."""
        known, begun, offsets = len(self._rest), 0, []
        self._rest += data
        while (length := self._length(begun)) is not None:
            begun += length
            self.lengths.append(length)
            offsets.append(begun - known)
        self._rest = self._rest[begun:]
        return offsets

    def _length(self, begun: int) -> int | None:
        """How long the unit is that begins there; None while it is not whole."""
        if self.framed:
            return self._length_of_frame(begun)
        if isinstance(self._body, int):
            length, whole = self._body, len(self._rest) - begun >= self._body
            self._body = None if whole else self._body
            return length if whole else None
        ends = self._body or HEAD_ENDS
        found = self._rest.find(ends, begun)
        if found < 0:
            return None
        unit = self._rest[begun : found + len(ends)]
        self._body = None if self._body else self._body_behind(unit)
        return len(unit)

    def _body_behind(self, head: bytes) -> int | bytes | None:
        self.framed = bool(UPGRADES.search(head))
        if measured := MEASURED.search(head):
            return int(measured[1]) or None
        return LAST_CHUNK if CHUNKED.search(head) else None

    def _length_of_frame(self, begun: int) -> int | None:
        head = self._rest[begun : begun + 10]
        if len(head) < 2:
            return None
        size, start = head[1] & 0x7F, 2
        if size > 125:
            start = 4 if size == 126 else 10
            if len(head) < start:
                return None
            size = int.from_bytes(head[2:start])
        whole = start + (4 if head[1] & MASKED else 0) + size
        return whole if len(self._rest) - begun >= whole else None
