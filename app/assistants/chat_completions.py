"""Chat Completions (https://platform.openai.com/docs/api-reference/chat), streamed: what every server has.

The history is ours. The answer is whole only when its server says so: by a `finish_reason`, by `[DONE]`, or by
sending it as one object. A body that ends without one was cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import openai

from app.assistants.completion_reading import CompletionReading
from app.assistants.endings import used_up
from app.assistants.learned import Learned
from app.assistants.openai_client import OPENED, stream_events
from app.assistants.parameters import SYSTEM, Parameters
from app.assistants.retrying import Steps, retried, shortened
from app.assistants.tools import MOST_ROUNDS, add_usage, too_many_rounds
from app.assistants.upstream_errors import cut
from app.chat.interfaces import Exchange, Finished, Question, Status, Trace
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
        self._wanted = wanted
        # Loaded here and not in the first visitor's time.
        self._open = client.chat.completions.with_streaming_response.create

    def ready(self) -> bool:
        return not self._client.is_closed()

    def stream(self, question: Question) -> Steps[None]:
        """The answer's events. Raises `AssistantError`."""
        yield from shortened(partial(self._answer, question), question, self._learned)

    def _answer(self, question: Question, history: Sequence[Exchange]) -> Steps[None]:
        # Templates that know no such role refuse it in words of their own.
        alternatives = [SYSTEM] if self._instructions else []
        parameters = Parameters(self.name, self._wanted, self._learned, question, alternatives)
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
        self, question: Question, history: Sequence[Exchange], rounds: list[Any], parameters: Parameters
    ) -> Steps[CompletionReading | None]:
        """One completion. None: the question was cancelled."""
        system_role = parameters.accepts(SYSTEM)
        messages = [*_messages(question, history, self._instructions, system_role=system_role), *rounds]

        def request() -> Any:
            return self._open(model=self._model, messages=messages, stream=True, **parameters.sent)

        reading = CompletionReading()
        try:
            for name, fields in stream_events(request, question.cancellation, over=lambda: reading.ended):
                if name == OPENED:
                    yield Trace(request_id=fields.get("request_id"))
                else:
                    yield from reading.take(name, fields)
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
