"""A request that is too long for the model, in everybody's words."""

from __future__ import annotations

from typing import Any

import pytest

from . import raw_http
from .families.overflow import WORDS
from .openai_server import OpenAIServer, Scenario, families
from .raw_http import events, said

LONG = "x" * 400


def body(text: str, stream: bool = True) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], "stream": stream}


def ask(upstream: OpenAIServer, text: str, stream: bool = True) -> raw_http.Reply:
    return raw_http.ask(upstream, "/chat/completions", body(text, stream))


@pytest.mark.parametrize("name", families(first_releases=True))
def test_every_family_refuses_what_is_too_long_until_it_is_shorter(name: str) -> None:
    with OpenAIServer(family=name, scenario=Scenario(context_limit=100)) as upstream:
        assert ask(upstream, LONG, stream=False).status in (400, 500)
        assert said(ask(upstream, LONG)) == ""
        assert said(ask(upstream, "Hi")) == "You said: Hi. This is turn 1 of our conversation."


@pytest.mark.parametrize("words", sorted(WORDS))
def test_each_wording_can_be_had_of_any_server(upstream: OpenAIServer, words: str) -> None:
    reply = ask(upstream, f"{LONG} [[context_limit=100]] [[context_words={words}]]", stream=False)
    assert reply.status in (400, 500)
    assert b"{asked}" not in reply.body
    assert b"double has a bug" not in reply.body


def test_words_that_nobody_has_are_told(upstream: OpenAIServer) -> None:
    reply = ask(upstream, f"{LONG} [[context_limit=100]] [[context_words=nobody]]")
    assert (reply.status, reply.json["error"]["code"]) == (400, "unknown_directive")


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("llamacpp", {"code": 400, "type": "exceed_context_size_error", "n_prompt_tokens": 101, "n_ctx": 25}),
        ("vllm", {"code": 400, "type": "BadRequestError", "param": None}),
        ("litellm", {"code": "400", "type": None}),
        ("openai_chat", {"code": "context_length_exceeded", "param": "messages"}),
        ("ollama", {"code": None, "message": "prompt too long; exceeded max context length by 76 tokens"}),
    ],
)
def test_codes_and_types_are_theirs(words: str, shown: dict[str, Any]) -> None:
    with OpenAIServer(scenario=Scenario(context_limit=100, context_words=words)) as upstream:
        reply = ask(upstream, LONG)
    assert reply.status == 400
    assert {name: reply.json["error"].get(name) for name in shown} == shown


def test_some_write_it_in_another_shape() -> None:
    with OpenAIServer(scenario=Scenario(context_limit=100)) as upstream:
        upstream.scenario = Scenario(context_limit=100, context_words="gemini")
        [found] = ask(upstream, LONG).json
        assert (found["error"]["code"], found["error"]["status"]) == (400, "INVALID_ARGUMENT")
        upstream.scenario = Scenario(context_limit=100, context_words="mistral")
        assert ask(upstream, LONG).json["code"] == "3051"
        upstream.scenario = Scenario(context_limit=100, context_words="databricks")
        assert ask(upstream, LONG).json["error_code"] == "BAD_REQUEST"


@pytest.mark.parametrize(("name", "code"), [("sglang", 400), ("lmstudio", None)])
def test_some_tell_it_after_a_200(name: str, code: int | None) -> None:
    with OpenAIServer(family=name, scenario=Scenario(context_limit=100)) as upstream:
        reply = ask(upstream, LONG)
    [error] = [event.data["error"] for event in events(reply.body) if '"error"' in event.text]
    assert (reply.status, error["code"]) == (200, code)
    assert "context length" in error["message"]


@pytest.mark.parametrize("words", ["llamacpp", "vllm", "litellm"])
def test_so_can_all_be_told(upstream: OpenAIServer, words: str) -> None:
    text = f"{LONG} [[context_limit=100]] [[context_in_stream]] [[context_words={words}]]"
    for reply in (ask(upstream, text), raw_http.respond(upstream, text)):
        last = events(reply.body)[-1].data
        assert (reply.status, str(last["error"]["code"])) == (200, "400")
