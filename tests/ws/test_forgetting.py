"""A server process's part in an erasure: turns end as stopped, clients are let go, pieces dropped; then it says so."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from app.chat.clock import Clock
from app.chat.conversations import Conversations
from app.chat.identity import Identity, Tokens, new_identity
from app.chat.interfaces import Delta, Finished
from app.chat.queue import TurnQueue
from app.chat.runner import Limits, Runner
from app.chat.turns import Turn, TurnState, UserMessage
from app.chat.user_tokens import UserTokens
from app.errors import ChatError, Code, JournalError
from app.transcripts.subjects import Subjects
from app.transcripts.tombstones import Kind
from app.web.metrics import Metrics
from tests.fakes import ScriptedAssistant, in_threads
from tests.running_server import wait_until
from tests.transcripts.forgotten import World
from tests.user_tokens import SECRET, user_token_of
from ws.clients import Clients
from ws.emitter import Emitter
from ws.entrance import Entrance
from ws.forgetting import Forgetting
from ws.live import MemoryReplay
from ws.payloads import Hello


@dataclass
class Process:
    """A chat with a real journal, as far as erasure goes. Its assistant says one word and then waits at `gate`."""

    world: World
    gate: threading.Event = field(default_factory=threading.Event)
    noted: list[int] = field(default_factory=list)
    dismissed: list[tuple[str, Code]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.journal, self.replay = self.world.journal, MemoryReplay()
        self.queue = TurnQueue(9, 9, 3)
        listener = Emitter(lambda *_arguments, **_named: None, self.replay, Metrics())
        assistant = ScriptedAssistant(Delta("word "), self.gate, Finished())
        runner = Runner(self.queue, assistant, self.journal, listener, in_threads, Limits(), Clock())
        self.conversations = Conversations(self.journal, self.queue, runner, listener, Clock().utc)
        self.tokens = Tokens(["a-key-of-this-test"], 1000)
        erased = self.world.tombstones.covers
        self.user_tokens = UserTokens([SECRET])
        self.entrance = Entrance(self.tokens, self.user_tokens, self.journal, trust_client_ids=True, erased=erased)
        self.clients = Clients(self.tokens, erased=erased)
        self.forgetting = Forgetting(
            self.world.tombstones, Subjects(self.world.database), "me", self.noted.append,
            conversations=self.conversations, clients=self.clients, replay=self.replay,
            dismiss=lambda sid, error: self.dismissed.append((sid, error.code)),
        )  # fmt: skip

    def connects(self, sid: str, identity: Identity) -> None:
        """With its token and, signed in, its user token."""
        user_token = user_token_of(identity.user_id) if identity.signed_in else None
        hello = Hello(1, self.tokens.sign(identity), user_token=user_token)
        self.clients.welcome(sid, self.entrance.client(hello, ""), {})

    def says(self, identity: Identity, text: str) -> Turn:
        return self.conversations.accept(identity, UserMessage(text, text)).turn

    def has_pieces(self, turn: Turn) -> bool:
        return self.replay.snapshot(turn.id).text != ""

    def state(self, turn: Turn) -> TurnState:
        found = self.journal.turn(turn.conversation, turn.id)
        assert found is not None
        return found.state

    def ask(self, kind: Kind, subject: str) -> int:
        return self.world.erasure.ask(kind, subject).id


@pytest.fixture
def process(tmp_path: Path) -> Process:
    return Process(World(tmp_path))


def test_running_and_waiting_turns_end_as_stopped_and_those_of_others_go_on(process: Process) -> None:
    me, other = new_identity(), new_identity()
    running, waiting, theirs = process.says(me, "one"), process.says(me, "two"), process.says(other, "three")
    for turn in (running, theirs):
        wait_until(partial(process.has_pieces, turn), "pieces are there")
    process.connects("my tab", me)
    process.connects("my other tab", me)
    process.connects("theirs", other)
    number = process.ask("conversation", me.conversation)
    process.forgetting.look()
    assert process.state(running) is process.state(waiting) is TurnState.STOPPED
    assert process.dismissed == [("my tab", Code.ERASED), ("my other tab", Code.ERASED)]
    assert process.noted == [0, number]
    assert not process.has_pieces(running)
    assert process.has_pieces(theirs)
    assert process.state(theirs) is TurnState.RUNNING
    process.gate.set()


def test_a_user_is_found_in_all_conversations(process: Process) -> None:
    me = new_identity()
    process.connects("first", me)
    process.connects("second", me.in_new_conversation())
    process.ask("user", me.user_id)
    process.forgetting.look()
    assert [sid for sid, _ in process.dismissed] == ["first", "second"]


def test_it_is_not_said_before_a_turn_that_was_accepted_in_the_same_moment_has_ended(process: Process) -> None:
    me = new_identity()
    # In the journal already, and not yet in the queue.
    turn = process.journal.accept(me, UserMessage("text", "k"), "turn-1", 10)
    number = process.ask("conversation", me.conversation)
    process.forgetting.look()
    assert process.noted == [0]
    process.queue.put(turn)
    process.forgetting.look()
    assert process.noted == [0, number]
    assert process.state(turn) is TurnState.STOPPED


def test_a_journal_that_cannot_be_read_is_looked_at_again(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    me = new_identity()
    process.says(me, "text")
    number = process.ask("conversation", me.conversation)

    def locked(*_arguments: object) -> None:
        raise JournalError("locked", transient=True)

    with monkeypatch.context() as broken:
        broken.setattr(process.journal, "request_stop", locked)
        with pytest.raises(JournalError):
            process.forgetting.look()
        assert process.noted == [0]
    wait_until(lambda: not process.queue.running, "the turn ends all the same")
    process.forgetting.look()
    assert process.noted == [0, number]


def test_what_was_asked_for_before_the_process_began_needs_nothing_of_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = world.erasure.ask("conversation", new_identity().conversation).id
    assert Process(world).noted == [number]


def test_a_token_of_what_was_erased_is_an_invalid_one(process: Process) -> None:
    me = new_identity()
    process.ask("user", me.user_id)
    process.connects("again", me)
    client = process.clients.get("again")
    assert client.renewed == "invalid"
    assert client.identity.user_id != me.user_id
    query = f"conversationId={me.conversation}&userId={me.user_id}"
    named = process.entrance.client(Hello(), query)
    assert named.identity.conversation != me.conversation
    assert not named.identity.by_client


def test_a_client_that_came_in_the_moment_of_the_tombstone_gets_no_session(process: Process) -> None:
    me = new_identity()
    process.connects("in time", me)
    client = process.clients.get("in time")
    process.clients.check_not_erased(client)
    process.ask("conversation", me.conversation)
    with pytest.raises(ChatError) as refused:
        process.clients.check_not_erased(client)
    assert refused.value.code == Code.ERASED
