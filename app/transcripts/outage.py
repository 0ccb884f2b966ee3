"""Whether Elasticsearch can be used, when it is worth another try, and what the log says about it: once an outage."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from app.transcripts.elastic_errors import ElasticError, ElasticNotAllowed, ElasticUnavailable

log = logging.getLogger(__name__)

LONGEST_WISH = 300.0
"""Seconds that Elasticsearch may ask us to wait."""


class State(StrEnum):
    """How the last call went. `not allowed` and `refused` want an operator."""

    OK = "ok"
    UNAVAILABLE = "unavailable"
    NOT_ALLOWED = "not allowed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds. `idle`: between two looks when nobody wakes; `gather`: for what comes together; `between`: two full
    batches at least, so that the chat has the worker; `first` to `longest`: between two tries of what is unavailable;
    `rarely`: of what an operator has to mend."""

    idle: float = 5.0
    gather: float = 1.0
    between: float = 0.1
    first: float = 1.0
    longest: float = 30.0
    rarely: float = 60.0


class Outage:
    """Told how each call went. `chance` gives a number from 0 to 1; times are seconds of one monotonic clock."""

    def __init__(self, pace: Pace, chance: Callable[[], float], begins: Callable[[], object]) -> None:
        self.state = State.OK
        self.not_before = 0.0
        self._pace = pace
        self._chance = chance
        self._begins = begins
        self._tries = 0
        self._since = 0.0
        self._told: set[State] = set()

    def failed(self, error: ElasticError, now: float, waiting: Callable[[], str]) -> None:
        """A call failed. `waiting`: how much waits, in words."""
        if self.state is State.OK:
            self._since = now
            self._begins()
        self.state = _state_of(error)
        self._tries += 1
        self.not_before = now + self._pause(error)
        if self.state not in self._told:
            self._told.add(self.state)
            log.warning("%s; %s, nothing is lost", error, waiting())

    def over(self, now: float, waiting: Callable[[], str]) -> None:
        """A call went well."""
        if self.state is not State.OK:
            log.info("Elasticsearch takes records again after %.0f s; %s", now - self._since, waiting())
        self.state = State.OK
        self._tries = 0
        self._told.clear()

    def _pause(self, error: ElasticError) -> float:
        """Growing, and never the same for two workers."""
        if not isinstance(error, ElasticUnavailable):
            return self._pace.rarely * (0.9 + 0.2 * self._chance())
        ceiling = min(self._pace.first * 2.0 ** min(self._tries - 1, 30), self._pace.longest)
        wished = min(error.retry_after or 0.0, LONGEST_WISH)
        return max(ceiling * (0.5 + 0.5 * self._chance()), wished * (1 + 0.1 * self._chance()))


def _state_of(error: ElasticError) -> State:
    if isinstance(error, ElasticUnavailable):
        return State.UNAVAILABLE
    return State.NOT_ALLOWED if isinstance(error, ElasticNotAllowed) else State.REFUSED
