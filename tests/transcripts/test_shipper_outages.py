"""The shipper while Elasticsearch, or the journal, is in trouble: what it waits for, says, and sets aside."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from app.errors import JournalError
from app.transcripts import tables
from app.transcripts.elastic_errors import (
    ElasticError,
    ElasticNotAllowed,
    ElasticNotSetUp,
    ElasticRefused,
    ElasticUnavailable,
)
from app.transcripts.outage import LONGEST_WISH, Outage, Pace
from tests.transcripts import shipper_bench
from tests.transcripts.fake_elastic import Outcome
from tests.transcripts.shipper_bench import DOWN, Bench
from tests.transcripts.talks import talk

bench = shipper_bench.bench


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
