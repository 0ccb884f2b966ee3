"""Responses or Chat Completions: which of them a server has is found out by asking, whatever it says."""

from __future__ import annotations

from typing import Any

import pytest

from app.assistants.chat_completions import ChatAssistant
from app.assistants.fallback import ResponsesOrChat
from app.assistants.learned import Learned
from app.assistants.openai_client import new_client
from app.assistants.responses import ResponsesAssistant
from app.chat.interfaces import Assistant, Finished
from tests.assistants.contract import HISTORY, WireContract, ask, end_of, failure_of
from tests.wire.openai_server import OpenAIServer, Scenario, families


@pytest.fixture
def either(upstream: OpenAIServer) -> ResponsesOrChat:
    return either_at(upstream)


def either_at(upstream: OpenAIServer) -> ResponsesOrChat:
    client, learned = new_client("sk-test", upstream.base_url), Learned()
    responses = ResponsesAssistant(client, "a-model", learned=learned)
    return ResponsesOrChat(responses, ChatAssistant(client, "a-model", learned=learned), learned)


class TestEither(WireContract):
    @pytest.fixture
    def assistant(self, either: ResponsesOrChat) -> ResponsesOrChat:
        return either


@pytest.mark.parametrize("family", families(first_releases=True))
def test_three_turns_are_answered_at_every_make_of_server(family: str) -> None:
    with OpenAIServer(family=family) as upstream:
        either = either_at(upstream)
        for count in range(3):
            events = ask(either, "and now?", HISTORY[:count])
            assert isinstance(events[-1], Finished)
            assert events[-1].state == "complete"
        assert either.name == ("responses" if family in families("/responses", first_releases=True) else "chat")


@pytest.mark.parametrize("family", families("/responses", first_releases=True))
def test_three_turns_are_answered_by_responses_alone(family: str) -> None:
    with OpenAIServer(family=family) as upstream:
        responses = ResponsesAssistant(new_client("sk-test", upstream.base_url), "a-model")
        for count in range(3):
            assert isinstance(ask(responses, "and now?", HISTORY[:count])[-1], Finished)


@pytest.mark.parametrize(
    "told",
    [
        {"no_responses": 404, "code": "", "message": "Invalid URL (POST /v1/responses)"},
        {"no_responses": 404, "code": 404, "message": "File Not Found", "error_type": "not_found_error"},
        {"no_responses": 404, "code": "not_found", "message": "Nothing here."},
        {"no_responses": 405},
        {"no_responses": 501},
        {"no_responses": 500, "message": "not implemented", "code": "convert_request_failed"},
        {"no_responses": 403, "message": "Missing Authentication Token", "error_body": "message"},
        {"no_responses": 404, "error_body": "html"},
        {"no_responses": 404, "error_body": "empty"},
    ],
)  # fmt: skip
def test_chat_completions_are_asked_and_then_remembered(
    upstream: OpenAIServer, either: ResponsesOrChat, told: dict[str, Any]
) -> None:
    upstream.scenario = Scenario(**told)
    for _ in range(2):
        assert end_of(ask(either)).state == "complete"
    assert either.name == "chat"
    paths = [request.path.removeprefix("/v1") for request in upstream.requests]
    assert paths == ["/responses", "/chat/completions", "/chat/completions"]


def test_a_page_in_the_place_of_an_answer_may_be_a_missing_route(upstream: OpenAIServer, either: Assistant) -> None:
    upstream.next(Scenario(body="html"), path="/responses")
    assert end_of(ask(either)).state == "complete"
    assert either.name == "chat"


def test_it_is_not_believed_before_chat_completions_have_answered(
    upstream: OpenAIServer, either: ResponsesOrChat
) -> None:
    upstream.absent = {"/responses": 404, "/completions": 404}
    assert failure_of(either).code == "assistant_misconfigured"
    assert either.name == "responses"
    upstream.absent = {}
    assert end_of(ask(either)).state == "complete"
    assert upstream.requests[-1].path == "/v1/responses"


def test_a_missing_model_is_no_missing_route(upstream: OpenAIServer, either: ResponsesOrChat) -> None:
    upstream.scenario = Scenario(status=404, code="model_not_found")
    assert failure_of(either).code == "assistant_misconfigured"
    assert len(upstream.requests) == 1


def test_a_wrong_key_is_no_missing_route(upstream: OpenAIServer, either: ResponsesOrChat) -> None:
    upstream.scenario = Scenario(status=401)
    assert failure_of(either).code == "assistant_misconfigured"
    assert len(upstream.requests) == 1


def test_a_request_that_responses_refuse_is_answered_by_chat_without_giving_responses_up(
    upstream: OpenAIServer, either: ResponsesOrChat
) -> None:
    upstream.scenario = Scenario(no_responses=400, code=400, message="Cannot read this.")
    assert end_of(ask(either, history=HISTORY)).state == "complete"
    assert either.name == "responses"
