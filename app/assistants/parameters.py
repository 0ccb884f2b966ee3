"""The optional parameters of a request: each is sent until the server refuses it by name, then another or none.

What took a refused parameter's place is remembered only once a request without it was answered. So a refusal that
merely repeats a visitor's words changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.assistants.learned import Learned
from app.assistants.retrying import Result, Speech, Steps
from app.errors import AssistantError, Code

OTHER_NAME = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
SYSTEM = "system"
"""Stands for the role of the instructions: a model that has none gets them with the first message."""
MOST_TRIES = 8


class Parameters:
    """The optional parameters of one API at one server. `wanted`: by name, as the settings ask for them."""

    def __init__(self, api: str, wanted: dict[str, Any], learned: Learned) -> None:
        self._api = api
        self._wanted = wanted
        self._learned = learned

    def for_turn(self) -> TurnParameters:
        return TurnParameters(self._api, self._wanted, self._learned)


class TurnParameters:
    """The parameters of one turn's requests."""

    def __init__(self, api: str, wanted: dict[str, Any], learned: Learned) -> None:
        self._api = api
        self._wanted = wanted
        self._learned = learned
        self._replaced = learned.replaced(api)
        self._new: dict[str, str | None] = {}
        self.alternatives: set[str] = set()
        """Shapes of the request that are given up, too, when it is refused for a reason that is not named."""

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
        refused = error.parameters & {*self.sent, SYSTEM} - self._replaced.keys()
        if not refused and error.code == Code.ASSISTANT_REFUSED and not error.no_such_route:
            refused = frozenset(self.alternatives - self._replaced.keys())
        for name in refused:
            other = OTHER_NAME.get(name)
            self._new[name] = None if other in self._replaced else other
            self._replaced[name] = self._new[name]
        return bool(refused)

    def _remember(self, answered: bool) -> None:
        if answered and self._new:
            self._learned.learn_replaced(self._api, self._new)
            self._new = {}
