"""The Responses API (https://platform.openai.com/docs/api-reference/responses), streamed.

The history is ours: each request carries the conversation and nothing is stored on the other side
(`store=false`). Events are told by their name; unknown ones are skipped; the outcome is judged by the
response's own `status`. Where the history is theirs: `conversation_state.py`.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import openai

from app.assistants.fields import mapping, sequence, text_of, tokens_of
from app.assistants.openai_client import OPENED, REFUSED, SENTENCES, cut, stream_events, upstream_error
from app.assistants.retrying import Steps, retried, shortened
from app.assistants.tools import MOST_ROUNDS, NO_SUCH_FUNCTION, add_usage, too_many_rounds
from app.chat.interfaces import Citation, Delta, Event, Exchange, Finished, Question, Status, Trace
from app.errors import AssistantError, Code

USAGE = {name: name for name in ("input_tokens", "output_tokens", "total_tokens")}
TERMINAL = ("response.completed", "response.incomplete", "response.failed")


@dataclass(frozen=True, slots=True)
class Round:
    """One response, read to its end. `calls`: the function calls in it, as items."""

    state: Literal["complete", "truncated"]
    text: str | None
    usage: dict[str, int] | None
    model: str | None
    response_id: str | None
    calls: list[dict[str, Any]] = field(default_factory=list)


class ResponsesAssistant:
    """Answers by one model of one server."""

    name = "responses"

    def __init__(self, client: openai.OpenAI, model: str, **options: Any) -> None:
        """`options` are sent along with each request: `instructions`, `max_output_tokens`, `tools`."""
        self._client = client
        self._model = model
        self._options = options
        # The SDK loads this part at its first use, for up to half a second: not in the first visitor's time.
        self._open = client.responses.with_streaming_response.create

    def ready(self) -> bool:
        return not self._client.is_closed()

    def stream(self, question: Question) -> Generator[Event, None, None]:
        """The answer's events. Raises `AssistantError`."""

        def answer(history: Sequence[Exchange]) -> Steps[None]:
            return self.rounds(question, as_input(question, history), store=False)

        yield from shortened(answer, question.history)

    def rounds(self, question: Question, items: list[Any], **where: Any) -> Steps[None]:
        """Responses until one has an answer. `where`: `store=False`, or the `conversation` that keeps the items."""
        theirs = "conversation" in where
        texts: list[str] = []
        usage: dict[str, int] = {}
        for _ in range(MOST_ROUNDS + 1):
            attempt = partial(self._round, question, items, where)
            done = yield from retried(attempt, question.cancellation, repeatable=not theirs)
            if done is None:
                return
            texts.append(done.text or "")
            usage = add_usage(usage, done.usage)
            if not done.calls:
                text = None if done.text is None else "".join(texts)
                yield Finished(done.state, text, usage or None, done.model, done.response_id)
                return
            yield Status("tool")
            outputs = [_output_of(call) for call in done.calls]
            items = outputs if theirs else [*items, *done.calls, *outputs]
        raise too_many_rounds()

    def _round(self, question: Question, items: list[Any], where: dict[str, Any]) -> Steps[Round | None]:
        """One response. None: the question was cancelled."""

        def request() -> Any:
            return self._open(model=self._model, input=items, stream=True, **where, **self._options)

        reading = _Reading()
        for name, fields in stream_events(request, question.cancellation):
            if name in TERMINAL:
                yield from reading.last_citations(mapping(fields.get("response")))
                return reading.end(mapping(fields.get("response")))
            yield from reading.take(name, fields)
        if question.cancellation.cancelled:
            return None
        raise cut("the stream ended without a terminal event")


class _Reading:
    """The state of one stream that is being read."""

    def __init__(self) -> None:
        self._cited: set[tuple[str, str]] = set()
        self._commentary: set[str] = set()
        self._refused = False

    def take(self, name: str, fields: dict[str, Any]) -> Generator[Event, None, None]:
        if name == "response.output_text.delta":
            if fields.get("item_id") not in self._commentary:
                yield Delta(text_of(fields.get("delta")))
        elif name == "response.output_text.annotation.added":
            yield from self._cite(fields.get("annotation"))
        elif name == "response.refusal.delta":
            self._refused = True
            yield Delta(text_of(fields.get("delta")))
        elif name == "response.output_item.added":
            self._note_commentary(mapping(fields.get("item")))
        elif name == OPENED:
            yield Trace(request_id=fields.get("request_id"))
        elif name == "error":
            nested = mapping(fields.get("error")) or fields
            raise upstream_error(nested.get("code") or nested.get("type"))

    def last_citations(self, response: dict[str, Any]) -> Generator[Event, None, None]:
        """Citations that stand in the completed response only."""
        for part in _answer_parts(response):
            for annotation in sequence(part.get("annotations")):
                yield from self._cite(annotation)

    def end(self, response: dict[str, Any]) -> Round:
        status = response.get("status")
        if status == "failed":
            raise upstream_error(mapping(response.get("error")).get("code"))
        if status not in ("completed", "incomplete"):
            raise AssistantError(Code.ASSISTANT_REFUSED, REFUSED, detail=f"status {str(status)[:40]}")
        if mapping(response.get("incomplete_details")).get("reason") == "content_filter":
            raise AssistantError(Code.CONTENT_FILTERED, SENTENCES[Code.CONTENT_FILTERED], detail="incomplete")
        parts = _answer_parts(response)
        return Round(
            "complete" if status == "completed" else "truncated",
            text=None if self._refused else "".join(text_of(part.get("text")) for part in parts),
            usage=tokens_of(response.get("usage"), USAGE),
            model=text_of(response.get("model")) or None,
            response_id=text_of(response.get("id")) or None,
            calls=[item for item in _output(response) if item.get("type") == "function_call"],
        )

    def _note_commentary(self, item: dict[str, Any]) -> None:
        # Remarks of a model between its steps are not the answer.
        if item.get("phase") == "commentary":
            self._commentary.add(text_of(item.get("id")))

    def _cite(self, annotation: object) -> Generator[Event, None, None]:
        fields = mapping(annotation)
        source = (text_of(fields.get("url") or fields.get("file_id")), text_of(fields.get("text")))
        if not source[0] or source in self._cited:
            return
        self._cited.add(source)
        names = {key: text_of(fields[key]) for key in ("title", "url", "file_id", "filename") if fields.get(key)}
        yield Citation(marker=source[1] or None, **names)


def as_input(question: Question, history: Sequence[Exchange]) -> list[Any]:
    """The conversation as input items."""
    return [*(item for exchange in history for item in exchange_items(exchange)), _message("user", question.text)]


def exchange_items(exchange: Exchange) -> list[Any]:
    return [_message("user", exchange.question), _message("assistant", exchange.answer)]


def _message(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


def _output_of(call: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call.get("call_id"), "output": NO_SUCH_FUNCTION}


def _output(response: dict[str, Any]) -> list[dict[str, Any]]:
    return [mapping(item) for item in sequence(response.get("output"))]


def _answer_parts(response: dict[str, Any]) -> list[dict[str, Any]]:
    """The text parts of the answer's messages, as the completed response has them."""
    items = _output(response)
    messages = [item for item in items if item.get("type") == "message" and item.get("phase") != "commentary"]
    parts = [mapping(part) for item in messages for part in sequence(item.get("content"))]
    return [part for part in parts if part.get("type") == "output_text"]
