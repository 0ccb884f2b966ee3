"""The Responses API with the history on the other side: a conversation there (`CHAT_STATE=conversation`).

Only servers with the Conversations API have a memory; some others take any id and forget. Turns that the
conversation lacks, because another assistant answered them, are added before the question.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import openai

from app.assistants.history import lacking, newest_half
from app.assistants.learned import Learned
from app.assistants.openai_client import FORGET_WITHIN, gone_is_well, translated
from app.assistants.responses import ResponsesAssistant, exchange_items
from app.assistants.retrying import Steps, retried, shortened
from app.assistants.upstream_errors import UNAVAILABLE
from app.chat.interfaces import Exchange, Question, Trace
from app.errors import AssistantError, Code

MOST_ITEMS = 20
"""Items that one call may add (https://platform.openai.com/docs/api-reference/conversations)."""

MOST_LISTED = 100


class ConversationAssistant:
    """Answers by one model, in a conversation of the other side for each of ours."""

    name = "conversation"

    def __init__(self, client: openai.OpenAI, responses: ResponsesAssistant, learned: Learned | None = None) -> None:
        self._learned = learned or Learned()
        self._client = client
        self._responses = responses

    def ready(self) -> bool:
        return self._responses.ready()

    def stream(self, question: Question) -> Steps[None]:
        """The answer's events. Raises `AssistantError`."""
        # After a stop or a failure nobody knows what stands over there: a message without its answer, a function
        # call that waits for its output. A new one gets all of the history from us.
        known = question.remote.thread_id if question.remote.settled else None
        if known is not None:
            try:
                yield from self._answer(question, known, question.history)
                return
            except AssistantError as error:
                # It was deleted over there, has expired, or has become too long.
                if error.code == Code.CONTEXT_TOO_LONG and question.history:
                    question = replace(question, history=newest_half(question.history))
                elif not error.no_such_object:
                    raise
        yield from shortened(partial(self._answer, question, None), question, self._learned)

    def forget(self, thread_id: str, responses: Sequence[str]) -> None:
        """Delete a conversation; before it its items, which would stay, and the responses, which are kept beside it."""
        for response in responses:
            _delete(partial(self._client.responses.delete, response))
        try:
            self._forget_items(thread_id)
        except AssistantError as error:
            if not (error.no_such_route or error.no_such_object):
                raise
        with gone_is_well(), translated():
            self._client.conversations.delete(thread_id, timeout=FORGET_WITHIN)

    def _forget_items(self, thread_id: str) -> None:
        items: Any = self._client.conversations.items
        last: object = None
        while True:
            with translated():
                page = items.list(thread_id, limit=MOST_LISTED, timeout=FORGET_WITHIN)
            ids = [item.id for item in page.data or () if isinstance(getattr(item, "id", None), str)]
            if not ids or ids == last:
                return
            for ident in ids:
                _delete(partial(items.delete, ident, conversation_id=thread_id))
            last = ids

    def _answer(self, question: Question, known: str | None, history: Sequence[Exchange]) -> Steps[None]:
        there = known or (yield from self._created(question))
        yield Trace(thread_id=there)
        try:
            yield from self._add(question, there, lacking(history, there))
            yield from self._responses.in_conversation(question, there)
        except AssistantError as error:
            if known is None and error.code == Code.CONTEXT_TOO_LONG:
                # The turn will name another one, and nobody could find this to delete it.
                with suppress(AssistantError):
                    self.forget(there, ())
            raise

    def _created(self, question: Question) -> Steps[str]:
        made = yield from self._call(question, self._client.conversations.create)
        there = getattr(made, "id", None)
        if not isinstance(there, str):
            raise AssistantError(Code.ASSISTANT_UNAVAILABLE, UNAVAILABLE, detail="a conversation without an id")
        return there

    def _add(self, question: Question, there: str, history: Sequence[Exchange]) -> Steps[None]:
        items = [item for exchange in history for item in exchange_items(exchange)]
        for start in range(0, len(items), MOST_ITEMS):
            add = partial(self._client.conversations.items.create, there, items=items[start : start + MOST_ITEMS])
            yield from self._call(question, add)

    def _call(self, question: Question, call: Any) -> Steps[Any]:
        """One request that changes something over there: repeated only when it was refused."""

        def attempt() -> Steps[Any]:
            with translated():
                result = call()
            yield Trace(request_id=getattr(result, "_request_id", None))
            return result

        return (yield from retried(attempt, question.cancellation, repeatable=False))


def _delete(call: Any) -> None:
    """Delete one thing over there. Not found is as good."""
    try:
        with translated():
            call(timeout=FORGET_WITHIN)
    except AssistantError as error:
        if not (error.no_such_object or error.no_such_route):
            raise
