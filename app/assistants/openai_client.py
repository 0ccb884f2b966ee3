"""The border to the openai SDK: its client, its errors in our words, and the bytes of a stream.

Only requests go through the SDK. Its own stream parsing tries every kind of event as a typed object for each
token, and its own retries repeat requests without the visitor being told; both are off.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import openai

from app.assistants.event_stream import Event, events_of, shut_down
from app.assistants.upstream_errors import UNAVAILABLE, broken_stream, cut, lost, upstream_error
from app.chat.interfaces import Cancellation
from app.errors import AssistantError, Code

CONNECT_TIMEOUT = 5.0
SILENCE = 300.0
"""Seconds without a byte after which a request is given up. The turn's own deadline is meant to come first: a model
that is loaded from disk, or that thinks, says nothing for minutes."""

FORGET_WITHIN = 10.0
"""Seconds that one call may take when something is deleted over there, which nobody sits and waits for."""

OPENED = "(opened)"
"""The name under which `stream_events` gives the request's id, before the first event."""


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
        raise lost(UNAVAILABLE, "timeout") from error
    except (openai.APIConnectionError, httpx2.HTTPError, httpx2.StreamError, OSError) as error:
        raise lost(UNAVAILABLE, type(error).__name__) from error
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


def stream_events(
    open_stream: Callable[[], Any], cancellation: Cancellation, over: Callable[[], bool] = lambda: False
) -> Iterator[Event]:
    """Open a streaming request and give its events as (name, fields), until its body ends.

    `open_stream` is one of the SDK's `with_streaming_response` calls. Cancelling shuts the connection down,
    which ends a read that waits in another green thread; then the events simply end. `over`: the answer lacks nothing
    any more; a body that does not end then is cut off after `LAST_WORDS` seconds.
    """
    with translated(), open_stream() as response:
        yield OPENED, {"request_id": response.request_id}
        try:
            # Only while it is ours: a connection that was read to its end is another turn's the next moment.
            with cancellation.calling(lambda: shut_down(response)):
                yield from events_of(response, over)
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            if not cancellation.cancelled:
                raise cut(type(error).__name__) from error
        except ValueError as error:
            raise broken_stream(str(error)) from error


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
