"""One response as its stream tells it: events in, the chat's events out. No input, no output.

Servers differ in where they put the text: in deltas, in the `done` events of a part or of an item, or in the completed
response only. It is read wherever it stands first, and never twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app.assistants.content import ThinkTags, split_content, without_thoughts
from app.assistants.endings import Ending, ending_of
from app.assistants.fields import mapping, sequence, text_of, tokens_of
from app.assistants.openai_client import DONE, WHOLE, cut, not_an_answer
from app.assistants.refusals import REFUSED, upstream_error
from app.chat.interfaces import Citation, Event, Reasoning
from app.errors import AssistantError, Code

USAGE = {name: name for name in ("input_tokens", "output_tokens", "total_tokens")}
TERMINAL = {
    "response.completed": "completed",
    "response.done": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}
"""The last events -> the status that they mean where the response has none."""
STATUSES = frozenset(TERMINAL.values())
THOUGHTS = frozenset(
    ("response.reasoning_text.delta", "response.reasoning_summary_text.delta", "response.reasoning.delta")
)
TEXTS = ("output_text", "text")


@dataclass(frozen=True, slots=True)
class Response:
    """One response, read to its end. `text`: None if it is a refusal. `calls`: the function calls in it, as items."""

    state: Ending
    text: str | None
    usage: dict[str, int] | None
    model: str | None
    response_id: str | None
    calls: list[dict[str, Any]] = field(default_factory=list)


class ResponseReading:
    """The state of one stream that is being read."""

    def __init__(self) -> None:
        self._tags = ThinkTags()
        self._received = ""
        self._parts: dict[object, str] = {}
        self._cited: set[tuple[str, str]] = set()
        self._commentary: set[object] = set()
        self._calls: dict[str, dict[str, Any]] = {}
        self._thought = False
        self._refused = False
        self._status = ""
        self._response: dict[str, Any] = {}

    def take(self, name: str, fields: dict[str, Any]) -> Iterator[Event]:
        """The chat's events of one event. Raises `AssistantError` if it is an error."""
        if name == "response.output_text.delta":
            yield from self._delta(fields)
        elif name == "response.output_text.done":
            yield from self._part_done(_place(fields), {"text": fields.get("text")})
        elif name == "response.content_part.done":
            yield from self._part_done(_place(fields), mapping(fields.get("part")))
        elif name == "response.output_text.annotation.added":
            yield from self._cite(fields.get("annotation"))
        elif name == "response.refusal.delta":
            yield from self._refusal(text_of(fields.get("delta")))
        elif name in THOUGHTS:
            yield from self._think(text_of(fields.get("delta")))
        elif name in ("response.output_item.added", "response.output_item.done"):
            yield from self._item(name, fields)
        elif name.startswith("response.function_call_arguments."):
            self._arguments(name, fields)
        elif name in TERMINAL or name in (WHOLE, DONE):
            self._last(name, fields)
        elif name in ("error", "response.error") or (not name and fields.get("error")):
            raise upstream_error(fields)

    def rest(self) -> Iterator[Event]:
        """What stands in the completed response only."""
        for item in _output(self._response):
            if item.get("type") == "reasoning" and not self._thought:
                yield from self._think(_thoughts_in(item))
        parts = _answer_parts(self._response)
        whole = "".join(split_content(part)[0] for part in parts)
        if whole.startswith(self._received):
            yield from self._add(whole[len(self._received) :])
        if not self._received:
            yield from self._refusal("".join(_refusals(self._response)))
        yield from self._tags.end()
        for part in parts:
            yield from self._annotations(part)

    def end(self, limit: int | None = None) -> Response:
        """How it ended. Raises `AssistantError` unless that is an answer. `limit`: tokens that it could have at most.

        llama.cpp says `completed` also where the limit cut the answer off: only the number of tokens tells.
        """
        if not self._status:
            raise cut("the stream ended without a terminal event")
        response = self._response
        if self._status == "failed":
            raise upstream_error(mapping(response.get("error")))
        if self._status not in ("completed", "incomplete"):
            raise AssistantError(Code.ASSISTANT_REFUSED, REFUSED, detail=f"status {self._status}")
        ending = ending_of(mapping(response.get("incomplete_details")).get("reason"), after_text=True)
        usage = tokens_of(response.get("usage"), USAGE)
        used_up = limit is not None and (usage or {}).get("output_tokens", 0) >= limit
        return Response(
            "truncated" if self._status == "incomplete" or ending == "truncated" or used_up else "complete",
            text=None if self._refused else self._text(),
            usage=usage,
            model=text_of(response.get("model")) or None,
            response_id=text_of(response.get("id")) or None,
            calls=self._all_calls(),
        )

    def _text(self) -> str:
        """The answer: as the completed response has it, else as it was streamed."""
        parts = [split_content(part)[0] for part in _answer_parts(self._response)]
        return without_thoughts("".join(parts)) if any(parts) else self._tags.said

    def _last(self, name: str, fields: dict[str, Any]) -> None:
        if name == DONE:
            self._status = self._status or ("completed" if self._received or self._calls else "")
            return
        response = mapping(fields.get("response")) or fields
        if name == WHOLE and response.get("error"):
            raise upstream_error(response)
        if name == WHOLE and not isinstance(response.get("output"), list):
            raise not_an_answer(200, "JSON")
        said = text_of(response.get("status"))
        # What is over is not in progress, whatever a server forgot to change in it.
        unsaid = said in ("", "in_progress", "queued")
        self._status = TERMINAL.get(name, "completed") if unsaid else said if said in STATUSES else said[:40]
        self._response = response

    def _delta(self, fields: dict[str, Any]) -> Iterator[Event]:
        if fields.get("item_id") in self._commentary:
            return
        text, _ = split_content(fields.get("delta"))
        place = _place(fields)
        self._parts[place] = self._parts.get(place, "") + text
        yield from self._add(text)

    def _part_done(self, place: object, part: dict[str, Any]) -> Iterator[Event]:
        """The part of a message is whole: what no delta had of it comes now."""
        if self._is_commentary(place) or part.get("type", "output_text") not in TEXTS:
            return
        text, _ = split_content(part)
        had = self._parts.get(place, "")
        if text.startswith(had) and (had or not self._received.endswith(text)):
            self._parts[place] = text
            yield from self._add(text[len(had) :])
        yield from self._annotations(part)

    def _item(self, name: str, fields: dict[str, Any]) -> Iterator[Event]:
        item = mapping(fields.get("item"))
        kind = item.get("type")
        if item.get("phase") == "commentary":
            # Remarks of a model between its steps are not the answer.
            self._commentary |= {text_of(item.get("id")), fields.get("output_index", "none")}
        elif kind == "function_call":
            self._calls[_call_key(item, fields)] = item
        elif name.endswith(".done") and kind == "reasoning" and not self._thought:
            yield from self._think(_thoughts_in(item))
        elif name.endswith(".done") and kind == "message":
            for number, part in enumerate(sequence(item.get("content"))):
                at = {"item_id": item.get("id"), "content_index": number, **fields}
                yield from self._part_done(_place(at), mapping(part))

    def _arguments(self, name: str, fields: dict[str, Any]) -> None:
        key = _call_key({}, fields)
        call = self._calls.setdefault(key, {"type": "function_call", "call_id": fields.get("item_id") or key})
        if name.endswith(".done"):
            call["arguments"] = fields.get("arguments")
            call["name"] = fields.get("name") or call.get("name")

    def _all_calls(self) -> list[dict[str, Any]]:
        """Every call: those of the completed response, and those that were streamed and are not in it."""
        found = [item for item in _output(self._response) if item.get("type") == "function_call"]
        known = {item.get("call_id") for item in found} | {item.get("id") for item in found}
        missing = [c for c in self._calls.values() if not known & ({c.get("call_id"), c.get("id")} - {None})]
        return [*found, *map(_sendable, missing)]

    def _refusal(self, text: str) -> Iterator[Event]:
        if text:
            self._refused = True
            yield from self._add(text)

    def _think(self, text: str) -> Iterator[Event]:
        if text:
            self._thought = True
            yield Reasoning(text)

    def _add(self, text: str) -> Iterator[Event]:
        if text:
            self._received += text
            yield from self._tags.feed(text)

    def _annotations(self, part: dict[str, Any]) -> Iterator[Event]:
        for annotation in sequence(part.get("annotations")):
            yield from self._cite(annotation)

    def _cite(self, annotation: object) -> Iterator[Event]:
        fields = mapping(annotation)
        source = (text_of(fields.get("url") or fields.get("file_id")), text_of(fields.get("text")))
        if not source[0] or source in self._cited:
            return
        self._cited.add(source)
        names = {key: text_of(fields[key]) for key in ("title", "url", "file_id", "filename") if fields.get(key)}
        yield Citation(marker=source[1] or None, **names)

    def _is_commentary(self, place: object) -> bool:
        return isinstance(place, tuple) and place[0] in self._commentary


def _place(fields: dict[str, Any]) -> object:
    """Where a part stands: the same in its deltas and when it is done."""
    item = fields.get("output_index") if isinstance(fields.get("output_index"), int) else fields.get("item_id")
    return item, fields.get("content_index", 0)


def _call_key(item: dict[str, Any], fields: dict[str, Any]) -> str:
    key = fields.get("output_index")
    return str(key if isinstance(key, int) else item.get("id") or fields.get("item_id") or item.get("call_id"))


def _sendable(call: dict[str, Any]) -> dict[str, Any]:
    """A call that can be sent back: with an id, a name, and arguments that are JSON."""
    arguments = call.get("arguments")
    try:
        json.loads(arguments if isinstance(arguments, str) else "")
    except ValueError:
        arguments = "{}"
    ident = call.get("call_id") or call.get("id") or "call_0"
    return {**call, "call_id": ident, "name": call.get("name") or "unknown", "arguments": arguments}


def _thoughts_in(item: dict[str, Any]) -> str:
    return split_content([*sequence(item.get("summary")), *sequence(item.get("content"))])[1]


def _refusals(response: dict[str, Any]) -> Iterator[str]:
    for item in _output(response):
        for part in map(mapping, sequence(item.get("content"))):
            if part.get("type") == "refusal":
                yield text_of(part.get("refusal"))


def _output(response: dict[str, Any]) -> list[dict[str, Any]]:
    return [mapping(item) for item in sequence(response.get("output"))]


def _answer_parts(response: dict[str, Any]) -> list[dict[str, Any]]:
    """The text parts of the answer's messages, as the completed response has them."""
    items = _output(response)
    messages = [item for item in items if item.get("type") == "message" and item.get("phase") != "commentary"]
    parts = [mapping(part) for item in messages for part in sequence(item.get("content"))]
    return [part for part in parts if part.get("type") in TEXTS]
