"""What Elasticsearch does not have yet: taken from the journal in batches, and marked when it is there.

**Exactly once.** A record is marked when Elasticsearch said 201 or 409 (it is there already), never before. A
worker that dies in between leaves it unmarked; whoever holds the lease next sends it again, under the same id,
and is told 409. Two workers that send the same, because one was away for longer than its lease, do no harm for
the same reason.

**Nothing of the erased comes back.** All writes to the journal are one after the other, so each tombstone has one
moment `T` at which it stands.

1. `begin` is one transaction: it takes or renews the lease and leaves out what has a tombstone. Only then is
   anything sent, and the lease is not renewed again before that batch has ended. So what is sent of the erased was
   begun before `T`; the erasure, which reads the lease after `T`, finds that batch's, and waits until it was
   renewed for the next one, was given back, or ran out.
2. `settle` is one transaction: it looks at the tombstones again before it marks what was stored. What has one by now,
   or is gone from the journal, stays unmarked for the erasure to delete, and its tombstone is opened again
   (`sent_again`): so Elasticsearch is erased once more even if the erasure did not wait long enough, because this
   worker was away for longer than its lease.
3. A call that failed may have been carried out all the same: `leave` looks, too.
4. Killed before `begin` is committed: nothing was sent. Killed after it: the rows are unmarked, and the erasure
   deletes them as any others; what Elasticsearch took of that batch until then is deleted with the rest, and what it
   was late with (also after a call that timed out) by the erasure's second look, some minutes later. Killed after
   `settle`: everything stands.
5. Tombstones stay, so what is written to the journal after its erasure is not sent either.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, tuple_, update

from app.transcripts.database import Database
from app.transcripts.leases import Leases
from app.transcripts.records import Document, Service
from app.transcripts.tables import conversations, feedback, turns
from app.transcripts.tombstones import sent_again, unsendable
from app.transcripts.waiting import Depth, Found, depth, waiting

__all__ = ["LEASE", "Depth", "Entry", "Outbox"]

BATCH_BYTES = 256 * 1024
"""Encoded, as it is sent: encoding a larger batch would hold everybody up."""
BATCH_DOCUMENTS = 200
BREATHE_EVERY = 20
"""Records that are read at a stretch."""
SHIPPING = "shipping"
"""The lease's name; the erasure looks at it."""
LEASE = 90
"""Seconds that a worker may be silent before another one ships. Calls to Elasticsearch give up well before."""
ACTION = len('{"create":{"_index":"","_id":""}}\n\n') + 40
"""Bytes that a document has around it, with its index's name."""
REASON = 500
"""Characters that are kept of why a record was refused."""


class Subject(NamedTuple):
    """Whom a record is about."""

    conversation: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One record that waits. `size`: bytes as it is sent. `fault`: why it cannot be sent at all."""

    kind: str
    key: tuple[str, int]
    document: Document
    subject: Subject
    size: int
    fault: str | None = None


class Outbox:
    """The outbox as one worker sees it. Every call raises `JournalError` when the journal cannot do it.

    `holder`: the worker's id. `is_dead`: whether another worker is known to be gone, so that nobody waits for its
    lease to run out. Times are milliseconds since 1970.
    """

    def __init__(
        self, database: Database, holder: str, service: Service, is_dead: Callable[[str], bool] = lambda _holder: False
    ) -> None:
        self._database = database
        self._holder = holder
        self._service = service
        self._leases = Leases(database, is_dead)

    def pending(
        self, max_bytes: int = BATCH_BYTES, max_documents: int = BATCH_DOCUMENTS,
        breathe: Callable[[], object] = lambda: None,
    ) -> list[Entry]:  # fmt: skip
        """The oldest records that wait, as many as one batch may have. One that is too large for any comes alone.

        `breathe` is called now and then: to make a document takes about 0.1 ms.
        """
        batch: list[Entry] = []
        size = 0
        with self._database.reading() as connection:
            for found in waiting(connection, max_documents):
                entry = _entry(found, self._service)
                size += entry.size
                if batch and (size > max_bytes or len(batch) == max_documents):
                    break
                batch.append(entry)
                if len(batch) % BREATHE_EVERY == 0:
                    breathe()
        return batch

    def take_lease(self, now: int, seconds: float = LEASE) -> bool:
        """Take or renew the right to ship. False: another worker has it. Not to be called while a batch is sent."""
        return self._leases.take(SHIPPING, self._holder, now, seconds)

    def release_lease(self) -> None:
        self._leases.release(SHIPPING, self._holder)

    def begin(self, batch: Sequence[Entry], now: int, seconds: float = LEASE) -> list[Entry] | None:
        """Have a batch on its way from now on. What of it may be sent; None: another worker has the lease."""

        def work(connection: Connection) -> list[Entry] | None:
            if not self._leases.take_in(connection, SHIPPING, self._holder, now, seconds):
                return None
            lost = _lost(connection, batch)
            return [entry for entry in batch if entry.subject not in lost]

        return self._database.write(work)

    def settle(self, stored: Sequence[Entry], refused: Sequence[tuple[Entry, str]], now: int) -> list[Entry]:
        """End a batch: mark what Elasticsearch has, set aside what it refused. What was tombstoned meanwhile."""

        def work(connection: Connection) -> list[Entry]:
            batch = [*stored, *(entry for entry, _ in refused)]
            lost = _look_again(connection, batch)
            _mark(connection, [entry for entry in stored if entry.subject not in lost], shipped_at=now)
            for entry, reason in refused:
                if entry.subject not in lost:
                    _mark(connection, [entry], refused=reason[:REASON])
            return [entry for entry in batch if entry.subject in lost]

        return self._database.write(work)

    def leave(self, batch: Sequence[Entry]) -> None:
        """Give a batch up after a call that failed: nobody knows what Elasticsearch has of it, or will have."""
        self._database.write(lambda connection: _look_again(connection, batch))

    def depth(self) -> Depth:
        """How much waits; costs a look at an index, 10 ms for 100,000 records."""
        with self._database.reading() as connection:
            return depth(connection)


def _entry(found: Found, service: Service) -> Entry:
    subject = Subject(found.turn.conversation, found.turn.user_id)
    try:
        document = found.document(service)
        encoded = json.dumps(document.source, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        # Such as half of a surrogate pair, from somebody's JSON: nothing could ever send it.
        fault = f"it cannot be encoded ({type(error).__name__})"
        return Entry(found.kind, found.key, Document("", {}), subject, 0, fault)
    return Entry(found.kind, found.key, document, subject, len(encoded) + len(document.id) + ACTION)


def _lost(connection: Connection, batch: Sequence[Entry]) -> set[Subject]:
    """Those of whom nothing may be sent: their conversation has a tombstone, or is gone from the journal."""
    subjects = {entry.subject for entry in batch}
    kept = select(conversations.c.uuid).where(
        conversations.c.uuid.in_({subject.conversation for subject in subjects}),
        ~unsendable(),
    )
    found = set(connection.scalars(kept))
    return {subject for subject in subjects if subject.conversation not in found}


def _look_again(connection: Connection, batch: Sequence[Entry]) -> set[Subject]:
    """The same after sending: what is erased there must be erased once more."""
    lost = _lost(connection, batch)
    sent_again(connection, lost)
    return lost


def _mark(connection: Connection, batch: Collection[Entry], **values: Any) -> None:
    keys: dict[str, list[tuple[str, int]]] = {}
    for entry in batch:
        keys.setdefault(entry.kind, []).append(entry.key)
    for kind, of_kind in keys.items():
        names = [name for name, _ in of_kind]
        if kind == "conversation":
            connection.execute(update(conversations).where(conversations.c.uuid.in_(names)).values(values))
        elif kind == "turn":
            connection.execute(update(turns).where(turns.c.id.in_(names)).values(values))
        else:
            same = tuple_(feedback.c.turn_id, feedback.c.n).in_(of_kind)
            connection.execute(update(feedback).where(same).values(values))
