"""The real server with gateways and servers of other makes before a real model: LiteLLM's proxy, and LitServe.

LiteLLM is the gateway that most people have. LitServe stands for the many servers that were written in Python on
FastAPI: Chat Completions only, its own checks and errors, `stop` as the only reason of an end. Nobody here wrote what
they answer.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.chat_client import ChatClient
from tests.real.model_talks import answered, ended, failed, stopped_while_it_speaks, talk_past_the_window
from tests.real.peers import CONTEXT, Peer
from tests.running_server import SOON, RunningServer, wait_until

pytestmark = pytest.mark.real

Start = Callable[..., RunningServer]
APIS = ["responses", "chat"]


@pytest.mark.parametrize("assistant", ["auto", *APIS])
def test_litellm_answers_several_turns(start_server: Start, litellm: Peer, assistant: str) -> None:
    server = start_server(**litellm.settings(assistant))
    with ChatClient(server.url) as client:
        for text in ("Hello.", "And now?", "And then?"):
            answered(client, text)


@pytest.mark.parametrize("api", APIS)
def test_litellm_goes_on_when_the_history_no_longer_fits(start_server: Start, litellm: Peer, api: str) -> None:
    server = start_server(**litellm.settings(api))
    with ChatClient(server.url) as client:
        talk_past_the_window(client, turns=5)


@pytest.mark.parametrize("api", APIS)
def test_litellm_with_a_wrong_key_is_told_as_such(start_server: Start, litellm: Peer, api: str) -> None:
    server = start_server(**{**litellm.settings(api), "OPENAI_API_KEY": "sk-wrong-4f1c9e27"})
    with ChatClient(server.url) as client:
        failed(client, "Hello.", "assistant_misconfigured")
    assert "4f1c9e27" not in server.log


@pytest.mark.parametrize("assistant", ["auto", *APIS])
def test_litellm_lacks_a_model_and_that_is_told_by_all(start_server: Start, litellm: Peer, assistant: str) -> None:
    server = start_server(**{**litellm.settings(assistant), "CHAT_MODEL": "no-such-model"})
    with ChatClient(server.url) as client:
        # It says 400 and no code, only a sentence; which of the two codes it becomes is not what matters here.
        finished = ended(client, client.say("Hello."))
    assert finished["state"] == "failed"
    assert finished["error"]["code"] in ("assistant_misconfigured", "assistant_refused")


@pytest.mark.parametrize("api", APIS)
def test_a_stop_passes_through_litellm(start_server: Start, litellm: Peer, llama: Peer, api: str) -> None:
    server = start_server(**litellm.settings(api, tokens=900))
    with ChatClient(server.url) as client:
        stopped_while_it_speaks(client)
        wait_until(lambda: not llama.at_work(), "no slot is at work", SOON)


@pytest.mark.parametrize("assistant", ["auto", "chat"])
def test_litserve_answers_several_turns(start_server: Start, litserve: Peer, assistant: str) -> None:
    server = start_server(**litserve.settings(assistant))
    with ChatClient(server.url) as client:
        for text in ("Hello.", "And now?", "And then?"):
            answered(client, text)


def test_litserve_refuses_in_the_stream_and_that_is_no_answer(start_server: Start, litserve: Peer) -> None:
    """The error is an event without the line that would end it, and then the body ends."""
    server = start_server(**litserve.settings("chat"))
    with ChatClient(server.url) as client:
        answered(client, "Hello.")
        finished = ended(client, client.say("so " * (CONTEXT + 100)))
        assert (finished["state"], finished["text"]) == ("failed", "")
        answered(client, "And now?")


def test_litserve_goes_on_when_the_history_no_longer_fits(start_server: Start, litserve: Peer) -> None:
    server = start_server(**litserve.settings("chat"))
    with ChatClient(server.url) as client:
        talk_past_the_window(client, turns=5)


def test_litserve_goes_on_after_a_stop(start_server: Start, litserve: Peer) -> None:
    server = start_server(**litserve.settings("chat", tokens=60))
    with ChatClient(server.url) as client:
        stopped_while_it_speaks(client)
        answered(client, "And now?")


def test_litserve_has_no_responses(start_server: Start, litserve: Peer) -> None:
    server = start_server(**litserve.settings("responses"))
    with ChatClient(server.url) as client:
        failed(client, "Hello.", "assistant_misconfigured")
