"""Runs on the other side: those that are in the way of the next, and those that a stop or a fault leaves behind."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from app.assistants import remote_thread
from app.assistants.openai_client import new_client
from app.assistants.threads import ThreadsAssistant
from app.chat.interfaces import Finished, Remote, Trace
from app.errors import AssistantError
from tests.assistants import thread_parts
from tests.assistants.contract import ask, text_of
from tests.assistants.thread_parts import asked, messages, states, the_thread, traced
from tests.running_server import wait_until
from tests.wire.openai_server import OpenAIServer, Scenario

threads = thread_parts.threads


# Runs that are in the way.


def left_running(upstream: OpenAIServer, threads: ThreadsAssistant, **scenario: Any) -> Remote:
    """A conversation whose first turn's worker was killed: its run goes on and nobody has cancelled it."""
    client = new_client("sk-test", upstream.base_url)
    thread = client.beta.threads.create()
    client.beta.threads.messages.create(thread.id, role="user", content="one")
    upstream.next(Scenario(stall=600, after=1, **scenario))
    run = client.beta.threads.runs.create(thread.id, assistant_id="asst_1")
    assert threads.ready()
    return Remote(thread.id, run.id)


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
