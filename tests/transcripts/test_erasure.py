"""Erasure: everything of a conversation or of a user is gone, everywhere, and what operators and users are told."""

from __future__ import annotations

import logging
import threading

import pytest

from app.chat.identity import Identity, new_identity
from app.chat.turns import UserMessage
from app.errors import AssistantError, ChatError, ChatServerError, Code
from app.transcripts.outbox import Outbox
from app.transcripts.records import Service
from app.transcripts.tombstones import Step, Tombstone, sent_again
from tests.running_server import PATIENCE
from tests.transcripts import forgotten
from tests.transcripts.forgotten import EVERYWHERE, World

world = forgotten.world

USER = "b5751001-7822-4374-9cb8-502a2dbef150"


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


# What operators are told.


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


def test_the_log_has_too_little_of_an_id_to_use_it() -> None:
    shown = {str(Tombstone(1, "user", subject, 0)) for subject in ("ada@example.com", "ada", "7", USER)}
    assert shown == {
        "erasure 1 (user ada@exa…)",
        "erasure 1 (user a…)",
        "erasure 1 (user …)",
        "erasure 1 (user b5751001…)",
    }


# Users who sign in.


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
