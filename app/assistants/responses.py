"""The Responses API (https://platform.openai.com/docs/api-reference/responses), streamed.

The history is ours: each request carries the conversation and nothing is stored on the other side
(`store=false`). Events are told by their name; unknown ones are skipped; the outcome is judged by the
response's own `status`. Where the history is theirs: `conversation_state.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import openai

from app.assistants.learned import Learned
from app.assistants.openai_client import OPENED, stream_events
from app.assistants.parameters import Parameters
from app.assistants.response_reading import Response, ResponseReading
from app.assistants.retrying import Steps, retried, shortened
from app.assistants.tools import MOST_ROUNDS, NO_SUCH_FUNCTION, add_usage, too_many_rounds
from app.chat.interfaces import Exchange, Finished, Question, Status, Trace

PLAIN = "plain_items"
"""Stands for earlier answers as plain messages, which all servers of today take. The first releases of llama.cpp that
had this API want them as the items that a response has."""
INSTRUCTIONS = "instructions"


class ResponsesAssistant:
    """Answers by one model of one server."""

    name = "responses"

    def __init__(self, client: openai.OpenAI, model: str, *, learned: Learned | None = None, **options: Any) -> None:
        """`options` are sent along with each request: `instructions`, `max_output_tokens`, `tools`, `reasoning`."""
        self._client = client
        self._model = model
        self._options = options
        self._learned = learned or Learned()
        # The SDK loads this part at its first use, for up to half a second: not in the first visitor's time.
        self._open = client.responses.with_streaming_response.create

    @property
    def has_tools(self) -> bool:
        """It searches files, which no other API does for it."""
        return bool(self._options.get("tools"))

    def ready(self) -> bool:
        return not self._client.is_closed()

    def stream(self, question: Question) -> Steps[None]:
        """The answer's events. Raises `AssistantError`."""

        def answer(history: Sequence[Exchange]) -> Steps[None]:
            def items(parameters: Parameters) -> list[Any]:
                return as_input(question, history, plain=parameters.accepts(PLAIN))

            return self._rounds(question, items, {"store": False}, shapes=bool(history))

        yield from shortened(answer, question, self._learned)

    def in_conversation(self, question: Question, conversation: str) -> Steps[None]:
        """The answer's events, in a conversation that the server keeps. Raises `AssistantError`."""
        return self._rounds(question, lambda _: as_input(question, ()), {}, conversation=conversation)

    def _rounds(
        self, question: Question, items: Callable[[Parameters], list[Any]], wanted: dict[str, Any], *,
        shapes: bool = False, **where: Any,
    ) -> Steps[None]:  # fmt: skip
        """Responses until one has an answer. `where`: the `conversation` that keeps the items, if they are theirs.

        `shapes`: what `items` gives has more than one shape, of which a server may refuse the first.
        """
        alternatives = [name for name in (PLAIN, "reasoning") if shapes or name in self._options]
        parameters = Parameters(self.name, wanted | self._options, self._learned, question, alternatives)
        added: list[Any] = []
        texts: list[str] = []
        usage: dict[str, int] = {}
        for _ in range(MOST_ROUNDS + 1):
            # A conversation over there has the question already when calls are answered.
            given = (lambda _: []) if where and added else items
            attempt = partial(self._round, question, given, added, parameters, where)
            adapted = partial(parameters.adapted, attempt)
            done = yield from retried(adapted, question.cancellation, repeatable=not where)
            if done is None:
                return
            texts.append(done.text or "")
            usage = add_usage(usage, done.usage)
            if not done.calls or done.state == "truncated":
                text = None if done.text is None else "".join(texts)
                yield Finished(done.state, text, usage or None, done.model, done.response_id)
                return
            yield Status("tool")
            outputs = [_output_of(call) for call in done.calls]
            added = outputs if where else [*added, *done.calls, *outputs]
        raise too_many_rounds()

    def _round(
        self, question: Question, items: Callable[[Parameters], list[Any]], added: list[Any],
        parameters: Parameters, where: dict[str, Any],
    ) -> Steps[Response | None]:  # fmt: skip
        """One response. None: the question was cancelled."""
        given = [*items(parameters), *added]
        instructions = self._options.get(INSTRUCTIONS)
        if instructions and not parameters.accepts(INSTRUCTIONS):
            given = [_message("system", instructions), *given]

        def request() -> Any:
            return self._open(model=self._model, input=given, stream=True, **where, **parameters.sent)

        reading = ResponseReading()
        for name, fields in stream_events(request, question.cancellation):
            if name == OPENED:
                yield Trace(request_id=fields.get("request_id"))
            else:
                yield from reading.take(name, fields)
        if question.cancellation.cancelled:
            return None
        yield from reading.rest()
        return reading.end(parameters.sent)


def as_input(question: Question, history: Sequence[Exchange], *, plain: bool = True) -> list[Any]:
    """The conversation as input items. `plain`: earlier answers as messages, else as items of a response."""
    items: list[Any] = []
    for number, exchange in enumerate(history):
        asked, answered = exchange_items(exchange)
        items += [asked, answered if plain else _output_item(exchange.answer, number)]
    return [*items, _message("user", question.text)]


def exchange_items(exchange: Exchange) -> list[Any]:
    return [_message("user", exchange.question), _message("assistant", exchange.answer)]


def _message(role: str, text: str) -> dict[str, str]:
    # Its type may be left out at OpenAI; llama.cpp tells items by it.
    return {"type": "message", "role": role, "content": text}


def _output_item(text: str, number: int) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    head = {"id": f"msg_{number:032x}", "type": "message", "role": "assistant", "status": "completed"}
    return {**head, "content": [part]}


def _output_of(call: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call.get("call_id"), "output": NO_SUCH_FUNCTION}
