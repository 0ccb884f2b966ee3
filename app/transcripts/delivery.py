"""The delivery of a batch: from the outbox to Elasticsearch, and back into the journal what became of each record.

app/transcripts/outbox.py says why in this order. When it is time for a batch, and what to do when it fails, is the
shipper's matter.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from app.chat.clock import Clock
from app.transcripts.elastic_errors import ElasticUnavailable
from app.transcripts.outbox import Entry, Outbox
from app.transcripts.records import Document

log = logging.getLogger(__name__)


class Outcome(Protocol):
    """What Elasticsearch said about one document."""

    @property
    def id(self) -> str: ...

    @property
    def state(self) -> Literal["stored", "again", "refused"]: ...

    @property
    def reason(self) -> str | None: ...


class Destination(Protocol):
    """What is needed of Elasticsearch (`app.transcripts.elastic.Elastic`). Every call raises `ElasticError`."""

    def create(self, documents: Sequence[Document]) -> Sequence[Outcome]: ...

    def check(self) -> None: ...


class Delivery:
    """One batch after another. `shipped` counts records by kind; `answered`: Elasticsearch has dealt with a batch."""

    def __init__(
        self, outbox: Outbox, elastic: Destination, clock: Clock,
        shipped: Callable[[str, int], None], answered: Callable[[], None],
    ) -> None:  # fmt: skip
        self._outbox = outbox
        self._elastic = elastic
        self._clock = clock
        self._shipped = shipped
        self._answered = answered
        self._leased = False

    def next_batch(self) -> list[Entry]:
        """The oldest records that wait; none if everything is there."""
        return self._outbox.pending(breathe=self._breathe)

    def deliver(self, batch: Sequence[Entry]) -> bool:
        """Send a batch and record what became of it. False: another worker ships.

        Raises `ElasticError` and `JournalError`; what is not marked as shipped then is sent again.
        """
        allowed = self._outbox.begin(batch, self._clock.utc())
        self._leased = allowed is not None
        if allowed is None:
            return False
        self._breathe()
        try:
            outcomes = self._send(allowed)
        except Exception:
            # Whatever it was, some of it may be there.
            self._outbox.leave(allowed)
            raise
        self._breathe()
        self._settle(allowed, outcomes)
        return True

    def rest(self) -> None:
        """Let somebody else ship, and the erasure see at once that nothing is under way. Raises `JournalError`."""
        if self._leased:
            self._outbox.release_lease()
            self._leased = False

    def _send(self, batch: Sequence[Entry]) -> dict[str, Outcome]:
        documents = [entry.document for entry in batch if entry.fault is None]
        if not documents:
            return {}
        outcomes = {outcome.id: outcome for outcome in self._elastic.create(documents)}
        states = {outcome.state for outcome in outcomes.values()}
        if states == {"refused"}:
            # Nothing of it was good enough: is it the documents, or the index?
            self._elastic.check()
        elif states == {"again"}:
            raise ElasticUnavailable("Elasticsearch takes no records at the moment (429)")
        self._answered()
        return outcomes

    def _settle(self, batch: Sequence[Entry], outcomes: dict[str, Outcome]) -> None:
        stored, refused = [], []
        for entry in batch:
            outcome = outcomes.get(entry.document.id)
            if entry.fault is not None:
                refused.append((entry, entry.fault))
            elif outcome is not None and outcome.state == "stored":
                stored.append(entry)
            elif outcome is not None and outcome.state == "refused":
                refused.append((entry, outcome.reason or "unknown reason"))
        lost = self._outbox.settle(stored, refused, self._clock.utc())
        for kind, count in Counter(entry.kind for entry in stored if entry not in lost).items():
            self._shipped(kind, count)
        for reason, count in Counter(reason for _, reason in refused).items():
            log.error("%d records are set aside, because Elasticsearch does not take them: %s", count, reason)

    def _breathe(self) -> None:
        """Let the chat have the worker between what holds it."""
        self._clock.sleep(0)
