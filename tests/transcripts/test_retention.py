"""What is erased by its age: conversations that were quiet for as many days as are kept."""

from __future__ import annotations

import pytest

from app.errors import ChatServerError
from tests.transcripts import forgotten
from tests.transcripts.forgotten import DAY, EVERYWHERE, World

world = forgotten.world


def test_quiet_conversations_are_forgotten_after_the_days_of_retention(world: World) -> None:
    old = [world.talks(None, "secret-old") for _ in range(130)]
    resumed = world.talks()
    unfinished = world.talks()
    world.journal.start(world.says(unfinished, "still running").id, world.now)
    world.now += 20 * DAY
    world.talks(resumed, "again")
    rated = world.talks()
    world.database.write(lambda connection: connection.exec_driver_sql("UPDATE turns SET shipped_at = 1"))
    world.database.write(lambda connection: connection.exec_driver_sql("UPDATE feedback SET shipped_at = 1"))
    world.workers = {"me": 0}
    eraser = world.eraser(retention_days=10, keep_aged=30 * DAY)
    eraser.look()
    world.work(rounds=8)
    assert all(world.traces(identity) == [] for identity in old)
    assert world.traces(resumed) == world.traces(rated) == EVERYWHERE
    assert "journal" in world.traces(unfinished)
    assert not world.tombstones.open()
    assert world.tombstones.covers(old[0])
    eraser.look()
    assert not world.tombstones.open()
    world.now += 40 * DAY
    eraser.look()
    world.work(rounds=8)
    assert world.traces(rated) == []
    assert "journal" in world.traces(unfinished)
    assert not world.tombstones.covers(old[0])


def test_retention_leaves_elasticsearch_alone_while_that_lacks_something_of_an_old_conversation(world: World) -> None:
    going_on = world.talks()
    old = world.talks()
    world.now += 20 * DAY
    turn = world.says(going_on, "unshipped")
    world.eraser(retention_days=10).look()
    world.work()
    assert world.traces(old) == ["elasticsearch"]
    assert world.traces(going_on) == EVERYWHERE
    shipped = f"UPDATE turns SET shipped_at = 1, state = 'complete', finished_at = {world.now}"
    for statement in (shipped, "UPDATE feedback SET shipped_at = 1"):
        world.database.write(lambda connection, statement=statement: connection.exec_driver_sql(statement))
    found = world.journal.turn(going_on.conversation, turn.id)
    assert found is not None
    world.index.add(found)
    world.work()
    assert world.traces(old) == []
    assert world.traces(going_on) == EVERYWHERE


def test_retention_without_elasticsearch_and_with_a_key_that_may_not(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    old = world.talks()
    world.now += 20 * DAY
    world.index.refuses = ChatServerError("this key may not delete")
    world.eraser(retention_days=10).look()
    assert "RETENTION_DAYS: nothing can be erased at the moment: this key may not delete" in caplog.text
    assert world.tombstones.newest() == 0
    world.erasure = world.new_erasure(elastic=False)
    world.eraser(retention_days=10).look()
    world.work()
    assert world.traces(old) == ["elasticsearch"]
    assert not world.tombstones.open()


def test_the_number_of_an_erasure_is_never_given_twice(world: World) -> None:
    identities = [world.talks(None, "old") for _ in range(3)]
    world.now += 20 * DAY
    eraser = world.eraser(retention_days=10, keep_aged=DAY)
    eraser.look()
    world.database.write(lambda connection: connection.exec_driver_sql("UPDATE turns SET shipped_at = 1"))
    world.database.write(lambda connection: connection.exec_driver_sql("UPDATE feedback SET shipped_at = 1"))
    world.work(rounds=8)
    newest = world.tombstones.newest()
    world.now += 5 * DAY
    eraser.look()
    assert world.tombstones.newest() == newest
    assert world.ask("conversation", identities[0].conversation).id == newest + 1
