"""Every assistant behind the real server: history, many at once, a silent other side, a change of assistants."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chat_client import ChatClient, assert_three_turns
from tests.running_server import PATIENCE, SOON, RunningServer, wait_until
from tests.wire.openai_server import OpenAIServer, Scenario

pytestmark = pytest.mark.server

Start = Callable[..., RunningServer]

KINDS = {
    "responses": {"ASSISTANT": "responses", "CHAT_MODEL": "a-model"},
    "chat": {"ASSISTANT": "chat", "CHAT_MODEL": "a-model"},
    "conversation": {"ASSISTANT": "responses", "CHAT_MODEL": "a-model", "CHAT_STATE": "conversation"},
    "threads": {"ASSISTANT_ID": "asst_1"},
}


def start(start_server: Start, upstream: OpenAIServer, kind: str, **more: str) -> RunningServer:
    return start_server(OPENAI_API_KEY="sk-secret", OPENAI_BASE_URL=upstream.base_url, **KINDS[kind], **more)


@pytest.mark.parametrize("kind", KINDS)
def test_each_answers_in_several_turns_with_their_history(
    start_server: Start, upstream: OpenAIServer, kind: str
) -> None:
    server = start(start_server, upstream, kind)
    for transport in ("websocket", "polling"):
        with ChatClient(server.url, transport=transport) as client:
            assert_three_turns(client)


def test_a_conversation_goes_on_with_every_other_assistant(start_server: Start, upstream: OpenAIServer) -> None:
    token, said = "", []
    for count, kind in enumerate(["responses", "threads", "chat", "conversation", "threads"], start=1):
        server = start(start_server, upstream, kind)
        with ChatClient(server.url, auth={"token": token} if token else {}) as client:
            answer = client.whole(client.say(f"message {count}"))
            token = client.token
        server.stop()
        assert f"turn {count}" in answer["text"], (kind, answer["text"])
        assert " | ".join(said) in answer["text"]
        said.append(f"message {count}")


def test_what_the_other_side_named_is_on_the_turns_record(
    start_server: Start, upstream: OpenAIServer, tmp_path: Path
) -> None:
    server = start(start_server, upstream, "threads")
    with ChatClient(server.url) as client:
        client.ask("hello")
    with sqlite3.connect(tmp_path / "data" / "journal.sqlite3") as journal:
        columns = "assistant, model, response_id, thread_id, run_id, request_ids, usage"
        row = journal.execute(f"SELECT {columns} FROM turns").fetchone()
    assert row[0] == "threads"
    assert all(row)
    assert row[3].startswith("thread_")
    assert row[4].startswith("run_")


def test_a_hundred_turns_at_once_run_side_by_side(start_server: Start, upstream: OpenAIServer) -> None:
    # An answer takes 16 seconds: so long all hundred may take to begin.
    upstream.delay = 0.4
    server = start(start_server, upstream, "responses")
    clients = [ChatClient(server.url) for _ in range(100)]
    try:
        turns = [client.say(f"[[deltas=40]] client {number}") for number, client in enumerate(clients)]
        wait_until(lambda: upstream.streaming == 100, "a hundred streams are open at the same moment")
        for client, turn in zip(clients, turns, strict=True):
            assert client.whole(turn)["state"] == "complete"
    finally:
        for client in clients:
            client.close()
    assert upstream.most_streaming == 100


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_stop_among_function_calls_the_conversation_goes_on(
    start_server: Start, upstream: OpenAIServer, kind: str
) -> None:
    server = start(start_server, upstream, kind)
    with ChatClient(server.url) as client:
        client.ask("alpha")
        turn_id = client.say("[[tool=9]] [[delay=3]] beta")
        wait_until(
            lambda: any(s["state"] == "tool" for s in client.all("turn_status", turn_id)), "a function is called"
        )
        assert client.call("stop", {})["state"] == "stopped"
        after = client.whole(client.say("gamma"))
    assert after["state"] == "complete"
    assert "alpha" in after["text"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_stop_reaches_the_other_side_at_once_though_it_is_silent(
    start_server: Start, upstream: OpenAIServer, kind: str
) -> None:
    server = start(start_server, upstream, kind)
    with ChatClient(server.url) as client:
        turn_id = client.say("[[stall=600]] hello")
        client.wait_for_pieces(turn_id)
        begun = time.monotonic()
        assert client.call("stop", {})["state"] == "stopped"
        wait_until(lambda: upstream.client_closed or _cancelled(upstream), "the other side noticed")
        assert time.monotonic() - begun < SOON
        assert client.whole(turn_id)["state"] == "stopped"
        assert client.whole(client.say("and now?"))["state"] == "complete"


def test_a_stop_before_the_first_byte_closes_the_connection(start_server: Start, upstream: OpenAIServer) -> None:
    server = start(start_server, upstream, "responses")
    with ChatClient(server.url) as client:
        client.say("[[stall_headers=600]] hello")
        wait_until(lambda: upstream.requests, "the other side was asked")
        assert client.call("stop", {})["state"] == "stopped"
        assert client.ask("and now?")["state"] == "complete"
        wait_until(lambda: upstream.requests[0].client_closed, "the other side noticed")


def test_a_visitor_is_told_while_it_is_tried_again(start_server: Start, upstream: OpenAIServer) -> None:
    upstream.next(Scenario(status=429, retry_after="0.2"))
    server = start(start_server, upstream, "chat")
    with ChatClient(server.url) as client:
        finished = client.ask("hello")
        details = [status.get("detail") for status in client.all("turn_status") if status.get("detail")]
    assert finished["state"] == "complete"
    assert len(details) == 1
    assert "Trying again" in details[0]


def test_citations_are_numbered_in_the_text(start_server: Start, upstream: OpenAIServer) -> None:
    upstream.next(Scenario(say="It is allowed.", cite="file"))
    server = start(start_server, upstream, "threads")
    with ChatClient(server.url) as client:
        finished = client.whole(client.say("is it?"))
    assert "[1]" in finished["text"]
    assert "【" not in finished["text"]
    (source,) = finished["citations"]
    assert (source["n"], source["filename"]) == (1, "policy.pdf")
    assert source["file_id"]


def test_a_conversation_of_two_thousand_turns_still_answers(
    start_server: Start, upstream: OpenAIServer, tmp_path: Path
) -> None:
    server = start(start_server, upstream, "responses", CHAT_HISTORY_CHARS="20000")
    with ChatClient(server.url) as client:
        client.ask("hello")
        _write_turns(tmp_path / "data" / "journal.sqlite3", 2000)
        upstream.reset()
        upstream.next(Scenario(status=400, code="context_length_exceeded"))
        finished = client.whole(client.say("still there?"))
    assert finished["state"] == "complete"
    first, second = (sum(len(item["content"]) for item in request.body["input"]) for request in upstream.requests)
    assert 15_000 < first <= 20_100
    assert second <= first / 2 + 100


def _cancelled(upstream: OpenAIServer) -> bool:
    return any(request.path.endswith("/cancel") for request in upstream.requests)


def _write_turns(path: Path, count: int) -> None:
    with sqlite3.connect(path, timeout=PATIENCE) as journal:
        journal.execute(
            """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
            INSERT INTO turns (id, conversation_uuid, turn_index, client_id, owner, state, text, answer, seq,
                               accepted_at, finished_at, corrected)
            SELECT 'made-' || i, uuid, i, 'made-' || i, 'nobody', 'complete', 'question ' || i,
                   substr('an answer of about two hundred characters. ' || hex(zeroblob(100)), 1, 200), 1, 1, 1, 0
            FROM n, conversations
            """,
            (count,),
        )
