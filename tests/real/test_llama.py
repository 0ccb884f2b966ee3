"""The real server with a real llama.cpp: windows that fill, stops, wrong keys, missing routes and cuts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.chat_client import ChatClient
from tests.conftest import need
from tests.real.between import Between, Cut
from tests.real.model_talks import answered, ended, failed, stopped_while_it_speaks, talk_past_the_window
from tests.real.peers import CONTEXT, LONG, Peer
from tests.running_server import SOON, RunningServer, wait_until

pytestmark = pytest.mark.real

Start = Callable[..., RunningServer]
APIS = ["responses", "chat"]
LEAST = 16
"""Tokens that an answer may have at least; a model that means nothing seldom ends before."""


@pytest.mark.parametrize("api", APIS)
def test_ten_turns_are_answered_also_when_the_history_no_longer_fits(
    start_server: Start, llama: Peer, api: str
) -> None:
    server = start_server(**llama.settings(api))
    with ChatClient(server.url) as client:
        talk_past_the_window(client, turns=10)


@pytest.mark.parametrize("api", APIS)
def test_a_message_that_alone_is_too_long_does_not_end_the_conversation(
    start_server: Start, llama: Peer, api: str
) -> None:
    server = start_server(**llama.settings(api))
    with ChatClient(server.url) as client:
        answered(client, "Hello.")
        failed(client, "so " * (CONTEXT + 100), "context_too_long")
        answered(client, "And now?")


@pytest.mark.parametrize("api", APIS)
def test_an_answer_that_the_limit_shortened_is_truncated(start_server: Start, llama: Peer, api: str) -> None:
    server = start_server(**llama.settings(api, tokens=LEAST))
    with ChatClient(server.url) as client:
        finished = answered(client, "Tell a long story.")
    # By Responses llama.cpp itself calls it completed; its count of tokens tells.
    assert (finished["state"] == "truncated") == (finished["usage"]["output_tokens"] >= LEAST), finished


@pytest.mark.parametrize("api", APIS)
def test_a_stop_frees_the_slot(start_server: Start, llama: Peer, api: str) -> None:
    server = start_server(**llama.settings(api, tokens=900))
    with ChatClient(server.url) as client:
        stopped_while_it_speaks(client)
        wait_until(lambda: not llama.at_work(), "no slot is at work", SOON)
    server.stop()
    with ChatClient(start_server(**llama.settings(api)).url, auth={"token": client.token}) as client:
        answered(client, "And now?")


@pytest.mark.parametrize("api", ["auto", *APIS])
def test_a_wrong_key_is_told_as_such_and_kept_out_of_the_log(start_server: Start, llama: Peer, api: str) -> None:
    need(llama.key, "a llama.cpp that wants a key (TEST_LLAMA_KEY)")
    server = start_server(**{**llama.settings(api), "OPENAI_API_KEY": "sk-wrong-4f1c9e27"})
    with ChatClient(server.url) as client:
        failed(client, "Hello.", "assistant_misconfigured")
    assert "assistant_misconfigured" in server.log
    assert "4f1c9e27" not in server.log


def test_chat_completions_answers_where_the_route_of_responses_is_missing(start_server: Start, llama: Peer) -> None:
    with Between(llama.url, missing=frozenset({"/v1/responses"})) as between:
        server = start_server(**{**llama.settings("auto"), "OPENAI_BASE_URL": between.url})
        with ChatClient(server.url) as client:
            for text in ("Hello.", "And now?", "And then?"):
                answered(client, text)
    assert between.asked["/v1/responses"] == 1
    assert between.asked["/v1/chat/completions"] == 3


@pytest.mark.parametrize("how", ["reset", "end"])
@pytest.mark.parametrize("api", APIS)
def test_an_answer_that_is_cut_fails_and_keeps_its_text_and_the_next_is_whole(
    start_server: Start, llama: Peer, api: str, how: Cut
) -> None:
    with Between(llama.url) as between:
        server = start_server(**{**llama.settings(api, tokens=60), "OPENAI_BASE_URL": between.url})
        with ChatClient(server.url) as client:
            finished = cut_answer(client, between, how)
            assert finished["state"] == "failed", finished
            assert finished["text"]
            answered(client, "And now?")


def cut_answer(client: ChatClient, between: Between, how: Cut) -> dict[str, object]:
    """The end of an answer that broke off. One of a few words is over before it can be cut: then another one."""
    between.cut = how
    for _ in range(5):
        finished = ended(client, client.say("Tell a long story."))
        if between.cuts:
            between.cut = None
            return finished
    raise AssertionError(f"none of five answers was long enough to be cut within {LONG} s each")
