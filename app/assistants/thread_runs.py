"""Runs of a thread: one run as its stream tells it, how it is left, and how calls of this API are answered.

The wire: https://platform.openai.com/docs/api-reference/assistants-streaming/events. OpenAI's own servers do
not speak it any more, compatible ones do. Unknown events are skipped; a stream that ends before the run is
over or requires an action has been cut, which is for the reader of the stream to notice.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any

import openai

from app.assistants.endings import Ending, ending_of
from app.assistants.fields import USAGE, mapping, sequence, text_of, tokens_of
from app.assistants.openai_client import stream_events, translated
from app.assistants.retrying import Steps, retried
from app.assistants.tools import NO_SUCH_FUNCTION
from app.assistants.upstream_errors import REFUSED, UNAVAILABLE, cut, upstream_error
from app.chat.interfaces import Cancellation, Citation, Delta, Event, Finished, Trace
from app.errors import AssistantError, Code

log = logging.getLogger(__name__)

ACTIVE = ("queued", "in_progress", "requires_action", "cancelling")
"""The states of a run that keeps messages and other runs out of its thread."""
OVER = ("completed", "incomplete", "failed", "cancelled", "expired")

LEAVE_WITHIN = 5.0
"""Seconds that one call may take when a run is cancelled that nobody waits for any more."""


class Stopped(Exception):
    """Nobody waits for the answer any more. Not told to the chat."""


class RunReading:
    """What is known of one run, over all streams of it.

    `over`: it has ended there. `calls`: the function calls that wait for outputs, by id. `finished`: its end,
    if that was an answer.
    """

    def __init__(self) -> None:
        self.id: str | None = None
        self.over = False
        self.calls: list[str] = []
        self.finished: Finished | None = None
        self._texts: dict[str, list[str]] = {}
        self._cited: set[tuple[str, str]] = set()

    def take(self, name: str, fields: dict[str, Any]) -> Generator[Event, None, None]:
        """The chat's events of one event of the stream. Raises `AssistantError` where the run went wrong."""
        if name == "thread.message.delta":
            yield from self._delta(fields)
        elif name in ("thread.message.completed", "thread.message.incomplete"):
            yield from self._message(fields)
        elif name == "error":
            raise upstream_error(fields)
        elif name.startswith("thread.run."):
            yield from self._state(name.removeprefix("thread.run."), fields)

    def outputs(self) -> list[dict[str, str]]:
        """An output for every call that waits; none waits any more."""
        calls, self.calls = self.calls, []
        return [{"tool_call_id": call, "output": NO_SUCH_FUNCTION} for call in calls]

    def _delta(self, fields: dict[str, Any]) -> Generator[Event, None, None]:
        texts = self._texts.setdefault(text_of(fields.get("id")), [])
        for text, notes in _parts(mapping(fields.get("delta"))):
            if text:
                texts.append(text)
                yield Delta(text)
            yield from self._cite(notes)

    def _message(self, fields: dict[str, Any]) -> Generator[Event, None, None]:
        parts = list(_parts(fields))
        self._texts[text_of(fields.get("id"))] = [text for text, _ in parts]
        for _, notes in parts:
            yield from self._cite(notes)

    def _cite(self, notes: list[Any]) -> Generator[Event, None, None]:
        for annotation in map(mapping, notes):
            # The source stands under the annotation's own type: file_citation, file_path or url_citation.
            source = mapping(annotation.get(text_of(annotation.get("type"))))
            names = {key: text_of(source[key]) for key in ("file_id", "url", "title") if source.get(key)}
            marker = text_of(annotation.get("text"))
            key = (names.get("file_id") or names.get("url") or "", marker)
            if key[0] and key not in self._cited:
                self._cited.add(key)
                yield Citation(marker=marker or None, **names)

    def _state(self, state: str, run: dict[str, Any]) -> Generator[Event, None, None]:
        known = state == "created" or state in ACTIVE or state in OVER
        if known and self.id is None and text_of(run.get("id")):
            self.id = text_of(run["id"])
            yield Trace(run_id=self.id)
        if state == "requires_action":
            action = mapping(mapping(run.get("required_action")).get("submit_tool_outputs"))
            self.calls = [text_of(mapping(call).get("id")) for call in sequence(action.get("tool_calls"))]
        elif state in OVER:
            self.over = True
            self._end(state, run)

    def _end(self, state: str, run: dict[str, Any]) -> None:
        reason = mapping(run.get("incomplete_details")).get("reason")
        if state == "failed":
            raise _failure(mapping(run.get("last_error")))
        if state == "expired":
            raise AssistantError(Code.ASSISTANT_UNAVAILABLE, UNAVAILABLE, detail="the run expired")
        if state == "cancelled":
            raise AssistantError(Code.ASSISTANT_REFUSED, REFUSED, detail="the run was cancelled by somebody else")
        # Raises where the reason is a filter.
        ending_of(reason)
        outcome: Ending = "complete" if state == "completed" else "truncated"
        text = "".join(part for parts in self._texts.values() for part in parts)
        # The tokens of the whole run, its rounds of function calls included.
        usage = tokens_of(run.get("usage"), USAGE)
        self.finished = Finished(outcome, text, usage, text_of(run.get("model")) or None, self.id)


class Calls:
    """Calls of the other side during one turn: tried again where that is safe, their request ids told."""

    def __init__(self, cancellation: Cancellation) -> None:
        self.cancellation = cancellation

    def change(self, send: Callable[[], Any]) -> Steps[dict[str, Any]]:
        """A call that makes something there: the object. Not repeated after a lost connection."""
        return (yield from retried(lambda: self._once(send, "id"), self.cancellation, repeatable=False))

    def read(self, send: Callable[[], Any], needed: str = "id") -> Steps[dict[str, Any]]:
        """A call that may as well be made twice: an object, or a list with `needed="data"`."""
        return (yield from retried(lambda: self._once(send, needed), self.cancellation, repeatable=True))

    def _once(self, send: Callable[[], Any], needed: str) -> Steps[dict[str, Any]]:
        if self.cancellation.cancelled:
            raise Stopped
        request_id, fields = called(send, needed)
        yield Trace(request_id=request_id)
        return fields


def called(send: Callable[[], Any], needed: str = "id") -> tuple[str | None, dict[str, Any]]:
    """The request id and the JSON object that one call is answered with. `needed`: a field that it must have."""
    with translated():
        response = send()
        fields = mapping(json.loads(response.http_response.content))
    if not isinstance(fields.get(needed), list if needed == "data" else str):
        detail = f"an answer without {needed}, request {response.request_id}"
        raise AssistantError(Code.ASSISTANT_UNAVAILABLE, UNAVAILABLE, detail=detail)
    return response.request_id, fields


def opened(request: Callable[[], Any], cancellation: Cancellation) -> Any:
    """A stream that the request has been answered with: the request's id, and the generator of its events."""
    if cancellation.cancelled:
        raise Stopped
    events = stream_events(request, cancellation)
    return next(events)[1]["request_id"], events


def read_stream(opened: Any, run: RunReading, cancellation: Cancellation) -> Steps[bool]:
    """Read a stream. True: the run is over. False: it waits for the outputs of function calls."""
    request_id, events = opened
    with closing(events):
        yield Trace(request_id=request_id)
        for name, fields in events:
            if cancellation.cancelled:
                break
            yield from run.take(name, fields)
            if run.over or run.calls:
                return run.over
    if cancellation.cancelled:
        raise Stopped
    raise cut("the stream ended without a terminal event")


def leave_run(runs: Any, thread_id: str, run_id: str | None, turn_id: str, stopped: bool) -> None:
    """Cancel the run of a turn that reads it no more. Without its id: the one that was perhaps created. Never raises.

    `stopped`: nobody waits, and the turn's successor may be at work; otherwise an active run can only be this turn's.
    """

    def leave() -> None:
        try:
            run = run_id or _made_by(turn_id, runs, thread_id, stopped)
            if run:
                called(lambda: runs.cancel(run, thread_id=thread_id, timeout=LEAVE_WITHIN))
        except AssistantError as error:
            # 400: it has ended in between.
            if status_of(error) != 400:
                log.warning("turn %s: its run could not be cancelled: %s (%s)", turn_id, error.code, error.detail)

    # The one that reads an answer can be killed wherever it waits, also while it cancels.
    leaving = threading.Thread(target=leave, daemon=True)
    leaving.start()
    if not stopped:
        leaving.join(LEAVE_WITHIN)


def _made_by(turn_id: str, runs: Any, thread_id: str, stopped: bool) -> str | None:
    _, newest = called(lambda: runs.list(thread_id, limit=1, timeout=LEAVE_WITHIN), "data")
    run = mapping(next(iter(newest["data"]), None))
    ours = mapping(run.get("metadata")).get("turn_id") == turn_id
    return text_of(run.get("id")) if run.get("status") in ACTIVE and (ours or not stopped) else None


def status_of(error: AssistantError) -> int | None:
    """The HTTP status that the other side refused a request with."""
    cause = error.__cause__
    return cause.status_code if isinstance(cause, openai.APIStatusError) else None


def _parts(message: dict[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """(text, annotations) of each part of a message or of a delta; a refusal is text, too."""
    for part in map(mapping, sequence(message.get("content"))):
        if part.get("type") == "refusal":
            yield text_of(part.get("refusal")), []
        else:
            text = mapping(part.get("text"))
            yield text_of(text.get("value")), sequence(text.get("annotations"))


def _failure(error: dict[str, Any]) -> AssistantError:
    code = error.get("code")
    if code == "invalid_prompt":
        return AssistantError(Code.ASSISTANT_REFUSED, REFUSED, detail="the run failed: invalid_prompt")
    # A used-up allowance has no code of its own here.
    used_up = code == "rate_limit_exceeded" and "quota" in text_of(error.get("message"))
    return upstream_error({"code": "insufficient_quota"} if used_up else error)
