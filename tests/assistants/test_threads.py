"""The threads assistant over real HTTP and SSE: a conversation and its thread, and what the thread is given."""

from __future__ import annotations

import warnings

import pytest

from app.assistants.openai_client import new_client
from app.assistants.threads import ThreadsAssistant
from app.chat.interfaces import Exchange, Finished, Question, Remote, Trace
from app.errors import AssistantError
from tests.assistants import thread_parts
from tests.assistants.contract import WireContract, ask, text_of
from tests.assistants.thread_parts import asked, messages, the_thread, traced
from tests.wire.openai_server import OpenAIServer, Scenario

threads = thread_parts.threads


class TestThreads(WireContract):
    @pytest.fixture
    def assistant(self, threads: ThreadsAssistant) -> ThreadsAssistant:
        return threads


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
