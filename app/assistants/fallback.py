"""Responses where the server has it, else Chat Completions: found out by the first turn, then remembered."""

from __future__ import annotations

import logging
from collections.abc import Generator

from app.assistants.chat_completions import ChatAssistant
from app.assistants.responses import ResponsesAssistant
from app.chat.interfaces import Event, Question
from app.errors import AssistantError

log = logging.getLogger(__name__)


class ResponsesOrChat:
    """Tries `/responses` and falls back when the server has no such route. No probe at the start."""

    def __init__(self, responses: ResponsesAssistant, chat: ChatAssistant) -> None:
        self._responses = responses
        self._chat = chat
        self._has_responses = True

    @property
    def name(self) -> str:
        return self._responses.name if self._has_responses else self._chat.name

    def ready(self) -> bool:
        return self._responses.ready()

    def stream(self, question: Question) -> Generator[Event, None, None]:
        """The answer's events. Raises `AssistantError`."""
        if self._has_responses:
            try:
                yield from self._responses.stream(question)
            except AssistantError as error:
                if not error.no_such_route:
                    raise
                log.warning("this server has no /responses (%s): Chat Completions from now on", error.detail)
                self._has_responses = False
            else:
                return
        yield from self._chat.stream(question)
