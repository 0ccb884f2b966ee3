"""A journal in trouble: answers go on for those who see them, nothing acknowledged is lost, nobody waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from app.chat.conversations import Conversations
from app.chat.identity import new_identity
from app.chat.interfaces import Delta, Finished, Trace
from app.chat.queue import TurnQueue
from app.chat.runner import Limits, Runner
from app.chat.turns import TurnState, UserMessage
from app.errors import ChatError, Code
from tests.fakes import Heard, MemoryJournal, ScriptedAssistant, in_threads, saying
from tests.running_server import wait_until

ME = new_identity()


class Trouble:
    """A chat whose journal can be broken, with an assistant that follows a script."""

    def __init__(self, assistant: ScriptedAssistant, *, answer_chars: int = 1000) -> None:
        self.journal, self.heard = MemoryJournal(), Heard()
        self.queue = TurnQueue(9, 9, 3)
        self.runner = Runner(
            self.queue, assistant, self.journal, self.heard, in_threads, Limits(60, 1000, answer_chars)
        )
        self.conversations = Conversations(self.journal, self.queue, self.runner, self.heard, lambda: 0)

    def say(self, text: str) -> str:
        return self.conversations.accept(ME, UserMessage(text, text)).turn.id

    def said(self, turn_id: str) -> str:
        return "".join(text for _, text in self.heard.pieces(turn_id))

    def state(self, turn_id: str) -> TurnState:
        return self.journal.kept[turn_id].state

    def ended(self, turn_id: str) -> TurnState:
        wait_until(lambda: any(end.id == turn_id for end in self.heard.ends()), "the turn ends")
        return self.state(turn_id)


def refused(work: Callable[[], object]) -> Code:
    with pytest.raises(ChatError) as caught:
        work()
    return caught.value.code


def test_a_running_answer_goes_on_and_its_end_waits() -> None:
    gate = threading.Event()
    chat = Trouble(ScriptedAssistant(Delta("one "), gate, Delta("two"), Finished()))
    turn_id = chat.say("hi")
    wait_until(lambda: chat.said(turn_id) == "one ", "it has begun")
    chat.journal.broken = True
    gate.set()
    wait_until(lambda: chat.said(turn_id) == "one two", "those who see it get the rest")
    wait_until(lambda: chat.journal.refused, "its end was tried")
    assert chat.heard.ends() == []
    chat.journal.broken = False
    assert chat.ended(turn_id) is TurnState.COMPLETE


def test_an_answer_does_not_end_because_its_place_cannot_be_recorded() -> None:
    gate = threading.Event()
    trace = Trace(thread_id="thread_1", run_id="run_1")
    chat = Trouble(ScriptedAssistant(Delta("one "), gate, trace, Delta("two"), Finished()))
    turn_id = chat.say("hi")
    wait_until(lambda: chat.said(turn_id) == "one ", "it has begun")
    chat.journal.broken = True
    gate.set()
    wait_until(lambda: chat.said(turn_id) == "one two", "it goes on")
    chat.journal.broken = False
    assert chat.ended(turn_id) is TurnState.COMPLETE
    assert chat.journal.kept[turn_id].thread_id == "thread_1"


def test_a_stop_that_cannot_be_recorded_is_refused_and_ends_the_answer_all_the_same() -> None:
    assistant = ScriptedAssistant(Delta("one "), *(threading.Event() for _ in range(3)))
    chat = Trouble(assistant)
    turn_id = chat.say("hi")
    wait_until(lambda: chat.said(turn_id) == "one ", "it has begun")
    chat.journal.broken = True
    assert refused(lambda: chat.conversations.stop(ME, turn_id)) is Code.JOURNAL_UNAVAILABLE
    wait_until(lambda: assistant.questions[0].cancellation.cancelled, "the assistant is told")
    assert chat.state(turn_id) is TurnState.RUNNING
    chat.journal.broken = False
    assert chat.ended(turn_id) is TurnState.STOPPED


def test_a_waiting_turn_whose_stop_cannot_be_recorded_never_reaches_the_assistant() -> None:
    assistant = ScriptedAssistant(Delta("one "), gate := threading.Event(), Finished())
    chat = Trouble(assistant)
    running, waiting = chat.say("hi"), chat.say("and then?")
    wait_until(lambda: chat.said(running) == "one ", "the first has begun")
    chat.journal.broken = True
    assert refused(lambda: chat.conversations.stop(ME, waiting)) is Code.JOURNAL_UNAVAILABLE
    chat.journal.broken = False
    gate.set()
    assert chat.ended(waiting) is TurnState.STOPPED
    assert chat.ended(running) is TurnState.COMPLETE
    assert len(assistant.questions) == 1


def test_a_turn_starts_when_the_journal_is_there_again() -> None:
    chat = Trouble(saying("hello"))
    accepted = chat.journal.accept

    def accept_and_break(*arguments: object) -> object:
        turn = accepted(*arguments)  # type: ignore[arg-type]
        chat.journal.broken = True
        return turn

    chat.journal.accept = accept_and_break  # type: ignore[method-assign,assignment]
    turn_id = chat.say("hi")
    wait_until(lambda: chat.journal.refused, "its start was tried")
    assert chat.heard.ends() == []
    chat.journal.broken = False
    assert chat.ended(turn_id) is TurnState.COMPLETE


def test_a_stop_by_way_of_another_worker_is_heard() -> None:
    chat = Trouble(ScriptedAssistant(Delta("one "), *(threading.Event() for _ in range(3))))
    running, waiting = chat.say("hi"), chat.say("and then?")
    wait_until(lambda: chat.said(running) == "one ", "it has begun")
    chat.journal.request_stop(waiting, 0)
    assert chat.ended(waiting) is TurnState.STOPPED
    chat.journal.request_stop(running, 0)
    assert chat.ended(running) is TurnState.STOPPED


def test_a_completed_text_past_the_limit_is_cut_off_too() -> None:
    chat = Trouble(ScriptedAssistant(Delta("x"), Finished(text="y" * 300)), answer_chars=100)
    turn_id = chat.say("hi")
    assert chat.ended(turn_id) is TurnState.TRUNCATED
    assert chat.journal.kept[turn_id].answer == "y" * 100


def test_an_interruption_waits_for_no_journal() -> None:
    chat = Trouble(ScriptedAssistant(Delta("one "), *(threading.Event() for _ in range(3))))
    running, waiting = chat.say("hi"), chat.say("and then?")
    wait_until(lambda: chat.said(running) == "one ", "it has begun")
    chat.journal.broken = True
    chat.runner.interrupt()
    wait_until(lambda: chat.runner.unrecorded == 2, "both ends are tried")
    chat.journal.broken = False
    assert chat.ended(running) is chat.ended(waiting) is TurnState.INTERRUPTED
    wait_until(lambda: chat.runner.unrecorded == 0, "nothing is left")


def test_a_closed_queue_takes_nothing_new_and_still_knows_its_own() -> None:
    chat = Trouble(saying("once"))
    turn_id = chat.say("hi")
    chat.queue.closed = True
    assert refused(lambda: chat.say("hello")) is Code.RESTARTING
    assert chat.say("hi") == turn_id


def test_an_answer_that_grows_past_its_limit_is_cut_off() -> None:
    assistant = saying(*["x" * 40] * 1000)
    chat = Trouble(assistant, answer_chars=100)
    turn_id = chat.say("hi")
    assert chat.ended(turn_id) is TurnState.TRUNCATED
    assert chat.journal.kept[turn_id].answer == "x" * 100
    wait_until(lambda: assistant.left, "the assistant is not read any more")


def test_a_turn_waits_while_another_worker_has_an_earlier_one() -> None:
    chat = Trouble(saying("hello"))
    elsewhere = chat.journal.accept(ME, UserMessage("earlier", "earlier"), "elsewhere", 0)
    turn_id = chat.say("hi")
    wait_until(lambda: chat.queue.running == 1, "it has its place")
    assert not chat.heard.pieces(turn_id)
    chat.journal.start(elsewhere.id, 0)
    chat.journal.finish(replace(elsewhere, state=TurnState.COMPLETE, finished_at=1))
    assert chat.ended(turn_id) is TurnState.COMPLETE
