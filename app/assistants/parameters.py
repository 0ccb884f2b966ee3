"""The optional parameters of a request: a parameter that the server refuses by name is renamed or left out.

The change is stored only after a request without the parameter was answered. A refusal that only quotes a visitor's
words therefore changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from app.assistants.learned import Learned
from app.assistants.retrying import Result, Speech, Steps
from app.chat.interfaces import Question
from app.errors import AssistantError, Code

OTHER_NAME = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
SYSTEM = "system"
"""Stands for the role of the instructions: a model that has none gets them with the first message."""
MOST_TRIES = 8


class Parameters:
    """The optional parameters of one turn's requests to one API.

    `wanted`: by name, as the settings ask for them. `alternatives`: parameters, and stand-ins for shapes of the
    request, that are given up one by one when it is refused for a reason that is not named.
    """

    def __init__(
        self, api: str, wanted: dict[str, Any], learned: Learned, question: Question, alternatives: Iterable[str]
    ) -> None:
        self._api = api
        self._wanted = wanted
        self._learned = learned
        self._question = question
        self._replaced = learned.replaced(api)
        self._new: dict[str, str | None] = {}
        self._alternatives = [name for name in alternatives if name not in self._replaced]
        self._tried: str | None = None

    def accepts(self, name: str) -> bool:
        return name not in self._replaced

    @property
    def sent(self) -> dict[str, Any]:
        """What goes with the next request."""
        found = {}
        for name, value in self._wanted.items():
            name_now: str | None = name
            while name_now in self._replaced:
                name_now = self._replaced[name_now]
            if name_now is not None:
                found[name_now] = value
        return found

    def adapted(self, attempt: Callable[[], Steps[Result]]) -> Steps[Result]:
        """`attempt`, again without each parameter that the server refuses; remembered when it is answered."""
        for _ in range(MOST_TRIES):
            speech = Speech()
            try:
                result = yield from speech.of(attempt())
            except AssistantError as error:
                if speech.begun or not self._give_way(error):
                    raise
            else:
                self._remember(answered=result is not None)
                return result
        return (yield from attempt())

    def _give_way(self, error: AssistantError) -> bool:
        if error.code in (Code.CONTEXT_TOO_LONG, Code.ASSISTANT_BUSY, Code.ASSISTANT_QUOTA):
            return False
        named = error.parameters | {name for name in error.mentioned if not self._said(name)}
        refused = named & {*self.sent, SYSTEM} - self._replaced.keys()
        for name in refused:
            other = OTHER_NAME.get(name)
            self._give_up(name, None if other in self._replaced else other)
        return bool(refused) or self._give_up_the_next(error)

    def _give_up_the_next(self, error: AssistantError) -> bool:
        """For a refusal that names nothing: one alternative after the other, each by itself."""
        # Older servers fail where they should refuse.
        unexplained = error.code == Code.ASSISTANT_REFUSED or error.status == 500
        if not unexplained or error.no_such_route:
            return False
        if self._tried is not None:
            # It was not that one.
            del self._replaced[self._tried], self._new[self._tried]
            self._tried = None
        if not self._alternatives:
            return False
        self._tried = self._alternatives.pop(0)
        self._give_up(self._tried, None)
        return True

    def _give_up(self, name: str, other: str | None) -> None:
        self._replaced[name] = self._new[name] = other

    def _said(self, name: str) -> bool:
        """Whether the conversation itself has this word, which a refusal may merely repeat."""
        texts = [self._question.text]
        texts += [text for exchange in self._question.history for text in (exchange.question, exchange.answer)]
        return any(word in text.lower() for text in texts for word in (name, name.replace("_", " ")))

    def _remember(self, answered: bool) -> None:
        if answered and self._new:
            self._learned.learn_replaced(self._api, self._new)
            self._new = {}
            self._tried = None
