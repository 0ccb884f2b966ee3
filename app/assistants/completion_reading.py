"""One completion as its stream tells it: events in, the chat's events out. No input, no output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.assistants.content import split_content, thoughts_of
from app.assistants.endings import Endings
from app.assistants.event_stream import DONE, ERRORS, JUNK, WHOLE
from app.assistants.fields import USAGE, mapping, sequence, text_of, tokens_of
from app.assistants.reading import Reading
from app.assistants.refusals import is_error
from app.assistants.think_tags import without_thoughts
from app.assistants.tools import NO_SUCH_FUNCTION, UNNAMED, Call, CallParts, valid_arguments
from app.assistants.upstream_errors import not_an_answer, upstream_error
from app.chat.interfaces import Citation, Event


class CompletionReading(Reading):
    """The state of one stream that is being read."""

    def __init__(self) -> None:
        super().__init__()
        self.endings = Endings()
        self.usage: dict[str, int] | None = None
        self.model: str | None = None
        self.response_id: str | None = None
        self.calls = CallParts()
        self._done = False
        self._index: object = None
        self._in_deltas = False
        self._message_text: str | None = None

    @property
    def ended(self) -> bool:
        """The server said that nothing follows."""
        return self._done or self.endings.ended

    @property
    def text(self) -> str:
        """The answer."""
        return self.tags.said if self._message_text is None else without_thoughts(self._message_text)

    @property
    def corrected(self) -> bool:
        """The answer is not what was given in deltas."""
        return self._message_text is not None

    def take(self, name: str, fields: dict[str, Any]) -> Iterator[Event]:
        """The chat's events of one event. Raises `AssistantError` if it is an error."""
        if name == DONE:
            # After junk it is not believed without a reason: the junk may have been an error.
            self._done = not self._junk
        elif name == JUNK:
            self._junk = True
        elif name in ERRORS or is_error(fields):
            raise upstream_error(fields)
        else:
            yield from self._chunk(fields, whole=name == WHOLE)

    def _chunk(self, chunk: dict[str, Any], *, whole: bool) -> Iterator[Event]:
        """One chunk, or a `whole` completion."""
        choices = [mapping(choice) for choice in sequence(chunk.get("choices"))]
        if whole and not choices:
            raise not_an_answer(200, "JSON")
        self.model = text_of(chunk.get("model")) or self.model
        self.response_id = text_of(chunk.get("id")) or self.response_id
        self.usage = tokens_of(chunk.get("usage"), USAGE) or self.usage
        for choice in choices:
            self._index = choice.get("index") if self._index is None else self._index
            # One answer was requested. Of several only the first is read.
            if choice.get("index") == self._index:
                yield from self._choice(choice, chunk)
                self._done = self._done or (whole and bool(choice.get("message") or "text" in choice))

    def messages(self) -> list[dict[str, Any]]:
        """This completion and an error for each of its calls, as messages of the next one."""
        calls = self.calls.all()
        answer = {"role": "assistant", "content": self.tags.said or None, "tool_calls": list(map(_call, calls))}
        return [answer, *({"role": "tool", "tool_call_id": c.id, "content": NO_SUCH_FUNCTION} for c in calls)]

    def _choice(self, choice: dict[str, Any], chunk: dict[str, Any]) -> Iterator[Event]:
        before, delta = len(self._received), mapping(choice.get("delta"))
        yield from self._delta(delta)
        if isinstance(choice.get("text"), str):
            # Of the oldest API, and of servers that took it over.
            yield from self._add(choice["text"])
        yield from self._message(mapping(choice.get("message")))
        reasons = (choice.get("finish_reason"), delta.get("finish_reason"), chunk.get("finish_reason"))
        reason = next(filter(None, reasons), None) or choice.get("stop_reason")
        self.endings.take(reason, with_text=len(self._received) > before)

    def _delta(self, delta: dict[str, Any]) -> Iterator[Event]:
        text, thoughts = split_content(delta.get("content"))
        yield from self._think(thoughts or thoughts_of(delta))
        self._in_deltas = self._in_deltas or bool(text)
        yield from self._add(text + split_content(delta.get("refusal"))[0])
        yield from self._extras(delta)

    def _message(self, message: dict[str, Any]) -> Iterator[Event]:
        """A whole message: some servers send it again at the end, in the place of deltas, or piece by piece."""
        if not message:
            return
        text, thoughts = split_content(message.get("content") or message.get("refusal"))
        if not self._thought:
            yield from self._think(thoughts or thoughts_of(message))
        if text.startswith(self.received):
            yield from self._add(text[len(self.received) :])
        elif text and self._in_deltas:
            self._message_text = text
        else:
            yield from self._add(text)
        if not self.calls:
            yield from self._extras(message)

    def _add(self, text: str) -> Iterator[Event]:
        if text:
            self.endings.text_came()
            yield from super()._add(text)

    def _extras(self, delta: dict[str, Any]) -> Iterator[Event]:
        """Citations and function calls."""
        if not ("annotations" in delta or "tool_calls" in delta or "function_call" in delta):
            return
        for annotation in map(mapping, sequence(delta.get("annotations"))):
            cited = mapping(annotation.get("url_citation"))
            if text_of(cited.get("url")):
                yield Citation(url=text_of(cited["url"]), title=text_of(cited.get("title")) or None)
        for call in map(mapping, sequence(delta.get("tool_calls"))):
            self.calls.take(call)
        if mapping(delta.get("function_call")):
            self.calls.take({"index": 0, "function": delta["function_call"]})


def _call(call: Call) -> dict[str, Any]:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name or UNNAMED, "arguments": valid_arguments(call.arguments)},
    }
