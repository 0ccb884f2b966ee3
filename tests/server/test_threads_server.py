"""The threads assistant behind the real server: a thread per conversation, over stops, kills and restarts."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.chat_client import ChatClient, assert_three_turns
from tests.running_server import SOON, RunningServer, wait_until
from tests.wire.openai_server import OpenAIServer, Scenario
from tests.wire.thread import Thread, text_of

pytestmark = pytest.mark.server

Start = Callable[..., RunningServer]


@pytest.fixture
def start(start_server: Start, upstream: OpenAIServer) -> Callable[[], RunningServer]:
    def start() -> RunningServer:
        return start_server(
            ASSISTANT="threads", ASSISTANT_ID="asst_1", OPENAI_API_KEY="sk-secret-key",
            OPENAI_BASE_URL=upstream.base_url,
        )  # fmt: skip

    return start


def the_thread(upstream: OpenAIServer) -> Thread:
    (thread,) = upstream.threads.threads.values()
    return thread


def states(upstream: OpenAIServer) -> list[str]:
    return [run.status for run in the_thread(upstream).runs]


def users(upstream: OpenAIServer) -> list[str]:
    return [text_of(message) for message in the_thread(upstream).messages if message["role"] == "user"]


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_three_turns_in_one_thread(start: Start, upstream: OpenAIServer, transport: str) -> None:
    server = start()
    with ChatClient(server.url, transport=transport) as client:
        assert_three_turns(client)
    assert users(upstream) == ["alpha", "beta", "gamma"]
    assert "Deprecat" not in server.log


def test_a_cited_file_is_a_numbered_source(start: Start, upstream: OpenAIServer) -> None:
    upstream.next(Scenario(say="Yes.", cite="file"))
    with ChatClient(start().url) as client:
        finished = client.whole(client.say("hello"))
    assert finished["text"] == "Yes. See [1]."
    (citation,) = finished["citations"]
    assert (citation["n"], citation["filename"]) == (1, "policy.pdf")
    assert citation["file_id"].startswith("file-")


@pytest.mark.parametrize("delay", [600.0, 0.1], ids=["before its first text", "in the middle"])
def test_a_stop_cancels_the_run_at_once_and_the_conversation_goes_on(
    start: Start, upstream: OpenAIServer, delay: float
) -> None:
    server = start()
    upstream.next(Scenario(delay=delay, deltas=2000))
    with ChatClient(server.url) as client:
        turn_id = client.say("hello")
        wait_until(lambda: upstream.streaming, "the run streams")
        if delay < 1:
            client.wait_for_pieces(turn_id)
        begun = time.monotonic()
        assert client.call("stop", {}) == {"ok": True, "state": "stopped"}
        assert client.whole(turn_id)["state"] == "stopped"
        wait_until(lambda: states(upstream) == ["cancelled"], "the run is cancelled")
        assert time.monotonic() - begun < SOON
        assert client.whole(client.say("and now?"))["state"] == "complete"
    assert users(upstream) == ["hello", "and now?"]
    assert "Traceback" not in server.log


def test_a_stop_while_the_run_is_being_made_leaves_the_thread_free(start: Start, upstream: OpenAIServer) -> None:
    server = start()
    upstream.next(Scenario(stall_headers=600))
    with ChatClient(server.url) as client:
        turn_id = client.say("hello")
        wait_until(lambda: upstream.asked("/runs", method="POST"), "the run is asked for")
        assert client.call("stop", {}) == {"ok": True, "state": "stopped"}
        assert client.whole(turn_id)["state"] == "stopped"
        assert client.whole(client.say("and now?"))["state"] == "complete"
    assert "completed" in states(upstream)
    assert "Traceback" not in server.log


@pytest.mark.parametrize("victim", ["worker", "server"])
def test_after_a_kill_the_orphaned_run_is_cancelled_and_the_thread_goes_on(
    start: Start, upstream: OpenAIServer, victim: str
) -> None:
    server = start()
    with ChatClient(server.url) as client:
        client.whole(client.say("alpha"))
        upstream.next(Scenario(delay=0.02, deltas=5000))
        client.wait_for_pieces(client.say("beta"))
        token = client.token
        if victim == "server":
            server.kill()
            server = start()
        else:
            dead = server.kill_worker()
            wait_until(lambda: server.worker_pid() != dead and server.status("/readyz") == 200, "a new worker serves")
    assert states(upstream) == ["completed", "in_progress"]
    with ChatClient(server.url, auth={"token": token}) as again:
        assert [turn["state"] for turn in again.session["turns"]] == ["complete", "interrupted"]
        third = again.whole(again.say("gamma"))
    assert third["state"] == "complete"
    assert "turn 3" in third["text"]
    assert states(upstream) == ["completed", "cancelled", "completed"]
    assert users(upstream) == ["alpha", "beta", "gamma"]
    assert "Traceback" not in server.log


def test_a_thread_is_kept_over_a_restart(start: Start, upstream: OpenAIServer) -> None:
    server = start()
    with ChatClient(server.url) as client:
        client.whole(client.say("alpha"))
        token = client.token
    server.stop()
    with ChatClient(start().url, auth={"token": token}) as again:
        second = again.whole(again.say("beta"))
    assert "before it you said: alpha" in second["text"]
    assert users(upstream) == ["alpha", "beta"]


def test_neither_the_key_nor_a_text_reaches_the_log(start: Start, upstream: OpenAIServer) -> None:
    server = start()
    upstream.next(Scenario(ending="cut", after=1))
    upstream.next(Scenario(status=500, message="Incorrect API key provided: sk-secret-key"), path="/cancel")
    with ChatClient(server.url) as client:
        finished = client.whole(client.say("something-very-private"))
    assert (finished["state"], finished["error"]["code"]) == ("failed", "assistant_unavailable")
    wait_until(lambda: "its run could not be cancelled" in server.log, "it is logged")
    assert "sk-secret" not in server.log
    assert "something-very-private" not in server.log
