"""One response as its stream tells it: events in, the chat's events out. No input, no output.

Servers differ in where they put the text: in deltas, in the `done` events of a part or of an item, or in the completed
response only. It is read wherever it stands first, and never twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.assistants.content import split_content
from app.assistants.endings import Ending, ending_of, used_up
from app.assistants.event_stream import DONE, ERRORS, JUNK, WHOLE
from app.assistants.fields import mapping, sequence, text_of, tokens_of
from app.assistants.reading import Reading
from app.assistants.refusals import is_error
from app.assistants.response_items import (
    TEXTS,
    answer_parts,
    messages_of,
    only_refusals,
    output_of,
    parts_of,
    sendable_call,
    text_in,
    thoughts_in,
)
from app.assistants.think_tags import without_thoughts
from app.assistants.upstream_errors import REFUSED, cut, not_an_answer, upstream_error
from app.chat.interfaces import Citation, Event
from app.errors import AssistantError, Code

USAGE = {name: name for name in ("input_tokens", "output_tokens", "total_tokens")}
TERMINAL = {
    "response.completed": "completed",
    "response.done": "completed",
    "response.incomplete": "incomplete",
    "response.cancelled": "cancelled",
    "response.failed": "failed",
}
"""The last events -> the status that they mean. Where event and response differ, the worse of the two counts."""
WORSE = ("completed", "incomplete", "cancelled", "failed")
STATUSES = {
    **{status: status for status in WORSE},
    **dict.fromkeys(("success", "succeeded", "complete", "done", "finished"), "completed"),
    **dict.fromkeys(("canceled", "aborted"), "cancelled"),
    **dict.fromkeys(("error", "errored"), "failed"),
}
NOT_YET = ("in_progress", "queued")
THOUGHTS = frozenset(
    ("response.reasoning_text.delta", "response.reasoning_summary_text.delta", "response.reasoning.delta")
)
WHOLE_THOUGHTS = frozenset(("response.reasoning_text.done", "response.reasoning_summary_text.done"))

Place = tuple[str, Any, int]
"""How a part is told apart: by the `index` of its item or by the `item`'s id, and by its number in it."""


@dataclass(frozen=True, slots=True)
class Response:
    """One response, read to its end. `text`: None if it is a refusal. `calls`: the function calls in it, as items."""

    state: Ending
    text: str | None
    usage: dict[str, int] | None
    model: str | None
    response_id: str | None
    calls: list[dict[str, Any]] = field(default_factory=list)


class ResponseReading(Reading):
    """The state of one stream that is being read."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: dict[Place, list[str]] = {}
        self._kinds: set[str] = set()
        self._deltas = False
        self._cited: set[tuple[str, str]] = set()
        self._commentary: set[object] = set()
        self._calls: dict[str, dict[str, Any]] = {}
        self._refused = False
        self._status = ""
        self._response: dict[str, Any] = {}

    def take(self, name: str, fields: dict[str, Any]) -> Iterator[Event]:
        """The chat's events of one event. Raises `AssistantError` if it is an error."""
        if name == "response.output_text.delta":
            yield from self._delta(fields)
        elif name == "response.output_text.done":
            yield from self._part_done(fields, {"type": "output_text", "text": fields.get("text")})
        elif name == "response.refusal.done":
            yield from self._part_done(fields, {"type": "refusal", "refusal": fields.get("refusal")})
        elif name == "response.content_part.done":
            yield from self._part_done(fields, mapping(fields.get("part")))
        elif name == "response.output_text.annotation.added":
            yield from self._cite(fields.get("annotation"))
        elif name == "response.refusal.delta":
            self._refused = True
            yield from self._delta(fields)
        elif name in THOUGHTS:
            yield from self._think(text_of(fields.get("delta")))
        elif name in WHOLE_THOUGHTS and not self._thought:
            yield from self._think(text_of(fields.get("text")))
        elif name in ("response.output_item.added", "response.output_item.done"):
            yield from self._item(name, fields)
        elif name.startswith("response.function_call_arguments."):
            self._arguments(name, fields)
        elif name in TERMINAL or name in (WHOLE, DONE):
            self._last(name, fields)
        elif name == JUNK:
            self._junk = True
        elif not name and "choices" in fields:
            raise not_an_answer(200, "Chat Completions")
        elif name in ERRORS or (not name and is_error(fields)):
            raise upstream_error(fields)

    def rest(self) -> Iterator[Event]:
        """What stands in the completed response only."""
        for item in output_of(self._response):
            if item.get("type") == "reasoning" and not self._thought:
                yield from self._think(thoughts_in(item))
        parts = answer_parts(self._response)
        whole = "".join(map(text_in, parts))
        if whole.startswith(self.received):
            self._refused = self._refused or (not self.received and only_refusals(parts))
            yield from self._add(whole[len(self.received) :])
        yield from self.tags.end()
        for part in parts:
            yield from self._annotations(part)

    def end(self, sent: Mapping[str, Any] | None = None) -> Response:
        """How it ended. Raises `AssistantError` unless that is an answer. `sent`: the request's parameters."""
        if not self._status:
            raise cut("the stream ended without a terminal event")
        response = self._response
        if self._status == "failed":
            raise upstream_error(mapping(response.get("error")))
        if self._status == "cancelled":
            raise AssistantError(Code.ASSISTANT_REFUSED, REFUSED, detail="status cancelled")
        ending = ending_of(mapping(response.get("incomplete_details")).get("reason"))
        usage = tokens_of(response.get("usage"), USAGE)
        cut_off = used_up(usage, sent or {}, ["max_output_tokens"])
        return Response(
            "truncated" if self._status == "incomplete" or ending == "truncated" or cut_off else "complete",
            text=None if self._refused else self._text(),
            usage=usage,
            model=text_of(response.get("model")) or None,
            response_id=text_of(response.get("id")) or None,
            calls=self._all_calls(),
        )

    def _text(self) -> str:
        """The answer: as the completed response has it, else as it was streamed."""
        whole = "".join(map(text_in, answer_parts(self._response)))
        return without_thoughts(whole) if whole else self.tags.said

    def _last(self, name: str, fields: dict[str, Any]) -> None:
        if name == DONE:
            # After junk that is not believed: the junk may have been an error.
            if not self._status and not self._junk and (self._received or self._calls):
                self._status = "completed"
            return
        response = mapping(fields.get("response")) or fields
        said = text_of(response.get("status")).lower()
        if name == WHOLE and response.get("error"):
            raise upstream_error(response)
        if name == WHOLE and (not isinstance(response.get("output"), list) or said in NOT_YET):
            raise not_an_answer(200, "JSON")
        # An event that ends a response is believed, whatever a server forgot to change in the response itself.
        found = [TERMINAL.get(name, "completed"), STATUSES.get(said, "completed")]
        found += ["incomplete"] if any(item.get("status") == "incomplete" for item in messages_of(response)) else []
        found += ["failed"] if response.get("error") else []
        self._status = max(found, key=WORSE.index)
        self._response = response

    def _delta(self, fields: dict[str, Any]) -> Iterator[Event]:
        if self._is_commentary(fields):
            return
        text, _ = split_content(fields.get("delta"))
        self._deltas = True
        for place in _places(fields):
            self._parts.setdefault(place, []).append(text)
        yield from self._add(text)

    def _part_done(self, fields: dict[str, Any], part: dict[str, Any]) -> Iterator[Event]:
        """The part of a message is whole: what no delta had of it comes now."""
        if self._is_commentary(fields) or part.get("type") not in TEXTS:
            return
        text, places = text_in(part), _places(fields)
        had = next(("".join(self._parts[place]) for place in places if place in self._parts), None)
        # Deltas may have had this part already, under ids that change or that are told in another way.
        if had is None and (self._deltas or not self._kinds.intersection(place[0] for place in places)):
            had = text if self.received.endswith(text) else ""
        if text.startswith(had or ""):
            self._kinds.update(place[0] for place in places)
            self._parts.update({place: [text] for place in places})
            self._refused = self._refused or (part["type"] == "refusal" and not self._received)
            yield from self._add(text[len(had or "") :])
        yield from self._annotations(part)

    def _item(self, name: str, fields: dict[str, Any]) -> Iterator[Event]:
        item = mapping(fields.get("item"))
        kind = item.get("type")
        if item.get("phase") == "commentary":
            # Remarks of a model between its steps are not the answer.
            self._commentary |= {place[1] for place in _places({"item_id": item.get("id"), **fields})}
        elif kind == "function_call":
            self._calls[_call_key(item, fields)] = item
        elif name.endswith(".done") and kind == "reasoning" and not self._thought:
            yield from self._think(thoughts_in(item))
        elif name.endswith(".done") and kind == "message":
            for number, part in enumerate(parts_of(item)):
                yield from self._part_done({"item_id": item.get("id"), **fields, "content_index": number}, part)

    def _arguments(self, name: str, fields: dict[str, Any]) -> None:
        key = _call_key({}, fields)
        call = self._calls.setdefault(key, {"type": "function_call", "call_id": fields.get("item_id") or key})
        if name.endswith(".done"):
            call["arguments"] = fields.get("arguments")
            call["name"] = fields.get("name") or call.get("name")

    def _all_calls(self) -> list[dict[str, Any]]:
        """Every call: those of the completed response, and those that were streamed and are not in it."""
        found = [item for item in output_of(self._response) if item.get("type") == "function_call"]
        known = {item.get("call_id") for item in found} | {item.get("id") for item in found}
        missing = [c for c in self._calls.values() if not known & ({c.get("call_id"), c.get("id")} - {None})]
        return [sendable_call(call, number) for number, call in enumerate((*found, *missing))]

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

    def _is_commentary(self, fields: dict[str, Any]) -> bool:
        return any(place[1] in self._commentary for place in _places(fields))


def _places(fields: dict[str, Any]) -> list[Place]:
    """Where a part stands, told in one or two ways; servers do not use the same in all events."""
    part = fields.get("content_index")
    part = part if isinstance(part, int) else 0
    index, item = fields.get("output_index"), fields.get("item_id")
    found: list[Place] = [("index", index, part)] if isinstance(index, int) else []
    return [*found, ("item", item, part)] if isinstance(item, str) else found


def _call_key(item: dict[str, Any], fields: dict[str, Any]) -> str:
    key = fields.get("output_index")
    return str(key if isinstance(key, int) else item.get("id") or fields.get("item_id") or item.get("call_id"))
