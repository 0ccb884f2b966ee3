"""Accepting, running, stopping: the conversations with everything around them in memory."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Any

import pytest

from app.chat.clock import Clock
from app.chat.conversations import Conversations
from app.chat.identity import Identity, new_identity
from app.chat.interfaces import Delta, Event, Finished, Reasoning
from app.chat.queue import TurnQueue
from app.chat.runner import Limits, Runner
from app.chat.turns import Turn, TurnState, UserMessage
from app.errors import AssistantError, ChatError, Code
from tests.fakes import Heard, MemoryJournal, ScriptedAssistant, in_threads, saying
from tests.running_server import wait_until

ME = new_identity()


@dataclass
class House:
    """A chat without a server."""

    conversations: Conversations
    journal: MemoryJournal
    heard: Heard

    def say(self, text: str, client_id: str | None = None, identity: Identity = ME) -> Turn:
        return self.conversations.accept(identity, UserMessage(text, client_id or text)).turn

    def ended(self, turn: Turn) -> Turn:
        wait_until(lambda: any(end.id == turn.id for end in self.heard.ends()), f"turn {turn.text!r} ends")
        return next(end for end in self.heard.ends() if end.id == turn.id)


def house(assistant: ScriptedAssistant, *, running: int = 9, queue: int = 3, deadline: float = 60) -> House:
    journal, heard = MemoryJournal(), Heard()
    turns = TurnQueue(running, 9, queue)
    clock = Clock()
    runner = Runner(turns, assistant, journal, heard, in_threads, Limits(deadline), clock)
    return House(Conversations(journal, turns, runner, heard, clock.utc), journal, heard)


def test_a_message_is_answered_and_its_end_is_in_the_journal_before_it_is_told() -> None:
    chat = house(saying("Hello ", "you"))
    turn = chat.say("hi")
    ended = chat.ended(turn)
    assert (ended.state, ended.answer) == (TurnState.COMPLETE, "Hello you")
    assert chat.journal.kept[turn.id] == ended
    assert chat.heard.events[0] == ("started", turn.id, "hi")


@pytest.mark.parametrize("state", ["complete", "truncated"])
@pytest.mark.parametrize("events", [[], [Delta(" ")], [Reasoning("Only thoughts.")]])
def test_an_answer_without_text_is_never_complete_and_says_why(state: Any, events: list[Event]) -> None:
    chat = house(ScriptedAssistant(*events, Finished(state)))
    ended = chat.ended(chat.say("hi"))
    assert ended.state is TurnState.FAILED
    assert ended.error is not None
    assert ended.error.code == "assistant_empty"


def test_the_same_message_again_is_the_same_turn() -> None:
    assistant = saying("once")
    chat = house(assistant)
    first = chat.conversations.accept(ME, UserMessage("hi", "k"))
    chat.ended(first.turn)
    second = chat.conversations.accept(ME, UserMessage("hi", "k"))
    assert (second.turn.id, second.duplicate) == (first.turn.id, True)
    assert len(assistant.questions) == 1


def test_a_client_id_used_for_another_text_is_refused() -> None:
    chat = house(saying("x"))
    chat.say("hi", "k")
    with pytest.raises(ChatError) as refused:
        chat.say("something else", "k")
    assert refused.value.code == "bad_payload"


def test_turns_of_a_conversation_run_one_after_another_with_their_history() -> None:
    gate = threading.Event()
    assistant = ScriptedAssistant(Delta("A"), gate, Finished())
    chat = house(assistant)
    first, second = chat.say("one"), chat.say("two")
    wait_until(lambda: ("status", second.id, "queued") in chat.heard.events, "the second waits")
    wait_until(lambda: chat.heard.pieces(first.id), "the first is being answered")
    assert len(assistant.questions) == 1
    gate.set()
    chat.ended(first)
    chat.ended(second)
    assert [(e.question, e.answer) for e in assistant.questions[1].history] == [("one", "A")]


def test_a_stop_ends_an_answer_whose_assistant_says_nothing() -> None:
    never = threading.Event()
    assistant = ScriptedAssistant(never)
    chat = house(assistant)
    turn = chat.say("hi")
    wait_until(lambda: assistant.questions, "the assistant is asked")
    assert chat.conversations.stop(ME, None) is TurnState.STOPPED
    assert chat.ended(turn).answer == ""
    assert assistant.questions[0].cancellation.cancelled
    following = chat.say("next")
    never.set()
    chat.ended(following)


def test_a_waiting_turn_can_be_stopped_and_never_reaches_the_assistant() -> None:
    gate = threading.Event()
    assistant = ScriptedAssistant(gate, Finished())
    chat = house(assistant)
    first, second = chat.say("one"), chat.say("two")
    assert chat.conversations.stop(ME, second.id) is TurnState.STOPPED
    assert chat.conversations.stop(ME, second.id) is TurnState.STOPPED
    gate.set()
    chat.ended(first)
    assert chat.ended(second).state is TurnState.STOPPED
    assert [question.text for question in assistant.questions] == ["one"]


def test_a_stop_without_a_turn_names_the_last_one_when_all_have_ended() -> None:
    chat = house(saying("x"))
    with pytest.raises(ChatError):
        chat.conversations.stop(ME, None)
    chat.ended(chat.say("hi"))
    assert chat.conversations.stop(ME, None) is TurnState.COMPLETE


def test_a_stream_that_just_ends_has_failed() -> None:
    chat = house(ScriptedAssistant(Delta("half an ans")))
    ended = chat.ended(chat.say("hi"))
    assert (ended.state, ended.answer) == (TurnState.FAILED, "half an ans")
    assert ended.error is not None
    assert ended.error.code == "assistant_unavailable"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (AssistantError(Code.ASSISTANT_BUSY, "busy"), "assistant_busy"),
        (RuntimeError("a bug"), "internal"),
    ],
)
def test_a_fault_of_the_assistant_fails_the_turn_and_the_conversation_goes_on(fault: Exception, code: str) -> None:
    assistant = ScriptedAssistant(Delta("a"), fault)
    chat = house(assistant)
    ended = chat.ended(chat.say("hi"))
    assert ended.state is TurnState.FAILED
    assert ended.error is not None
    assert ended.error.code == code
    assistant.script = (Delta("fine"), Finished())
    assert chat.ended(chat.say("again")).state is TurnState.COMPLETE


def test_an_answer_past_its_deadline_fails() -> None:
    never = threading.Event()
    chat = house(ScriptedAssistant(Delta("a"), never), deadline=0.1)
    ended = chat.ended(chat.say("hi"))
    never.set()
    assert ended.error is not None
    assert (ended.state, ended.error.code) == (TurnState.FAILED, "deadline_exceeded")


def test_text_of_a_running_turn_is_kept_about_once_a_second() -> None:
    gate = threading.Event()
    chat = house(ScriptedAssistant(Delta("so far"), gate, Finished()))
    turn = chat.say("hi")
    wait_until(lambda: chat.journal.kept[turn.id].answer == "so far", "the text is kept while it runs")
    assert chat.journal.kept[turn.id].state is TurnState.RUNNING
    gate.set()
    chat.ended(turn)


def test_a_message_that_cannot_be_recorded_is_refused_and_may_be_sent_again() -> None:
    chat = house(saying("x"))
    chat.journal.broken = True
    with pytest.raises(ChatError) as refused:
        chat.say("hi", "k")
    assert refused.value.code == "journal_unavailable"
    assert chat.heard.events == []
    chat.journal.broken = False
    chat.ended(chat.say("hi", "k"))


def test_a_turn_that_somebody_else_ended_first_keeps_that_end() -> None:
    gate = threading.Event()
    chat = house(ScriptedAssistant(Delta("a"), gate, Finished()))
    turn = chat.say("hi")
    wait_until(lambda: chat.journal.kept[turn.id].state is TurnState.RUNNING, "it runs")
    chat.journal.kept[turn.id] = replace(chat.journal.kept[turn.id], state=TurnState.INTERRUPTED, answer="")
    gate.set()
    assert chat.ended(turn).state is TurnState.INTERRUPTED


def test_somebody_elses_conversation_is_closed_to_others() -> None:
    chat = house(saying("x"))
    turn = chat.say("mine")
    chat.ended(turn)
    stranger = Identity(ME.conversation, "somebody else")
    for attempt in (
        lambda: chat.say("let me in", identity=stranger),
        lambda: chat.conversations.turn(stranger, turn.id),
        lambda: chat.conversations.rate(stranger, turn.id, "up", None),
        lambda: chat.conversations.stop(stranger, turn.id),
        lambda: chat.conversations.turns(stranger, before=turn.id),
    ):
        with pytest.raises(ChatError):
            attempt()
    assert chat.conversations.turns(stranger) == ([], False)
    assert chat.conversations.running_turn(stranger) is None


def test_as_many_turns_run_at_once_as_the_worker_may() -> None:
    gate = threading.Event()
    assistant = ScriptedAssistant(Delta("a"), gate, Finished())
    chat = house(assistant, running=2)
    turns = [chat.say(f"hi {n}", identity=new_identity()) for n in range(3)]
    wait_until(lambda: len(assistant.questions) == 2, "two run")
    assert ("status", turns[2].id, "queued") in chat.heard.events
    gate.set()
    for turn in turns:
        chat.ended(turn)
