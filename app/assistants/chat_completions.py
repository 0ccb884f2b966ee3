"""Chat Completions (https://platform.openai.com/docs/api-reference/chat), streamed: what every server has.

The history is ours. The answer is whole only when its server says so: by a `finish_reason`, by `[DONE]`, or by
sending it as one object. A body that ends without one was cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import openai

from app.assistants.content import ThinkTags, split_content, thoughts_of, without_thoughts
from app.assistants.endings import Endings
from app.assistants.fields import USAGE, mapping, sequence, text_of, tokens_of, used_up
from app.assistants.learned import Learned
from app.assistants.openai_client import DONE, ERRORS, JUNK, OPENED, WHOLE, cut, not_an_answer, stream_events
from app.assistants.parameters import SYSTEM, Parameters, TurnParameters
from app.assistants.refusals import is_error, upstream_error
from app.assistants.retrying import Steps, retried, shortened
from app.assistants.tools import MOST_ROUNDS, NO_SUCH_FUNCTION, UNNAMED, Call, CallParts, add_usage, too_many_rounds
from app.chat.interfaces import Citation, Event, Exchange, Finished, Question, Reasoning, Status, Trace
from app.errors import AssistantError

LIMITS = ("max_tokens", "max_completion_tokens")


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
        # Templates that know no such role refuse it in words of their own.
        parameters = self._parameters.for_turn(question, [SYSTEM] if self._instructions else [])
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
            texts.append(done.text)
            ending = done.endings.last(after_text=bool(done.tags.said))
            if used_up(done.usage, parameters.sent, LIMITS):
                ending = "truncated"
            if not done.calls or ending == "truncated":
                text = "".join(texts) if done.corrected else None
                yield Finished(ending, text, usage or None, done.model, done.response_id)
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
            for name, fields in stream_events(request, question.cancellation, over=lambda: reading.ended):
                if name == OPENED:
                    yield Trace(request_id=fields.get("request_id"))
                elif name == DONE:
                    reading.say_done()
                elif name in ERRORS:
                    raise upstream_error(fields)
                elif name == JUNK:
                    reading.junk = True
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
    """One completion as it is read. `junk`: something came that is neither an event nor a sign of life."""

    def __init__(self) -> None:
        self.endings = Endings()
        self.junk = False
        self.usage: dict[str, int] | None = None
        self.model: str | None = None
        self.response_id: str | None = None
        self.calls = CallParts()
        self.tags = ThinkTags()
        self._done = False
        self._index: object = None
        self._received: list[str] = []
        self._in_deltas = False
        self._thought = False
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

    def say_done(self) -> None:
        """The server said so. After junk that is not believed without a reason: the junk may have been an error."""
        self._done = not self.junk

    def take(self, chunk: dict[str, Any], *, whole: bool = False) -> Iterator[Event]:
        """The chat's events of one chunk, or of a `whole` completion. Raises `AssistantError` if it is an error."""
        if is_error(chunk):
            raise upstream_error(chunk)
        choices = [mapping(choice) for choice in sequence(chunk.get("choices"))]
        if whole and not choices:
            raise not_an_answer(200, "JSON")
        self.model = text_of(chunk.get("model")) or self.model
        self.response_id = text_of(chunk.get("id")) or self.response_id
        self.usage = tokens_of(chunk.get("usage"), USAGE) or self.usage
        for choice in choices:
            self._index = choice.get("index") if self._index is None else self._index
            # One answer was asked for. Whoever sends several means the first.
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
        received = "".join(self._received)
        if text.startswith(received):
            yield from self._add(text[len(received) :])
        elif text and self._in_deltas:
            self._message_text = text
        else:
            yield from self._add(text)
        if not self.calls:
            yield from self._extras(message)

    def _think(self, thoughts: str) -> Iterator[Event]:
        if thoughts:
            self._thought = True
            yield Reasoning(thoughts)

    def _add(self, text: str) -> Iterator[Event]:
        if text:
            self._received.append(text)
            self.endings.text_came()
            yield from self.tags.feed(text)

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
        "function": {"name": call.name or UNNAMED, "arguments": call.valid_arguments},
    }


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
