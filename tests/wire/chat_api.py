"""Chat Completions: the route, what is refused, and the chunks.

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .answers import Answer, Mark, Prompt, answer_for, marks
from .catalogue import check_model
from .exchange import Exchange
from .frames import DONE, Event, Frame, Json
from .ids import now, short_id
from .misbehaviour import Refusal, invalid, literal, scenario_error, transport_ending
from .responses_events import COMMENTARY
from .responses_input import too_small, wrong_type, wrong_value
from .routes import Route
from .scenario import Scenario
from .sse_out import StreamOver, cut

NAMES = """
    audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens messages
    metadata modalities model n parallel_tool_calls prediction presence_penalty prompt_cache_key reasoning_effort
    response_format safety_identifier seed service_tier stop store stream stream_options temperature tool_choice tools
    top_logprobs top_p user verbosity web_search_options
"""
PARAMETERS = frozenset(NAMES.split())
ROLES = ("system", "assistant", "user", "function", "tool", "developer")
REASONS = {"incomplete": "length", "content_filter": "content_filter"}
UNKNOWN = Event(
    "", {"object": "chat.completion.sparkle", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]}
)


def create(exchange: Exchange) -> None:
    """POST /chat/completions."""
    body = exchange.json
    prompt = prompt_of(checked(body))
    scenario = exchange.scenario(prompt, body["model"])
    check_model(exchange, body["model"])
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    chunks = Chunks(body, prompt, answer_for(prompt, scenario, limit), scenario)
    exchange.request.answer_id = chunks.id
    if body.get("stream") and scenario.body != "whole":
        exchange.stream(chunks.frames(), scenario, UNKNOWN)
        return
    if transport_ending(chunks.answer.ending):
        cut(exchange.wire.connection, chunks.answer.ending == "reset")
        exchange.wire.close_connection = True
        raise StreamOver(cut=True)
    if chunks.fails:
        raise Refusal(500, {"error": chunks.error()})
    exchange.send_json(chunks.whole(), kind=scenario.content_type)


def checked(body: Json) -> list[Json]:
    """The messages; refuses a request that OpenAI would refuse."""
    for name in body:
        if name not in PARAMETERS:
            raise invalid(f"Unrecognized request argument supplied: {name}")
    if not body.get("model"):
        raise invalid("you must provide a model parameter")
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise wrong_type("messages", "an array of objects", messages)
    if not messages:
        message = (
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
        )
        raise invalid(message, "messages", "empty_array")
    if body.get("stream_options") is not None and not body.get("stream"):
        raise invalid("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    for name in ("max_tokens", "max_completion_tokens"):
        if body.get(name) is not None and body[name] < 1:
            raise too_small(name, 1, body[name])
    _check_messages(messages)
    return messages


def _check_messages(messages: list[Any]) -> None:
    pending: list[str] = []
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        if not isinstance(message, dict):
            raise wrong_type(where, "an object", message)
        role, content = message.get("role"), message.get("content")
        if role not in ROLES:
            raise wrong_value(role, ROLES, f"{where}.role")
        if not isinstance(content, str | list) and not (role == "assistant" and message.get("tool_calls")):
            raise invalid(
                f"Invalid value for 'content': expected a string, got {'null' if content is None else content}.",
                f"{where}.content",
            )
        pending = _still_pending(message, pending, where)
    if pending:
        raise unanswered(pending)


def _still_pending(message: Json, pending: list[str], where: str) -> list[str]:
    if message["role"] == "tool":
        if message.get("tool_call_id") not in pending:
            wrong = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
            raise invalid(f"Invalid parameter: {wrong}", f"{where}.role")
        return [call for call in pending if call != message["tool_call_id"]]
    if pending:
        raise unanswered(pending)
    return [call["id"] for call in message.get("tool_calls") or []]


def unanswered(calls: list[str]) -> Exception:
    """OpenAI's words for a call without an output."""
    message = (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."
    )
    return invalid(
        f"{message} The following tool_call_ids did not have response messages: {', '.join(calls)}", "messages"
    )


def prompt_of(messages: list[Json]) -> Prompt:
    """What the model is given."""
    users: list[str] = []
    outputs: list[str] = []
    chars = 0
    for message in messages:
        content = message.get("content") or ""
        text = content if isinstance(content, str) else "".join(part.get("text") or "" for part in content)
        chars += len(text)
        if message["role"] == "user":
            users.append(text)
            outputs = []
        elif message["role"] == "tool":
            outputs.append(text)
    return Prompt(tuple(users), chars, tuple(outputs))


class Chunks:
    """One completion, as chunks or whole."""

    def __init__(self, body: Json, prompt: Prompt, answer: Answer, scenario: Scenario) -> None:
        self.body, self.prompt, self.answer, self.scenario = body, prompt, answer, scenario
        self.id = short_id("chatcmpl", "-", 29)
        self.head: Json = {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": now(),
            "model": scenario.model or f"{body['model']}-2026-08-07",
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
            yield self._chunk({}, finish_reason=self.finish_reason)
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
                "id": short_id("call"),
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
        return scenario_error(self.scenario, "server_error", self.body["model"])

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
