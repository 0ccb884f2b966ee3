"""The border to the openai SDK: its client, its errors in our words, and the bytes of a stream.

Only requests go through the SDK. Its own stream parsing tries every kind of event as a typed object for each
token, and its own retries repeat requests without the visitor being told; both are off.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from itertools import chain
from typing import Any

import httpx2
import openai

from app.assistants.fields import text_of
from app.assistants.refusals import UNAVAILABLE, upstream_error
from app.assistants.sse import BYTE_ORDER_MARK, MAX_BUFFER, Decoder
from app.chat.interfaces import Cancellation
from app.errors import AssistantError, Code

CONNECT_TIMEOUT = 5.0
SILENCE = 300.0
"""Seconds without a byte after which a request is given up. The turn's own deadline is meant to come first: a model
that is loaded from disk, or that thinks, says nothing for minutes."""
LAST_WORDS = 3.0
"""Seconds that usage and `[DONE]` may take after the reason for an end."""
LINGER = 0.25
"""Seconds that a body may take to end after its last event, so that its connection can serve the next turn."""

FORGET_WITHIN = 10.0
"""Seconds that one call may take when something is deleted over there, which nobody sits and waits for."""

CUT = "The answer broke off. Please ask again."

OPENED = "(opened)"
"""The name under which `stream_events` gives the request's id, before the first event."""
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


def new_client(api_key: str | None, base_url: str | None, silence: float = SILENCE) -> openai.OpenAI:
    """A client without retries. Without a key (servers of one's own) a placeholder is sent.

    `silence`: seconds without a byte after which a request is given up.
    """
    timeout = httpx2.Timeout(silence, connect=CONNECT_TIMEOUT)
    return openai.OpenAI(api_key=api_key or "none", base_url=base_url, timeout=timeout, max_retries=0)


@contextmanager
def translated() -> Iterator[None]:
    """The border: errors of the SDK and of its HTTP layer leave as `AssistantError`."""
    try:
        yield
    except openai.APIStatusError as error:
        raise _refused(error) from error
    except (openai.APITimeoutError, httpx2.TimeoutException) as error:
        raise _lost(UNAVAILABLE, "timeout") from error
    except (openai.APIConnectionError, httpx2.HTTPError, httpx2.StreamError, OSError) as error:
        raise _lost(UNAVAILABLE, type(error).__name__) from error
    except (openai.OpenAIError, ValueError) as error:
        raise AssistantError(Code.ASSISTANT_UNAVAILABLE, UNAVAILABLE, detail=type(error).__name__) from error


@contextmanager
def gone_is_well() -> Iterator[None]:
    """Deleting what is not there (any more) is done."""
    try:
        yield
    except AssistantError as error:
        if not error.no_such_object:
            raise


def cut(detail: str) -> AssistantError:
    """The stream broke off in the middle."""
    return _lost(CUT, detail)


def stream_events(
    open_stream: Callable[[], Any], cancellation: Cancellation, over: Callable[[], bool] = lambda: False
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Open a streaming request and give its events as (name, fields), until its body ends.

    `open_stream` is one of the SDK's `with_streaming_response` calls. Cancelling shuts the connection down,
    which ends a read that waits in another green thread; then the events simply end. `over`: the answer lacks nothing
    any more; a body that does not end then is cut off after `LAST_WORDS` seconds.
    """
    with translated(), open_stream() as response:
        yield OPENED, {"request_id": response.request_id}
        try:
            # Only while it is ours: a connection that was read to its end is another turn's the next moment.
            with cancellation.calling(lambda: _shut_down(response)):
                yield from _events(response, over)
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            if not cancellation.cancelled:
                raise cut(type(error).__name__) from error
        except ValueError as error:
            raise AssistantError(Code.ASSISTANT_UNAVAILABLE, CUT, detail=str(error)) from error


def _events(response: Any, over: Callable[[], bool]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events of a body. Its first bytes say what it is: its content type may be missing, or wrong."""
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
        raise nothing_came(response.status_code)
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


def _whole(response: Any, head: bytes, rest: Iterator[bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
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


def not_an_answer(status: int, content_type: str) -> AssistantError:
    """A success that is neither a stream nor an answer: a page, or what something else than a model says."""
    detail = f"status {status} with {content_type[:60]!r} in place of a stream"
    return AssistantError(Code.ASSISTANT_UNAVAILABLE, UNAVAILABLE, detail=detail, no_such_route=True)


def nothing_came(status: int) -> AssistantError:
    """A success without a body. It may be a fault that passes, or a server that has nothing at this address."""
    error = _lost(UNAVAILABLE, f"status {status} without a body")
    error.no_such_route = True
    return error


def _named(events: Sequence[tuple[str, bytes]]) -> Iterator[tuple[str, dict[str, Any]]]:
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
    """Cuts a body off that goes on after its answer."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self._timer: threading.Timer | None = None

    def __enter__(self) -> _Ending:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def within(self, seconds: float) -> None:
        """Begin to wait. A second call makes it shorter only."""
        if self._timer is not None and seconds >= LAST_WORDS:
            return
        self.__exit__()
        self._timer = threading.Timer(seconds, _shut_down, (self._response,))
        self._timer.daemon = True
        self._timer.start()


def _refused(error: openai.APIStatusError) -> AssistantError:
    headers = error.response.headers
    return upstream_error(
        _body_of(error), error.status_code, request_id=error.request_id, retry_after=_retry_after(headers)
    )


def _body_of(error: openai.APIStatusError) -> object:
    try:
        return error.response.text
    except (httpx2.StreamError, UnicodeError, LookupError):
        return error.body


def _retry_after(headers: httpx2.Headers) -> float | None:
    """Seconds of a `Retry-After`, given as a number or as a date (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        with suppress(ValueError, OverflowError):
            return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
        return None
    return min(max(0.0, seconds), 3600.0) if seconds == seconds else None


def _lost(sentence: str, detail: str) -> AssistantError:
    return AssistantError(Code.ASSISTANT_UNAVAILABLE, sentence, detail=detail, transient=True, answered=False)


def _fields(data: bytes) -> dict[str, Any] | None:
    """The object in a data line. None: there is none; half an object is an error."""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        if data.lstrip()[:1] not in (b"{", b"[") or PING.fullmatch(data):
            return None
        raise AssistantError(Code.ASSISTANT_UNAVAILABLE, CUT, detail="a line of the stream is not JSON") from error
    return fields if isinstance(fields, dict) else None


def _shut_down(response: Any) -> None:
    stream = response.http_response.extensions.get("network_stream")
    connection = stream.get_extra_info("socket") if stream else None
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
