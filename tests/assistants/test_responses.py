"""The Responses assistant over real HTTP and SSE, at every make of server that has this API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.assistants.openai_client import new_client
from app.assistants.responses import ResponsesAssistant
from app.chat.interfaces import Citation, Exchange, Finished, Question, Status, Trace
from app.errors import AssistantError
from tests.assistants.contract import WireContract, ask, text_of
from tests.wire.openai_server import OpenAIServer, Scenario, families


@pytest.fixture(params=families("/responses"))
def upstream(request: pytest.FixtureRequest) -> Iterator[OpenAIServer]:
    """A server that takes no other requests than this make of it takes."""
    with OpenAIServer(family=request.param) as server:
        yield server


@pytest.fixture
def responses(upstream: OpenAIServer) -> ResponsesAssistant:
    return ResponsesAssistant(new_client("sk-test", upstream.base_url), "a-model")


class TestResponses(WireContract):
    @pytest.fixture
    def assistant(self, responses: ResponsesAssistant) -> ResponsesAssistant:
        return responses


def test_the_conversation_is_sent_along_and_nothing_is_stored_there(
    upstream: OpenAIServer, responses: ResponsesAssistant
) -> None:
    ask(responses, "third", [Exchange("first", "answer 1"), Exchange("second", "answer 2")])
    (request,) = upstream.asked("/responses", method="POST")
    assert request.body["store"] is False
    assert request.body["model"] == "a-model"
    assert [(item["role"], item["content"]) for item in request.body["input"]] == [
        ("user", "first"), ("assistant", "answer 1"), ("user", "second"), ("assistant", "answer 2"), ("user", "third"),
    ]  # fmt: skip


def test_instructions_and_the_longest_output_are_sent(upstream: OpenAIServer) -> None:
    client = new_client("sk-test", upstream.base_url)
    ask(ResponsesAssistant(client, "m", instructions="Be brief.", max_output_tokens=99))
    body = upstream.requests[-1].body
    assert (body["instructions"], body["max_output_tokens"]) == ("Be brief.", 99)


def test_usage_model_and_response_id_are_given(responses: ResponsesAssistant) -> None:
    finished = ask(responses)[-1]
    assert isinstance(finished, Finished)
    assert finished.usage is not None
    assert finished.usage["output_tokens"] > 0
    assert finished.model is not None
    assert finished.model.startswith("a-model")
    assert finished.response_id is not None
    assert finished.response_id.startswith("resp_")


def test_an_answer_cut_by_the_models_limit_is_truncated(upstream: OpenAIServer, responses: ResponsesAssistant) -> None:
    upstream.next(Scenario(ending="incomplete"))
    finished = ask(responses)[-1]
    assert isinstance(finished, Finished)
    assert finished.state == "truncated"


def test_the_status_counts_and_not_the_name_of_the_last_event(
    upstream: OpenAIServer, responses: ResponsesAssistant
) -> None:
    upstream.next(Scenario(ending="incomplete", misnamed=True))
    finished = ask(responses)[-1]
    assert isinstance(finished, Finished)
    assert finished.state == "truncated"
    upstream.next(Scenario(ending="failed", misnamed=True))
    with pytest.raises(AssistantError):
        ask(responses)


@pytest.mark.parametrize("where", ["both", "events", "done"])
def test_citations_are_given_once_wherever_they_stand(
    upstream: OpenAIServer, responses: ResponsesAssistant, where: Any
) -> None:
    upstream.next(Scenario(cite="url", cite_in=where))
    citations = [event for event in ask(responses) if isinstance(event, Citation)]
    assert len(citations) == 1
    assert citations[0].url


def test_a_completed_text_that_differs_is_handed_on(upstream: OpenAIServer, responses: ResponsesAssistant) -> None:
    upstream.next(Scenario(say="Helo", completed="Hello"))
    events = ask(responses)
    assert isinstance(events[-1], Finished)
    assert (text_of(events), events[-1].text) == ("Helo", "Hello")


def test_remarks_between_the_steps_are_not_the_answer(upstream: OpenAIServer, responses: ResponsesAssistant) -> None:
    upstream.next(Scenario(say="The answer.", commentary=True, reasoning=True))
    events = ask(responses)
    assert isinstance(events[-1], Finished)
    assert (text_of(events), events[-1].text) == ("The answer.", "The answer.")


def test_a_refusal_is_shown_as_the_answer(upstream: OpenAIServer, responses: ResponsesAssistant) -> None:
    upstream.next(Scenario(say="I cannot help with that.", refusal=True))
    events = ask(responses)
    assert text_of(events) == "I cannot help with that."
    assert isinstance(events[-1], Finished)
    assert events[-1].text is None


@pytest.mark.parametrize(
    "bytes_as",
    [
        {"one_byte": True}, {"one_write": True}, {"crlf": True}, {"multiline": True}, {"bare": True},
        {"unchunked": True}, {"comments": True}, {"pings": True}, {"unknown": True},
    ],
    ids=lambda fields: next(iter(fields)),
)  # fmt: skip
def test_however_the_bytes_come_the_answer_is_the_same(
    upstream: OpenAIServer, responses: ResponsesAssistant, bytes_as: dict[str, bool]
) -> None:
    plain = text_of(ask(responses))
    upstream.scenario = Scenario(**bytes_as)  # type: ignore[arg-type]
    events = ask(responses)
    assert text_of(events) == plain
    assert isinstance(events[-1], Finished)


def test_two_thousand_deltas_in_one_write_arrive(upstream: OpenAIServer, responses: ResponsesAssistant) -> None:
    upstream.next(Scenario(deltas=2000, one_write=True))
    events = ask(responses)
    assert len(events) > 2000
    assert isinstance(events[-1], Finished)
    assert events[-1].text == text_of(events)


@pytest.mark.parametrize(
    ("scenario", "code"),
    [
        (Scenario(status=400), "assistant_refused"),
        (Scenario(status=401), "assistant_misconfigured"),
        (Scenario(status=403), "assistant_misconfigured"),
        (Scenario(status=404, code="model_not_found"), "assistant_misconfigured"),
        (Scenario(status=429), "assistant_busy"),
        (Scenario(status=429, code="insufficient_quota"), "assistant_quota"),
        (Scenario(status=400, code="context_length_exceeded"), "context_too_long"),
        (Scenario(status=400, code="content_filter"), "content_filtered"),
        (Scenario(status=500), "assistant_unavailable"),
        (Scenario(status=502), "assistant_unavailable"),
        (Scenario(status=503), "assistant_unavailable"),
        (Scenario(body="json"), "assistant_unavailable"),
        (Scenario(body="html"), "assistant_unavailable"),
        (Scenario(drop=True), "assistant_unavailable"),
        (Scenario(broken_json=True), "assistant_unavailable"),
        (Scenario(ending="cut"), "assistant_unavailable"),
        (Scenario(ending="reset"), "assistant_unavailable"),
        (Scenario(ending="end"), "assistant_unavailable"),
        (Scenario(ending="error_flat", code="server_error"), "assistant_unavailable"),
        (Scenario(ending="error_nested", code="rate_limit_exceeded"), "assistant_busy"),
        (Scenario(ending="failed", code="server_error"), "assistant_unavailable"),
        (Scenario(ending="content_filter"), "content_filtered"),
        (Scenario(ending="cancelled"), "assistant_refused"),
        (Scenario(tools=99), "assistant_refused"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.status or value.ending or value.body}",
)
def test_every_trouble_has_its_code(
    upstream: OpenAIServer, responses: ResponsesAssistant, scenario: Scenario, code: str
) -> None:
    upstream.scenario = scenario
    with pytest.raises(AssistantError) as failure:
        ask(responses)
    assert failure.value.code == code
    assert "sk-test" not in failure.value.message + failure.value.detail


@pytest.mark.parametrize(
    "scenario", [Scenario(status=429, retry_after="0.1"), Scenario(status=503), Scenario(drop=True)]
)
def test_a_passing_fault_is_tried_again_and_the_visitor_told(
    upstream: OpenAIServer, responses: ResponsesAssistant, scenario: Scenario
) -> None:
    upstream.next(scenario, times=2)
    events = ask(responses)
    assert len(upstream.requests) == 3
    assert isinstance(events[-1], Finished)
    told = [event.detail or "" for event in events if isinstance(event, Status)]
    assert len(told) == 2
    assert "Trying again" in told[0]


@pytest.mark.parametrize(
    ("scenario", "times"),
    [
        (Scenario(status=503), 3),
        (Scenario(status=400), 1),
        (Scenario(status=401), 1),
        (Scenario(status=429, code="insufficient_quota"), 1),
        (Scenario(status=400, code="content_filter"), 1),
        (Scenario(status=429, retry_after="60"), 1),
        (Scenario(ending="cut", after=2), 1),
        (Scenario(ending="cut", after=0), 3),
        (Scenario(body="html"), 1),
    ],
)
def test_only_passing_faults_are_tried_again_and_never_after_the_first_word(
    upstream: OpenAIServer, responses: ResponsesAssistant, scenario: Scenario, times: int
) -> None:
    upstream.scenario = scenario
    with pytest.raises(AssistantError):
        ask(responses)
    assert len(upstream.requests) == times


@pytest.mark.parametrize("value", ["Wed, 21 Oct 99999999999 07:28:00 GMT", "soon", "nan", "-5", "1e400", ""])
def test_a_strange_time_to_wait_is_no_new_fault(
    upstream: OpenAIServer, responses: ResponsesAssistant, value: str
) -> None:
    upstream.scenario = Scenario(status=401, retry_after=value)
    with pytest.raises(AssistantError) as failure:
        ask(responses)
    assert failure.value.code == "assistant_misconfigured"


def test_a_code_that_is_no_word_is_not_handed_on(upstream: OpenAIServer, responses: ResponsesAssistant) -> None:
    upstream.scenario = Scenario(status=400, code="sk-test-0123456789")
    with pytest.raises(AssistantError) as failure:
        ask(responses)
    assert "sk-test" not in failure.value.detail


def test_how_long_to_wait_is_handed_on(upstream: OpenAIServer, responses: ResponsesAssistant) -> None:
    upstream.scenario = Scenario(status=429, retry_after="60")
    with pytest.raises(AssistantError) as failure:
        ask(responses)
    assert failure.value.retry_after == 60


def test_a_conversation_that_is_too_long_is_sent_with_half_of_its_history(
    upstream: OpenAIServer, responses: ResponsesAssistant
) -> None:
    history = [Exchange(f"question {n}", "x" * 100) for n in range(10)]
    upstream.next(Scenario(status=400, code="context_length_exceeded"))
    assert isinstance(ask(responses, "and now?", history)[-1], Finished)
    lengths = [len(request.body["input"]) for request in upstream.requests]
    assert lengths == [21, 11]


def test_what_is_always_too_long_is_asked_less_and_less_down_to_the_question_alone(
    upstream: OpenAIServer, responses: ResponsesAssistant
) -> None:
    history = [Exchange(f"question {n}", "x" * 100) for n in range(10)]
    upstream.scenario = Scenario(status=400, code="context_length_exceeded")
    with pytest.raises(AssistantError) as failure:
        ask(responses, "and now?", history)
    assert failure.value.code == "context_too_long"
    assert [len(request.body["input"]) for request in upstream.requests] == [21, 11, 5, 3, 1]


def test_a_function_that_nobody_offered_is_answered_with_an_error_and_the_answer_follows(
    upstream: OpenAIServer, responses: ResponsesAssistant
) -> None:
    upstream.next(Scenario(tools=1, parallel=2))
    events = ask(responses)
    assert len(upstream.requests) == 2
    outputs = [item for item in upstream.requests[1].body["input"] if item.get("type") == "function_call_output"]
    assert len(outputs) == 2
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.text == text_of(events) != ""
    single = ask(responses)[-1]
    assert isinstance(single, Finished)
    assert finished.usage is not None
    assert single.usage is not None
    assert finished.usage["output_tokens"] > single.usage["output_tokens"]


def test_every_call_leaves_its_request_id(upstream: OpenAIServer, responses: ResponsesAssistant) -> None:
    upstream.next(Scenario(tools=1))
    ids = [event.request_id for event in ask(responses) if isinstance(event, Trace)]
    assert ids == [request.request_id for request in upstream.requests]


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(AssistantError) as failure:
        ask(ResponsesAssistant(new_client(None, "http://127.0.0.1:9/v1"), "m"))
    assert failure.value.code == "assistant_unavailable"


def test_a_stop_closes_the_connection(upstream: OpenAIServer, responses: ResponsesAssistant) -> None:
    upstream.scenario = Scenario(delay=0.01, deltas=1000)
    question = Question("t", "c", "hello")
    for _ in responses.stream(question):
        question.cancellation.cancel()
    upstream.wait_until(lambda: upstream.client_closed)


def test_leaving_in_the_middle_closes_the_connection(upstream: OpenAIServer, responses: ResponsesAssistant) -> None:
    upstream.scenario = Scenario(delay=0.01, deltas=1000)
    events = responses.stream(Question("t", "c", "hello"))
    next(events)
    events.close()
    upstream.wait_until(lambda: upstream.client_closed)
