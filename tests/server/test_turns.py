"""Stopping, resuming, waiting, rating: what a client can do with turns, over real sockets."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.chat_client import ENDLESS, ChatClient, assert_whole
from tests.running_server import RunningServer, wait_until

pytestmark = pytest.mark.server

Start = Callable[..., RunningServer]


def test_a_stop_ends_the_answer_and_keeps_what_was_said(start_server: Start) -> None:
    server = start_server(DEMO_PACE="20")
    with ChatClient(server.url) as client:
        turn_id = client.say(ENDLESS)
        client.wait_for_pieces(turn_id, 3)
        assert client.stop(turn_id)["text"]
        assert client.call("stop", {"turn_id": turn_id}) == {"ok": True, "state": "stopped"}
        assert client.call("stop", {}) == {"ok": True, "state": "stopped"}


def test_turns_of_a_conversation_wait_for_each_other_and_too_many_are_busy(start_server: Start) -> None:
    server = start_server(DEMO_PACE="30", TURN_QUEUE="2")
    with ChatClient(server.url) as client:
        first, second, third = (client.say(text) for text in (ENDLESS, "hello", "hello"))
        assert [status["state"] for status in client.all("turn_status", second)] == ["queued"]
        refused = client.call("user_message", {"text": "hello", "client_id": "one-too-many"})
        assert refused["error"]["code"] == "busy"
        assert refused["error"]["retry_after"] > 0
        assert client.call("stop", {"turn_id": third})["state"] == "stopped"
        assert client.call("user_message", {"text": "hello", "client_id": "one-too-many"})["ok"]
        client.stop(first)
        assert client.whole(second)["state"] == "complete"
        assert client.finished(third)["state"] == "stopped"
        assert client.pieces(third) == []


def test_a_worker_with_all_hands_full_lets_turns_wait_and_then_says_busy(start_server: Start) -> None:
    server = start_server(DEMO_PACE="30", MAX_RUNNING_TURNS="1", MAX_WAITING_TURNS="1")
    clients = [ChatClient(server.url) for _ in range(3)]
    try:
        first, second = clients[0].say(ENDLESS), clients[1].say("hello")
        refused = clients[2].call("user_message", {"text": "hello"})
        assert refused["error"]["code"] == "busy"
        clients[0].stop(first)
        assert clients[1].whole(second)["state"] == "complete"
        assert clients[2].ask("hello")["state"] == "complete"
    finally:
        for client in clients:
            client.close()


def test_a_reload_in_mid_answer_gets_the_text_so_far_and_then_the_rest(start_server: Start) -> None:
    server = start_server(DEMO_PACE="40")
    with ChatClient(server.url) as client:
        turn_id = client.say(ENDLESS)
        client.wait_for_pieces(turn_id, 5)
        token = client.token
    with ChatClient(server.url, auth={"token": token}) as again:
        running = again.session["running"]
        assert running["turn_id"] == turn_id
        assert running["seq"] >= 4
        (turn,) = again.session["turns"]
        assert (turn["text"], turn["answer"], turn["state"]) == (ENDLESS, "", "running")
        again.wait_for_pieces(turn_id, 5)
        assert again.call("stop", {})["state"] == "stopped"
        finished = again.finished(turn_id)
        later = [piece for piece in again.pieces(turn_id) if piece["seq"] > running["seq"]]
        assert [piece["seq"] for piece in later] == list(range(running["seq"] + 1, finished["seq"] + 1))
        assert running["text"] + "".join(piece["text"] for piece in later) == finished["text"]


def test_a_cut_connection_gets_exactly_the_pieces_it_lacks(start_server: Start) -> None:
    server = start_server(DEMO_PACE="40")
    with ChatClient(server.url) as client:
        turn_id = client.say(ENDLESS)
        client.wait_for_pieces(turn_id, 3)
        token = client.token
        client.close()
        seen = client.pieces(turn_id)
    after = {"turn_id": turn_id, "seq": seen[-1]["seq"]}
    with ChatClient(server.url, auth={"token": token, "after": after}) as again:
        resumed = again.session["resumed"]
        assert resumed["ok"]
        again.wait_for_pieces(turn_id, 5)
        assert again.call("stop", {})["state"] == "stopped"
        finished = again.finished(turn_id)
        have = {piece["seq"]: piece for piece in [*seen, *resumed["pieces"], *again.pieces(turn_id)]}
        assert_whole([have[seq] for seq in sorted(have)], finished)


def test_a_turn_that_finished_a_moment_ago_is_resumed_piece_by_piece(shared_server: RunningServer) -> None:
    with ChatClient(shared_server.url) as client:
        finished = client.ask("hello")
        turn_id, seq = finished["turn_id"], finished["seq"]
        whole = client.call("resume", {"turn_id": turn_id, "after_seq": -1})
        assert_whole(whole["pieces"], finished)
        assert whole["finished"] == finished
        assert client.call("resume", {"turn_id": turn_id, "after_seq": seq - 1})["pieces"] == whole["pieces"][-1:]
        assert client.call("resume", {"turn_id": turn_id, "after_seq": seq})["pieces"] == []
        ahead = client.call("resume", {"turn_id": turn_id, "after_seq": seq + 5})
        assert ahead["reset"] == {"text": finished["text"], "seq": seq}


def test_a_turn_whose_pieces_are_gone_is_resumed_whole(start_server: Start) -> None:
    server = start_server(REPLAY_SECONDS="0")
    with ChatClient(server.url) as client:
        finished = client.ask("hello")
        turn_id, seq = finished["turn_id"], finished["seq"]
        whole = client.call("resume", {"turn_id": turn_id, "after_seq": 0})
        assert whole["reset"] == {"text": finished["text"], "seq": seq}
        assert whole["finished"] == finished
        assert client.call("resume", {"turn_id": turn_id, "after_seq": seq})["pieces"] == []


def test_history_is_read_in_pages_and_the_rating_stays(shared_server: RunningServer) -> None:
    with ChatClient(shared_server.url) as client:
        turns = [client.ask("hello")["turn_id"] for _ in range(3)]
        assert client.call("feedback", {"turn_id": turns[0], "rating": "up", "comment": "nice"}) == {"ok": True}
        assert client.call("feedback", {"turn_id": turns[0], "rating": "down"}) == {"ok": True}
        rated = [{"turn_id": turns[0], "rating": rating} for rating in ("up", "down")]
        wait_until(lambda: client.all("turn_rated") == rated, "the giver hears what was recorded, without the comment")
        last = client.call("history", {"limit": 2})
        assert [turn["turn_id"] for turn in last["turns"]] == turns[1:]
        assert last["more"] is True
        first = client.call("history", {"before": turns[1], "limit": 2})
        assert [turn["turn_id"] for turn in first["turns"]] == turns[:1]
        assert (first["more"], first["turns"][0]["feedback"]) == (False, "down")


def test_a_new_conversation_begins_empty_and_the_old_one_goes_on(start_server: Start) -> None:
    server = start_server(DEMO_PACE="40")
    with ChatClient(server.url) as client:
        old = client.session
        turn_id = client.say(ENDLESS)
        fresh = client.call("new_conversation", {})["session"]
        assert fresh["conversation_uuid"] != old["conversation_uuid"]
        assert (fresh["user_id"], fresh["turns"], fresh["running"]) == (old["user_id"], [], None)
        with ChatClient(server.url, auth={"token": old["token"]}) as other_tab:
            other_tab.wait_for_pieces(turn_id, 5)
            assert other_tab.call("stop", {})["state"] == "stopped"
            assert other_tab.finished(turn_id)["text"]
        assert client.call("resume", {"turn_id": turn_id, "after_seq": -1})["error"]["code"] == "unknown_turn"
        assert client.ask("hello")["state"] == "complete"
        assert client.all("turn_finished", turn_id) == []


def test_a_disconnect_is_not_a_stop(start_server: Start) -> None:
    server = start_server(DEMO_PACE="40")
    with ChatClient(server.url) as client:
        turn_id, token = client.say("hello"), client.token
    with ChatClient(server.url, auth={"token": token}) as again:
        wait_until(lambda: _state(again, turn_id) == "complete", "the answer went on to its end")


def test_a_token_that_opens_nothing_begins_a_new_conversation_and_says_so(shared_server: RunningServer) -> None:
    with ChatClient(shared_server.url) as client:
        client.ask("hello")
        token, conversation = client.token, client.session["conversation_uuid"]
    with ChatClient(shared_server.url, auth={"token": token[:-9] + "a-forged-one"}) as forged:
        assert forged.session["renewed"] == "invalid"
        assert forged.session["turns"] == []
        assert forged.session["conversation_uuid"] != conversation
    with ChatClient(shared_server.url, auth={"token": token}) as back:
        assert "renewed" not in back.session
        assert len(back.session["turns"]) == 1


def _state(client: ChatClient, turn_id: str) -> str:
    return str(client.call("resume", {"turn_id": turn_id, "after_seq": -1})["state"])
