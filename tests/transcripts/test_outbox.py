"""The outbox: what waits, in which order, how much at once, and what became of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Select, update
from sqlalchemy.dialects import sqlite

from app.chat.identity import new_identity
from app.chat.turns import TurnState
from app.transcripts import tables, waiting
from app.transcripts.database import Database
from app.transcripts.journal import SqlJournal
from app.transcripts.outbox import Entry, Outbox
from app.transcripts.records import feedback_document, start_document, turn_document
from tests.transcripts.talks import FINAL, SERVICE, begin, say, talk

NOW = 1_700_000_000_000


def ids(batch: list[Entry]) -> list[str]:
    return [entry.document.id for entry in batch]


def kinds(batch: list[Entry]) -> list[str]:
    return [entry.kind for entry in batch]


def take_all(outbox: Outbox) -> list[list[Entry]]:
    batches = []
    while batch := outbox.pending():
        batches.append(batch)
        outbox.settle(batch, [], NOW)
    return batches


def test_a_conversation_its_turn_and_its_rating_wait_oldest_first(journal: SqlJournal, outbox: Outbox) -> None:
    identity = new_identity()
    turn = say(journal, identity, at=1000)
    journal.rate(turn.id, "down", "no", 5000)
    batch = outbox.pending()
    assert [entry.document for entry in batch] == [
        start_document(turn, 1000, SERVICE),
        turn_document(turn, SERVICE),
        feedback_document(turn, 0, "down", "no", 5000, SERVICE),
    ]


def test_a_turn_tells_how_long_after_the_one_before_it_was_asked(journal: SqlJournal, outbox: Outbox) -> None:
    talk(journal, turns=2)  # asked a second apart, answered within 0.1 s
    first, second = (entry.document.source for entry in outbox.pending() if entry.kind == "turn")
    assert "time_since_previous_ms" not in first["chat"]["turn"]
    assert second["chat"]["turn"]["time_since_previous_ms"] == 900


def test_every_rating_of_a_turn_is_a_record(journal: SqlJournal, outbox: Outbox) -> None:
    turn = say(journal, new_identity())
    for at, rating in ((2000, "up"), (3000, "down"), (4000, None)):
        journal.rate(turn.id, rating, None, at)
    assert [entry.key[1] for entry in outbox.pending() if entry.kind == "feedback"] == [0, 1, 2]


def test_nothing_waits_before_the_first_turn_is_finished(journal: SqlJournal, outbox: Outbox) -> None:
    identity = new_identity()
    turn = begin(journal, identity, "a")
    journal.rate(turn.id, "up", None, 1500)
    assert outbox.pending() == []
    assert outbox.depth().waiting == 1  # the rating, whose turn is not finished


@pytest.mark.parametrize("state", FINAL)
def test_every_final_state_is_a_record(journal: SqlJournal, outbox: Outbox, state: TurnState) -> None:
    turn = say(journal, new_identity(), state=state)
    assert turn_document(turn, SERVICE) in [entry.document for entry in outbox.pending()]


def test_turns_of_a_dead_worker_are_records_when_they_are_interrupted(journal: SqlJournal, outbox: Outbox) -> None:
    turn = begin(journal, new_identity(), "a")
    journal.interrupt(["me"], 2000)
    assert outbox.pending()[-1].document.source["chat"]["turn"] == {"id": turn.id, "index": 0, "state": "interrupted"}


def test_the_start_has_the_thread_of_the_first_turn_that_has_one(journal: SqlJournal, outbox: Outbox) -> None:
    identity = new_identity()
    say(journal, identity, "a", at=1000, state=TurnState.FAILED)
    say(journal, identity, "b", at=2000, thread_id="thread_b")
    say(journal, identity, "c", at=3000, thread_id="thread_c")
    start = outbox.pending()[0]
    assert start.kind == "conversation"
    assert start.document.source["chat"]["thread"]["id"] == "thread_b"


def test_what_was_settled_waits_no_more(journal: SqlJournal, outbox: Outbox) -> None:
    identity = talk(journal, 3)
    assert [len(batch) for batch in take_all(outbox)] == [4]
    say(journal, identity, "later", at=9000)
    assert kinds(outbox.pending()) == ["turn"]


def test_a_refused_record_is_set_aside_with_its_reason(journal: SqlJournal, outbox: Outbox) -> None:
    talk(journal, 2)
    first, second, third = outbox.pending()
    outbox.settle([first], [(second, "document_parsing_exception on field chat.turn.index")], NOW)
    assert outbox.pending() == [third]
    depth = outbox.depth()
    assert (depth.waiting, depth.refused) == (1, 1)
    assert depth.reasons == {"document_parsing_exception on field chat.turn.index": 1}


def test_what_cannot_be_encoded_holds_nothing_else_up(journal: SqlJournal, outbox: Outbox, database: Database) -> None:
    talk(journal, 1)
    with database._writer.begin() as connection:
        connection.execute(update(tables.turns).values(citations=[{"title": "half \ud83d"}]))
    start, turn = outbox.pending()
    assert start.fault is None
    assert turn.fault == "it cannot be encoded (UnicodeEncodeError)"


def test_the_depth_counts_and_tells_the_oldest(journal: SqlJournal, outbox: Outbox) -> None:
    assert outbox.depth() == waiting.Depth(0, 0, None, {})
    talk(journal, 2, at=5000)
    begin(journal, new_identity(), "running", at=1)
    assert outbox.depth() == waiting.Depth(3, 0, 5100, {})


# How much at once


def test_a_batch_has_at_most_so_many_bytes_as_they_are_sent(journal: SqlJournal, outbox: Outbox) -> None:
    talk(journal, 30, answer='"ü\n' * 5000)
    batches = take_all(outbox)
    assert len(batches) > 2
    for batch in batches:
        assert sum(_sent(entry) for entry in batch) <= sum(entry.size for entry in batch) <= 256 * 1024


def test_a_larger_document_goes_alone(journal: SqlJournal, outbox: Outbox) -> None:
    identity = new_identity()
    say(journal, identity, "a", at=1000)
    large = say(journal, identity, "b", at=2000, answer="x" * 400_000)
    say(journal, identity, "c", at=3000)
    batches = take_all(outbox)
    assert [len(batch) for batch in batches] == [2, 1, 1]
    assert batches[1][0].key == (large.id, 0)


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 3000), min_size=1, max_size=12),
    max_bytes=st.integers(1, 8000),
    most=st.integers(1, 6),
)
def test_batches_are_full_in_order_and_leave_nothing_out(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], max_bytes: int, most: int
) -> None:
    database = Database(tmp_path_factory.mktemp("journal") / "journal.sqlite3")
    database.upgrade()
    journal, outbox, identity = SqlJournal(database, "me"), Outbox(database, "me", SERVICE), new_identity()
    for number, size in enumerate(sizes):
        turn = say(journal, identity, f"t{number}", at=1000 * (number + 1), answer="x" * size)
        if size % 3 == 0:
            journal.rate(turn.id, "up", None, turn.accepted_at + 500)
    taken: list[Entry] = []
    following: list[Entry] = []
    while batch := outbox.pending(max_bytes, most):
        assert len(batch) <= most
        assert len(batch) == 1 or sum(entry.size for entry in batch) <= max_bytes
        taken += batch
        outbox.settle(batch, [], NOW)
        following = outbox.pending(max_bytes, most)
        if following and len(batch) < most:
            assert sum(entry.size for entry in batch) + following[0].size > max_bytes
    assert [_moment(entry) for entry in taken] == sorted(_moment(entry) for entry in taken)
    assert len(set(ids(taken))) == len(taken) == 1 + len(sizes) + sum(size % 3 == 0 for size in sizes)
    database.close()


# What it costs


def test_what_waits_is_found_by_the_indexes_of_what_waits(database: Database) -> None:
    for query, index in (
        (waiting.started(), "unshipped_conversations"),
        (waiting.finished(), "unshipped_turns"),
        (waiting.rated(), "unshipped_feedback"),
    ):
        plan = _plan(database, query.limit(10))
        assert plan[0] in (f"SCAN {index[10:]} USING INDEX {index}", f"SEARCH {index[10:]} USING INDEX {index}")
        assert not [step for step in plan if step.startswith("SCAN")][1:], plan
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan[:1]


def _plan(database: Database, query: Select[Any]) -> list[str]:
    text = str(query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    with database.reading() as connection:
        return [row[3].partition(" (")[0] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]


def _sent(entry: Entry) -> int:
    action = {"create": {"_index": "ai-index", "_id": entry.document.id}}
    return len(f"{json.dumps(action)}\n{json.dumps(entry.document.source, ensure_ascii=False)}\n".encode()) - 200


def _moment(entry: Entry) -> str:
    return str(entry.document.source["@timestamp"])
