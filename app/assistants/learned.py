"""Facts about one model of one server: refused parameters, a missing `/responses`, the size of its window.

Turns find them out, and they are stored so that later turns do not repeat the failed requests. A fact expires after a
day and is then tried again: a proxy may have failed once, servers are upgraded, and what fits depends on the texts.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Protocol

from app.errors import JournalError

log = logging.getLogger(__name__)

HOLDS = 86_400
"""Seconds for which a fact is believed."""
NO_RESPONSES = "no_responses"
"""Fact: `{"until"}`, as all of them in seconds since 1970."""
REPLACED = "replaced"
"""Fact: for each API the parameters that are refused, each with `other`, the one that takes its place, or None."""
WINDOW = "window"
"""Fact: bytes of conversation that fitted (`fits`) and that did not (`fails`). What is sent lies between the two, so
that they come closer to each other."""
CLOSE = 1.1
"""The two are as close as texts of different kinds allow."""


class FactStore(Protocol):
    """Where facts outlast a restart. Raises `JournalError`."""

    def read(self) -> dict[str, Any]: ...

    def write(self, facts: dict[str, Any]) -> None: ...


class Learned:
    """The facts about the model that answers here. Without a `store` they are gone with the process."""

    def __init__(self, store: FactStore | None = None) -> None:
        self._store = store
        self._facts: dict[str, Any] = {}
        if store is not None:
            try:
                self._facts = store.read()
            except JournalError as error:
                log.error("what was learned about the model cannot be read: %s", error.message)

    @property
    def facts(self) -> dict[str, Any]:
        """Everything, as JSON, for operators."""
        return dict(self._facts)

    def sentences(self) -> list[str]:
        """The facts in words, for operators."""
        found = ["it has no /responses, Chat Completions are used"] if self.no_responses else []
        for api in sorted(self._facts.get(REPLACED, {})):
            for name, other in sorted(self.replaced(api).items()):
                found.append(f"{api}: it takes no {name}, " + (f"{other} is sent" if other else "it is left out"))
        if self.window is not None:
            found.append(f"at most {self.window} bytes of a conversation are sent: more did not fit into its window")
        return found

    @property
    def no_responses(self) -> bool:
        """The server has no `/responses`."""
        return _holds(self._facts.get(NO_RESPONSES, {}))

    def replaced(self, api: str) -> dict[str, str | None]:
        """The parameters of an API that are refused, each with what is sent in its place."""
        found = self._facts.get(REPLACED, {}).get(api, {})
        return {name: fact["other"] for name, fact in found.items() if _holds(fact)}

    @property
    def window(self) -> int | None:
        """How many bytes of conversation to send at most; None: nothing was ever too long."""
        known = self._window()
        if known is None:
            return None
        fits, fails = known
        return fits if fails <= fits * CLOSE else (fits + fails) // 2

    def learn_no_responses(self, why: str) -> None:
        log.warning("this server has no /responses (%s): Chat Completions from now on", why)
        self._learn(NO_RESPONSES, {"until": _tomorrow()})

    def learn_replaced(self, api: str, replaced: dict[str, str | None]) -> None:
        known = self.replaced(api)
        for name, other in replaced.items():
            if name not in known:
                log.warning("this server refuses %s: %s from now on", name, f"{other} is sent" if other else "left out")
        facts = self._facts.get(REPLACED, {})
        new = {name: {"other": other, "until": _tomorrow()} for name, other in replaced.items()}
        self._learn(REPLACED, {**facts, api: {**facts.get(api, {}), **new}})

    def learn_overflow(self, fails: int, fits: int) -> None:
        """A conversation of `fails` bytes was too long for the model, one of `fits` bytes was not."""
        known = self._window()
        if known is not None and fails > known[0]:
            fits = max(fits, known[0])
        self._learn_window(fits, fails)
        log.warning("the model's window is full: %d bytes of conversation did not fit, %d did", fails, fits)

    def learn_fit(self, size: int) -> None:
        """A conversation of `size` bytes was not too long."""
        known = self._window()
        if known is not None and size > known[0] * CLOSE:
            self._learn_window(size, known[1] if size < known[1] else 2 * size)

    def _window(self) -> tuple[int, int] | None:
        window = self._facts.get(WINDOW, {})
        return (window["fits"], window["fails"]) if _holds(window) else None

    def _learn_window(self, fits: int, fails: int) -> None:
        known = self._facts.get(WINDOW) if self._window() else None
        until = known["until"] if known else _tomorrow()
        self._learn(WINDOW, {"fits": fits, "fails": fails, "until": until})

    def _learn(self, name: str, value: Any) -> None:
        if self._facts.get(name) == value:
            return
        self._facts = {**self._facts, name: value}
        if self._store is None:
            return
        try:
            self._store.write(self._facts)
        except JournalError as error:
            # No answer fails for that; it is found out again after the next start.
            log.error("what was learned about the model cannot be kept: %s", error.message)


def _holds(fact: dict[str, Any]) -> bool:
    return float(fact.get("until", 0)) > time.time()


def _tomorrow() -> int:
    return int(time.time()) + HOLDS
