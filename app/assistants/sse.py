"""Server-sent events from bytes, split anywhere. Pure: bytes in, events out.

Follows https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation for what
assistant APIs use of it: `event` and `data` fields, comments, and the three kinds of line ends.
"""

from __future__ import annotations

from collections.abc import Iterator

MAX_BUFFER = 8 * 1024 * 1024
"""Bytes that one unfinished event may have."""


class Decoder:
    """Collects bytes and gives whole events as (name, data). The name is "" where the stream names none.

    Raises `ValueError` when one event grows past `MAX_BUFFER` bytes.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[tuple[str, bytes]]:
        """The events that `chunk` completes. Data stays bytes: a JSON decoder takes it as it is."""
        lines = (self._rest + chunk).splitlines(keepends=True)
        self._rest = b""
        # A line without its end, or one whose "\r" may be half of a "\r\n", waits for more.
        if lines and not lines[-1].endswith(b"\n"):
            self._rest = lines.pop()
        self._size += len(chunk)
        for line in lines:
            event = self._take(line.rstrip(b"\r\n"))
            if event is not None:
                yield event
        if self._size > MAX_BUFFER:
            raise ValueError("an event of the stream is too large")

    def _take(self, line: bytes) -> tuple[str, bytes] | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")
        return None

    def _dispatch(self) -> tuple[str, bytes] | None:
        name, data = self._name, b"\n".join(self._data)
        self._name, self._size = "", len(self._rest)
        if not self._data:
            return None
        self._data = []
        return name, data
