"""The contract of a journal, held against the real one and against the fake of the tests."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, update

from app.chat.identity import Identity, new_identity
from app.chat.interfaces import Journal, Remote, Trace
from app.chat.turns import Turn, TurnError, TurnState, UserMessage
from app.errors import ChatError, JournalError
from app.transcripts import tables
from app.transcripts.database import Database
from app.transcripts.journal import SqlJournal
from tests.fakes import MemoryJournal
from tests.running_server import PATIENCE

ME = new_identity()


@pytest.fixture
def sql(database: Database) -> SqlJournal:
    return SqlJournal(database, owner="me")


@pytest.fixture(params=["sql", "fake"])
def journal(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue("sql") if request.param == "sql" else MemoryJournal()


def accept(journal: Journal, name: str, identity: Identity = ME) -> Turn:
    return journal.accept(identity, UserMessage(f"question {name}", name), f"id-{name}", now=10)


def answered(journal: Journal, name: str, answer: str = "answer", state: TurnState = TurnState.COMPLETE) -> Turn:
    turn = accept(journal, name)
    journal.start(turn.id, now=20)
    ended = replace(turn, state=state, answer=answer, seq=0, started_at=20, first_piece_at=25, finished_at=30)
    assert journal.finish(ended)
    return ended


def test_what_is_finished_is_read_back_the_same(journal: Journal) -> None:
    turn = accept(journal, "a")
    journal.start(turn.id, 20)
    ended = replace(
        turn, state=TurnState.FAILED, answer="grüße 🙂", seq=4, started_at=20, first_piece_at=21, finished_at=30,
        citations=({"n": 1, "url": "https://example.com"},), usage={"input_tokens": 3}, model="m", response_id="r",
        assistant="responses", request_ids=("req-1", "req-2"),
        corrected=True, error=TurnError("busy", "sorry"),
    )  # fmt: skip
    assert journal.finish(ended)
    assert journal.turn(ME.conversation, turn.id) == ended
    assert journal.find(ME.conversation, "a") == ended


def test_turns_of_a_conversation_are_counted(journal: Journal) -> None:
    assert [accept(journal, name).index for name in "abc"] == [0, 1, 2]


def test_a_turn_starts_once_and_ends_once(journal: Journal) -> None:
    turn = accept(journal, "a")
    assert journal.start(turn.id, 20) is TurnState.RUNNING
    assert journal.start(turn.id, 20) is TurnState.STOPPED
    assert journal.finish(replace(turn, state=TurnState.COMPLETE, answer="first", finished_at=30))
    assert not journal.finish(replace(turn, state=TurnState.FAILED, answer="second", finished_at=40))
    kept = journal.turn(ME.conversation, turn.id)
    assert kept is not None
    assert (kept.state, kept.answer) == (TurnState.COMPLETE, "first")


def test_a_turn_that_was_told_to_stop_does_not_start(journal: Journal) -> None:
    turn = accept(journal, "a")
    journal.request_stop(turn.id, 15)
    assert journal.start(turn.id, 20) is TurnState.STOPPED


def test_what_is_to_stop_and_what_is_not_done_is_known(journal: Journal) -> None:
    assert journal.oldest_unfinished(ME.conversation) is None
    first, second = accept(journal, "a"), accept(journal, "b")
    assert journal.oldest_unfinished(ME.conversation) == first
    assert journal.stop_requests() == []
    journal.request_stop(second.id, 15)
    assert journal.stop_requests() == [second.id]
    journal.finish(replace(first, state=TurnState.STOPPED, finished_at=30))
    assert journal.oldest_unfinished(ME.conversation).id == second.id  # type: ignore[union-attr]
    journal.finish(replace(second, state=TurnState.STOPPED, finished_at=31))
    assert journal.stop_requests() == []


def test_a_turn_waits_for_the_earlier_ones_of_its_conversation(journal: Journal) -> None:
    first, second = accept(journal, "a"), accept(journal, "b")
    assert journal.start(second.id, 20) is TurnState.QUEUED
    assert journal.start(first.id, 20) is TurnState.RUNNING
    assert journal.start(second.id, 20) is TurnState.QUEUED
    journal.finish(replace(first, state=TurnState.STOPPED, finished_at=30))
    assert journal.start(second.id, 40) is TurnState.RUNNING


def test_texts_are_kept_of_running_turns_only(journal: Journal) -> None:
    done, running = answered(journal, "b"), accept(journal, "a")
    journal.start(running.id, 20)
    journal.keep_texts([(running.id, "so far", 3), (done.id, "too late", 9)])
    kept = journal.turn(ME.conversation, running.id)
    assert kept is not None
    assert (kept.answer, kept.seq) == ("so far", 3)
    assert journal.turn(ME.conversation, done.id) == done


def test_a_turn_is_found_only_in_its_own_conversation(journal: Journal) -> None:
    turn = accept(journal, "a")
    assert journal.turn(new_identity().conversation, turn.id) is None
    assert journal.find(new_identity().conversation, "a") is None


def test_somebody_elses_conversation_takes_no_messages(journal: Journal) -> None:
    accept(journal, "a")
    with pytest.raises(ChatError) as refused:
        accept(journal, "b", Identity(ME.conversation, "somebody else"))
    assert refused.value.code == "not_yours"


def test_turns_are_read_back_to_front_in_pages(journal: Journal) -> None:
    for name in "abcde":
        answered(journal, name)
    last, more = journal.turns(ME.conversation, before=None, limit=2, max_bytes=10_000)
    assert ([turn.client_id for turn in last], more) == (["d", "e"], True)
    first, more = journal.turns(ME.conversation, before=last[0].id, limit=3, max_bytes=10_000)
    assert ([turn.client_id for turn in first], more) == (["a", "b", "c"], False)


def test_the_last_rating_of_a_turn_counts(journal: Journal) -> None:
    turn = answered(journal, "a")
    for rating in ("up", "down"):
        journal.rate(turn.id, rating, "a comment", now=50)
    kept = journal.turn(ME.conversation, turn.id)
    assert kept is not None
    assert kept.feedback == "down"
    journal.rate(turn.id, None, None, now=60)
    kept = journal.turn(ME.conversation, turn.id)
    assert kept is not None
    assert kept.feedback is None


def test_history_has_whole_answered_turns_and_no_failed_ones(journal: Journal) -> None:
    answered(journal, "a", "one")
    answered(journal, "b", "broken", TurnState.FAILED)
    answered(journal, "c", "", TurnState.STOPPED)
    answered(journal, "d", "half", TurnState.STOPPED)
    turn = accept(journal, "e")
    exchanges = journal.history(ME.conversation, turn.index, 1000)
    assert [(e.question, e.answer) for e in exchanges] == [("question a", "one"), ("question d", "half")]


def test_where_a_turn_is_on_the_other_side_is_known_to_the_next(journal: Journal) -> None:
    first = accept(journal, "a")
    journal.start(first.id, 20)
    assert journal.remote(ME.conversation, 0, "threads") == Remote()
    journal.trace(first.id, "threads", Trace(thread_id="thread_1"))
    journal.trace(first.id, "threads", Trace(run_id="run_1"))
    assert journal.remote(ME.conversation, 1, "threads") == Remote("thread_1", "run_1", settled=False)
    assert journal.remote(ME.conversation, 1, "responses") == Remote()
    assert journal.remote(ME.conversation, 0, "threads") == Remote()
    ended = replace(first, state=TurnState.COMPLETE, answer="done", finished_at=30, assistant="threads")
    assert journal.finish(ended)
    assert journal.remote(ME.conversation, 1, "threads") == Remote("thread_1", None)
    assert [e.thread_id for e in journal.history(ME.conversation, 1, 1000)] == ["thread_1"]


# What only the real one has to show.


def test_history_leaves_out_the_oldest_when_it_is_too_long(sql: SqlJournal) -> None:
    for name in "abcd":
        answered(sql, name, "x" * 90)  # 100 characters with its question
    assert [e.question[-1] for e in sql.history(ME.conversation, 4, 250)] == ["c", "d"]
    assert sql.history(ME.conversation, 4, 50) == []


def test_a_page_is_shorter_when_its_texts_are_long_but_never_empty(sql: SqlJournal) -> None:
    for name in "abc":
        answered(sql, name, "x" * 90)
    turns, more = sql.turns(ME.conversation, limit=10, max_bytes=250)
    assert ([turn.client_id for turn in turns], more) == (["b", "c"], True)
    turns, more = sql.turns(ME.conversation, limit=10, max_bytes=5)
    assert ([turn.client_id for turn in turns], more) == (["c"], True)


def test_a_page_is_bounded_in_bytes(sql: SqlJournal) -> None:
    for name in "abc":
        answered(sql, name, "漢" * 30)  # 100 bytes with its question
    turns, more = sql.turns(ME.conversation, limit=10, max_bytes=250)
    assert ([turn.client_id for turn in turns], more) == (["b", "c"], True)


def test_the_database_itself_allows_one_running_turn_of_a_conversation(sql: SqlJournal, database: Database) -> None:
    first, second = accept(sql, "a"), accept(sql, "b")
    sql.start(first.id, 20)
    running = update(tables.turns).where(tables.turns.c.id == second.id).values(state=TurnState.RUNNING)
    with pytest.raises(JournalError):
        database.write(lambda connection: connection.execute(running))


def test_the_database_itself_allows_one_turn_of_a_client_id(sql: SqlJournal) -> None:
    accept(sql, "a")
    with pytest.raises(JournalError):
        sql.accept(ME, UserMessage("again", "a"), "another-id", now=10)


def test_unfinished_turns_of_the_dead_are_interrupted_with_their_text(database: Database) -> None:
    dead, living = SqlJournal(database, "dead"), SqlJournal(database, "living")
    running, waiting = accept(dead, "a"), accept(dead, "b")
    dead.start(running.id, 20)
    dead.keep_texts([(running.id, "so far", 2)])
    other = accept(living, "c", new_identity())
    assert sorted(living.owners_of_unfinished()) == ["dead", "living"]
    ended = living.interrupt(["dead"], now=99)
    assert [(turn.id, turn.state) for turn in ended] == [
        (running.id, TurnState.INTERRUPTED), (waiting.id, TurnState.INTERRUPTED)
    ]  # fmt: skip
    assert living.interrupt(["dead"], now=100) == []
    kept = living.turn(ME.conversation, running.id)
    assert kept is not None
    assert (kept.state, kept.answer, kept.seq, kept.finished_at) == (TurnState.INTERRUPTED, "so far", 2, 99)
    assert living.owners_of_unfinished() == ["living"]
    assert living.turn(other.conversation, other.id) == other
    assert dead.turn(ME.conversation, waiting.id).state is TurnState.INTERRUPTED  # type: ignore[union-attr]


def test_the_owner_of_a_conversation_is_known_with_its_first_message(sql: SqlJournal) -> None:
    assert sql.owner_of(ME.conversation) is None
    accept(sql, "a")
    assert sql.owner_of(ME.conversation) == ME


@pytest.mark.usefixtures("database")
def test_another_process_that_writes_is_waited_for(tmp_path: Path) -> None:
    patient = Database(tmp_path / "journal.sqlite3", PATIENCE)
    other = sqlite3.connect(tmp_path / "journal.sqlite3", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, other.rollback)
    release.start()
    accept(SqlJournal(patient, owner="me"), "a")
    release.join()
    other.close()
    patient.close()


def test_a_read_only_journal_says_so_and_can_still_be_read(sql: SqlJournal, database: Database) -> None:
    turn = accept(sql, "a")
    with database._writer.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only=ON")
        connection.rollback()
    with pytest.raises(JournalError) as refused:
        sql.check_writable(1)
    assert not refused.value.transient
    assert sql.turn(ME.conversation, turn.id) == turn


def test_many_threads_write_and_nothing_is_lost(sql: SqlJournal) -> None:
    def write(name: str) -> None:
        for count in range(10):
            sql.accept(new_identity(), UserMessage("x", f"{name}{count}"), f"{name}{count}", now=1)

    threads = [threading.Thread(target=write, args=(f"t{n}-",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with sql._database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM turns").scalar() == 80


@pytest.mark.usefixtures("database")
def test_the_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    assert (tmp_path / "journal.sqlite3").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("pragma", ["query_only = ON", "max_page_count = 1"], ids=["read-only", "full"])
def test_a_journal_that_cannot_be_written_says_so_and_stays_readable(tmp_path: Path, pragma: str) -> None:
    database = Database(tmp_path / "journal.sqlite3")
    database.upgrade()
    sql = SqlJournal(database, "me")
    kept = answered(sql, "a")
    database.close()
    event.listen(database._writer, "connect", lambda connection, _record: connection.execute(f"PRAGMA {pragma}"))
    with pytest.raises(JournalError) as refused:
        # Longer than what the file's pages still have room for.
        sql.accept(ME, UserMessage("x" * 100_000, "b"), "id-b", now=10)
    assert refused.value.transient is False
    assert sql.turns(ME.conversation, limit=10, max_bytes=1000) == ([kept], False)
