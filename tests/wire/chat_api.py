"""Chat Completions: the route, what is refused, and the chunks.

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from collections.abc import Iterator

from .answers import Answer, Mark, Prompt, answer_for, marks
from .catalogue import check_model
from .chat_input import prompt_of
from .exchange import Exchange
from .families.base import Family
from .frames import DONE, Event, Frame, Json
from .ids import now, short_id
from .misbehaviour import Refusal, literal, scenario_error, transport_ending, worded
from .responses_events import COMMENTARY
from .routes import Route
from .scenario import Scenario
from .sse_out import StreamOver, cut

REASONS = {"incomplete": "length", "content_filter": "content_filter"}
UNKNOWN = Event(
    "", {"object": "chat.completion.sparkle", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]}
)


def create(exchange: Exchange) -> None:
    """POST /chat/completions."""
    body = exchange.json
    prompt = prompt_of(body.get("messages"))
    family = exchange.meet(prompt)
    family.check_chat(body)
    model = str(body.get("model") or "")
    scenario = exchange.scenario(prompt, model)
    check_model(exchange, model)
    chunks = Chunks(body, prompt, answer_for(prompt, scenario, family.limit_of(body)), scenario, family)
    exchange.request.answer_id = chunks.id
    if body.get("stream") and scenario.body != "whole":
        exchange.stream(family.chat_frames(chunks.frames()), scenario, UNKNOWN)
        return
    if transport_ending(chunks.answer.ending):
        cut(exchange.wire.connection, chunks.answer.ending == "reset")
        exchange.wire.close_connection = True
        raise StreamOver(cut=True)
    if chunks.fails:
        raise Refusal(500, family.wrapped(chunks.error()))
    exchange.send_json(chunks.whole(), kind=scenario.content_type)


class Chunks:
    """One completion, as chunks or whole."""

    def __init__(self, body: Json, prompt: Prompt, answer: Answer, scenario: Scenario, family: Family) -> None:
        self.body, self.prompt, self.answer, self.scenario, self.family = body, prompt, answer, scenario, family
        self.model = str(body.get("model") or "default")
        self.id = short_id("chatcmpl", "-", 29)
        self.head: Json = {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": now(),
            "model": scenario.model or f"{self.model}-2026-08-07",
            "service_tier": "default",
            "system_fingerprint": "fp_wire",
        }
        self.calls = self._calls() if len(prompt.outputs) < scenario.tools * scenario.parallel else []
        self.with_usage = bool((body.get("stream_options") or {}).get("include_usage")) and not scenario.no_usage

    @property
    def fails(self) -> bool:
        """It ends in an error."""
        return self.answer.ending in ("failed", "expired", "cancelled", "error_flat", "error_nested")

    @property
    def finish_reason(self) -> str:
        """Why it ends."""
        if self.scenario.finish_reason is not None:
            return self.scenario.finish_reason
        return "tool_calls" if self.calls else REASONS.get(self.answer.ending or "", "stop")

    def frames(self) -> Iterator[Frame]:
        """All chunks, to the end."""
        yield self._chunk({"role": "assistant", "content": "", "refusal": None})
        if self.scenario.commentary:
            yield self._chunk({"reasoning_content": COMMENTARY})
        for piece in self.answer.thoughts:
            yield self._chunk(self._thought(piece))
        if self.calls:
            yield from self._call_chunks()
        else:
            field = "refusal" if self.scenario.refusal else "content"
            for piece in self.answer.pieces:
                yield self._chunk({field: self._content(piece) if field == "content" else piece}, is_text=True)
            stop = transport_ending(self.answer.ending)
            if stop or self.fails:
                yield stop or Event("", self._error_line())
                return
            if self.annotations:
                yield self._chunk({"annotations": self.annotations})
        if not self.scenario.only_done:
            last = self._chunk({}, finish_reason=self.finish_reason)
            unasked = self.family.usage_unasked and not self.scenario.no_usage
            yield Event("", last.data | {"usage": self.usage()}) if unasked and isinstance(last.data, dict) else last
        if self.with_usage:
            yield Event("", self.head | {"choices": [], "usage": self.usage()})
        if not self.scenario.no_done:
            yield DONE

    def _chunk(self, delta: Json, *, finish_reason: str | None = None, is_text: bool = False) -> Event:
        before = {"null": "null", "empty": "", "absent": "absent"}[self.scenario.finish_reason_before]
        reason = before if finish_reason is None else finish_reason
        choice = literal({"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason})
        return Event(
            "", self.head | {"choices": [choice]} | ({"usage": None} if self.with_usage else {}), delta=is_text
        )

    def _content(self, text: str) -> str | list[Json]:
        return [{"type": "text", "text": text}] if self.scenario.content_parts else text

    def _thought(self, text: str) -> Json:
        if self.scenario.thoughts_in == "parts":
            return {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]}
        return {"reasoning" if self.scenario.thoughts_in == "reasoning" else "reasoning_content": text}

    def _calls(self) -> list[Json]:
        function = {"name": "lookup_order"}
        return [
            {
                "id": self.family.call_id(),
                "type": "function",
                "function": function | {"arguments": f'{{"order":"A-{number + 1}"}}'},
            }
            for number in range(self.scenario.parallel)
        ]

    def _call_chunks(self) -> Iterator[Frame]:
        for index, call in enumerate(self.calls):
            arguments = call["function"]["arguments"]
            first = {**call, "function": {"name": call["function"]["name"], "arguments": ""}}
            yield self._chunk({"tool_calls": [self._place(index, 0) | first]})
            for number, piece in enumerate((arguments[:5], arguments[5:]), 1):
                yield self._chunk({"tool_calls": [self._place(index, number) | {"function": {"arguments": piece}}]})

    def _place(self, index: int, piece: int) -> Json:
        shown: dict[str, int | str] = {
            "number": index,
            "null": "null",
            "null_or_zero": 0 if piece % 2 else "null",
            "absent": "absent",
            "zero": 0,
        }
        return literal({"index": shown[self.scenario.call_index]})

    @property
    def annotations(self) -> list[Json]:
        """The URL citations; Chat Completions has no others."""
        return [annotation(mark) for mark in marks(self.answer.completed) if mark.url]

    def error(self) -> Json:
        """The error object that the scenario asks for."""
        error = scenario_error(self.scenario, "server_error", self.model)
        return error if worded(self.scenario) else self.family.error(500, error)

    def _error_line(self) -> Json:
        error = self.error()
        return {"object": "error", **error} if self.answer.ending == "error_flat" else {"error": error}

    def usage(self) -> Json:
        """Tokens."""
        thought = len(self.answer.thoughts)
        asked, answered = self.prompt.tokens, len(self.answer.pieces) + thought
        counts: Json = {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}
        return counts | ({"completion_tokens_details": {"reasoning_tokens": thought}} if thought else {})

    def whole(self) -> Json:
        """The completion in one piece."""
        said = None if self.calls else self._content(self.answer.completed)
        message: Json = {"role": "assistant", "content": said, "refusal": None, "annotations": self.annotations}
        if self.answer.thoughts:
            thought = self._thought("".join(self.answer.thoughts))
            message |= thought | (
                {"content": thought["content"] + [{"type": "text", "text": self.answer.completed}]}
                if "content" in thought
                else {}
            )
        if self.scenario.refusal:
            message |= {"content": None, "refusal": said}
        if self.calls:
            message["tool_calls"] = self.calls
        choice = literal({"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish_reason})
        return self.head | {"object": "chat.completion", "choices": [choice], "usage": self.usage()}


def annotation(mark: Mark) -> Json:
    """A citation as Chat Completions writes it."""
    place = {"start_index": mark.start, "end_index": mark.end, "url": mark.url, "title": mark.title}
    return {"type": "url_citation", "url_citation": place}


ROUTES = (Route("POST", "/chat/completions", create, answering=True),)
