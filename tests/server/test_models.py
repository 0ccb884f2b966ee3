"""A real assistant behind the real server: `responses` against the double of OpenAI's API."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.chat_client import ChatClient
from tests.running_server import SOON, RunningServer, wait_until
from tests.wire.openai_server import OpenAIServer, Scenario

pytestmark = pytest.mark.server

Start = Callable[..., RunningServer]


@pytest.fixture
def server(start_server: Start, upstream: OpenAIServer) -> RunningServer:
    return start_server(CHAT_MODEL="a-model", OPENAI_API_KEY="sk-secret-key", OPENAI_BASE_URL=upstream.base_url)


def test_a_failure_has_a_code_and_a_sentence_and_the_log_has_no_key_and_no_text(
    server: RunningServer, upstream: OpenAIServer
) -> None:
    upstream.next(Scenario(status=401, message="Incorrect API key provided: sk-secret-key"))
    with ChatClient(server.url) as client:
        finished = client.ask("something-very-private")
    assert finished["state"] == "failed"
    assert finished["error"]["code"] == "assistant_misconfigured"
    assert "sk-secret" not in finished["error"]["message"]
    assert "assistant_misconfigured" in server.log
    assert "status 401" in server.log
    assert "sk-secret" not in server.log
    assert "something-very-private" not in server.log


def test_an_answer_that_breaks_off_is_never_complete(server: RunningServer, upstream: OpenAIServer) -> None:
    for ending in ("cut", "end", "reset"):
        upstream.next(Scenario(ending=ending, after=3))  # type: ignore[arg-type]
        with ChatClient(server.url) as client:
            finished = client.whole(client.say("hello"))
        assert (finished["state"], finished["error"]["code"]) == ("failed", "assistant_unavailable")
        assert finished["text"]


def test_a_corrected_text_is_said_to_be_one(server: RunningServer, upstream: OpenAIServer) -> None:
    upstream.next(Scenario(say="Helo", completed="Hello"))
    with ChatClient(server.url) as client:
        finished = client.ask("hello")
        assert (finished["text"], finished["corrected"]) == ("Hello", True)
        reset = client.call("resume", {"turn_id": finished["turn_id"], "after_seq": finished["seq"]})["reset"]
    assert reset["text"] == "Hello"


@pytest.mark.parametrize(
    "scenario", [Scenario(stall_headers=600), Scenario(stall=600, after=2)], ids=["before its headers", "in the middle"]
)
def test_a_stop_is_done_at_once_though_the_model_is_silent(
    server: RunningServer, upstream: OpenAIServer, scenario: Scenario
) -> None:
    upstream.next(scenario)
    with ChatClient(server.url) as client:
        turn_id = client.say("hello")
        wait_until(lambda: upstream.requests, "the model is asked")
        begun = time.monotonic()
        assert client.call("stop", {}) == {"ok": True, "state": "stopped"}
        assert client.whole(turn_id)["state"] == "stopped"
        assert time.monotonic() - begun < SOON
        assert client.ask("and now?")["state"] == "complete"


def test_a_silent_model_disturbs_no_other_answer(server: RunningServer, upstream: OpenAIServer) -> None:
    upstream.next(Scenario(stall=600, after=1))
    with ChatClient(server.url) as stalled, ChatClient(server.url) as other:
        turn_id = stalled.say("hello")
        stalled.wait_for_pieces(turn_id)
        assert other.whole(other.say("hello"))["state"] == "complete"
        assert stalled.all("turn_finished") == []


def test_an_answer_past_its_deadline_fails_with_that_code(start_server: Start, upstream: OpenAIServer) -> None:
    upstream.next(Scenario(stall=600, after=2))
    server = start_server(CHAT_MODEL="m", OPENAI_API_KEY="sk-x", OPENAI_BASE_URL=upstream.base_url, TURN_DEADLINE="1")
    with ChatClient(server.url) as client:
        finished = client.whole(client.say("hello"))
    assert (finished["state"], finished["error"]["code"]) == ("failed", "deadline_exceeded")
    upstream.wait_until(lambda: upstream.client_closed)
