"""What the double was asked, and what became of it: the side of the double that a test looks at."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class RecordedRequest:
    """One request. `body` is the parsed JSON (None if there was none), headers have lower-case names."""

    method: str
    path: str  # without the query
    query: str
    headers: dict[str, str]
    body: Any
    raw: bytes
    connection: int  # number of the TCP connection that it came on
    request_id: str  # the `x-request-id` of its response
    time: float = field(default_factory=time.monotonic)
    status: int | None = None  # of the response, once its headers are sent
    answer_id: str = ""  # resp_…, chatcmpl-… or run_… of the answer
    client_closed: bool = False  # the client left while the answer was streaming
    finished: float | None = None  # when the double was done with it (monotonic)


class RequestsLog:
    """All requests, in order; says when something changed."""

    def __init__(self) -> None:
        self.requests: list[RecordedRequest] = []
        self.client_closed: list[str] = []
        self.streaming = 0
        self.most_streaming = 0
        self._changed = threading.Condition()

    def add(self, request: RecordedRequest) -> None:
        """A request has arrived."""
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def stream_began(self) -> None:
        """A stream's headers were sent."""
        with self._changed:
            self.streaming += 1
            self.most_streaming = max(self.most_streaming, self.streaming)
            self._changed.notify_all()

    def stream_ended(self) -> None:
        """A stream is over, in whatever way."""
        with self._changed:
            self.streaming -= 1
            self._changed.notify_all()

    def closed_by_client(self, request: RecordedRequest) -> None:
        """The client left before the end of the answer."""
        with self._changed:
            request.client_closed = True
            self.client_closed.append(request.answer_id)
            self._changed.notify_all()

    def finished(self, request: RecordedRequest) -> None:
        """The double is done with a request."""
        with self._changed:
            request.finished = time.monotonic()
            self._changed.notify_all()

    def clear(self) -> None:
        """Forgets everything but the streams that are still open."""
        with self._changed:
            self.requests.clear()
            self.client_closed.clear()
            self.most_streaming = self.streaming

    def wait_until(self, condition: Callable[[], object], seconds: float) -> None:
        """Waits until `condition` holds; looks again at each change, and at least every 10 ms."""
        deadline = time.monotonic() + seconds
        while not condition():  # Without the lock: the condition may ask the double something over HTTP.
            if time.monotonic() > deadline:
                raise AssertionError(f"The double waited {seconds} s in vain; it was asked: {self.summary()}")
            with self._changed:
                self._changed.wait(0.01)

    def summary(self) -> str:
        """The requests in a line, for error messages."""
        return (
            ", ".join(f"{request.method} {request.path} -> {request.status}" for request in self.requests) or "nothing"
        )
