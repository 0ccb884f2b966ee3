"""The Responses API (https://platform.openai.com/docs/api-reference/responses), streamed; the history is ours.

Nothing is stored on the other side (`store=false`): each request carries the conversation. Events are told
by their name; unknown ones are skipped; the outcome is judged by the response's own `status`.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager
from typing import Any

import openai

from app.assistants.openai_client import CUT, REFUSED, SENTENCES, stream_events, upstream_error
from app.chat.interfaces import Citation, Delta, Event, Finished, Question
from app.errors import AssistantError, Code

TERMINAL = ("response.completed", "response.incomplete", "response.failed")


class ResponsesAssistant:
    """Answers by one model of one server."""

    name = "responses"

    def __init__(
        self,
        client: openai.OpenAI,
        model: str,
        *,
        instructions: str | None = None,
        max_output_tokens: int | None = None,
    ) -> None:
        self._client = client
        self._model = model
        self._options: dict[str, Any] = {}
        if instructions:
            self._options["instructions"] = instructions
        if max_output_tokens:
            self._options["max_output_tokens"] = max_output_tokens
        # The SDK loads this part at its first use, for up to half a second: not in the first visitor's time.
        self._open = client.responses.with_streaming_response.create

    def ready(self) -> bool:
        return not self._client.is_closed()

    def stream(self, question: Question) -> Generator[Event, None, None]:
        """The answer's events. Raises `AssistantError`."""
        reading = _Reading()
        for name, fields in stream_events(lambda: self._request(question), question.cancellation):
            yield from reading.take(name, fields)
            if reading.over:
                return
        if not question.cancellation.cancelled:
            raise AssistantError(Code.ASSISTANT_UNAVAILABLE, CUT, detail="the stream ended without a terminal event")

    def _request(self, question: Question) -> AbstractContextManager[Any]:
        return self._open(model=self._model, input=_input(question), stream=True, store=False, **self._options)


class _Reading:
    """The state of one stream that is being read."""

    def __init__(self) -> None:
        self.over = False
        self._cited: set[str] = set()
        self._commentary: set[str] = set()
        self._refused = False

    def take(self, name: str, fields: dict[str, Any]) -> Generator[Event, None, None]:
        if name == "response.output_text.delta" and fields.get("item_id") not in self._commentary:
            yield Delta(_text(fields.get("delta")))
        elif name == "response.output_text.annotation.added":
            yield from self._cite(fields.get("annotation"))
        elif name == "response.refusal.delta":
            self._refused = True
            yield Delta(_text(fields.get("delta")))
        elif name == "response.output_item.added":
            self._note_commentary(fields.get("item"))
        elif name in TERMINAL:
            self.over = True
            yield from self._end(_mapping(fields.get("response")))
        elif name == "error":
            nested = _mapping(fields.get("error")) or fields
            raise upstream_error(nested.get("code") or nested.get("type"))

    def _note_commentary(self, item: object) -> None:
        # Remarks of a model between its steps are not the answer.
        fields = _mapping(item)
        if fields.get("phase") == "commentary":
            self._commentary.add(_text(fields.get("id")))

    def _end(self, response: dict[str, Any]) -> Generator[Event, None, None]:
        status = response.get("status")
        reason = _mapping(response.get("incomplete_details")).get("reason")
        if status == "failed":
            raise upstream_error(_mapping(response.get("error")).get("code"))
        if status not in ("completed", "incomplete"):
            raise AssistantError(Code.ASSISTANT_REFUSED, REFUSED, detail=f"status {str(status)[:40]}")
        if reason == "content_filter":
            raise AssistantError(Code.CONTENT_FILTERED, SENTENCES[Code.CONTENT_FILTERED], detail="incomplete")
        if _calls_a_function(response):
            raise AssistantError(Code.ASSISTANT_REFUSED, REFUSED, detail="it called a function, and there is none")
        parts = _answer_parts(response)
        for part in parts:
            for annotation in part.get("annotations") or ():
                yield from self._cite(annotation)
        yield Finished(
            "complete" if status == "completed" else "truncated",
            text="".join(_text(part.get("text")) for part in parts) if parts and not self._refused else None,
            usage=_usage(_mapping(response.get("usage"))),
            model=_text(response.get("model")) or None,
            response_id=_text(response.get("id")) or None,
        )

    def _cite(self, annotation: object) -> Generator[Event, None, None]:
        fields = _mapping(annotation)
        source = _text(fields.get("url") or fields.get("file_id"))
        if not source or source in self._cited:
            return
        self._cited.add(source)
        names = {key: _text(fields[key]) for key in ("title", "url", "file_id", "filename") if fields.get(key)}
        yield Citation(len(self._cited), **names)


def _input(question: Question) -> list[Any]:
    messages: list[Any] = []
    for exchange in question.history:
        messages.append({"role": "user", "content": exchange.question})
        messages.append({"role": "assistant", "content": exchange.answer})
    return [*messages, {"role": "user", "content": question.text}]


def _output(response: dict[str, Any]) -> list[dict[str, Any]]:
    output = response.get("output")
    return [_mapping(item) for item in output] if isinstance(output, list) else []


def _calls_a_function(response: dict[str, Any]) -> bool:
    return any(item.get("type") == "function_call" for item in _output(response))


def _answer_parts(response: dict[str, Any]) -> list[dict[str, Any]]:
    """The text parts of the answer's messages, as the completed response has them."""
    messages = [
        item for item in _output(response) if item.get("type") == "message" and item.get("phase") != "commentary"
    ]
    parts = [_mapping(part) for item in messages for part in item.get("content") or ()]
    return [part for part in parts if part.get("type") == "output_text"]


def _usage(usage: dict[str, Any]) -> dict[str, int] | None:
    names = ("input_tokens", "output_tokens", "total_tokens")
    return {name: usage[name] for name in names if isinstance(usage.get(name), int)} or None


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
