"""What an erasure waits for, and for how long: server processes, turns, batches, Elasticsearch, the assistant."""

from __future__ import annotations

import logging

import pytest

from app.errors import ChatServerError
from app.transcripts.tombstones import Step
from tests.transcripts import forgotten
from tests.transcripts.forgotten import DAY, EVERYWHERE, UNREACHABLE, World

world = forgotten.world


def test_it_waits_for_every_living_server_process(world: World) -> None:
    identity = world.talks()
    world.workers = {"me": 0, "neighbour": 0}
    tombstone = world.erasure.ask("conversation", identity.conversation)
    world.erasure.work()
    world.workers["me"] = tombstone.id
    world.erasure.work()
    assert (world.step(tombstone), world.traces(identity)) == (Step.ASKED, EVERYWHERE)
    del world.workers["neighbour"]
    world.work()
    assert world.traces(identity) == []


def test_it_waits_for_the_end_of_a_running_turn_but_not_for_one_that_a_dead_worker_left(world: World) -> None:
    identity = world.talks()
    world.journal.start(world.says(identity, "running").id, world.now)
    world.workers = {"me": 0}
    tombstone = world.ask("conversation", identity.conversation)
    world.work()
    assert world.step(tombstone) is Step.ASKED
    world.workers = {}
    world.work()
    assert world.traces(identity) == []


def test_it_waits_for_a_batch_that_is_under_way_and_not_for_later_ones(world: World) -> None:
    identity = world.talks()
    world.send_batch(seconds=60)
    tombstone = world.ask("conversation", identity.conversation)
    world.work()
    assert (world.step(tombstone), world.traces(identity)) == (Step.TOLD, EVERYWHERE)
    world.send_batch(seconds=60)
    world.work()
    assert world.traces(identity) == []


def test_a_batch_of_which_nobody_hears_any_more_is_waited_for_until_its_time_is_over(world: World) -> None:
    identity = world.talks()
    world.send_batch(seconds=60)
    tombstone = world.ask("conversation", identity.conversation)
    world.work()
    assert world.step(tombstone) is Step.TOLD
    world.now += 60_000
    world.work()
    assert world.state(tombstone).done_at


def test_elasticsearch_that_is_away_holds_up_its_own_part_only_and_is_asked_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    identity = world.talks()
    tombstone = world.ask("conversation", identity.conversation)
    world.index.refuses = ChatServerError("not reachable")
    with caplog.at_level(logging.INFO):
        world.work(rounds=20)
    assert world.traces(identity) == ["elasticsearch"]
    assert world.index.calls.count("erase") <= 4
    assert caplog.text.count("not reachable") == 1
    world.index.refuses = None
    world.now += 300_000
    world.work()
    assert world.traces(identity) == []
    assert world.state(tombstone).done_at


def test_an_assistant_that_is_away_holds_nothing_up_and_is_asked_again(world: World) -> None:
    identity = world.talks()
    world.threads.fails = UNREACHABLE
    tombstone = world.ask("conversation", identity.conversation)
    world.work(rounds=20)
    assert world.traces(identity) == ["threads"]
    assert world.state(tombstone).done_at is None
    world.threads.fails = None
    world.now += 300_000
    world.work()
    assert world.traces(identity) == []
    assert world.state(tombstone).done_at


def test_what_was_erased_while_elasticsearch_was_switched_off_goes_when_it_is_on_again(world: World) -> None:
    gone, other = world.talks(), world.talks()
    world.erasure = world.new_erasure(elastic=False)
    tombstone = world.ask("conversation", gone.conversation)
    world.work()
    assert world.state(tombstone).done_at
    assert world.traces(gone) == ["elasticsearch"]
    world.now += DAY
    world.erasure = world.new_erasure()
    world.work()
    assert world.traces(gone) == []
    assert world.traces(other) == EVERYWHERE


def test_asked_again_while_elasticsearch_is_away_it_says_how_it_stands(world: World) -> None:
    identity = world.talks()
    tombstone = world.ask("conversation", identity.conversation)
    world.index.refuses = UNREACHABLE
    world.work()
    again = world.eraser().erase("conversation", identity.conversation, False, patience=0.1)
    assert again == {"erasure": tombstone.id, "done": False, "waits_for": "Elasticsearch"}
