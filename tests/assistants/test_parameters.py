"""Parameters that a server refuses are left out or renamed, once."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from app.assistants.chat_completions import ChatAssistant
from app.assistants.openai_client import new_client
from app.assistants.responses import ResponsesAssistant
from tests.assistants.contract import HISTORY, ask, end_of, failure_of
from tests.wire.openai_server import OpenAIServer, Scenario


@pytest.mark.parametrize(
    "words", ["unsupported", "unknown", "unrecognized", "extra_forbidden", "databricks", "litellm"]
)
@pytest.mark.parametrize("parameter", ["stream_options", "max_tokens"])
def test_chat_leaves_out_what_is_refused_and_remembers_it_with_one_line(
    upstream: OpenAIServer, chat: ChatAssistant, words: Any, parameter: str, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.scenario = Scenario(refuse_parameter=parameter, refuse_words=words)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert end_of(ask(chat)).state == "complete"
    assert [parameter in request.body for request in upstream.requests] == [True, False, False]
    assert len([record for record in caplog.records if parameter in record.message]) == 1


@pytest.mark.parametrize("configured", ["max_tokens", "max_completion_tokens"])
def test_the_limit_has_two_names_and_can_be_left_out(upstream: OpenAIServer, configured: str) -> None:
    client = new_client(None, upstream.base_url)
    chat = ChatAssistant(client, "m", max_output_tokens=99, limit_name=configured)
    upstream.scenario = Scenario(refuse_parameter=configured)
    ask(chat)
    other = ({"max_tokens", "max_completion_tokens"} - {configured}).pop()
    assert upstream.requests[-1].body[other] == 99
    upstream.scenario = Scenario(refuse_parameter=f"{configured},{other}")
    for _ in range(2):
        ask(chat)
    assert not {configured, other} & upstream.requests[-1].body.keys()


@pytest.mark.parametrize("parameter", ["store", "instructions", "tools", "max_output_tokens", "reasoning"])
def test_every_optional_parameter_of_responses_has_a_way_back(upstream: OpenAIServer, parameter: str) -> None:
    function = {"type": "function", "name": "f", "parameters": {}}
    options = {
        "instructions": "Be brief.",
        "tools": [function],
        "max_output_tokens": 99,
        "reasoning": {"summary": "auto"},
    }
    assistant = ResponsesAssistant(new_client(None, upstream.base_url), "m", **options)
    upstream.scenario = Scenario(refuse_parameter=parameter)
    for _ in range(2):
        assert end_of(ask(assistant)).state == "complete"
    assert [parameter in request.body for request in upstream.requests] == [True, False, False]
    kept = "Be brief." in str(upstream.requests[-1].body)
    assert kept


def test_several_are_given_up_one_after_the_other(upstream: OpenAIServer, chat: ChatAssistant) -> None:
    upstream.scenario = Scenario(refuse_parameter="stream_options,max_tokens,max_completion_tokens")
    assert end_of(ask(chat)).state == "complete"


def test_a_model_without_a_system_role_gets_the_instructions_with_the_first_message(upstream: OpenAIServer) -> None:
    chat = ChatAssistant(new_client(None, upstream.base_url), "m", instructions="Be brief.")
    upstream.next(Scenario(status=400, message="System role not supported", code=400))
    ask(chat, "now", HISTORY)
    first = upstream.requests[-1].body["messages"][0]
    assert first == {"role": "user", "content": "Be brief.\n\nfirst question"}


def test_a_refusal_that_repeats_a_visitors_words_changes_nothing(upstream: OpenAIServer, chat: ChatAssistant) -> None:
    words = "unsupported parameter 'max_tokens'"
    upstream.next(Scenario(status=400, message=f"Cannot read: {words}", code=400))
    assert failure_of(chat, text=words).code == "assistant_refused"
    ask(chat)
    assert "max_tokens" in upstream.requests[-1].body


def test_a_template_without_a_system_role_may_refuse_it_in_any_words(upstream: OpenAIServer) -> None:
    chat = ChatAssistant(new_client(None, upstream.base_url), "m", instructions="Be brief.")
    upstream.next(Scenario(status=400, message="Bad Request", code=400))
    for _ in range(2):
        ask(chat, "now")
    assert [len(request.body["messages"]) for request in upstream.requests] == [2, 1, 1]


def test_earlier_answers_become_items_where_plain_messages_are_refused(
    upstream: OpenAIServer, responses: ResponsesAssistant
) -> None:
    upstream.next(Scenario(status=400, message="'type' must be 'output_text'", code=400))
    for _ in range(2):
        ask(responses, "now", HISTORY)
    plain, items, remembered = (request.body["input"][1] for request in upstream.requests)
    assert plain == {"type": "message", "role": "assistant", "content": "first answer"}
    assert items["content"][0]["text"] == "first answer"
    assert items["status"] == "completed"
    assert remembered == items
