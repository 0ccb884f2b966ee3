"""The threads assistant over real HTTP and SSE, against `tests/wire/openai_server.py`."""

from __future__ import annotations

import contextlib
import warnings
from typing import Any

import httpx2
import openai
import pytest

from app.assistants import remote_thread
from app.assistants.openai_client import new_client
from app.assistants.threads import ThreadsAssistant
from app.chat.interfaces import (
    Citation,
    Event,
    Exchange,
    Finished,
    Question,
    Remote,
    Status,
    Trace,
)
from app.errors import AssistantError
from tests.assistants.contract import WireContract, ask, text_of
from tests.running_server import wait_until
from tests.wire.openai_server import OpenAIServer, Scenario
from tests.wire.thread import Thread
from tests.wire.thread import text_of as message_text

OVER = ("completed", "incomplete", "failed", "cancelled", "expired")


@pytest.fixture
def threads(upstream: OpenAIServer) -> ThreadsAssistant:
    return ThreadsAssistant(new_client("sk-test", upstream.base_url), "asst_1")


class LosingTransport(httpx2.HTTPTransport):
    """Loses the answers to POSTs whose path ends as in `losses`: (end of the path, whether it arrived there)."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[tuple[str, bool]] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        for loss in self.losses:
            end, arrives = loss
            if request.method == "POST" and request.url.path.endswith(end):
                self.losses.remove(loss)
                if arrives:
                    super().handle_request(request).close()
                raise httpx2.ReadError("the connection was lost")
        return super().handle_request(request)


@pytest.fixture
def weather() -> LosingTransport:
    return LosingTransport()


@pytest.fixture
def unlucky(upstream: OpenAIServer, weather: LosingTransport) -> ThreadsAssistant:
    """The assistant on a line on which answers get lost."""
    client = openai.OpenAI(
        api_key="sk-test", base_url=upstream.base_url, max_retries=0, http_client=httpx2.Client(transport=weather)
    )
    return ThreadsAssistant(client, "asst_1")


class TestThreads(WireContract):
    @pytest.fixture
    def assistant(self, threads: ThreadsAssistant) -> ThreadsAssistant:
        return threads


def asked(turn: str, text: str = "hello", remote: Remote | None = None, history: Any = ()) -> Question:
    return Question(turn, "conversation", text, history, remote or Remote())


def traced(events: list[Event], name: str) -> list[str]:
    """The ids of one kind that an answer told."""
    ids = [getattr(event, name) for event in events if isinstance(event, Trace)]
    return [found for found in ids if found]


def the_thread(upstream: OpenAIServer) -> Thread:
    (thread,) = upstream.threads.threads.values()
    return thread


def messages(thread: Thread) -> list[tuple[str, str]]:
    return [(message["role"], message_text(message)) for message in thread.messages]


def states(thread: Thread) -> list[str]:
    return [run.status for run in thread.runs]


def left_running(upstream: OpenAIServer, threads: ThreadsAssistant, **scenario: Any) -> Remote:
    """A conversation whose first turn's worker was killed: its run goes on and nobody has cancelled it."""
    client = new_client("sk-test", upstream.base_url)
    thread = client.beta.threads.create()
    client.beta.threads.messages.create(thread.id, role="user", content="one")
    upstream.next(Scenario(stall=600, after=1, **scenario))
    run = client.beta.threads.runs.create(thread.id, assistant_id="asst_1")
    assert threads.ready()
    return Remote(thread.id, run.id)


# A conversation and its thread.


def test_a_conversation_keeps_its_thread_and_the_other_side_has_the_history(
    upstream: OpenAIServer, threads: ThreadsAssistant
) -> None:
    first = list(threads.stream(asked("t1", "alpha")))
    (thread_id,) = traced(first, "thread_id")
    history = [Exchange("alpha", text_of(first), thread_id)]
    second = list(threads.stream(asked("t2", "beta", Remote(thread_id), history)))
    assert traced(second, "thread_id") == [thread_id]
    assert text_of(second) == "You said: beta. This is turn 2 of our conversation; before it you said: alpha."
    assert [role for role, _ in messages(the_thread(upstream))] == ["user", "assistant"] * 2


def test_thread_and_run_are_told_before_the_first_text(threads: ThreadsAssistant) -> None:
    events = ask(threads)
    before = events[: next(number for number, event in enumerate(events) if not isinstance(event, Trace))]
    assert len(traced(before, "thread_id")) == 1
    assert len(traced(before, "run_id")) == 1


def test_every_call_is_told_by_its_request_id(upstream: OpenAIServer, threads: ThreadsAssistant) -> None:
    events = ask(threads)
    assert traced(events, "request_id") == [request.request_id for request in upstream.requests]
    assert len(upstream.requests) == 3


def test_the_message_carries_the_turns_id(upstream: OpenAIServer, threads: ThreadsAssistant) -> None:
    list(threads.stream(asked("turn-7")))
    assert the_thread(upstream).messages[0]["metadata"] == {"turn_id": "turn-7"}


def test_the_assistant_its_instructions_and_the_longest_output_are_sent(upstream: OpenAIServer) -> None:
    client = new_client("sk-test", upstream.base_url)
    ask(ThreadsAssistant(client, "asst_9", instructions="Be brief.", max_output_tokens=300))
    body = upstream.requests[-1].body
    assert (body["assistant_id"], body["instructions"]) == ("asst_9", "Be brief.")
    assert (body["max_completion_tokens"], body["stream"]) == (300, True)


def test_instructions_that_are_not_set_are_not_sent(upstream: OpenAIServer, threads: ThreadsAssistant) -> None:
    ask(threads)
    assert not {"instructions", "max_completion_tokens"} & set(upstream.requests[-1].body)


def test_the_sdk_does_not_say_at_every_call_that_openai_has_switched_it_off(upstream: OpenAIServer) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        ask(ThreadsAssistant(new_client("sk-test", upstream.base_url), "asst_1"))
    assert not [warning for warning in said if "deprecated" in str(warning.message)]


# Turns that the thread lacks.


def test_a_new_thread_is_given_the_whole_history_in_order(upstream: OpenAIServer, threads: ThreadsAssistant) -> None:
    list(threads.stream(asked("t3", "third", history=[Exchange("first", "answer 1"), Exchange("second", "answer 2")])))
    assert messages(the_thread(upstream))[:5] == [
        ("user", "first"), ("assistant", "answer 1"), ("user", "second"), ("assistant", "answer 2"), ("user", "third"),
    ]  # fmt: skip


def test_an_empty_answer_is_not_posted(upstream: OpenAIServer, threads: ThreadsAssistant) -> None:
    list(threads.stream(asked("t2", "two", history=[Exchange("one", " ")])))
    assert messages(the_thread(upstream))[:2] == [("user", "one"), ("user", "two")]


def test_turns_that_another_assistant_answered_are_added_once(
    upstream: OpenAIServer, threads: ThreadsAssistant
) -> None:
    (thread_id,) = traced(list(threads.stream(asked("t1", "one"))), "thread_id")
    history = [Exchange("one", "1", thread_id), Exchange("two", "2"), Exchange("three", "3", "other")]
    list(threads.stream(asked("t4", "four", Remote(thread_id), history)))
    added = messages(the_thread(upstream))[2:7]
    assert added == [("user", "two"), ("assistant", "2"), ("user", "three"), ("assistant", "3"), ("user", "four")]
    history.append(Exchange("four", "4", thread_id))
    before = len(upstream.requests)
    list(threads.stream(asked("t5", "five", Remote(thread_id), history)))
    assert [request.method for request in upstream.requests[before:]] == ["POST", "POST"]
    assert [text for role, text in messages(the_thread(upstream)) if role == "user"] == [
        "one", "two", "three", "four", "five",
    ]  # fmt: skip


def test_they_are_added_once_also_when_the_turn_that_added_them_failed(
    upstream: OpenAIServer, threads: ThreadsAssistant
) -> None:
    history = [Exchange("one", "yes"), Exchange("two", "yes")]
    upstream.next(Scenario(ending="failed", code="invalid_prompt", after=0))
    with pytest.raises(AssistantError):
        list(threads.stream(asked("t3", "three", history=history)))
    thread = the_thread(upstream)
    list(threads.stream(asked("t4", "four", Remote(thread.id), history)))
    texts = [text for role, text in messages(thread) if role == "user" or text == "yes"]
    assert texts == ["one", "yes", "two", "yes", "three", "four"]


def test_a_thread_that_is_gone_is_replaced_by_a_new_one_with_the_whole_history(
    upstream: OpenAIServer, threads: ThreadsAssistant
) -> None:
    history = [Exchange("one", "1", "thread_gone")]
    events = list(threads.stream(asked("t2", "two", Remote("thread_gone", "run_gone"), history)))
    thread = the_thread(upstream)
    assert traced(events, "thread_id") == ["thread_gone", thread.id]
    assert messages(thread)[:3] == [("user", "one"), ("assistant", "1"), ("user", "two")]
    assert isinstance(events[-1], Finished)


def test_a_server_without_threads_is_asked_for_a_new_one_only_once(upstream: OpenAIServer) -> None:
    upstream.absent = {"/messages": 404, "/threads": 404}
    threads = ThreadsAssistant(new_client("sk-test", upstream.base_url), "asst_1")
    with pytest.raises(AssistantError) as failure:
        list(threads.stream(asked("t2", "two", Remote("thread_1"))))
    assert failure.value.code == "assistant_misconfigured"
    assert len(upstream.requests) == 2


# Lost connections.


def test_a_message_whose_answer_was_lost_is_found_there_and_not_posted_twice(
    upstream: OpenAIServer, unlucky: ThreadsAssistant, weather: LosingTransport
) -> None:
    weather.losses = [("/messages", True)]
    events = list(unlucky.stream(asked("t1", "alpha")))
    assert isinstance(events[-1], Finished)
    assert [text for role, text in messages(the_thread(upstream)) if role == "user"] == ["alpha"]


def test_a_message_that_was_lost_on_its_way_is_posted_again(
    upstream: OpenAIServer, unlucky: ThreadsAssistant, weather: LosingTransport
) -> None:
    weather.losses = [("/messages", False)]
    events = list(unlucky.stream(asked("t1", "alpha")))
    assert isinstance(events[-1], Finished)
    assert [text for role, text in messages(the_thread(upstream)) if role == "user"] == ["alpha"]


def test_lost_turns_of_the_history_are_not_doubled_either(
    upstream: OpenAIServer, unlucky: ThreadsAssistant, weather: LosingTransport
) -> None:
    weather.losses = [("/messages", True), ("/messages", False)]
    list(unlucky.stream(asked("t2", "two", history=[Exchange("one", "1")])))
    assert messages(the_thread(upstream))[:3] == [("user", "one"), ("assistant", "1"), ("user", "two")]


def test_a_message_is_not_posted_a_third_time(
    upstream: OpenAIServer, unlucky: ThreadsAssistant, weather: LosingTransport
) -> None:
    weather.losses = [("/messages", False), ("/messages", False), ("/messages", False)]
    with pytest.raises(AssistantError) as failure:
        list(unlucky.stream(asked("t1", "alpha")))
    assert failure.value.code == "assistant_unavailable"
    assert weather.losses == [("/messages", False)]
    assert not upstream.asked("/runs")


def test_a_run_whose_creation_was_lost_is_cancelled_and_not_created_again(
    upstream: OpenAIServer, unlucky: ThreadsAssistant, weather: LosingTransport
) -> None:
    weather.losses = [("/runs", True)]
    upstream.next(Scenario(delay=600, deltas=5))
    with pytest.raises(AssistantError) as failure:
        list(unlucky.stream(asked("t1", "alpha")))
    assert failure.value.code == "assistant_unavailable"
    upstream.wait_until(lambda: states(the_thread(upstream)) == ["cancelled"])


def test_a_run_that_was_lost_on_its_way_is_not_created_again(
    upstream: OpenAIServer, unlucky: ThreadsAssistant, weather: LosingTransport
) -> None:
    weather.losses = [("/runs", False)]
    with pytest.raises(AssistantError):
        list(unlucky.stream(asked("t1", "alpha")))
    assert the_thread(upstream).runs == []


def test_a_thread_whose_creation_was_lost_is_not_created_again(
    upstream: OpenAIServer, unlucky: ThreadsAssistant, weather: LosingTransport
) -> None:
    weather.losses = [("/threads", True)]
    with pytest.raises(AssistantError):
        list(unlucky.stream(asked("t1", "alpha")))
    assert len(upstream.threads.threads) == 1


# Received refusals.


@pytest.mark.parametrize("path", ["/threads", "/messages", ""], ids=["thread", "message", "run"])
@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_received_fault_is_tried_again_and_leaves_nothing_twice(
    upstream: OpenAIServer, threads: ThreadsAssistant, path: str, status: int
) -> None:
    upstream.next(Scenario(status=status, retry_after="0"), path=path)
    events = list(threads.stream(asked("t1", "alpha")))
    assert isinstance(events[-1], Finished)
    assert any(isinstance(event, Status) and event.state == "thinking" for event in events)
    assert [role for role, _ in messages(the_thread(upstream))] == ["user", "assistant"]
    assert states(the_thread(upstream)) == ["completed"]


@pytest.mark.parametrize("path", ["/threads", "/messages", ""], ids=["thread", "message", "run"])
@pytest.mark.parametrize(
    ("scenario", "code"),
    [
        (Scenario(status=400), "assistant_refused"),
        (Scenario(status=401), "assistant_misconfigured"),
        (Scenario(status=403), "assistant_misconfigured"),
        (Scenario(status=422), "assistant_refused"),
        (Scenario(status=429, code="insufficient_quota"), "assistant_quota"),
        (Scenario(status=400, code="context_length_exceeded"), "context_too_long"),
        (Scenario(status=400, code="content_filter"), "content_filtered"),
        (Scenario(body="json"), "assistant_unavailable"),
        (Scenario(body="html"), "assistant_unavailable"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.status or value.body}",
)
def test_every_refusal_has_its_code_and_is_not_tried_again(
    upstream: OpenAIServer, threads: ThreadsAssistant, path: str, scenario: Scenario, code: str
) -> None:
    upstream.next(scenario, path=path)
    with pytest.raises(AssistantError) as failure:
        ask(threads)
    assert failure.value.code == code
    assert "sk-test" not in failure.value.message + failure.value.detail
    posts = [request.path for request in upstream.requests if request.method == "POST"]
    assert len(posts) == len(set(posts))


def test_a_fault_that_stays_ends_after_three_tries(upstream: OpenAIServer, threads: ThreadsAssistant) -> None:
    upstream.scenario = Scenario(status=429, retry_after="0")
    with pytest.raises(AssistantError) as failure:
        ask(threads)
    assert failure.value.code == "assistant_busy"
    assert len(upstream.asked("/runs", method="POST")) == 3


def test_an_assistant_that_is_not_there_is_misconfigured(upstream: OpenAIServer, threads: ThreadsAssistant) -> None:
    upstream.assistants = ["asst_other"]
    with pytest.raises(AssistantError) as failure:
        ask(threads)
    assert failure.value.code == "assistant_misconfigured"


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(AssistantError) as failure:
        ask(ThreadsAssistant(new_client(None, "http://127.0.0.1:9/v1"), "asst_1"))
    assert failure.value.code == "assistant_unavailable"


# The stream.


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


# Runs that are in the way.


@pytest.mark.parametrize("polls", [0, 2])
def test_the_run_of_a_killed_turn_is_cancelled_and_its_end_awaited(
    upstream: OpenAIServer, threads: ThreadsAssistant, polls: int
) -> None:
    remote = left_running(upstream, threads, cancel_polls=polls)
    events = list(threads.stream(asked("t2", "two", remote)))
    assert isinstance(events[-1], Finished)
    assert states(the_thread(upstream)) == ["cancelled", "completed"]
    assert len(upstream.asked("/cancel")) == 1
    assert len(upstream.asked("/messages", method="POST")) == 2


def test_a_killed_turns_run_that_has_ended_is_not_cancelled(upstream: OpenAIServer, threads: ThreadsAssistant) -> None:
    first = ask(threads)
    remote = Remote(traced(first, "thread_id")[0], traced(first, "run_id")[0])
    assert isinstance(list(threads.stream(asked("t2", "two", remote)))[-1], Finished)
    assert not upstream.asked("/cancel")


def test_an_active_run_that_nobody_knew_of_is_found_and_cancelled(
    upstream: OpenAIServer, threads: ThreadsAssistant
) -> None:
    remote = left_running(upstream, threads)
    events = list(threads.stream(asked("t2", "two", Remote(remote.thread_id))))
    assert isinstance(events[-1], Finished)
    assert states(the_thread(upstream)) == ["cancelled", "completed"]
    assert [text for role, text in messages(the_thread(upstream)) if role == "user"] == ["one", "two"]


def test_an_active_run_that_appears_after_the_message_is_cancelled_too(
    upstream: OpenAIServer, threads: ThreadsAssistant
) -> None:
    (thread_id,) = traced(ask(threads), "thread_id")
    events = threads.stream(asked("t2", "two", Remote(thread_id)))
    while len(upstream.asked("/messages", method="POST")) != 2:
        next(events)
    upstream.next(Scenario(stall=600, after=1))
    new_client("sk-test", upstream.base_url).beta.threads.runs.create(thread_id, assistant_id="asst_1")
    assert isinstance(list(events)[-1], Finished)
    assert states(the_thread(upstream)) == ["completed", "cancelled", "completed"]


def test_a_run_that_does_not_end_makes_the_next_turn_fail_as_busy(
    upstream: OpenAIServer, threads: ThreadsAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_thread, "ENDS_WITHIN", 0.2)
    monkeypatch.setattr(remote_thread, "POLL_EVERY", 0.01)
    remote = left_running(upstream, threads)
    upstream.next(Scenario(body="json", status=400), path="/cancel")
    with pytest.raises(AssistantError) as failure:
        list(threads.stream(asked("t2", "two", remote)))
    assert failure.value.code == "assistant_busy"


# Stop, and other ways out.


def test_a_stop_cancels_the_run_on_the_other_side(upstream: OpenAIServer, threads: ThreadsAssistant) -> None:
    # By itself it would complete, in minutes.
    upstream.scenario = Scenario(delay=0.01, deltas=20_000)
    question = asked("t1")
    events = []
    for event in threads.stream(question):
        events.append(event)
        if text_of(events):
            question.cancellation.cancel()
    assert not any(isinstance(event, Finished) for event in events)
    wait_until(lambda: states(the_thread(upstream)) == ["cancelled"], "the run is cancelled")
    upstream.wait_until(lambda: upstream.client_closed == traced(events, "run_id"))


def test_a_stop_before_the_run_makes_none(upstream: OpenAIServer, threads: ThreadsAssistant) -> None:
    question = asked("t1")
    for event in threads.stream(question):
        if isinstance(event, Trace) and event.thread_id:
            question.cancellation.cancel()
    assert messages(the_thread(upstream)) == []
    assert the_thread(upstream).runs == []


def test_a_stop_that_came_while_the_run_was_made_cancels_it(upstream: OpenAIServer, threads: ThreadsAssistant) -> None:
    question = asked("t1")
    upstream.next(Scenario(delay=600, deltas=5))
    create = threads._streams.create

    def stopped_in_the_middle(*arguments: Any, **options: Any) -> Any:
        question.cancellation.cancel()
        return create(*arguments, **options)

    threads._streams.create = stopped_in_the_middle
    assert not any(isinstance(event, Finished) for event in threads.stream(question))
    upstream.wait_until(lambda: states(the_thread(upstream)) == ["cancelled"])


def test_leaving_in_the_middle_cancels_the_run_and_closes_the_connection(
    upstream: OpenAIServer, threads: ThreadsAssistant
) -> None:
    upstream.scenario = Scenario(delay=0.01, deltas=1000)
    events = threads.stream(asked("t1"))
    with contextlib.closing(events):
        while not upstream.streaming:
            next(events)
    assert states(the_thread(upstream)) in (["cancelling"], ["cancelled"])
    upstream.wait_until(lambda: states(the_thread(upstream)) == ["cancelled"])
    upstream.wait_until(lambda: upstream.client_closed)


def test_a_cancel_that_fails_is_logged_without_text_and_hides_nothing(
    upstream: OpenAIServer, threads: ThreadsAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.next(Scenario(ending="cut"))
    upstream.next(Scenario(status=500, message="sk-secret alpha"), path="/cancel")
    with pytest.raises(AssistantError) as failure:
        list(threads.stream(asked("t1", "alpha")))
    assert failure.value.message == "The answer broke off. Please ask again."
    assert "its run could not be cancelled" in caplog.text
    assert "alpha" not in caplog.text
    assert "sk-secret" not in caplog.text


def test_a_thread_is_forgotten_and_that_may_be_repeated(upstream: OpenAIServer, threads: ThreadsAssistant) -> None:
    list(threads.stream(Question("t1", "c", "secret")))
    (there,) = upstream.threads.threads
    upstream.next(Scenario(status=503), path=there)
    with pytest.raises(AssistantError) as refused:
        threads.forget(there, ())
    assert refused.value.transient
    threads.forget(there, ())
    assert upstream.threads.threads == {}
    threads.forget(there, ())


def test_a_server_that_cannot_delete_threads_says_that_it_has_no_such_route(
    upstream: OpenAIServer, threads: ThreadsAssistant
) -> None:
    list(threads.stream(Question("t1", "c", "secret")))
    (there,) = upstream.threads.threads
    upstream.absent[there] = 405
    with pytest.raises(AssistantError) as refused:
        threads.forget(there, ())
    assert refused.value.no_such_route
