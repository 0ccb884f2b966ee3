"""The border to the openai SDK: its client, its errors in our words, and the bytes of a stream.

Only requests go through the SDK. Its own stream parsing costs several times more per token than decoding
the bytes ourselves, and its own retries repeat requests without the visitor being told; both are off.
"""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx2
import openai

from app.assistants.sse import Decoder
from app.chat.interfaces import Cancellation
from app.errors import AssistantError, Code

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 90.0
"""Seconds between two reads of a stream."""

UNAVAILABLE = "The assistant cannot be reached at the moment. Please try again shortly."
CUT = "The answer broke off. Please ask again."
REFUSED = "The assistant could not answer this message."

SENTENCES = {
    Code.ASSISTANT_UNAVAILABLE: UNAVAILABLE,
    Code.ASSISTANT_BUSY: "The assistant is busy at the moment. Please try again shortly.",
    Code.ASSISTANT_MISCONFIGURED: "The assistant of this site is not set up correctly. Please tell whoever runs it.",
    Code.ASSISTANT_REFUSED: REFUSED,
    Code.CONTENT_FILTERED: "The assistant may not answer this message.",
    Code.CONTEXT_TOO_LONG: "This conversation has become too long. Please begin a new one.",
}

BY_UPSTREAM_CODE = {
    "invalid_api_key": Code.ASSISTANT_MISCONFIGURED,
    "model_not_found": Code.ASSISTANT_MISCONFIGURED,
    "insufficient_quota": Code.ASSISTANT_MISCONFIGURED,
    "rate_limit_exceeded": Code.ASSISTANT_BUSY,
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
    422: Code.ASSISTANT_REFUSED,
    429: Code.ASSISTANT_BUSY,
}


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
        raise upstream_error(error.code, error.status_code, request_id=error.request_id) from error
    except (openai.APITimeoutError, httpx2.TimeoutException) as error:
        raise AssistantError(Code.ASSISTANT_UNAVAILABLE, UNAVAILABLE, detail="timeout") from error
    except (openai.APIConnectionError, httpx2.HTTPError, httpx2.StreamError, OSError) as error:
        raise AssistantError(Code.ASSISTANT_UNAVAILABLE, UNAVAILABLE, detail=type(error).__name__) from error
    except openai.OpenAIError as error:
        raise AssistantError(Code.ASSISTANT_UNAVAILABLE, UNAVAILABLE, detail=type(error).__name__) from error


def upstream_error(code: object, status: int | None = None, *, request_id: str | None = None) -> AssistantError:
    """What an error of the other side means for a visitor. Its text is not passed on: it may carry a secret."""
    ours = BY_UPSTREAM_CODE.get(str(code)) or BY_STATUS.get(status or 0, Code.ASSISTANT_UNAVAILABLE)
    known = {"status": status, "code": str(code)[:60] if code else None, "request": request_id}
    detail = ", ".join(f"{name} {value}" for name, value in known.items() if value)
    return AssistantError(ours, SENTENCES[ours], detail=detail)


def stream_events(open_stream: Callable[[], Any], cancellation: Cancellation) -> Iterator[tuple[str, dict[str, Any]]]:
    """Open a streaming request and give its events as (name, fields), until its body ends.

    `open_stream` is one of the SDK's `with_streaming_response` calls. Cancelling shuts the connection down,
    which ends a read that waits in another green thread; then the events simply end.
    """
    with translated(), open_stream() as response:
        _check_is_stream(response)
        cancellation.on_cancel(lambda: _shut_down(response))
        decoder = Decoder()
        try:
            for chunk in response.iter_bytes():
                for name, data in decoder.feed(chunk):
                    event = _fields(data)
                    if event is not None:
                        yield name or str(event.get("type", "")), event
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            if not cancellation.cancelled:
                raise AssistantError(Code.ASSISTANT_UNAVAILABLE, CUT, detail=type(error).__name__) from error
        except ValueError as error:
            raise AssistantError(Code.ASSISTANT_UNAVAILABLE, CUT, detail=str(error)) from error


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
