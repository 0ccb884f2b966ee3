"""Chat Completions (https://platform.openai.com/docs/api-reference/chat), streamed: what every server has.

The history is ours. The answer is whole only when a `finish_reason` says so; a body that ends without one was cut.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import openai

from app.assistants.fields import USAGE, mapping, sequence, text_of, tokens_of
from app.assistants.openai_client import OPENED, REFUSED, SENTENCES, cut, stream_events, upstream_error
from app.assistants.retrying import Steps, retried, shortened
from app.assistants.tools import MOST_ROUNDS, NO_SUCH_FUNCTION, add_usage, too_many_rounds
from app.chat.interfaces import Citation, Delta, Event, Exchange, Finished, Question, Status, Trace
from app.errors import AssistantError, Code

ENDINGS: dict[str, Literal["complete", "truncated"]] = {
    "stop": "complete",
    "length": "truncated",
    "tool_calls": "complete",
    "function_call": "complete",
}


class ChatAssistant:
    """Answers by one model of one server."""

    name = "chat"

    def __init__(
        self,
        client: openai.OpenAI,
        model: str,
        *,
        instructions: str | None = None,
        max_output_tokens: int | None = None,
        limit_name: str = "max_tokens",
    ) -> None:
        """`limit_name`: what the server calls the limit of an answer; OpenAI's own takes `max_completion_tokens`."""
        self._client = client
        self._model = model
        self._before: list[Any] = [{"role": "system", "content": instructions}] if instructions else []
        self._limit: dict[str, Any] = {limit_name: max_output_tokens} if max_output_tokens else {}
        # Loaded here and not in the first visitor's time.
        self._open = client.chat.completions.with_streaming_response.create

    def ready(self) -> bool:
        return not self._client.is_closed()

    def stream(self, question: Question) -> Generator[Event, None, None]:
        """The answer's events. Raises `AssistantError`."""
        yield from shortened(partial(self._answer, question), question.history)

    def _answer(self, question: Question, history: Sequence[Exchange]) -> Steps[None]:
        messages = [*self._before, *_messages(question, history)]
        usage: dict[str, int] = {}
        for _ in range(MOST_ROUNDS + 1):
            attempt = partial(self._round, question, messages)
            done = yield from retried(attempt, question.cancellation, repeatable=True)
            if done is None:
                return
            usage = add_usage(usage, done.usage)
            if not done.calls:
                yield Finished(done.state, None, usage or None, done.model, done.response_id)
                return
            yield Status("tool")
            messages = [*messages, *done.messages()]
        raise too_many_rounds()

    def _round(self, question: Question, messages: list[Any]) -> Steps[_Round | None]:
        """One completion. None: the question was cancelled."""

        def request() -> Any:
            return self._open(
                model=self._model,
                messages=messages,
                stream=True,
                stream_options={"include_usage": True},
                **self._limit,
            )

        reading = _Round()
        try:
            for name, fields in stream_events(request, question.cancellation):
                if name == OPENED:
                    yield Trace(request_id=fields.get("request_id"))
                else:
                    yield from reading.take(fields)
        except AssistantError:
            # After its end the answer lacks nothing but the usage.
            if not reading.ended:
                raise
        if question.cancellation.cancelled:
            return None
        if not reading.ended:
            raise cut("the stream ended without a finish_reason")
        return reading


@dataclass(slots=True)
class _Round:
    """One completion as it is read."""

    state: Literal["complete", "truncated"] = "complete"
    ended: bool = False
    text: str = ""
    usage: dict[str, int] | None = None
    model: str | None = None
    response_id: str | None = None
    calls: dict[int, dict[str, Any]] = field(default_factory=dict)

    def take(self, chunk: dict[str, Any]) -> Generator[Event, None, None]:
        if chunk.get("error") or ("code" in chunk and "choices" not in chunk):
            fault = mapping(chunk.get("error")) or chunk
            raise upstream_error(fault.get("code") or fault.get("type"))
        self.model = chunk.get("model") or self.model
        self.response_id = chunk.get("id") or self.response_id
        self.usage = tokens_of(chunk.get("usage"), USAGE) or self.usage
        for choice in map(mapping, sequence(chunk.get("choices"))):
            yield from self._delta(mapping(choice.get("delta")))
            self._end(choice.get("finish_reason"))

    def messages(self) -> list[dict[str, Any]]:
        """This completion and an error for each of its calls, as messages of the next one."""
        calls = [call for _, call in sorted(self.calls.items())]
        answer = {"role": "assistant", "content": self.text or None, "tool_calls": calls}
        return [answer, *({"role": "tool", "tool_call_id": c["id"], "content": NO_SUCH_FUNCTION} for c in calls)]

    def _delta(self, delta: dict[str, Any]) -> Generator[Event, None, None]:
        text = delta.get("content") or delta.get("refusal")
        if isinstance(text, str):
            self.text += text
            yield Delta(text)
        for annotation in map(mapping, sequence(delta.get("annotations"))):
            cited = mapping(annotation.get("url_citation"))
            if text_of(cited.get("url")):
                yield Citation(url=text_of(cited["url"]), title=text_of(cited.get("title")) or None)
        for call in map(mapping, sequence(delta.get("tool_calls"))):
            self._call(call)

    def _call(self, part: dict[str, Any]) -> None:
        empty: dict[str, Any] = {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
        call = self.calls.setdefault(part.get("index", 0), empty)
        call["id"] = part.get("id") or call["id"]
        for name in ("name", "arguments"):
            call["function"][name] += text_of(mapping(part.get("function")).get(name))

    def _end(self, reason: object) -> None:
        if reason is None:
            return
        if reason == "content_filter":
            raise AssistantError(Code.CONTENT_FILTERED, SENTENCES[Code.CONTENT_FILTERED], detail="finish_reason")
        if not isinstance(reason, str) or reason not in ENDINGS:
            raise AssistantError(Code.ASSISTANT_REFUSED, REFUSED, detail=f"finish_reason {str(reason)[:40]}")
        self.state, self.ended = ENDINGS[reason], True


def _messages(question: Question, history: Sequence[Exchange]) -> list[Any]:
    messages = []
    for exchange in history:
        messages.append({"role": "user", "content": exchange.question})
        messages.append({"role": "assistant", "content": exchange.answer})
    return [*messages, {"role": "user", "content": question.text}]
