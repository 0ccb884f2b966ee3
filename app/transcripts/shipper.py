"""The shipper: has one batch after another delivered to Elasticsearch, in one green thread, whatever happens.

It is woken when a turn is finished or a rating given, gathers for a moment what comes with it, and otherwise looks
every few seconds. While Elasticsearch cannot be used, everything stays in the outbox, and the log says so once. It
knows nothing of documents, of HTTP, or of the chat; nobody waits for it.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from app.chat.clock import Clock
from app.errors import JournalError
from app.transcripts.delivery import Delivery, Destination
from app.transcripts.elastic_errors import ElasticError, ElasticNotSetUp, ElasticUnavailable
from app.transcripts.outage import Outage, Pace, State
from app.transcripts.outbox import BATCH_BYTES, BATCH_DOCUMENTS, Outbox
from app.transcripts.waiting import Depth

log = logging.getLogger(__name__)

LOOK_EVERY = 5.0
"""Seconds for which a count of what waits is good enough."""
TIDY_EVERY = 3600.0


class Progress(Protocol):
    """Who counts what was shipped."""

    def shipped(self, kind: str, count: int) -> None: ...

    def outage(self) -> None: ...


class Shipper:
    """Ships until it is told to `finish`. `set_up` makes the index, if the key may; `tidy` is done once an hour."""

    def __init__(
        self, outbox: Outbox, elastic: Destination, progress: Progress, *,
        set_up: Callable[[], object] | None = None, tidy: Callable[[], object] = lambda: None,
        clock: Clock | None = None, pace: Pace | None = None, chance: Callable[[], float] = random.random,
    ) -> None:  # fmt: skip
        self._outbox = outbox
        self._elastic = elastic
        self._set_up = set_up
        self._tidy = tidy
        self._clock = clock or Clock()
        self._pace = pace or Pace()
        self._outage = Outage(self._pace, chance, progress.outage)
        self._delivery = Delivery(outbox, elastic, self._clock, progress.shipped, self._over)
        self._checked = False
        self._more = False
        self._tidied_at = self._clock.seconds()
        self._depth = Depth(0, 0)
        self._depth_until = float("-inf")
        self._end_at = float("inf")
        self._woken = threading.Event()
        self._ending = threading.Event()
        self._ended = threading.Event()

    # From other green threads.

    def wake(self) -> None:
        """There is something new to ship."""
        self._woken.set()

    def finish(self, seconds: float) -> None:
        """Ship what is there, if Elasticsearch takes it within `seconds`, then end. Safe to repeat."""
        self._end_at = min(self._end_at, self._clock.seconds() + seconds)
        self._ending.set()
        self._woken.set()

    @property
    def busy(self) -> bool:
        """Whether the end of `finish` is worth waiting for: not when its time is over, nor in an outage."""
        in_time = self._clock.seconds() < self._end_at
        return in_time and not self._ended.is_set() and self._outage.state is State.OK

    @property
    def state(self) -> State:
        return self._outage.state

    def depth(self) -> Depth:
        """How much waits, as it was some seconds ago at most; the last known if the journal cannot be read."""
        before = self._clock.seconds()
        if before >= self._depth_until:
            try:
                self._depth = self._outbox.depth()
            except JournalError:
                return self._depth
            # A count holds the worker: never more than a hundredth of its time.
            self._depth_until = before + max(LOOK_EVERY, 100 * (self._clock.seconds() - before))
        return self._depth

    def oldest_seconds(self) -> float:
        """For how long the oldest record has been waiting; 0 if none does."""
        oldest = self.depth().oldest_at
        return 0.0 if oldest is None else max(0.0, (self._clock.utc() - oldest) / 1000)

    def status(self) -> dict[str, object]:
        """For `/readyz`, where everybody can read it: no address, no id, no text."""
        depth = self.depth()
        status: dict[str, object] = {"state": self.state.value, "waiting": depth.waiting, "refused": depth.refused}
        status["oldest_seconds"] = round(self.oldest_seconds())
        return status | ({"reasons": depth.reasons} if depth.reasons else {})

    # In its own.

    def run(self) -> None:
        """The work of its green thread."""
        while not self._ending.is_set():
            pause = self._next()
            if pause > self._pace.gather:
                if self._woken.wait(pause):
                    self._woken.clear()
                    self._ending.wait(self._pace.gather)
            elif pause > 0:
                self._ending.wait(pause)
        self._more = True
        while self._more and self._outage.state is State.OK and self._clock.seconds() < self._end_at:
            self._more = False
            self._next()
        with suppress(JournalError):
            self._delivery.rest()
        self._ended.set()

    def _next(self) -> float:
        """The outermost edge: a round that fails unexpectedly is tried again later."""
        try:
            if not self._ending.is_set():
                self._tidy_up()
            return self.round()
        except JournalError:
            # It is said where it matters: by what was refused, and by /readyz.
            return self._pace.idle
        except Exception:
            log.exception("the shipper stumbled")
            return self._pace.longest

    def round(self) -> float:
        """Ship one batch, if there is one and if it is time. Seconds until the next round is worth it."""
        begun = self._clock.seconds()
        if begun < self._outage.not_before:
            return self._outage.not_before - begun
        try:
            if not self._checked:
                self._check()
            batch = self._delivery.next_batch()
            if not batch:
                self._over()
            shipped = bool(batch) and self._delivery.deliver(batch)
        except ElasticError as error:
            self._checked = False
            self._outage.failed(error, self._clock.seconds(), self._waiting)
            return self._outage.not_before - self._clock.seconds()
        if not shipped:
            self._delivery.rest()
            return self._pace.idle
        self._more = len(batch) >= BATCH_DOCUMENTS // 2 or sum(entry.size for entry in batch) >= BATCH_BYTES // 2
        # At most half of the time, however slow the machine is.
        return max(self._pace.between, self._clock.seconds() - begun) if self._more else self._pace.gather

    def _check(self) -> None:
        """See that the index is as we need it; make it, if it is not there and the key may."""
        try:
            self._elastic.check()
        except ElasticNotSetUp as missing:
            if self._set_up is None:
                raise
            try:
                self._set_up()
            except ElasticUnavailable:
                raise
            except ElasticError:
                # What is missing says more than that the writer's key may not make it.
                raise missing from None
            self._elastic.check()
        self._checked = True

    def _tidy_up(self) -> None:
        if self._clock.seconds() - self._tidied_at >= TIDY_EVERY:
            self._tidied_at = self._clock.seconds()
            self._tidy()

    def _over(self) -> None:
        """What Elasticsearch was asked went well."""
        self._outage.over(self._clock.seconds(), self._waiting)

    def _waiting(self) -> str:
        self._depth_until = float("-inf")
        count = self.depth().waiting
        return "1 record waits in the journal" if count == 1 else f"{count} records wait in the journal"
