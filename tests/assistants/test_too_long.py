"""A conversation that does not fit into the model's window goes on, in whichever words that is told."""

from __future__ import annotations

import pytest

from app.assistants.chat_completions import ChatAssistant
from app.assistants.learned import Learned
from app.assistants.openai_client import new_client
from app.chat.interfaces import Assistant, Exchange
from tests.assistants.contract import HISTORY, ask, end_of, failure_of
from tests.wire.openai_server import OpenAIServer, Scenario

LONG = tuple(Exchange(f"question {number}", "x" * 400) for number in range(16))
WORDS = ("openai", "llamacpp", "vllm", "sglang", "ollama", "lmstudio", "litellm", "mistral")


@pytest.mark.parametrize("words", WORDS)
def test_the_history_is_halved_until_it_fits_in_whichever_words_that_is_told(
    upstream: OpenAIServer, one: Assistant, words: str
) -> None:
    upstream.scenario = Scenario(context_limit=500, context_words=words)
    assert end_of(ask(one, "and now?", LONG)).state == "complete"
    assert len(upstream.requests) > 3


def test_what_fitted_is_remembered(upstream: OpenAIServer, one: Assistant) -> None:
    upstream.scenario = Scenario(context_limit=2000, context_words="llamacpp")
    for _ in range(6):
        ask(one, "and now?", LONG)
    before = len(upstream.requests)
    sent = end_of(ask(one, "and now?", LONG))
    assert sent.state == "complete"
    assert len(upstream.requests) == before + 1
    body = upstream.requests[-1].body
    assert len(body.get("input") or body["messages"]) > 5


def test_a_message_that_is_too_long_alone_says_so(upstream: OpenAIServer, one: Assistant) -> None:
    upstream.scenario = Scenario(context_limit=10, context_words="vllm")
    failure = failure_of(one, text="a long message", history=LONG)
    assert failure.code == "context_too_long"
    assert "message is too long" in failure.message


def test_one_message_that_was_too_long_takes_nobody_elses_history(upstream: OpenAIServer) -> None:
    learned = Learned()
    chat = ChatAssistant(new_client(None, upstream.base_url), "m", learned=learned)
    upstream.scenario = Scenario(context_limit=3000)
    ask(chat, "short", [Exchange("q", "x" * 4000)])
    assert learned.window is not None
    ask(chat, "short", HISTORY)
    assert len(upstream.requests[-1].body["messages"]) == 5
