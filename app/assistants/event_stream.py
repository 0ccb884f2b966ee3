"""The body of a streaming response as events: what it is, where it ends, and how long it may take for that.

A body is told by its first bytes: its content type may be missing, or wrong.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

import httpx2

from app.assistants.fields import text_of
from app.assistants.sse import BYTE_ORDER_MARK, MAX_BUFFER, Decoder
from app.assistants.upstream_errors import broken_stream, no_body, not_an_answer

Event = tuple[str, dict[str, Any]]
"""A name and the fields of its JSON."""

LAST_WORDS = 3.0
"""Seconds that usage and `[DONE]` may take after the reason for an end."""
LINGER = 0.25
"""Seconds that a body may take to end after its last event, so that its connection can serve the next turn."""

WHOLE = "(whole)"
"""The name of the one event of a body that is no stream but the whole answer, as JSON."""
DONE = "[DONE]"
"""The name of the event by which a server says that its stream has ended."""
JUNK = "(junk)"
"""The name of an event that is none: neither JSON nor a sign of life."""
ERRORS = frozenset(("error", "response.error"))
PING = re.compile(rb"\W*(ping|pong|heartbeat|keep[-_ ]?alive)?\W*", re.I)
END = re.compile(rb"\W*done\W*", re.I)
LAST = frozenset((DONE, "response.completed", "response.incomplete", "response.failed"))
"""Events after which nothing of the answer can follow."""
FIELDS = (b"data:", b"event:", b"id:", b"retry:", b":")
"""How a line of an event stream begins."""


def events_of(response: Any, over: Callable[[], bool]) -> Iterator[Event]:
    """The events of a body, until it ends. `over`: the answer is complete; the rest may take `LAST_WORDS` seconds."""
    chunks = response.iter_bytes()
    content_type = response.headers.get("content-type", "")
    head = b""
    for chunk in chunks:
        head += chunk
        if _is_stream(head, content_type) is not None:
            break
    if _is_stream(head, content_type) is False:
        yield from _whole(response, head, chunks)
        return
    if not head.strip():
        raise no_body(response.status_code)
    decoder = Decoder()
    with _Ending(response) as ending:
        for chunk in chain((head,), chunks):
            for name, fields in _named(decoder.feed(chunk)):
                yield name, fields
                if name in LAST:
                    ending.within(LINGER)
                    _drain(chunks)
                    return
            if over():
                ending.within(LAST_WORDS)
    yield from _named(decoder.close())


def _is_stream(head: bytes, content_type: str) -> bool | None:
    """Whether a body that begins so is an event stream; None: more of it is needed."""
    head = head.removeprefix(BYTE_ORDER_MARK).lstrip()
    if not head or BYTE_ORDER_MARK.startswith(head):
        return None
    if content_type.startswith("text/event-stream"):
        return head[:1] not in (b"<", b"{", b"[")
    if head.startswith(FIELDS):
        return True
    return None if any(field.startswith(head) for field in FIELDS) else False


def _whole(response: Any, head: bytes, rest: Iterator[bytes]) -> Iterator[Event]:
    """The events of a body that is no stream: a JSON object, or a list of what would have been its events."""
    body = bytearray(head)
    if head.removeprefix(BYTE_ORDER_MARK).lstrip()[:1] in (b"{", b"["):
        for chunk in rest:
            body += chunk
            if len(body) > MAX_BUFFER:
                raise ValueError("the answer is too large")
    try:
        found = json.loads(bytes(body).removeprefix(BYTE_ORDER_MARK))
    except (ValueError, RecursionError):
        found = None
    events = found if isinstance(found, list) else [found]
    if not events or not all(isinstance(event, dict) for event in events):
        raise not_an_answer(response.status_code, response.headers.get("content-type", ""))
    for event in events:
        yield (WHOLE if len(events) == 1 else text_of(event.get("type"))), event


def _named(events: Sequence[tuple[str, bytes]]) -> Iterator[Event]:
    for name, data in events:
        if not data.startswith(b"{") and END.fullmatch(data):
            yield DONE, {}
        elif not data.startswith(b"{") and PING.fullmatch(data):
            continue
        elif (event := _fields(data)) is not None:
            # "message" is the name of an event that has none.
            yield (name if name not in ("", "message") else text_of(event.get("type"))), event
        elif name in ERRORS:
            yield name, {"error": data.decode("utf-8", "replace")}
        else:
            yield JUNK, {}


def _drain(chunks: Iterator[bytes]) -> None:
    with suppress(httpx2.HTTPError, httpx2.StreamError, OSError):
        for _ in chunks:
            pass


class _Ending:
    """Ends a body that goes on after its answer."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self._timer: threading.Timer | None = None

    def __enter__(self) -> _Ending:
        return self

    def __exit__(self, *_: object) -> None:
        self._cancel()

    def within(self, seconds: float) -> None:
        """Wait so many seconds for the end. Of several calls the shortest time counts."""
        if self._timer is not None and self._timer.interval <= seconds:
            return
        self._cancel()
        self._timer = threading.Timer(seconds, shut_down, (self._response,))
        self._timer.daemon = True
        self._timer.start()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def _fields(data: bytes) -> dict[str, Any] | None:
    """The object in a data line. None: there is none; half an object is an error."""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        if data.lstrip()[:1] not in (b"{", b"[") or PING.fullmatch(data):
            return None
        raise broken_stream("a line of the stream is not JSON") from error
    return fields if isinstance(fields, dict) else None


def shut_down(response: Any) -> None:
    """End the connection of a response, also while another green thread reads it."""
    stream = response.http_response.extensions.get("network_stream")
    connection = stream.get_extra_info("socket") if stream else None
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
