"""Who may begin to ship a batch of the outbox, and what of it is to be forgotten and never sent."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, update

from app.chat.identity import Identity
from app.transcripts import tables
from app.transcripts.database import Database
from app.transcripts.journal import SqlJournal
from app.transcripts.outbox import LEASE, SHIPPING, Outbox
from app.transcripts.tombstones import Step, Tombstones
from tests.transcripts.talks import SERVICE, talk

NOW = 1_700_000_000_000


# Who ships


def test_one_worker_at_a_time_has_the_lease(database: Database, journal: SqlJournal) -> None:
    talk(journal)
    one, other = Outbox(database, "one", SERVICE), Outbox(database, "other", SERVICE)
    batch = one.pending()
    assert one.begin(batch, NOW) == batch
    assert other.begin(batch, NOW + 1) is None
    assert not other.take_lease(NOW + 1)
    assert one.take_lease(NOW + 2)
    one.release_lease()
    assert other.begin(batch, NOW + 3) == batch


def test_a_lease_that_is_not_renewed_runs_out(database: Database, journal: SqlJournal) -> None:
    talk(journal)
    one, other = Outbox(database, "one", SERVICE), Outbox(database, "other", SERVICE)
    batch = one.pending()
    one.begin(batch, NOW)
    assert other.begin(batch, NOW + LEASE * 1000 - 1) is None
    assert other.begin(batch, NOW + LEASE * 1000) == batch
    one.release_lease()
    assert not one.take_lease(NOW + LEASE * 1000)


def test_nobody_waits_for_the_lease_of_a_worker_that_is_known_to_be_dead(database: Database) -> None:
    assert Outbox(database, "one", SERVICE).take_lease(NOW)
    assert Outbox(database, "other", SERVICE, is_dead=lambda holder: holder == "one").take_lease(NOW + 1)


def test_the_lease_has_the_name_that_the_erasure_looks_at() -> None:
    assert SHIPPING == "shipping"


# What is to be forgotten (the whole argument stands in app/transcripts/outbox.py)


@pytest.fixture
def tombstones(database: Database) -> Tombstones:
    return Tombstones(database)


def bury(tombstones: Tombstones, kind: str, identity: Identity, *, done: bool) -> int:
    subject = identity.user_id if kind == "user" else identity.conversation
    found = tombstones.bury(kind, subject, NOW)  # type: ignore[arg-type]
    if done:
        finished = update(tables.tombstones).where(tables.tombstones.c.id == found.id)
        values = {"step": Step.LOOKED, "done_at": NOW}
        tombstones._database.write(lambda connection: connection.execute(finished.values(values)))
    return found.id


@pytest.mark.parametrize("done", [False, True], ids=["open", "done"])
@pytest.mark.parametrize("kind", ["conversation", "user", "aged"])
def test_what_has_a_tombstone_is_never_given_out(
    journal: SqlJournal, outbox: Outbox, tombstones: Tombstones, kind: str, done: bool
) -> None:
    erased, kept = talk(journal), talk(journal)
    journal.rate(f"t0-{erased.conversation[:8]}", "up", None, 3000)
    bury(tombstones, kind, erased, done=done)
    assert {entry.subject.conversation for entry in outbox.pending()} == {kept.conversation}


def test_what_got_its_tombstone_before_the_batch_begins_is_not_sent(
    journal: SqlJournal, outbox: Outbox, tombstones: Tombstones
) -> None:
    erased, kept = talk(journal), talk(journal)
    batch = outbox.pending()
    bury(tombstones, "conversation", erased, done=False)
    allowed = outbox.begin(batch, NOW)
    assert allowed is not None
    assert {entry.subject.conversation for entry in allowed} == {kept.conversation}


def test_what_is_gone_from_the_journal_before_the_batch_begins_is_not_sent(
    journal: SqlJournal, outbox: Outbox, database: Database
) -> None:
    talk(journal)
    batch = outbox.pending()
    database.write(_empty)
    assert outbox.begin(batch, NOW) == []


@pytest.mark.parametrize("call", ["settle", "leave"])
@pytest.mark.parametrize("gone", [False, True], ids=["still in the journal", "gone from the journal"])
@pytest.mark.parametrize("kind", ["conversation", "user", "aged"])
def test_what_got_its_tombstone_while_it_was_sent_is_erased_once_more(
    journal: SqlJournal, outbox: Outbox, tombstones: Tombstones, database: Database, kind: str, gone: bool, call: str
) -> None:
    erased = talk(journal)
    batch = outbox.begin(outbox.pending(), NOW)
    assert batch
    tombstone = bury(tombstones, kind, erased, done=True)
    if gone:
        database.write(_empty)
    if call == "settle":
        assert outbox.settle(batch, [], NOW) == batch
    else:
        outbox.leave(batch)
    again = tombstones.get(tombstone)
    assert again is not None
    assert (again.done_at, again.before(Step.ELASTICSEARCH)) == (None, True)
    assert outbox.depth().waiting == (0 if gone else len(batch))


def test_what_others_sent_stays_settled_when_one_was_erased(
    journal: SqlJournal, outbox: Outbox, tombstones: Tombstones
) -> None:
    erased, _ = talk(journal), talk(journal)
    batch = outbox.begin(outbox.pending(), NOW)
    assert batch
    bury(tombstones, "conversation", erased, done=False)
    lost = outbox.settle(batch[:-1], [(batch[-1], "no")], NOW)
    assert {entry.subject.conversation for entry in lost} == {erased.conversation}
    assert outbox.pending() == []
    assert outbox.depth().refused == 1


def _empty(connection: Connection) -> None:
    for table in (tables.feedback, tables.turns, tables.conversations):
        connection.execute(table.delete())
