"""Responses where the server has it, else Chat Completions: found out by the first turn, then remembered."""

from __future__ import annotations

from app.assistants.chat_completions import ChatAssistant
from app.assistants.learned import Learned
from app.assistants.responses import ResponsesAssistant
from app.assistants.retrying import Speech, Steps
from app.chat.interfaces import Event, Finished, Question
from app.errors import AssistantError, Code


class ResponsesOrChat:
    """Tries `/responses`, then Chat Completions if the server seems to lack that route. It sends no probe at startup.

    Servers report a missing route with many statuses and bodies. It is stored as missing only after Chat Completions
    answered the same question. A request that `/responses` refuses is also retried that way.
    """

    def __init__(self, responses: ResponsesAssistant, chat: ChatAssistant, learned: Learned | None = None) -> None:
        self._responses = responses
        self._chat = chat
        self._learned = learned or Learned()

    @property
    def name(self) -> str:
        return self._chat.name if self._learned.no_responses else self._responses.name

    def ready(self) -> bool:
        return self._responses.ready()

    def stream(self, question: Question) -> Steps[None]:
        """The answer's events. Raises `AssistantError`."""
        if self._learned.no_responses:
            yield from self._chat.stream(question)
            return
        speech = Speech()
        try:
            yield from speech.of(self._responses.stream(question))
        except AssistantError as error:
            if speech.begun or not self._may_be_the_route(error):
                raise
            refusal = error
        else:
            return
        yield from self._ask_chat(question, refusal)

    def _may_be_the_route(self, error: AssistantError) -> bool:
        # Chat Completions search no files: where that is wanted, only a missing route is a reason.
        refused = error.code == Code.ASSISTANT_REFUSED and not self._responses.has_tools
        return error.no_such_route or refused

    def _ask_chat(self, question: Question, refusal: AssistantError) -> Steps[None]:
        try:
            for event in self._chat.stream(question):
                self._believe(event, refusal)
                yield event
        except AssistantError as error:
            raise refusal if error.no_such_route else error from None

    def _believe(self, event: Event, refusal: AssistantError) -> None:
        if refusal.no_such_route and isinstance(event, Finished):
            self._learned.learn_no_responses(refusal.detail)
