"""Erasure step by step: in its order, over crashes, with parts that cannot be reached, and nothing comes back."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from app.chat.identity import Identity, new_identity
from app.chat.turns import UserMessage
from app.errors import AssistantError, ChatError, ChatServerError, Code
from app.transcripts.outbox import Outbox
from app.transcripts.records import Service
from app.transcripts.tombstones import Step, Tombstone, sent_again
from tests.running_server import PATIENCE
from tests.transcripts.forgotten import DAY, EVERYWHERE, UNREACHABLE, Crash, Fuse, World

USER = "b5751001-7822-4374-9cb8-502a2dbef150"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_conversation_is_erased_everywhere_and_its_neighbours_stay(world: World) -> None:
    gone, user = world.talks(), new_identity().user_id
    other = world.talks(Identity(new_identity().conversation, user))
    tombstone = world.ask("conversation", gone.conversation)
    world.work()
    assert world.traces(gone) == []
    assert world.traces(other) == EVERYWHERE
    assert world.state(tombstone).done_at


def test_everything_of_a_user_is_erased_however_many_conversations(world: World) -> None:
    user = new_identity().user_id
    many = [world.talks(Identity(new_identity().conversation, user), "secret") for _ in range(45)]
    stranger = world.talks()
    tombstone = world.ask("user", user)
    world.work()
    assert all(world.traces(identity) == [] for identity in many)
    assert world.traces(stranger) == EVERYWHERE
    assert world.state(tombstone).done_at


def test_nothing_of_the_text_is_left_in_the_journals_files(world: World) -> None:
    gone = world.talks(None, "secret-of-somebody")
    other = world.talks(None, "kept-of-somebody-else")
    assert world.files_have("secret-of-somebody")
    world.ask("conversation", gone.conversation)
    world.work()
    assert not world.files_have("secret-of-somebody")
    assert not world.files_have(f"thread-{gone.conversation}") or not world.threads.threads.get(gone.conversation)
    assert world.files_have("kept-of-somebody-else")
    assert world.traces(other) == EVERYWHERE


def test_a_key_that_may_not_delete_is_noticed_before_anything_is_touched(world: World) -> None:
    identity = world.talks()
    world.index.refuses = ChatServerError("this key may not delete")
    with pytest.raises(ChatServerError, match="may not delete"):
        world.erasure.ask("conversation", identity.conversation)
    assert world.tombstones.newest() == 0
    assert world.traces(identity) == EVERYWHERE


def test_what_would_go_is_counted_and_not_touched(world: World) -> None:
    identity = world.talks()
    counts = world.erasure.count("user", identity.user_id)
    assert (counts.conversations, counts.turns, counts.documents) == (1, 2, 2)
    assert world.traces(identity) == EVERYWHERE
    assert world.tombstones.newest() == 0


def test_from_the_tombstone_on_nothing_is_accepted_or_rated(world: World) -> None:
    identity = world.talks()
    turn = world.journal.find(identity.conversation, "secret-one")
    assert turn is not None
    world.erasure.ask("user", identity.user_id)
    for message in (UserMessage("new", "new"), UserMessage("newer", "newer")):
        with pytest.raises(ChatError) as refused:
            world.journal.accept(identity, message, "id", world.now)
        assert refused.value.code == Code.ERASED
    world.work()
    with pytest.raises(ChatError) as refused:
        world.journal.rate(turn.id, "down", "late", world.now)
    assert refused.value.code == Code.UNKNOWN_TURN
    with pytest.raises(ChatError):
        world.journal.accept(identity, UserMessage("new", "new"), "id", world.now)


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


@pytest.mark.parametrize("why", ["another assistant", "no such route"])
def test_what_cannot_be_deleted_on_the_other_side_is_said_and_not_waited_for(
    world: World, caplog: pytest.LogCaptureFixture, why: str
) -> None:
    identity = world.talks()
    if why == "another assistant":
        world.threads.name = "conversation"
    else:
        world.threads.fails = AssistantError(Code.ASSISTANT_MISCONFIGURED, "sorry", no_such_route=True)
    tombstone = world.ask("conversation", identity.conversation)
    world.work()
    assert f"thread-{identity.conversation} of threads stays there" in caplog.text
    assert world.state(tombstone).done_at


def test_the_audit_line_has_the_number_and_enough_of_the_id_and_no_content(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    identity = world.talks()
    with caplog.at_level(logging.INFO):
        tombstone = world.ask("user", identity.user_id)
        world.work()
    name = f"erasure {tombstone.id} (user {identity.user_id[:8]}…)"
    assert [line for line in caplog.messages if line.startswith(f"{name}: done")]
    assert f"{name}: asked for" in caplog.messages
    assert identity.user_id not in caplog.text
    assert "secret" not in caplog.text


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


def test_an_operator_is_told_what_went_and_what_is_waited_for(world: World) -> None:
    identity = world.talks()
    eraser = world.eraser()
    counted = eraser.erase("user", identity.user_id.upper(), True)
    assert counted == {"dry_run": True, "conversations": 1, "turns": 2, "documents": 2}
    told = eraser.erase("user", identity.user_id, False, patience=0.1)
    assert (told["done"], told["turns"]) == (False, 2)
    assert "server" in told["waits_for"]
    ending = threading.Timer(0.05, world.work)
    ending.start()
    again = eraser.erase("user", identity.user_id, False, patience=PATIENCE)
    ending.join()
    assert (again["done"], again["erasure"]) == (True, told["erasure"])
    with pytest.raises(ValueError, match="not the id"):
        eraser.erase("conversation", "somebody", True)
    for nobody in ("", "x" * 201, "two\nlines", "\x1b[2J", "\ud800"):
        with pytest.raises(ValueError, match="not the id"):
            eraser.erase("user", nobody, True)


@pytest.mark.parametrize("elastic", [True, False])
def test_a_signed_in_user_comes_back_under_the_same_id_and_what_was_erased_does_not(
    world: World, elastic: bool
) -> None:
    world.erasure = world.new_erasure(elastic=elastic)
    gone = world.talks(new_identity("ada@example.com"))
    namesake = world.talks(Identity(new_identity().conversation, "ada@example.com", by_client=True))
    tombstone = world.ask("user", "ada@example.com")
    with pytest.raises(ChatError):
        world.says(gone.in_new_conversation(), "too early")
    world.work()
    assert world.state(tombstone).done_at
    for identity in (gone, namesake):
        assert "journal" not in world.traces(identity)
        assert world.tombstones.covers(identity)
        with pytest.raises(ChatError) as refused:
            world.says(identity, "again")
        assert refused.value.code == Code.ERASED
    back = world.talks(gone.in_new_conversation())
    assert world.tombstones.covers(Identity(back.conversation, back.user_id))
    world.now += 400_000
    world.work()
    assert "journal" in world.traces(back)
    world.ask("user", "ada@example.com")
    world.work()
    assert "journal" not in world.traces(back)


def test_a_signed_in_user_who_is_erased_has_nothing_sent_until_the_second_look(world: World) -> None:
    outbox = Outbox(world.database, "w", Service("chat", "1", "demo"))
    gone = world.talks(new_identity("ada"))
    tombstone = world.ask("user", "ada")
    world.work()
    assert world.step(tombstone) is Step.ELASTICSEARCH
    back = world.talks(gone.in_new_conversation())
    assert outbox.pending() == []
    world.now += 400_000
    world.work()
    assert world.step(tombstone) is Step.LOOKED
    assert {entry.subject.conversation for entry in outbox.pending()} == {back.conversation}


def test_a_late_document_of_a_signed_in_user_takes_only_its_own_conversation_along(world: World) -> None:
    gone = world.talks(new_identity("ada"))
    world.ask("user", "ada")
    world.work()
    back = world.talks(gone.in_new_conversation())
    world.database.write(lambda connection: sent_again(connection, [(gone.conversation, "ada")]))
    world.index.documents["late"] = (gone.conversation, "ada", world.now)
    world.work()
    assert "late" not in world.index.documents
    assert world.traces(back) == EVERYWHERE


def test_the_log_has_too_little_of_an_id_to_use_it() -> None:
    shown = {str(Tombstone(1, "user", subject, 0)) for subject in ("ada@example.com", "ada", "7", USER)}
    assert shown == {
        "erasure 1 (user ada@exa…)",
        "erasure 1 (user a…)",
        "erasure 1 (user …)",
        "erasure 1 (user b5751001…)",
    }


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
