"""Where the websocket frames end in one direction of a connection, so that a cut can fall on a border or beside it."""

from __future__ import annotations

HEAD_ENDS = b"\r\n\r\n"
MASKED = 0x80


class Borders:
    """Reads along. Border 0 is the end of the HTTP head, border n that of frame n (RFC 6455, section 5.2)."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        """Of the units that have passed whole: the head, then each frame."""
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
        if not self.lengths:
            found = self._rest.find(HEAD_ENDS, begun)
            return None if found < 0 else found + len(HEAD_ENDS) - begun
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
