"""The shipper, beside other workers, erasure and its own end: everything there once, and nothing lost or doubled."""

from __future__ import annotations

import random
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text, update

from app.chat.identity import new_identity
from app.transcripts import tables
from app.transcripts.elastic_errors import ElasticNotAllowed, ElasticRefused, ElasticUnavailable
from app.transcripts.outage import Pace
from app.transcripts.outbox import LEASE, Outbox
from app.transcripts.records import turn_document
from app.transcripts.shipper import TIDY_EVERY, Shipper
from app.transcripts.tombstones import Step, Tombstones
from tests.running_server import PATIENCE, wait_until
from tests.transcripts import shipper_bench
from tests.transcripts.fake_elastic import FakeElastic, Outcome
from tests.transcripts.shipper_bench import DOWN, Bench
from tests.transcripts.talks import SERVICE, say, talk

bench = shipper_bench.bench


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
