from __future__ import annotations

import pytest

from app.chat.queue import TurnQueue
from app.chat.turns import Turn
from app.errors import ChatError


def turn(name: str, conversation: str = "c") -> Turn:
    return Turn(name, conversation, "u", 0, name, "text", 0)


def test_turns_start_in_the_order_in_which_they_came() -> None:
    queue = TurnQueue(max_running=2, max_waiting=9, per_conversation=9)
    for name in "abc":
        queue.put(turn(name, conversation=name))
    assert [queue.next(), queue.next(), queue.next()] == [turn("a", "a"), turn("b", "b"), None]
    queue.done(turn("a", "a"))
    assert queue.next() == turn("c", "c")


def test_a_conversation_has_one_running_turn() -> None:
    queue = TurnQueue(max_running=9, max_waiting=9, per_conversation=9)
    for one in (turn("a1", "a"), turn("a2", "a"), turn("b1", "b")):
        queue.put(one)
    assert queue.next() == turn("a1", "a")
    assert queue.next() == turn("b1", "b")
    assert queue.next() is None
    queue.done(turn("a1", "a"))
    assert queue.next() == turn("a2", "a")


def test_a_conversation_with_too_many_waiting_turns_is_busy() -> None:
    queue = TurnQueue(max_running=9, max_waiting=9, per_conversation=1)
    queue.check_room("c")
    queue.put(turn("a"))
    queue.next()
    queue.check_room("c")
    queue.put(turn("b"))
    with pytest.raises(ChatError) as refused:
        queue.check_room("c")
    assert refused.value.code == "busy"
    assert refused.value.retry_after
    queue.check_room("another")


def test_without_a_queue_a_second_message_is_busy() -> None:
    queue = TurnQueue(max_running=9, max_waiting=9, per_conversation=0)
    queue.put(turn("a"))
    with pytest.raises(ChatError):
        queue.check_room("c")


def test_a_full_worker_is_busy_for_everybody() -> None:
    queue = TurnQueue(max_running=1, max_waiting=1, per_conversation=9)
    queue.put(turn("a", "a"))
    queue.next()
    queue.check_room("b")
    queue.put(turn("b", "b"))
    with pytest.raises(ChatError) as refused:
        queue.check_room("c")
    assert refused.value.code == "busy"


def test_a_waiting_turn_can_be_withdrawn_once() -> None:
    queue = TurnQueue(max_running=1, max_waiting=9, per_conversation=1)
    queue.put(turn("a"))
    queue.next()
    queue.put(turn("b"))
    assert queue.withdraw("b") == turn("b")
    assert queue.withdraw("b") is None
    assert queue.withdraw("a") is None
    queue.check_room("c")
