"""An answer on its way from the server to several kinds of clients."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.chat_client import ENDLESS, ChatClient
from tests.running_server import RunningServer, wait_until

pytestmark = pytest.mark.server


@pytest.mark.parametrize("transport", ["websocket", "polling", "upgrade"])
def test_pieces_arrive_without_a_hole_and_together_are_the_text(shared_server: RunningServer, transport: str) -> None:
    with ChatClient(shared_server.url, transport=transport) as client:
        for text in ("What is this?", "How do I embed it?", "And now?"):
            finished = client.whole(client.say(text))
            assert finished["state"] == "complete"
            assert finished["citations"]


def test_a_turn_is_told_in_the_order_of_the_protocol(shared_server: RunningServer) -> None:
    with ChatClient(shared_server.url) as client:
        client.ask("hello")
        names = [heard.event for heard in client.heard]
        states = [status["state"] for status in client.all("turn_status")]
    assert names[:3] == ["session", "turn_started", "turn_status"]
    assert names[-1] == "turn_finished"
    assert states == ["thinking", "answering"]


def test_a_repeated_message_is_one_turn_answered_once(shared_server: RunningServer) -> None:
    with ChatClient(shared_server.url) as client:
        payload = {"text": "hello", "client_id": "same"}
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: client.call("user_message", payload), range(8)))
        client.finished(answers[0]["turn_id"])
        assert len({answer["turn_id"] for answer in answers}) == 1
        assert [answer["duplicate"] for answer in answers].count(False) == 1
        assert len(client.all("turn_started")) == 1
        other = client.call("user_message", {"text": "another text", "client_id": "same"})
    assert other["error"]["code"] == "bad_payload"


def test_fifty_streams_run_side_by_side(start_server: Callable[..., RunningServer]) -> None:
    server = start_server(DEMO_PACE="20")
    clients = [ChatClient(server.url) for _ in range(50)]
    try:
        turns = [client.say(ENDLESS) for client in clients]
        wait_until(lambda: all(c.pieces(t) for c, t in zip(clients, turns, strict=True)), "all 50 have begun")
        seen = [len(c.pieces(t)) for c, t in zip(clients, turns, strict=True)]
        for client, turn, count in zip(clients, turns, seen, strict=True):
            client.wait_for_pieces(turn, count + 3)
        assert not any(client.all("turn_finished") for client in clients)
        for client, turn in zip(clients, turns, strict=True):
            client.stop(turn)
    finally:
        for client in clients:
            client.close()


def test_two_tabs_of_a_conversation_see_the_same(shared_server: RunningServer) -> None:
    with ChatClient(shared_server.url) as first, ChatClient(shared_server.url, auth={"token": first.token}) as second:
        turn_id = first.say("What is this?")
        for client in (first, second):
            client.whole(turn_id)
            assert client.all("turn_started")[0]["text"] == "What is this?"


def test_an_older_client_gets_pieces_and_errors_as_plain_messages(start_server: Callable[..., RunningServer]) -> None:
    server = start_server(DEMO_ANSWER="failing")
    with ChatClient(server.url, older=True, query="?userId=u1&conversationId=c1") as client:
        client.emit("user_message", {"text": "hello", "userId": "u1", "conversationId": "c1"})
        wait_until(lambda: client.all("turn_finished"), "the turn ends")
        wait_until(lambda: "fail" in client.all("assistant_message")[-1]["text"], "the error's sentence arrives")
        client.emit("user_message", {"text": ""})
        wait_until(lambda: "empty" in client.all("assistant_message")[-1]["text"], "the refusal's sentence arrives")
        client.emit("heartbeat", "anything")
    assert client.session["conversation_uuid"] != "c1"


def test_a_failing_assistant_ends_the_turn_once_with_its_code(start_server: Callable[..., RunningServer]) -> None:
    server = start_server(DEMO_ANSWER="failing")
    with ChatClient(server.url) as client:
        finished = client.ask("hello")
        assert finished["state"] == "failed"
        assert finished["error"]["code"] == "assistant_unavailable"
        assert finished["text"] == "".join(piece["text"] for piece in client.pieces(finished["turn_id"])) != ""
        again = client.ask("once more")
    assert again["state"] == "failed"
