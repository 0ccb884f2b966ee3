"""The stream of a thread's run: its text, citations, endings, troubles, and calls of functions."""

from __future__ import annotations

from typing import Any

import pytest

from app.assistants.threads import ThreadsAssistant
from app.chat.interfaces import Citation, Event, Finished, Status
from app.errors import AssistantError
from tests.assistants import thread_parts
from tests.assistants.contract import ask, text_of
from tests.assistants.thread_parts import asked, states, the_thread, traced
from tests.wire.openai_server import OpenAIServer, Scenario

threads = thread_parts.threads

OVER = ("completed", "incomplete", "failed", "cancelled", "expired")


@pytest.mark.parametrize(
    ("scenario", "code"),
    [
        (Scenario(drop=True), "assistant_unavailable"),
        (Scenario(broken_json=True), "assistant_unavailable"),
        (Scenario(ending="cut"), "assistant_unavailable"),
        (Scenario(ending="reset"), "assistant_unavailable"),
        (Scenario(ending="end"), "assistant_unavailable"),
        (Scenario(ending="end", after=0), "assistant_unavailable"),
        (Scenario(bare=True), "assistant_unavailable"),
        (Scenario(ending="error_flat", code="server_error"), "assistant_unavailable"),
        (Scenario(ending="error_nested", code="rate_limit_exceeded"), "assistant_busy"),
        (Scenario(ending="failed", code="server_error"), "assistant_unavailable"),
        (Scenario(ending="failed", code="rate_limit_exceeded"), "assistant_busy"),
        (Scenario(ending="failed", code="rate_limit_exceeded", message="your current quota"), "assistant_quota"),
        (Scenario(ending="failed", code="invalid_prompt"), "assistant_refused"),
        (Scenario(ending="content_filter"), "content_filtered"),
        (Scenario(ending="cancelled"), "assistant_refused"),
        (Scenario(ending="expired"), "assistant_unavailable"),
        (Scenario(ending="expired", after=0), "assistant_unavailable"),
        (Scenario(tools=11), "assistant_refused"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.ending}-{value.code}-{value.after}",
)
def test_every_trouble_of_a_run_has_its_code_and_no_run_stays_active(
    upstream: OpenAIServer, threads: ThreadsAssistant, scenario: Scenario, code: str
) -> None:
    upstream.next(scenario)
    events: list[Event] = []
    with pytest.raises(AssistantError) as failure:
        events.extend(threads.stream(asked("t1")))
    assert failure.value.code == code
    assert not any(isinstance(event, Finished) for event in events)
    upstream.wait_until(lambda: all(state in OVER for state in states(the_thread(upstream))))
    assert len(the_thread(upstream).runs) <= 1


@pytest.mark.parametrize("ending", ["failed", "error_flat", "error_nested"])
def test_a_run_that_failed_before_its_first_text_is_tried_again(
    upstream: OpenAIServer, threads: ThreadsAssistant, ending: Any
) -> None:
    upstream.next(Scenario(ending=ending, code="rate_limit_exceeded", after=0))
    events = ask(threads)
    assert isinstance(events[-1], Finished)
    assert states(the_thread(upstream)) == ["failed", "completed"]
    assert len(upstream.asked("/messages", method="POST")) == 1
    assert events[-1].response_id == traced(events, "run_id")[-1]


def test_an_answer_cut_by_the_models_limit_is_truncated(upstream: OpenAIServer, threads: ThreadsAssistant) -> None:
    upstream.next(Scenario(ending="incomplete"))
    events = ask(threads)
    assert isinstance(events[-1], Finished)
    assert (events[-1].state, events[-1].text) == ("truncated", text_of(events))


def test_usage_model_and_the_runs_id_are_given(threads: ThreadsAssistant) -> None:
    events = ask(threads)
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.usage is not None
    assert set(finished.usage) == {"input_tokens", "output_tokens", "total_tokens"}
    assert finished.usage["total_tokens"] == finished.usage["input_tokens"] + finished.usage["output_tokens"] > 0
    assert finished.model == "gpt-wire"
    assert [finished.response_id] == traced(events, "run_id")


def test_an_answer_without_usage_is_an_answer(upstream: OpenAIServer, threads: ThreadsAssistant) -> None:
    upstream.next(Scenario(no_usage=True))
    finished = ask(threads)[-1]
    assert isinstance(finished, Finished)
    assert finished.usage is None


def test_a_completed_text_that_differs_is_handed_on(upstream: OpenAIServer, threads: ThreadsAssistant) -> None:
    upstream.next(Scenario(say="Helo", completed="Hello"))
    events = ask(threads)
    assert isinstance(events[-1], Finished)
    assert (text_of(events), events[-1].text) == ("Helo", "Hello")


def test_a_refusal_is_shown_as_the_answer(upstream: OpenAIServer, threads: ThreadsAssistant) -> None:
    upstream.next(Scenario(say="I cannot help with that.", refusal=True))
    events = ask(threads)
    assert isinstance(events[-1], Finished)
    assert (text_of(events), events[-1].text) == ("I cannot help with that.",) * 2


@pytest.mark.parametrize("where", ["both", "events", "done"])
def test_a_citation_names_its_file_once_by_the_marker_in_the_text(
    upstream: OpenAIServer, threads: ThreadsAssistant, where: Any
) -> None:
    upstream.next(Scenario(cite="file", cite_in=where))
    events = ask(threads)
    (citation,) = [event for event in events if isinstance(event, Citation)]
    assert citation.marker == "【4:0†policy.pdf】"
    assert citation.marker in text_of(events)
    assert citation.file_id == f"file-{b'policy.pdf'.hex()}"


def test_a_citation_of_a_page_has_its_address(upstream: OpenAIServer, threads: ThreadsAssistant) -> None:
    upstream.next(Scenario(cite="url"))
    (citation,) = [event for event in ask(threads) if isinstance(event, Citation)]
    assert (citation.url, citation.title) == ("https://example.com/refunds", "Refunds")


@pytest.mark.parametrize(
    "bytes_as",
    [
        {"one_byte": True}, {"one_write": True}, {"crlf": True}, {"multiline": True}, {"unchunked": True},
        {"comments": True}, {"pings": True}, {"unknown": True}, {"say": "Ünï 【x】 🙂 text", "one_byte": True},
    ],
    ids=lambda fields: next(iter(fields)),
)  # fmt: skip
def test_however_the_bytes_come_the_answer_is_the_same(
    upstream: OpenAIServer, threads: ThreadsAssistant, bytes_as: dict[str, Any]
) -> None:
    upstream.next(Scenario(say=bytes_as.get("say")))
    plain = text_of(ask(threads))
    upstream.next(Scenario(**bytes_as))
    events = ask(threads)
    assert text_of(events) == plain
    assert isinstance(events[-1], Finished)


def test_two_thousand_deltas_in_one_write_arrive(upstream: OpenAIServer, threads: ThreadsAssistant) -> None:
    upstream.next(Scenario(deltas=2000, one_write=True))
    events = ask(threads)
    assert len(events) > 2000
    assert isinstance(events[-1], Finished)
    assert events[-1].text == text_of(events)


# Function calls.


@pytest.mark.parametrize("rounds", [1, 10])
def test_every_call_of_a_function_is_answered_with_an_error(
    upstream: OpenAIServer, threads: ThreadsAssistant, rounds: int
) -> None:
    upstream.next(Scenario(tools=rounds, parallel=2))
    events = ask(threads)
    assert isinstance(events[-1], Finished)
    assert sum(event == Status("tool") for event in events) == rounds
    submitted = [request.body["tool_outputs"] for request in upstream.asked("/submit_tool_outputs")]
    assert [len(outputs) for outputs in submitted] == [2] * rounds
    assert all("no such function" in output["output"] for outputs in submitted for output in outputs)
    assert len(traced(events, "run_id")) == 1


def test_outputs_that_are_refused_end_the_run(upstream: OpenAIServer, threads: ThreadsAssistant) -> None:
    upstream.next(Scenario(tools=1))
    upstream.next(Scenario(status=400), path="/submit_tool_outputs")
    with pytest.raises(AssistantError) as failure:
        ask(threads)
    assert failure.value.code == "assistant_refused"
    upstream.wait_until(lambda: states(the_thread(upstream)) == ["cancelled"])


def test_outputs_that_met_a_passing_fault_lead_to_an_answer(upstream: OpenAIServer, threads: ThreadsAssistant) -> None:
    upstream.next(Scenario(tools=1))
    upstream.next(Scenario(status=503, retry_after="0"), path="/submit_tool_outputs")
    assert isinstance(ask(threads)[-1], Finished)
    assert states(the_thread(upstream)) == ["cancelled", "completed"]
