"""Pruning: only whole conversations leave the journal, and only what Elasticsearch has for certain."""

from __future__ import annotations

import pytest

from app.chat.identity import Identity, new_identity
from app.transcripts.database import Database
from app.transcripts.journal import SqlJournal
from app.transcripts.outbox import Outbox
from app.transcripts.pruning import prune
from tests.transcripts.talks import SERVICE, begin, say, talk

LONG_AGO, BEFORE = 1000, 1_000_000


def ship(database: Database) -> None:
    outbox = Outbox(database, "me", SERVICE)
    while batch := outbox.pending():
        outbox.settle(batch, [], 1)


def pruned(database: Database) -> int:
    return prune(database, BEFORE, sleep=lambda _seconds: None)


def is_there(journal: SqlJournal, identity: Identity) -> bool:
    return journal.owner_of(identity.conversation) is not None


def test_what_is_confirmed_and_old_leaves_with_all_that_belongs_to_it(database: Database, journal: SqlJournal) -> None:
    old = [talk(journal, 3, at=LONG_AGO) for _ in range(12)]
    for identity in old:
        journal.rate(f"t0-{identity.conversation[:8]}", "up", None, 9000)
    young = talk(journal, 2, at=BEFORE)
    ship(database)
    assert pruned(database) == 12
    assert not any(is_there(journal, identity) for identity in old)
    assert is_there(journal, young)
    with database.reading() as connection:
        counts = [connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar() for name in ("turns", "feedback")]
    assert counts == [2, 0]
    assert pruned(database) == 0


def test_what_waits_stays(database: Database, journal: SqlJournal) -> None:
    waiting = talk(journal, at=LONG_AGO)
    assert pruned(database) == 0
    ship(database)
    journal.rate(f"t0-{waiting.conversation[:8]}", "up", None, 9000)
    assert pruned(database) == 0
    assert is_there(journal, waiting)


@pytest.mark.parametrize("which", [0, 1, 2, 3], ids=["conversation", "first turn", "second turn", "rating"])
def test_a_conversation_of_which_something_was_refused_stays(
    database: Database, journal: SqlJournal, which: int
) -> None:
    identity = talk(journal, 2, at=LONG_AGO)
    journal.rate(f"t0-{identity.conversation[:8]}", "up", None, 9000)
    outbox = Outbox(database, "me", SERVICE)
    batch = outbox.pending()
    refused = batch.pop(which)
    outbox.settle(batch, [(refused, "no")], 1)
    assert pruned(database) == 0
    assert is_there(journal, identity)


def test_a_conversation_that_goes_on_stays_whole(database: Database, journal: SqlJournal) -> None:
    going_on, rated, running = (talk(journal, 2, at=LONG_AGO) for _ in range(3))
    say(journal, going_on, "again", at=BEFORE)
    journal.rate(f"t0-{rated.conversation[:8]}", "up", None, BEFORE)
    ship(database)
    begin(journal, running, "running", at=LONG_AGO)
    assert pruned(database) == 0
    assert len(journal.turns(going_on.conversation, limit=10, max_bytes=10_000)[0]) == 3


def test_a_conversation_that_was_pruned_can_go_on(database: Database, journal: SqlJournal) -> None:
    identity = new_identity()
    say(journal, identity, "before", at=LONG_AGO)
    ship(database)
    assert pruned(database) == 1
    later = say(journal, identity, "after", at=BEFORE)
    assert [entry.kind for entry in Outbox(database, "me", SERVICE).pending()] == ["conversation", "turn"]
    assert later.index == 0
