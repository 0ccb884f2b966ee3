"""Server-sent events from bytes, split anywhere. Pure: bytes in, events out.

Follows https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation for what
assistant APIs use of it: `event` and `data` fields, comments, the three kinds of line ends, and one byte order
mark at the very beginning. One field more is known: `error`.
"""

from __future__ import annotations

MAX_BUFFER = 8 * 1024 * 1024
"""Bytes that one unfinished event may have."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Decoder:
    """Collects bytes and gives whole events as (name, data). The name is "" where the stream names none.

    Raises `ValueError` when one event grows past `MAX_BUFFER` bytes.
    """

    def __init__(self) -> None:
        self._beginning: bytes | None = b""
        self._line: list[bytes] = []
        self._after_return = False
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[tuple[str, bytes]]:
        """The events that `chunk` completes. Data stays bytes: a JSON decoder takes it as it is."""
        chunk = self._without_mark(chunk)
        if not chunk:
            return []
        if self._after_return and chunk.startswith(b"\n"):
            # The second half of a "\r\n" whose first half has ended the line already.
            chunk = chunk[1:]
        self._after_return = chunk.endswith(b"\r")
        self._size += len(chunk)
        events = []
        for line in chunk.splitlines(keepends=True):
            if not line.endswith((b"\n", b"\r")):
                self._line.append(line)
            elif (event := self._take(self._joined(line).rstrip(b"\r\n"))) is not None:
                events.append(event)
        if self._size > MAX_BUFFER:
            raise ValueError("an event of the stream is too large")
        return events

    def close(self) -> list[tuple[str, bytes]]:
        """The event that a body in good order ended in, without its last line end or its empty line.

        The standard drops it. It is whole all the same: a part of a JSON object, or of `[DONE]`, is neither.
        """
        pending = self._joined(b"")
        self._take(pending) if pending else None
        event = self._dispatch()
        return [event] if event else []

    def _without_mark(self, chunk: bytes) -> bytes:
        if self._beginning is None:
            return chunk
        chunk = self._beginning + chunk
        if len(chunk) < len(BYTE_ORDER_MARK) and BYTE_ORDER_MARK.startswith(chunk):
            self._beginning = chunk
            return b""
        self._beginning = None
        return chunk.removeprefix(BYTE_ORDER_MARK)

    def _joined(self, end: bytes) -> bytes:
        if not self._line:
            return end
        line = b"".join([*self._line, end])
        self._line.clear()
        return line

    def _take(self, line: bytes) -> tuple[str, bytes] | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")
        elif field == b"error":
            # No field of the standard: llama.cpp told errors so until September 2025.
            self._name = "error"
            self._data.append(value)
        return None

    def _dispatch(self) -> tuple[str, bytes] | None:
        name, data = self._name, self._data
        self._name, self._data, self._size = "", [], 0
        return (name, b"\n".join(data)) if data else None
