"""The shipper on a fake Elasticsearch with a fake clock: every fault that there is, and nothing lost or doubled."""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text, update

from app.chat.identity import new_identity
from app.chat.runner import Clock
from app.errors import JournalError
from app.transcripts import tables
from app.transcripts.database import Database
from app.transcripts.elastic_errors import (
    ElasticError,
    ElasticNotAllowed,
    ElasticNotSetUp,
    ElasticRefused,
    ElasticUnavailable,
)
from app.transcripts.journal import SqlJournal
from app.transcripts.outage import LONGEST_WISH, Outage, Pace
from app.transcripts.outbox import LEASE, Outbox
from app.transcripts.records import turn_document
from app.transcripts.shipper import TIDY_EVERY, Shipper
from app.transcripts.tombstones import Step, Tombstones
from tests.running_server import PATIENCE, wait_until
from tests.transcripts.fake_elastic import FakeElastic, Outcome
from tests.transcripts.talks import SERVICE, say, talk

DOWN = ElasticUnavailable("Elasticsearch cannot be reached")


class Bench:
    """A shipper with everything around it; `now` is the time."""

    def __init__(self, path: Path, holder: str = "me", elastic: FakeElastic | None = None) -> None:
        self.database = Database(path)
        self.database.upgrade()
        self.journal = SqlJournal(self.database, holder)
        self.outbox = Outbox(self.database, holder, SERVICE)
        self.elastic = elastic or FakeElastic()
        self.now = 1_000_000.0
        self.counted: Counter[str] = Counter()
        self.tidied = 0
        self.set_up: Callable[[], object] | None = None
        clock = Clock(lambda: self.now, lambda: int(self.now * 1000), self._sleep)
        self.shipper = Shipper(
            self.outbox, self.elastic, self, clock=clock, chance=lambda: 1.0, tidy=self._tidy,
            set_up=lambda: self.set_up() if self.set_up else None,
        )  # fmt: skip

    def shipped(self, kind: str, count: int) -> None:
        self.counted[kind] += count

    def outage(self) -> None:
        self.counted["outages"] += 1

    def rounds(self, most: int = 50) -> None:
        """Let it work until it would wait for something new."""
        for _ in range(most):
            pause = self.shipper.round()
            self.now += pause
            if pause == Pace().idle:
                return
        raise AssertionError(f"it still had something to do after {most} rounds")

    def expected(self) -> set[str]:
        """The ids of everything that is finished in the journal."""
        with self.database.reading() as connection:
            rows = connection.exec_driver_sql(
                "SELECT conversation_uuid || ':' || id FROM turns WHERE finished_at IS NOT NULL UNION "
                "SELECT conversation_uuid FROM turns WHERE finished_at IS NOT NULL UNION "
                "SELECT conversation_uuid || ':' || id || ':feedback:' || n FROM feedback JOIN turns ON id = turn_id"
            )
            return {row[0] for row in rows}

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def _tidy(self) -> None:
        self.tidied += 1


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "journal.sqlite3")
    yield bench
    bench.database.close()


def test_everything_that_is_finished_is_shipped_once(bench: Bench) -> None:
    identity = new_identity()
    turn = say(bench.journal, identity)
    bench.journal.rate(turn.id, "up", None, 2000)
    bench.rounds()
    assert bench.elastic.kept.keys() == bench.expected()
    assert bench.elastic.kept[f"{turn.conversation}:{turn.id}"] == turn_document(turn, SERVICE).source
    assert bench.counted == {"conversation": 1, "turn": 1, "feedback": 1}
    bench.rounds()
    assert len(bench.elastic.batches) == 1


def test_full_batches_follow_each_other_and_small_ones_gather(bench: Bench) -> None:
    for _ in range(3):
        talk(bench.journal, 50)
    assert bench.shipper.round() == Pace().between
    talk(bench.journal, 1)
    assert bench.shipper.round() == Pace().gather
    assert bench.shipper.round() == Pace().idle


# Elasticsearch in trouble


def test_an_outage_is_waited_out_with_growing_pauses_and_nothing_is_lost(bench: Bench) -> None:
    talk(bench.journal, 3)
    bench.elastic.check_faults.extend([DOWN] * 8)
    pauses = [bench.shipper.round()]
    for _ in range(7):
        bench.now += pauses[-1]
        pauses.append(bench.shipper.round())
    assert [round(pause) for pause in pauses] == [1, 2, 4, 8, 16, 30, 30, 30]
    bench.now += pauses[-1]
    bench.rounds()
    assert bench.elastic.kept.keys() == bench.expected()


def test_a_wake_does_not_shorten_the_pause(bench: Bench) -> None:
    talk(bench.journal)
    bench.elastic.check_faults.extend([DOWN])
    pause = bench.shipper.round()
    bench.now += pause / 2
    bench.shipper.wake()
    assert bench.shipper.round() == pytest.approx(pause / 2)
    assert bench.elastic.checks == 1


@given(chance=st.floats(0, 1), wish=st.one_of(st.none(), st.floats(0, 10_000)), before=st.integers(0, 40))
def test_a_pause_is_jittered_bounded_and_not_shorter_than_asked_for(
    chance: float, wish: float | None, before: int
) -> None:
    outage = Outage(Pace(), lambda: chance, lambda: None)
    for _ in range(before + 1):
        outage.failed(ElasticUnavailable("busy", retry_after=wish), 100.0, lambda: "")
    pause = outage.not_before - 100.0
    ceiling = min(2.0**before, Pace().longest)
    assert pause >= max(ceiling / 2, min(wish or 0, LONGEST_WISH)) - 1e-6
    assert pause <= max(ceiling, 1.1 * min(wish or 0, LONGEST_WISH)) + 1e-6


@pytest.mark.parametrize(
    ("error", "state"),
    [(DOWN, "unavailable"), (ElasticNotAllowed("no"), "not allowed"), (ElasticRefused("what"), "refused")],
)
def test_an_outage_is_said_once_with_its_end(
    bench: Bench, caplog: pytest.LogCaptureFixture, error: ElasticError, state: str
) -> None:
    caplog.set_level(logging.INFO, logger="app")
    bench.rounds()
    talk(bench.journal, 2)
    for _ in range(5):
        bench.elastic.faults.append(error)
        bench.now += bench.shipper.round()
    assert bench.shipper.status() == {"state": state, "waiting": 3, "refused": 0, "oldest_seconds": pytest.approx(
        bench.now - 1.1, abs=6)}  # fmt: skip
    assert [record.getMessage() for record in caplog.records] == [
        f"{error}; 3 records wait in the journal, nothing is lost"
    ]
    bench.rounds()
    assert len(caplog.records) == 2
    assert caplog.records[-1].getMessage().startswith("Elasticsearch takes records again after ")
    assert bench.counted["outages"] == 1
    assert bench.shipper.status() == {"state": "ok", "waiting": 0, "refused": 0, "oldest_seconds": 0}


def test_what_an_operator_has_to_mend_is_tried_rarely(bench: Bench) -> None:
    talk(bench.journal)
    bench.elastic.check_faults.extend([ElasticNotAllowed("the key is wrong")] * 2)
    assert bench.shipper.round() > 60
    assert bench.elastic.batches == []
    bench.now += 70
    assert bench.shipper.round() > 60
    bench.now += 70
    bench.rounds()
    assert bench.elastic.kept.keys() == bench.expected()


def test_the_mapping_is_checked_before_the_first_batch_and_after_an_outage(bench: Bench) -> None:
    talk(bench.journal)
    bench.rounds()
    talk(bench.journal)
    bench.rounds()
    assert bench.elastic.checks == 1
    talk(bench.journal)
    bench.elastic.faults.append(DOWN)
    bench.now += bench.shipper.round()
    bench.elastic.check_faults.append(ElasticRefused("another mapping"))
    bench.now += bench.shipper.round()
    assert len(bench.elastic.batches) == 2
    bench.rounds()
    assert bench.elastic.checks == 3


def test_a_missing_index_is_made_if_the_key_may(bench: Bench) -> None:
    made: list[str] = []
    bench.set_up = lambda: made.append("index")
    talk(bench.journal)
    bench.elastic.check_faults.append(ElasticNotSetUp("there is no index"))
    bench.rounds()
    assert made == ["index"]
    assert bench.elastic.kept.keys() == bench.expected()


def test_a_missing_index_that_the_key_may_not_make_is_the_reason_that_is_told(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def forbidden() -> None:
        raise ElasticNotAllowed("this key may not")

    bench.set_up = forbidden
    talk(bench.journal)
    bench.elastic.check_faults.append(ElasticNotSetUp("there is no index"))
    assert bench.shipper.round() > 50
    assert bench.shipper.state == "refused"
    assert "there is no index; 2 records wait" in caplog.text
    assert bench.elastic.batches == []


def test_an_answer_that_was_lost_after_the_write_doubles_nothing(bench: Bench) -> None:
    talk(bench.journal, 3)
    bench.elastic.lost.append(DOWN)
    bench.now += bench.shipper.round()
    assert len(bench.elastic.kept) == 4
    bench.rounds()
    assert bench.elastic.kept.keys() == bench.expected()
    assert bench.elastic.batches[0] == bench.elastic.batches[1]
    assert bench.counted["turn"] == 3


def test_a_refused_record_is_set_aside_and_the_rest_is_stored(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    identity = talk(bench.journal, 3)
    poison = f"{identity.conversation}:t1-{identity.conversation[:8]}"
    bench.elastic.judge = lambda document: Outcome(
        document.id, "refused" if document.id == poison else "stored", "document_parsing_exception"
    )
    bench.rounds()
    assert bench.elastic.kept.keys() == bench.expected() - {poison}
    assert bench.shipper.status()["reasons"] == {"document_parsing_exception": 1}
    assert "1 records are set aside" in caplog.text
    bench.rounds()
    assert len(bench.elastic.batches) == 1


def test_when_everything_is_refused_the_index_is_looked_at_first(bench: Bench) -> None:
    talk(bench.journal, 3)
    bench.elastic.judge = lambda document: Outcome(document.id, "refused", "strange_exception")
    bench.elastic.check_faults.extend([None, ElasticRefused("the index is not ours any more")])
    bench.now += bench.shipper.round()
    assert bench.shipper.state == "refused"
    assert bench.outbox.depth().refused == 0
    bench.rounds()
    assert bench.outbox.depth().refused == 4


def test_records_for_which_there_was_no_room_are_sent_again(bench: Bench) -> None:
    talk(bench.journal, 3)
    full = iter([True, False, True, False])
    bench.elastic.judge = lambda document: Outcome(document.id, "again" if next(full, False) else "stored")
    bench.rounds()
    assert bench.elastic.kept.keys() == bench.expected()
    assert [len(batch) for batch in bench.elastic.batches] == [4, 2]
    assert bench.counted["outages"] == 0


def test_when_there_is_room_for_nothing_that_is_an_outage(bench: Bench) -> None:
    talk(bench.journal)
    bench.elastic.judge = lambda document: Outcome(document.id, "again")
    bench.shipper.round()
    assert bench.shipper.state == "unavailable"


def test_what_cannot_be_sent_at_all_is_set_aside(bench: Bench) -> None:
    talk(bench.journal, 1)
    with bench.database._writer.begin() as connection:
        connection.execute(update(tables.turns).values(citations=[{"title": "half \ud83d"}]))
    bench.rounds()
    assert len(bench.elastic.kept) == 1
    assert bench.outbox.depth().reasons == {"it cannot be encoded (UnicodeEncodeError)": 1}


def test_a_journal_in_trouble_is_tried_again_later(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_options: object) -> None:
        raise JournalError("broken", transient=False)

    talk(bench.journal)
    with monkeypatch.context() as patch:
        patch.setattr(bench.outbox, "pending", broken)
        assert bench.shipper._next() == Pace().idle
    bench.rounds()
    assert bench.elastic.kept.keys() == bench.expected()


# Several workers


def test_only_one_of_two_workers_ships(bench: Bench, tmp_path: Path) -> None:
    other = Bench(tmp_path / "journal.sqlite3", "other", bench.elastic)
    talk(bench.journal)
    bench.elastic.arrived = lambda: other.shipper.round()
    bench.shipper.round()
    assert len(bench.elastic.batches) == 1
    bench.elastic.arrived = lambda: None
    bench.rounds()
    talk(bench.journal)
    other.rounds()
    assert bench.elastic.kept.keys() == bench.expected()


class Killed(BaseException):
    """The end of a process, at any line."""


def test_the_batch_of_a_killed_worker_is_sent_again_by_the_next(bench: Bench, tmp_path: Path) -> None:
    talk(bench.journal, 3)

    def kill() -> None:
        raise Killed

    bench.elastic.arrived = kill
    with pytest.raises(Killed):
        bench.shipper.round()
    bench.elastic.arrived = lambda: None
    other = Bench(tmp_path / "journal.sqlite3", "other", bench.elastic)
    assert other.shipper.round() == Pace().idle
    other.now += LEASE + 1
    other.rounds()
    assert bench.elastic.kept.keys() == bench.expected()
    assert bench.outbox.depth().waiting == 0


# Erasure, with the server killed at each step


@pytest.mark.parametrize("moment", ["before it is taken", "before it is sent", "after it was sent", "answer lost"])
@pytest.mark.parametrize("killed", [False, True], ids=["", "killed"])
def test_nothing_of_the_erased_comes_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, moment: str, killed: bool
) -> None:
    erased, kept = talk(bench.journal, 2), talk(bench.journal, 2)
    tombstones = Tombstones(bench.database)

    def erase() -> None:
        """All of it, without waiting for the batch: the worst that could be."""
        found = tombstones.bury("conversation", erased.conversation, 1)
        for table, column in (("turns", "conversation_uuid"), ("conversations", "uuid")):
            gone = text(f"DELETE FROM {table} WHERE {column} = '{erased.conversation}'")
            bench.database.write(lambda connection, gone=gone: connection.execute(gone))
        _erase_there(bench.elastic, erased.conversation)
        done = update(tables.tombstones).where(tables.tombstones.c.id == found.id)
        bench.database.write(lambda connection: connection.execute(done.values(step=Step.ELASTICSEARCH, done_at=1)))
        if killed:
            raise Killed

    create = bench.elastic.create
    if moment == "before it is taken":
        erase_first = bench.outbox.begin
        monkeypatch.setattr(bench.outbox, "begin", lambda *a, **k: (erase(), erase_first(*a, **k))[1])
    elif moment == "before it is sent":
        monkeypatch.setattr(bench.elastic, "create", lambda documents: (erase(), create(documents))[1])
    else:
        bench.elastic.arrived = erase
        bench.elastic.lost.extend([DOWN] if moment == "answer lost" else [])
    with pytest.raises(Killed) if killed else nullcontext():
        bench.shipper.round()
    monkeypatch.undo()
    bench.elastic.arrived = lambda: None
    # The erasure goes on with what the shipper opened again, and looks a second time at what it has done itself.
    assert bool(tombstones.open()) == (moment != "before it is taken" and not killed)
    if tombstones.open() or (killed and tombstones.unlooked(2)):
        _erase_there(bench.elastic, erased.conversation)
    bench.now += LEASE + 1
    bench.rounds()
    assert {document_id.partition(":")[0] for document_id in bench.elastic.kept} == {kept.conversation}


def _erase_there(elastic: FakeElastic, conversation: str) -> None:
    elastic.kept = {id_: source for id_, source in elastic.kept.items() if not id_.startswith(conversation)}


# Everything at once


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_whatever_happens_each_record_is_there_once_and_as_the_journal_has_it(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    chance = random.Random(seed)
    bench = Bench(tmp_path_factory.mktemp("journal") / "journal.sqlite3")
    errors = [DOWN, ElasticUnavailable("busy", retry_after=3), ElasticRefused("no"), ElasticNotAllowed("no"), None]
    bench.elastic.judge = lambda document: Outcome(document.id, chance.choice(["stored", "stored", "again"]))
    turns = []
    for number in range(chance.randrange(1, 12)):
        turns.append(say(bench.journal, new_identity(), at=1000 * number))
        bench.journal.rate(turns[-1].id, "up", None, 1000 * number + 500)
        bench.elastic.faults.append(chance.choice(errors))
        bench.elastic.check_faults.append(chance.choice([*errors, None, None]))
        if chance.random() < 0.3:
            bench.elastic.lost.append(DOWN)
        bench.now += bench.shipper.round()
    bench.elastic.faults.clear()
    bench.elastic.check_faults.clear()
    bench.elastic.lost.clear()
    bench.rounds(500)
    assert bench.elastic.kept.keys() == bench.expected()
    for turn in turns:
        assert bench.elastic.kept[f"{turn.conversation}:{turn.id}"] == turn_document(turn, SERVICE).source
    assert bench.counted["turn"] == len(turns)
    bench.database.close()


# Its green thread


def test_it_ships_when_it_is_woken_and_what_is_left_at_the_end(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "journal.sqlite3")
    shipper = Shipper(bench.outbox, bench.elastic, bench, pace=Pace(idle=600, gather=0.01))
    thread = threading.Thread(target=shipper.run, daemon=True)
    thread.start()
    wait_until(lambda: bench.elastic.checks, "it has begun")
    talk(bench.journal)
    shipper.wake()
    wait_until(lambda: bench.outbox.depth().waiting == 0, "what is finished is shipped")
    talk(bench.journal)
    assert shipper.busy
    shipper.finish(PATIENCE)
    thread.join(PATIENCE)
    assert not shipper.busy
    assert bench.elastic.kept.keys() == bench.expected()
    assert Outbox(bench.database, "next", SERVICE).take_lease(0)


def test_its_end_is_not_waited_for_while_elasticsearch_is_away(bench: Bench) -> None:
    talk(bench.journal)
    bench.elastic.check_faults.append(DOWN)
    bench.shipper.round()
    assert not bench.shipper.busy
    bench.shipper.finish(1)
    bench.shipper.run()
    assert bench.elastic.checks == 1


def test_its_end_is_over_after_its_time_and_the_rest_is_shipped_after_the_next_start(bench: Bench) -> None:
    for _ in range(16):
        talk(bench.journal, 50)
    bench.shipper.round()

    def slow() -> None:
        bench.now += 0.6

    bench.elastic.arrived = slow
    bench.shipper.finish(1)
    bench.shipper.finish(1)
    bench.shipper.run()
    assert len(bench.elastic.batches) == 3
    assert bench.outbox.depth().waiting > 0
    assert Outbox(bench.database, "next", SERVICE).take_lease(0)


def test_a_fault_of_our_own_does_not_end_it(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk(bench.journal)
    with monkeypatch.context() as patch:
        patch.setattr(bench.elastic, "create", lambda _documents: [None])
        assert bench.shipper._next() == Pace().longest
    assert "the shipper stumbled" in caplog.text
    bench.rounds()
    assert bench.elastic.kept.keys() == bench.expected()


def test_it_tidies_up_once_an_hour(bench: Bench) -> None:
    bench.shipper._next()
    assert bench.tidied == 0
    bench.now += TIDY_EVERY
    bench.shipper._next()
    bench.shipper._next()
    assert bench.tidied == 1
