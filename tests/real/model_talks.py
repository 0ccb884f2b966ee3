"""Turns with a real model whose words mean nothing: what is seen to is how each turn ends."""

from __future__ import annotations

from typing import Any

from tests.chat_client import ChatClient, assert_whole
from tests.real.peers import CONTEXT, LONG
from tests.running_server import wait_until

ANSWERED = ("complete", "truncated")


def ended(client: ChatClient, turn_id: str) -> dict[str, Any]:
    """Wait for a turn's end, see that its pieces are its text: the `turn_finished`."""
    wait_until(lambda: client.all("turn_finished", turn_id), f"turn {turn_id} ends", LONG)
    finished = client.all("turn_finished", turn_id)[0]
    assert_whole(client.pieces(turn_id), finished)
    return finished


def answered(client: ChatClient, text: str) -> dict[str, Any]:
    """Say something, which must be answered."""
    finished = ended(client, client.say(text))
    assert finished["state"] in ANSWERED, finished
    assert finished["text"], finished
    return finished


def failed(client: ChatClient, text: str, code: str) -> None:
    """Say something, which must fail with `code`."""
    finished = ended(client, client.say(text))
    assert (finished["state"], finished["error"]["code"]) == ("failed", code), finished


def talk_past_the_window(client: ChatClient, turns: int) -> None:
    """So many turns, each answered, whose questions together are more than the model can be given."""
    words = CONTEXT // turns + 20
    assert words * turns > CONTEXT
    for number in range(turns):
        answered(client, f"Question {number}. " + " ".join(["river"] * words))


def stopped_while_it_speaks(client: ChatClient) -> None:
    """Stop a turn that has begun to speak. A model may be at its end before that: then again."""
    for _ in range(5):
        turn = client.say("Tell a long story.")
        wait_until(lambda turn=turn: client.pieces(turn) or client.all("turn_finished", turn), "it speaks", LONG)
        if not client.all("turn_finished", turn) and client.call("stop", {"turn_id": turn})["ok"]:
            finished = ended(client, turn)
            if finished["state"] == "stopped":
                return
    raise AssertionError("each of five answers was over before it could be stopped")
