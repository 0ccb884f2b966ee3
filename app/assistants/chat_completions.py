"""Chat Completions (https://platform.openai.com/docs/api-reference/chat), streamed: what every server has.

The history is ours. The answer is whole only when its server says so: by a `finish_reason`, by `[DONE]`, or by
sending it as one object. A body that ends without one was cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import openai

from app.assistants.content import ThinkTags, split_content, thoughts_of
from app.assistants.endings import Ending, ending_of
from app.assistants.fields import USAGE, mapping, sequence, text_of, tokens_of
from app.assistants.learned import Learned
from app.assistants.openai_client import DONE, OPENED, WHOLE, cut, not_an_answer, stream_events
from app.assistants.parameters import SYSTEM, Parameters, TurnParameters
from app.assistants.refusals import upstream_error
from app.assistants.retrying import Steps, retried, shortened
from app.assistants.tools import MOST_ROUNDS, NO_SUCH_FUNCTION, Call, CallParts, add_usage, too_many_rounds
from app.chat.interfaces import Citation, Event, Exchange, Finished, Question, Reasoning, Status, Trace
from app.errors import AssistantError


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
        tools: Sequence[Any] = (),
        learned: Learned | None = None,
    ) -> None:
        """`limit_name`: how to call the limit of an answer first; OpenAI's own takes `max_completion_tokens`."""
        self._client = client
        self._model = model
        self._instructions = instructions
        self._learned = learned or Learned()
        wanted: dict[str, Any] = {"stream_options": {"include_usage": True}}
        wanted |= {limit_name: max_output_tokens} if max_output_tokens else {}
        wanted |= {"tools": list(tools)} if tools else {}
        self._parameters = Parameters("chat", wanted, self._learned)
        # Loaded here and not in the first visitor's time.
        self._open = client.chat.completions.with_streaming_response.create

    def ready(self) -> bool:
        return not self._client.is_closed()

    def stream(self, question: Question) -> Steps[None]:
        """The answer's events. Raises `AssistantError`."""
        yield from shortened(partial(self._answer, question), question, self._learned)

    def _answer(self, question: Question, history: Sequence[Exchange]) -> Steps[None]:
        parameters = self._parameters.for_turn()
        rounds: list[Any] = []
        texts: list[str] = []
        usage: dict[str, int] = {}
        for _ in range(MOST_ROUNDS + 1):
            attempt = partial(self._round, question, history, rounds, parameters)
            adapted = partial(parameters.adapted, attempt)
            done = yield from retried(adapted, question.cancellation, repeatable=True)
            if done is None:
                return
            usage = add_usage(usage, done.usage)
            texts.append(done.tags.said)
            if not done.calls:
                text = "".join(texts) if done.tags.misled else None
                yield Finished(done.ending or "complete", text, usage or None, done.model, done.response_id)
                return
            yield Status("tool")
            rounds = [*rounds, *done.messages()]
        raise too_many_rounds()

    def _round(
        self, question: Question, history: Sequence[Exchange], rounds: list[Any], parameters: TurnParameters
    ) -> Steps[_Round | None]:
        """One completion. None: the question was cancelled."""
        system_role = parameters.accepts(SYSTEM)
        messages = [*_messages(question, history, self._instructions, system_role=system_role), *rounds]

        def request() -> Any:
            return self._open(model=self._model, messages=messages, stream=True, **parameters.sent)

        reading = _Round()
        try:
            for name, fields in stream_events(request, question.cancellation):
                if name == OPENED:
                    yield Trace(request_id=fields.get("request_id"))
                elif name == DONE:
                    reading.done = True
                else:
                    yield from reading.take(fields, whole=name == WHOLE)
        except AssistantError:
            # After its end the answer lacks nothing but the usage.
            if not reading.ended:
                raise
        if question.cancellation.cancelled:
            return None
        if not reading.ended:
            raise cut("the stream ended without a finish_reason or [DONE]")
        yield from reading.tags.end()
        return reading


class _Round:
    """One completion as it is read."""

    def __init__(self) -> None:
        self.ending: Ending | None = None
        self.done = False
        self.usage: dict[str, int] | None = None
        self.model: str | None = None
        self.response_id: str | None = None
        self.calls = CallParts()
        self.tags = ThinkTags()
        self._received = ""

    @property
    def ended(self) -> bool:
        """The server said that nothing follows."""
        return self.done or self.ending is not None

    def take(self, chunk: dict[str, Any], *, whole: bool = False) -> Iterator[Event]:
        """The chat's events of one chunk, or of a `whole` completion. Raises `AssistantError` if it is an error."""
        if _is_error(chunk):
            raise upstream_error(chunk)
        choices = [mapping(choice) for choice in sequence(chunk.get("choices"))]
        if whole and not choices:
            raise not_an_answer(200, "JSON")
        self.model = text_of(chunk.get("model")) or self.model
        self.response_id = text_of(chunk.get("id")) or self.response_id
        self.usage = tokens_of(chunk.get("usage"), USAGE) or self.usage
        for choice in choices:
            # Some servers send the whole message again at the end, or nothing but that.
            yield from self._delta(mapping(choice.get("delta")))
            yield from self._message(choice)
            self.ending = ending_of(choice.get("finish_reason"), after_text=bool(self._received)) or self.ending
        self.done = self.done or whole

    def messages(self) -> list[dict[str, Any]]:
        """This completion and an error for each of its calls, as messages of the next one."""
        calls = self.calls.all()
        answer = {"role": "assistant", "content": self.tags.said or None, "tool_calls": list(map(_call, calls))}
        return [answer, *({"role": "tool", "tool_call_id": c.id, "content": NO_SUCH_FUNCTION} for c in calls)]

    def _delta(self, delta: dict[str, Any]) -> Iterator[Event]:
        text, thoughts = split_content(delta.get("content") or delta.get("refusal"))
        if thoughts := thoughts or thoughts_of(delta):
            yield Reasoning(thoughts)
        if text:
            self._received += text
            yield from self.tags.feed(text)
        for annotation in map(mapping, sequence(delta.get("annotations"))):
            cited = mapping(annotation.get("url_citation"))
            if text_of(cited.get("url")):
                yield Citation(url=text_of(cited["url"]), title=text_of(cited.get("title")) or None)
        for call in map(mapping, sequence(delta.get("tool_calls"))):
            self.calls.take(call)

    def _message(self, choice: dict[str, Any]) -> Iterator[Event]:
        """What a whole message, or the `text` of the oldest API, has that no delta had."""
        message = mapping(choice.get("message"))
        if not message and not isinstance(choice.get("text"), str):
            return
        text, _ = split_content(message.get("content") or message.get("refusal") or choice.get("text"))
        if not self._received:
            yield from self._delta(message or {"content": text})
        elif text.startswith(self._received):
            rest, self._received = text[len(self._received) :], text
            yield from self.tags.feed(rest)


def _is_error(chunk: dict[str, Any]) -> bool:
    """Whether a chunk is an error: flat, nested, or said by its type."""
    if chunk.get("error"):
        return True
    return "choices" not in chunk and ("code" in chunk or "error" in (chunk.get("object"), chunk.get("type")))


def _call(call: Call) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.valid_arguments}}


def _messages(
    question: Question, history: Sequence[Exchange], instructions: str | None, *, system_role: bool
) -> list[Any]:
    """The conversation, with the instructions before it, or in the first message of a model without that role."""
    messages = []
    for exchange in history:
        messages.append({"role": "user", "content": exchange.question})
        messages.append({"role": "assistant", "content": exchange.answer})
    messages.append({"role": "user", "content": question.text})
    if instructions and system_role:
        return [{"role": "system", "content": instructions}, *messages]
    if instructions:
        messages[0] = {"role": "user", "content": f"{instructions}\n\n{messages[0]['content']}"}
    return messages
