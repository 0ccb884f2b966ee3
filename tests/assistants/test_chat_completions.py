"""The Chat Completions assistant over real HTTP and SSE, at every make of server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.assistants.chat_completions import ChatAssistant
from app.assistants.learned import Learned
from app.assistants.openai_client import new_client
from app.chat.interfaces import Citation, Exchange, Finished, Question, Status
from app.errors import AssistantError
from tests.assistants.contract import WireContract, ask, text_of
from tests.wire.openai_server import OpenAIServer, Scenario, families


@pytest.fixture(params=families())
def upstream(request: pytest.FixtureRequest) -> Iterator[OpenAIServer]:
    """A server that takes no other requests than this make of it takes."""
    with OpenAIServer(family=request.param) as server:
        yield server


@pytest.fixture
def learned(upstream: OpenAIServer) -> Learned:
    """What the first answer of this server teaches."""
    learned = Learned()
    ask(ChatAssistant(new_client("sk-test", upstream.base_url), "a-model", max_output_tokens=99, learned=learned))
    upstream.reset()
    return learned


@pytest.fixture
def chat(upstream: OpenAIServer, learned: Learned) -> ChatAssistant:
    return ChatAssistant(new_client("sk-test", upstream.base_url), "a-model", learned=learned)


class TestChat(WireContract):
    @pytest.fixture
    def assistant(self, chat: ChatAssistant) -> ChatAssistant:
        return chat


def test_the_conversation_and_the_instructions_are_sent_along(upstream: OpenAIServer, learned: Learned) -> None:
    client = new_client("sk-test", upstream.base_url)
    options = {"instructions": "Be brief.", "max_output_tokens": 99, "learned": learned}
    ask(ChatAssistant(client, "m", **options), "b", [Exchange("a", "answer")])
    body = upstream.requests[-1].body
    assert [(m["role"], m["content"]) for m in body["messages"]] == [
        ("system", "Be brief."), ("user", "a"), ("assistant", "answer"), ("user", "b"),
    ]  # fmt: skip
    assert body["max_tokens"] == 99
    if "stream_options" not in learned.replaced("chat"):
        assert body["stream_options"] == {"include_usage": True}


def test_usage_has_the_same_names_as_everywhere(upstream: OpenAIServer, chat: ChatAssistant) -> None:
    finished = ask(chat)[-1]
    assert isinstance(finished, Finished)
    if upstream.family != "azure":
        # Its older versions tell none in a stream.
        assert finished.usage is not None
        assert set(finished.usage) == {"input_tokens", "output_tokens", "total_tokens"}
    assert finished.model is not None
    assert finished.response_id is not None


def test_an_answer_cut_by_the_models_limit_is_truncated(upstream: OpenAIServer, chat: ChatAssistant) -> None:
    upstream.next(Scenario(ending="incomplete"))
    finished = ask(chat)[-1]
    assert isinstance(finished, Finished)
    assert finished.state == "truncated"


def test_links_are_citations(upstream: OpenAIServer, chat: ChatAssistant) -> None:
    upstream.next(Scenario(cite="url"))
    citations = [event for event in ask(chat) if isinstance(event, Citation)]
    assert citations
    assert citations[0].url


@pytest.mark.parametrize(
    "bytes_as",
    [
        {"one_byte": True}, {"one_write": True}, {"crlf": True}, {"multiline": True}, {"unchunked": True},
        {"comments": True}, {"pings": True}, {"no_done": True}, {"no_usage": True},
    ],
    ids=lambda fields: next(iter(fields)),
)  # fmt: skip
def test_however_the_bytes_come_the_answer_is_the_same(
    upstream: OpenAIServer, chat: ChatAssistant, bytes_as: dict[str, bool]
) -> None:
    plain = text_of(ask(chat))
    upstream.scenario = Scenario(**bytes_as)  # type: ignore[arg-type]
    events = ask(chat)
    assert text_of(events) == plain
    assert isinstance(events[-1], Finished)


@pytest.mark.parametrize(
    ("scenario", "code"),
    [
        (Scenario(status=400), "assistant_refused"),
        (Scenario(status=401), "assistant_misconfigured"),
        (Scenario(status=404, code="model_not_found"), "assistant_misconfigured"),
        (Scenario(status=429, retry_after="60"), "assistant_busy"),
        (Scenario(status=429, code="insufficient_quota"), "assistant_quota"),
        (Scenario(status=400, code="context_length_exceeded"), "context_too_long"),
        (Scenario(ending="content_filter"), "content_filtered"),
        (Scenario(status=500), "assistant_unavailable"),
        (Scenario(body="json"), "assistant_unavailable"),
        (Scenario(body="html"), "assistant_unavailable"),
        (Scenario(drop=True), "assistant_unavailable"),
        (Scenario(broken_json=True), "assistant_unavailable"),
        (Scenario(ending="cut"), "assistant_unavailable"),
        (Scenario(ending="end"), "assistant_unavailable"),
        (Scenario(ending="error_flat", code="server_error"), "assistant_unavailable"),
        (Scenario(ending="error_nested", code="rate_limit_exceeded"), "assistant_busy"),
        (Scenario(ending="error_flat", code="insufficient_quota"), "assistant_quota"),
        (Scenario(status=418), "assistant_refused"),
        (Scenario(tools=99), "assistant_refused"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.status or value.ending or value.body}",
)
def test_every_trouble_has_its_code(upstream: OpenAIServer, chat: ChatAssistant, scenario: Scenario, code: str) -> None:
    upstream.scenario = scenario
    with pytest.raises(AssistantError) as failure:
        ask(chat)
    assert failure.value.code == code
    assert "sk-test" not in failure.value.message + failure.value.detail


def test_a_passing_fault_is_tried_again(upstream: OpenAIServer, chat: ChatAssistant) -> None:
    upstream.next(Scenario(status=503), times=2)
    events = ask(chat)
    assert len(upstream.requests) == 3
    assert sum(isinstance(event, Status) for event in events) == 2


def test_a_function_that_nobody_offered_is_answered_with_an_error(upstream: OpenAIServer, chat: ChatAssistant) -> None:
    upstream.next(Scenario(tools=1, parallel=2))
    events = ask(chat)
    assert isinstance(events[-1], Finished)
    assert text_of(events)
    tools = [message for message in upstream.requests[1].body["messages"] if message["role"] == "tool"]
    assert len(tools) == 2


def test_a_conversation_that_is_too_long_is_sent_with_half_of_its_history(
    upstream: OpenAIServer, chat: ChatAssistant
) -> None:
    upstream.next(Scenario(status=400, code="context_length_exceeded"))
    history = [Exchange(f"question {n}", "x" * 100) for n in range(10)]
    assert isinstance(ask(chat, "and now?", history)[-1], Finished)
    assert [len(request.body["messages"]) for request in upstream.requests] == [21, 11]


def test_a_stop_closes_the_connection(upstream: OpenAIServer, chat: ChatAssistant) -> None:
    upstream.scenario = Scenario(delay=0.01, deltas=1000)
    question = Question("t", "c", "hello")
    for _ in chat.stream(question):
        question.cancellation.cancel()
    upstream.wait_until(lambda: upstream.client_closed)
