"""One request and its response, as the APIs see them: choose the scenario, answer with JSON, an error or a stream."""

from __future__ import annotations

import json
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from .answers import Prompt
from .directives import family_directive
from .families import family_named
from .families.base import Family
from .families.overflow import IN_STREAM, overflow
from .frames import Event, Frame, Json, Pause
from .misbehaviour import (
    HTML,
    Refusal,
    disturbed,
    error_body,
    invalid,
    refuse,
    refuse_parameters,
    scenario_error,
    worded,
    written,
)
from .requests_log import RecordedRequest
from .scenario import Scenario
from .sse_out import ClientGone, SseWriter, StreamOver, cut, encoded, pause, send, to_json

if TYPE_CHECKING:
    import socket

    from .openai_server import OpenAIServer

NOT_JSON = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
    "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)"
)


class Wire(Protocol):
    """What an exchange needs of the HTTP server underneath."""

    connection: socket.socket
    close_connection: bool

    def head(self, status: int, headers: dict[str, str]) -> None:
        """Sends the status line and the headers."""


class Exchange:
    """One request on its way to an answer."""

    def __init__(self, upstream: OpenAIServer, wire: Wire, request: RecordedRequest) -> None:
        self.upstream, self.wire, self.request = upstream, wire, request
        self.family = family_named(upstream.family)
        self.began = False

    @property
    def json(self) -> Json:
        """The body, an object; refuses anything else."""
        if not self.request.raw:
            return {}
        if not isinstance(self.request.body, dict):
            raise invalid(NOT_JSON)
        return self.request.body

    def query(self, name: str, default: str = "") -> str:
        """One parameter of the query."""
        return urllib.parse.parse_qs(self.request.query).get(name, [default])[-1]

    def meet(self, prompt: Prompt) -> Family:
        """The family that answers this prompt: its directive's, the next scenario's, or the server's own."""
        named = family_directive(prompt.last) or self.upstream.next_family(self.request.path) or self.upstream.family
        try:
            self.family = family_named(named)
        except ValueError as error:
            raise invalid(str(error), code="unknown_directive") from error
        return self.family

    def no_such_route(self, scenario: Scenario, status: int) -> Refusal:
        """What a server without this route says, in the scenario's words or in its own."""
        if worded(scenario):
            return written(status, scenario_error(scenario, None, "the model"), scenario.error_body)
        return self.family.no_route(self.request.method, self.request.path, status)

    def scenario(self, prompt: Prompt, model: str) -> Scenario:
        """The scenario of an answer: queued or default, changed by directives. Refuses, drops or stalls if told to."""
        base = self.upstream.taken(self.request.path, answering=True)
        try:
            scenario = self.upstream.directives.applied(prompt.last, base)
            scenario = replace(scenario, **self.family.changes(self.request.path, scenario))
            scenario = self._fitting(scenario, prompt)
        except ValueError as error:
            raise invalid(str(error), code="unknown_directive") from error
        self.before(scenario, model)
        return scenario

    def _fitting(self, scenario: Scenario, prompt: Prompt) -> Scenario:
        """The scenario, or its refusal of a prompt that is too long."""
        limit = scenario.context_limit
        if limit is None or prompt.chars <= limit:
            return scenario
        words = scenario.context_words or self.family.overflow_words
        in_stream = scenario.context_in_stream or (words in IN_STREAM and bool(self.json.get("stream")))
        return replace(scenario, **overflow(words, prompt.chars, limit, in_stream))

    def before(self, scenario: Scenario, model: str = "the model") -> None:
        """What happens before an answer: a stall, a dropped connection, an HTTP error, something that is no stream."""
        if scenario.stall_headers > 0:
            pause(self.wire.connection, scenario.stall_headers)
        if scenario.drop:
            cut(self.wire.connection)
            self.wire.close_connection = True
            raise StreamOver(cut=True)
        refuse(scenario, model)
        refuse_parameters(self.json if self.request.method == "POST" else {}, scenario, model)
        if scenario.body == "html":
            raise Refusal(200, HTML.format("Welcome to the proxy"))
        if scenario.body == "json":
            raise Refusal(200, {"status": "ok", "message": "this is not a stream"})

    def delay(self, scenario: Scenario) -> float:
        """Seconds before each delta."""
        return self.upstream.delay if scenario.delay is None else scenario.delay

    def send_json(
        self, data: Json, status: int = 200, headers: dict[str, str] | None = None, kind: str | None = None
    ) -> None:
        """A whole JSON response."""
        self._send(status, encoded(to_json(data)), "application/json" if kind is None else kind, headers or {})

    def send_refusal(self, refusal: Refusal) -> None:
        """An error, or a page, in place of the answer."""
        dressed = (
            self.family.wrapped(self.family.error(refusal.status, refusal.plain)) if refusal.plain else refusal.body
        )
        body = dressed if isinstance(dressed, str) else to_json(dressed)
        self._send(refusal.status, encoded(body), refusal.content_type, refusal.headers)

    def send_broken(self, error: Exception) -> None:
        """The double itself is at fault: say so, loudly."""
        self.send_json(error_body(f"The double has a bug: {error!r}", "server_error", None, "double_bug"), 500)

    def stream(
        self, frames: Iterator[Frame], scenario: Scenario, unknown: Event, wake: threading.Event | None = None
    ) -> None:
        """Streams the frames. With `wake` they belong to a run, which goes on when nobody listens any more."""
        frames = disturbed(frames, scenario, self.delay(scenario), unknown)
        writer = SseWriter(self.wire.connection, scenario, wake)
        self.upstream.log.stream_began()
        try:
            self._stream_head(scenario)
            for frame in frames:
                writer.write(frame)
            writer.finish()
        except ClientGone:
            self.client_gone()
        except StreamOver as over:
            self.wire.close_connection |= over.cut
        finally:
            self.upstream.log.stream_ended()
        if wake is not None:
            drain(frames, wake)

    def client_gone(self) -> None:
        """Records that the client left, unless it is the double that is leaving."""
        self.wire.close_connection = True
        if not self.upstream.stopping:
            self.upstream.log.closed_by_client(self.request)

    def _stream_head(self, scenario: Scenario) -> None:
        given = scenario.content_type
        headers = {"Content-Type": "text/event-stream; charset=utf-8" if given is None else given}
        headers["Cache-Control"] = "no-cache"
        if scenario.unchunked:
            headers["Connection"] = "close"
            self.wire.close_connection = True
        else:
            headers["Transfer-Encoding"] = "chunked"
        self._head(200, headers)

    def _send(self, status: int, body: bytes, kind: str, headers: dict[str, str]) -> None:
        self._head(status, {"Content-Type": kind, "Content-Length": str(len(body)), **headers})
        send(self.wire.connection, body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.request.status, self.began = status, True
        headers = {name: value for name, value in headers.items() if name != "Content-Type" or value}
        self.wire.head(status, {"x-request-id": self.request.request_id, **headers})


def drain(frames: Iterator[Frame], wake: threading.Event) -> None:
    """Lets a run go its way unseen, at its own speed."""
    for frame in frames:
        if isinstance(frame, Pause):
            wake.wait(frame.seconds)


def parsed(raw: bytes) -> Any:
    """The JSON in a body, or None."""
    try:
        return json.loads(raw) if raw else None
    except (ValueError, RecursionError):
        return None
