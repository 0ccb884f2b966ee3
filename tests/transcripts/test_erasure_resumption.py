"""An erasure that is taken up again: after a crash at any step, and for what comes late."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.transcripts.tombstones import Step, sent_again
from tests.transcripts import forgotten
from tests.transcripts.forgotten import DAY, EVERYWHERE, Crash, Fuse, World

world = forgotten.world


# What comes late.


def test_elasticsearch_is_looked_at_once_more_for_what_it_was_late_with(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    identity = world.talks()
    tombstone = world.ask("conversation", identity.conversation)
    late = dict(world.index.documents)
    world.work()
    world.index.documents.update(late)
    world.work(rounds=100)
    assert "elasticsearch" in world.traces(identity)
    world.now += 60_000
    world.work(rounds=1)
    assert world.traces(identity) == []
    assert world.step(tombstone) is Step.LOOKED
    assert "2 documents had come late" in caplog.text
    before = len(world.index.calls)
    world.now += DAY
    world.work()
    assert len(world.index.calls) == before


def test_a_tombstone_that_the_shipper_opened_again_is_worked_on_again(world: World) -> None:
    identity = world.talks()
    tombstone = world.ask("conversation", identity.conversation)
    late = dict(world.index.documents)
    world.work()
    world.index.documents.update(late)
    sent = [(identity.conversation, identity.user_id)]
    world.database.write(lambda connection: sent_again(connection, sent))
    assert world.state(tombstone).done_at is None
    world.work()
    assert world.traces(identity) == []
    assert world.state(tombstone).done_at


def test_a_step_is_not_written_over_a_tombstone_that_was_opened_again_meanwhile(world: World) -> None:
    identity = world.talks()
    tombstone = world.ask("conversation", identity.conversation)
    late = dict(world.index.documents)
    erase = world.index.erase

    def and_late(field: str, value: str) -> int:
        world.index.erase = erase  # type: ignore[method-assign]
        deleted = erase(field, value)
        world.index.documents.update(late)
        sent = [(identity.conversation, identity.user_id)]
        world.database.write(lambda connection: sent_again(connection, sent))
        return deleted

    world.index.erase = and_late  # type: ignore[method-assign]
    world.work(rounds=1)
    assert world.step(tombstone) is Step.QUIET
    world.work()
    assert world.traces(identity) == []


# Crashes.


def test_one_process_erases_at_a_time_and_a_dead_ones_work_is_taken_over(world: World) -> None:
    identity = world.talks()
    tombstone = world.ask("conversation", identity.conversation)
    fuse = Fuse(at=6)
    with pytest.raises(Crash):
        world.new_erasure(fuse, holder="a living one").work()
    world.work()
    assert world.state(tombstone).done_at is None
    world.now += 60_000
    world.work()
    assert world.state(tombstone).done_at
    second = world.ask("user", identity.user_id)
    with pytest.raises(Crash):
        world.new_erasure(Fuse(at=6), holder="dead already").work()
    world.work()
    assert world.state(second).done_at


@pytest.mark.parametrize("kind", ["conversation", "user", "age"])
def test_a_crash_at_any_boundary_is_resumed_and_nothing_comes_back(tmp_path: Path, kind: str) -> None:
    boundary = 0
    crashed: list[str] = []
    while True:
        boundary += 1
        (tmp_path / str(boundary)).mkdir()
        world = World(tmp_path / str(boundary))
        gone = world.talks()
        world.now += 2 * DAY
        other = world.talks()
        subject = {"conversation": gone.conversation, "user": gone.user_id, "age": str(world.now - DAY)}[kind]
        world.database.write(lambda connection: connection.exec_driver_sql("UPDATE turns SET shipped_at = 1"))
        world.database.write(lambda connection: connection.exec_driver_sql("UPDATE feedback SET shipped_at = 1"))
        fuse = Fuse(boundary)
        first = world.new_erasure(fuse, holder="dead after a while")
        try:
            first.ask(kind, subject)  # type: ignore[arg-type]
            for _ in range(8):
                first.work()
                world.now += 1_000
        except Crash:
            crashed.append(fuse.where)
        if world.tombstones.newest():
            world.work(rounds=8)
            assert world.traces(gone) == [], fuse.where
            assert not world.tombstones.open(), fuse.where
        else:
            assert world.traces(gone) == EVERYWHERE, fuse.where
        assert world.traces(other) == EVERYWHERE, fuse.where
        world.database.close()
        if not fuse.where:
            break
    effects = {"delete", "save", "bury", "forget", "erase_before" if kind == "age" else "erase"}
    assert {f"{when} {name}" for name in effects for when in ("before", "after")} <= set(crashed)
