"""Models of other makes behind the real server: what a visitor, an operator and the journal see of it."""

from __future__ import annotations

import json
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.assistants.choose import assistant_for
from app.settings import Settings
from tests.chat_client import ChatClient
from tests.running_server import SOON, RunningServer, wait_until
from tests.wire.openai_server import OpenAIServer, Scenario, families

pytestmark = pytest.mark.server

Start = Callable[..., RunningServer]
ADMIN = "an-operators-token-0123456789"


@pytest.fixture
def start(start_server: Start, upstream: OpenAIServer) -> Start:
    def started(**more: str) -> RunningServer:
        settings = {"CHAT_MODEL": "a-model", "OPENAI_BASE_URL": upstream.base_url, "ADMIN_TOKEN": ADMIN}
        return start_server(**settings | more)

    return started


def learned(server: RunningServer) -> dict[str, Any]:
    request = urllib.request.Request(f"{server.url}/api/model", headers={"Authorization": f"Bearer {ADMIN}"})
    with urllib.request.urlopen(request, timeout=SOON) as response:
        found: dict[str, Any] = json.load(response)
    return found


@pytest.mark.parametrize("family", families())
def test_a_conversation_is_answered_by_every_make_of_server(start_server: Start, family: str) -> None:
    with OpenAIServer(family=family) as upstream:
        server = start_server(CHAT_MODEL="a-model", OPENAI_BASE_URL=upstream.base_url, CHAT_MAX_OUTPUT_TOKENS="500")
        with ChatClient(server.url) as client:
            for count in range(1, 4):
                finished = client.ask(f"message {count}")
                assert finished["state"] == "complete"
                assert f"turn {count}" in finished["text"]


def test_what_was_learned_outlasts_a_restart_is_shown_to_operators_and_goes_with_the_model(
    start: Start, upstream: OpenAIServer
) -> None:
    upstream.absent = {"/responses": 404}
    upstream.scenario = Scenario(refuse_parameter="stream_options")
    server = start()
    with ChatClient(server.url) as client:
        client.ask("hello")
    known = learned(server)
    assert known["assistant"] == "chat"
    assert known["model"] == "a-model"
    assert len(known["learned"]) == 2
    server.stop()
    upstream.reset()

    server = start()
    assert "known about its model from earlier" in server.log
    with ChatClient(server.url) as client:
        client.ask("hello")
    assert [request.path for request in upstream.requests] == ["/v1/chat/completions"]
    server.stop()
    upstream.reset()

    server = start(ASSISTANT="auto", OPENAI_API_KEY="sk-x")
    assert learned(server)["learned"] == known["learned"]
    server.stop()
    server = start(CHAT_MODEL="another-model")
    assert learned(server)["learned"] == []


def test_operators_only_are_told_about_the_model(start: Start) -> None:
    server = start()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{server.url}/api/model", timeout=SOON)
    assert refused.value.code == 401
    refused.value.close()


@pytest.mark.parametrize("kind", ["responses", "chat"])
def test_reasoning_is_shown_where_it_is_wanted_and_is_in_no_answer_and_no_history(
    start: Start, upstream: OpenAIServer, kind: str
) -> None:
    upstream.scenario = Scenario(say="Hello to you.", thoughts="Let me think of it.", thoughts_in="tags")
    server = start(ASSISTANT=kind, SHOW_REASONING="true")
    with ChatClient(server.url) as client:
        finished = client.ask("hello")
        assert finished["text"] == "Hello to you."
        assert finished["reasoning"]["text"] == "Let me think of it."
        names = [one.event for one in client.heard if one.event in ("turn_reasoning", "assistant_message")]
        assert names[0] == "turn_reasoning"
        assert client.all("turn_reasoning")[0]["text"] == "Let me think of it."
        client.ask("and now?")
        token = client.token
    with ChatClient(server.url, auth={"token": token}) as client:
        assert client.session["turns"][0]["reasoning"]["text"] == "Let me think of it."
    assert "Let me think" not in upstream.requests[-1].raw.decode()
    assert "Let me think" not in server.log


def test_reasoning_is_neither_sent_nor_kept_by_default(start: Start, upstream: OpenAIServer, tmp_path: Path) -> None:
    upstream.scenario = Scenario(say="Hello to you.", thoughts="Let me think of it.")
    server = start()
    with ChatClient(server.url) as client:
        finished = client.ask("hello")
        assert finished["text"] == "Hello to you."
        assert "reasoning" not in finished
        assert client.all("turn_reasoning") == []
    server.stop()
    assert b"Let me think" not in b"".join(path.read_bytes() for path in (tmp_path / "data").glob("journal*"))
    with sqlite3.connect(tmp_path / "data" / "journal.sqlite3") as journal:
        assert journal.execute("SELECT reasoning FROM turns").fetchall() == [(None,)]


@pytest.mark.parametrize("kind", ["responses", "chat"])
def test_an_answer_without_text_fails_and_says_so(start: Start, upstream: OpenAIServer, kind: str) -> None:
    upstream.scenario = Scenario(thoughts="Let me think.", only_thoughts=True)
    server = start(ASSISTANT=kind)
    with ChatClient(server.url) as client:
        finished = client.ask("hello")
    assert (finished["state"], finished["error"]["code"]) == ("failed", "assistant_empty")
    assert "it only thought" in server.log


@pytest.mark.parametrize(
    "silent", [{"stall_headers": 600}, {"stall_events": 600, "stall_comments": 0.5}, {"stall_events": 600}]
)
@pytest.mark.parametrize("kind", ["responses", "chat"])
def test_silence_before_the_first_word_lasts_as_long_as_the_turn_may(
    start: Start, upstream: OpenAIServer, silent: dict[str, Any], kind: str
) -> None:
    upstream.scenario = Scenario(**silent)
    server = start(ASSISTANT=kind, TURN_DEADLINE="13")
    with ChatClient(server.url) as client:
        turn_id = client.say("hello")
        wait_until(lambda: any(one["state"] == "stalled" for one in client.all("turn_status")), "the visitor is told")
        finished = client.whole(turn_id)
    assert (finished["state"], finished["error"]["code"]) == ("failed", "deadline_exceeded")
    assert len(upstream.requests) == 1


def test_no_request_has_a_time_of_silence_that_is_shorter_than_the_turn() -> None:
    settings = Settings(chat_model="m", openai_base_url="http://127.0.0.1:9/v1", assistant="chat", turn_deadline=1234)
    assistant: Any = assistant_for(settings)
    assert assistant._client.timeout.read > 1234
