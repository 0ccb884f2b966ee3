"""The border to the openai SDK: its client, its errors in our words, and the bytes of a stream.

Only requests go through the SDK. Its own stream parsing tries every kind of event as a typed object for each
token, and its own retries repeat requests without the visitor being told; both are off.
"""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import openai

from app.assistants.sse import Decoder
from app.chat.interfaces import Cancellation
from app.errors import AssistantError, Code

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 90.0
"""Seconds between two reads of a stream."""

FORGET_WITHIN = 10.0
"""Seconds that one call may take when something is deleted over there, which nobody sits and waits for."""

UNAVAILABLE = "The assistant cannot be reached at the moment. Please try again shortly."
CUT = "The answer broke off. Please ask again."
REFUSED = "The assistant could not answer this message."

SENTENCES = {
    Code.ASSISTANT_UNAVAILABLE: UNAVAILABLE,
    Code.ASSISTANT_BUSY: "The assistant is busy at the moment. Please try again shortly.",
    Code.ASSISTANT_MISCONFIGURED: "The assistant of this site is not set up correctly. Please tell whoever runs it.",
    Code.ASSISTANT_REFUSED: REFUSED,
    Code.ASSISTANT_QUOTA: "The assistant of this site cannot answer for now: its allowance is used up.",
    Code.CONTENT_FILTERED: "The assistant may not answer this message.",
    Code.CONTEXT_TOO_LONG: "This conversation has become too long. Please begin a new one.",
}

BY_UPSTREAM_CODE = {
    "invalid_api_key": Code.ASSISTANT_MISCONFIGURED,
    "model_not_found": Code.ASSISTANT_MISCONFIGURED,
    "insufficient_quota": Code.ASSISTANT_QUOTA,
    "rate_limit_exceeded": Code.ASSISTANT_BUSY,
    "conversation_locked": Code.ASSISTANT_BUSY,
    "content_filter": Code.CONTENT_FILTERED,
    "content_policy_violation": Code.CONTENT_FILTERED,
    "context_length_exceeded": Code.CONTEXT_TOO_LONG,
    "server_error": Code.ASSISTANT_UNAVAILABLE,
}
BY_STATUS = {
    400: Code.ASSISTANT_REFUSED,
    401: Code.ASSISTANT_MISCONFIGURED,
    403: Code.ASSISTANT_MISCONFIGURED,
    404: Code.ASSISTANT_MISCONFIGURED,
    405: Code.ASSISTANT_MISCONFIGURED,
    408: Code.ASSISTANT_UNAVAILABLE,
    409: Code.ASSISTANT_BUSY,
    422: Code.ASSISTANT_REFUSED,
    429: Code.ASSISTANT_BUSY,
    501: Code.ASSISTANT_MISCONFIGURED,
}
NO_SUCH_ROUTE = (404, 405, 501)
OBJECTS = ("model", "conversation", "thread", "assistant", "run")
"""Words by which the text of a 404 says that the route is there, and what it was asked for is not."""
OPENED = "(opened)"
"""The name under which `stream_events` gives the request's id, before the first event."""


def new_client(api_key: str | None, base_url: str | None) -> openai.OpenAI:
    """A client without retries. Without a key (servers of one's own) a placeholder is sent."""
    timeout = httpx2.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT)
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


def upstream_error(
    code: object, status: int | None = None, *, request_id: str | None = None, retry_after: float | None = None
) -> AssistantError:
    """What an error of the other side means for a visitor. Its text is not passed on: it may carry a secret."""
    by_status = Code.ASSISTANT_REFUSED if 400 <= (status or 0) < 500 else Code.ASSISTANT_UNAVAILABLE
    ours = BY_UPSTREAM_CODE.get(str(code)) or BY_STATUS.get(status or 0, by_status)
    # A code is a word; whatever else stands there may be a secret.
    word = code if isinstance(code, str) and re.fullmatch(r"[a-z_]{1,60}", code) else None
    known = {"status": status, "code": word, "request": request_id}
    return AssistantError(
        ours,
        SENTENCES[ours],
        detail=", ".join(f"{name} {value}" for name, value in known.items() if value),
        retry_after=retry_after,
        transient=ours in (Code.ASSISTANT_BUSY, Code.ASSISTANT_UNAVAILABLE),
    )


def cut(detail: str) -> AssistantError:
    """The stream broke off in the middle."""
    return _lost(CUT, detail)


def stream_events(open_stream: Callable[[], Any], cancellation: Cancellation) -> Iterator[tuple[str, dict[str, Any]]]:
    """Open a streaming request and give its events as (name, fields), until its body ends.

    `open_stream` is one of the SDK's `with_streaming_response` calls. Cancelling shuts the connection down,
    which ends a read that waits in another green thread; then the events simply end.
    """
    with translated(), open_stream() as response:
        _check_is_stream(response)
        yield OPENED, {"request_id": response.request_id}
        try:
            # Only while it is ours: a connection that was read to its end is another turn's the next moment.
            with cancellation.calling(lambda: _shut_down(response)):
                yield from _decoded(response)
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            if not cancellation.cancelled:
                raise cut(type(error).__name__) from error
        except ValueError as error:
            raise AssistantError(Code.ASSISTANT_UNAVAILABLE, CUT, detail=str(error)) from error


def _decoded(response: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    decoder = Decoder()
    for chunk in response.iter_bytes():
        for name, data in decoder.feed(chunk):
            event = _fields(data)
            if event is not None:
                yield name or str(event.get("type", "")), event


def _refused(error: openai.APIStatusError) -> AssistantError:
    ours = upstream_error(
        error.code, error.status_code, request_id=error.request_id, retry_after=_retry_after(error.response.headers)
    )
    about_an_object = isinstance(error.code, str) or any(word in error.message.lower() for word in OBJECTS)
    ours.no_such_object = error.status_code == 404 and about_an_object
    ours.no_such_route = error.status_code in NO_SUCH_ROUTE and not ours.no_such_object
    return ours


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


def _check_is_stream(response: Any) -> None:
    content_type = response.headers.get("content-type", "")
    if not content_type.startswith("text/event-stream"):
        detail = f"status {response.status_code} with {content_type[:60]!r} in place of a stream"
        raise AssistantError(Code.ASSISTANT_UNAVAILABLE, UNAVAILABLE, detail=detail)


def _fields(data: bytes) -> dict[str, Any] | None:
    if not data.strip() or data.strip() == b"[DONE]":
        return None
    try:
        fields = json.loads(data)
    except ValueError as error:
        raise AssistantError(Code.ASSISTANT_UNAVAILABLE, CUT, detail="a line of the stream is not JSON") from error
    return fields if isinstance(fields, dict) else None


def _shut_down(response: Any) -> None:
    stream = response.http_response.extensions.get("network_stream")
    connection = stream.get_extra_info("socket") if stream else None
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
