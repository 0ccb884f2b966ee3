"""The Responses API with the history on the other side."""

from __future__ import annotations

from typing import Any

import pytest

from app.assistants.conversation_state import ConversationAssistant
from app.assistants.openai_client import new_client
from app.assistants.responses import ResponsesAssistant
from app.chat.interfaces import Exchange, Finished, Question, Remote, Status, Trace
from app.errors import AssistantError
from tests.assistants.contract import WireContract, ask, text_of
from tests.wire.openai_server import OpenAIServer, Scenario


@pytest.fixture
def theirs(upstream: OpenAIServer) -> ConversationAssistant:
    client = new_client("sk-test", upstream.base_url)
    return ConversationAssistant(client, ResponsesAssistant(client, "a-model"))


class TestConversation(WireContract):
    @pytest.fixture
    def assistant(self, theirs: ConversationAssistant) -> ConversationAssistant:
        return theirs


def thread_of(events: list[object]) -> str:
    return next(event.thread_id for event in events if isinstance(event, Trace) and event.thread_id)


def test_the_other_side_keeps_the_history(upstream: OpenAIServer, theirs: ConversationAssistant) -> None:
    first = list(theirs.stream(Question("t1", "c", "alpha")))
    there = thread_of(first)
    known = [Exchange("alpha", text_of(first), there)]
    second = list(theirs.stream(Question("t2", "c", "beta", known, Remote(there))))
    assert "alpha" in text_of(second)
    body = upstream.asked("/responses", method="POST")[-1].body
    assert body["conversation"] == there
    assert [item["content"] for item in body["input"]] == ["beta"]
    assert len(upstream.asked("/conversations", method="POST")) == 1


def test_turns_that_it_lacks_are_added_in_order(theirs: ConversationAssistant) -> None:
    history = [Exchange(f"question {n}", f"answer {n}") for n in range(15)]
    text = text_of(ask(theirs, "and now?", history))
    assert "question 0 | question 1 | question 2" in text
    assert "question 14" in text


def test_after_a_turn_that_did_not_end_by_itself_a_new_one_is_given_all_of_the_history(
    upstream: OpenAIServer, theirs: ConversationAssistant
) -> None:
    first = list(theirs.stream(Question("t1", "c", "alpha")))
    there = thread_of(first)
    known = [Exchange("alpha", text_of(first), there), Exchange("beta", "half an ans", there)]
    events = list(theirs.stream(Question("t3", "c", "gamma", known, Remote(there, settled=False))))
    assert "alpha | beta" in text_of(events)
    assert thread_of(events) != there
    assert len(upstream.asked("/conversations", method="POST")) == 2


def test_a_conversation_that_is_too_long_over_there_goes_on_in_a_new_one_with_what_fits(
    upstream: OpenAIServer, theirs: ConversationAssistant
) -> None:
    first = list(theirs.stream(Question("t1", "c", "alpha")))
    there = thread_of(first)
    known = [Exchange("x" * 40, "y" * 60, there), Exchange("x" * 40, "y" * 50, there), Exchange("alpha", "beta", there)]
    upstream.responses.conversations[there].items[0]["content"] = "x" * 900
    upstream.scenario = Scenario(context_limit=60)
    events = list(theirs.stream(Question("t3", "c", "gamma", known, Remote(there))))
    assert isinstance(events[-1], Finished)
    assert "alpha" in text_of(events)
    # What was begun on the way and given up is not left over there.
    assert len(upstream.asked("/conversations", method="POST")) == 3
    assert set(upstream.responses.conversations) == {there, last_thread_of(events)}


def last_thread_of(events: list[object]) -> str:
    return [event.thread_id for event in events if isinstance(event, Trace) and event.thread_id][-1]


@pytest.mark.parametrize("body", ["html", "json"])
def test_an_answer_that_is_no_conversation_is_a_fault_of_the_other_side(
    upstream: OpenAIServer, theirs: ConversationAssistant, body: Any
) -> None:
    upstream.next(Scenario(body=body), path="/conversations")
    with pytest.raises(AssistantError) as failure:
        ask(theirs)
    assert failure.value.code == "assistant_unavailable"


def test_turns_that_it_was_given_are_not_given_again(upstream: OpenAIServer, theirs: ConversationAssistant) -> None:
    elsewhere = Exchange("elsewhere", "answer", "thread_1")
    first = list(theirs.stream(Question("t1", "c", "alpha", [elsewhere])))
    here = thread_of(first)
    known = [elsewhere, Exchange("alpha", text_of(first), here)]
    list(theirs.stream(Question("t2", "c", "beta", known, Remote(here))))
    assert len(upstream.asked("/items", method="POST")) == 1


def test_a_conversation_that_is_gone_is_begun_anew_with_all_of_the_history(theirs: ConversationAssistant) -> None:
    known = [Exchange("alpha", "answer", "conv_gone")]
    events = list(theirs.stream(Question("t", "c", "beta", known, Remote("conv_gone"))))
    assert isinstance(events[-1], Finished)
    assert "alpha" in text_of(events)
    assert [event.thread_id for event in events if isinstance(event, Trace) and event.thread_id][-1] != "conv_gone"


def test_a_locked_conversation_is_waited_for(upstream: OpenAIServer, theirs: ConversationAssistant) -> None:
    upstream.next(Scenario(status=400, code="conversation_locked"), path="/responses")
    events = ask(theirs)
    assert isinstance(events[-1], Finished)
    assert any(isinstance(event, Status) for event in events)


def test_a_lost_connection_is_not_tried_again(upstream: OpenAIServer, theirs: ConversationAssistant) -> None:
    upstream.next(Scenario(drop=True), path="/responses")
    with pytest.raises(AssistantError):
        ask(theirs)
    assert len(upstream.asked("/responses", method="POST")) == 1


def test_a_function_call_is_answered_into_the_conversation(
    upstream: OpenAIServer, theirs: ConversationAssistant
) -> None:
    upstream.next(Scenario(tools=1), path="/responses")
    assert isinstance(ask(theirs)[-1], Finished)
    (item,) = upstream.asked("/responses", method="POST")[1].body["input"]
    assert item["type"] == "function_call_output"


def test_a_conversation_is_forgotten_with_its_items_and_its_responses(
    upstream: OpenAIServer, theirs: ConversationAssistant
) -> None:
    history = [Exchange(f"secret {n}", f"answer {n}") for n in range(70)]
    events = list(theirs.stream(Question("t1", "c", "secret", history)))
    there = thread_of(events)
    (finished,) = [event for event in events if isinstance(event, Finished)]
    assert finished.response_id is not None
    theirs.forget(there, (finished.response_id,))
    left = upstream.responses
    assert (left.conversations, left.left_behind, left.responses, left.histories) == ({}, [], {}, {})
    theirs.forget(there, (finished.response_id,))


def test_a_server_that_cannot_delete_items_still_deletes_the_conversation(
    upstream: OpenAIServer, theirs: ConversationAssistant
) -> None:
    there = thread_of(list(theirs.stream(Question("t1", "c", "secret"))))
    upstream.absent["/items"] = 405
    theirs.forget(there, ())
    assert upstream.responses.conversations == {}


@pytest.mark.parametrize("path", ["/items", "{there}", "{response}"])
def test_what_cannot_be_forgotten_just_now_says_so_and_is_forgotten_later(
    upstream: OpenAIServer, theirs: ConversationAssistant, path: str
) -> None:
    events = list(theirs.stream(Question("t1", "c", "secret")))
    there = thread_of(events)
    (finished,) = [event for event in events if isinstance(event, Finished)]
    responses = (finished.response_id or "",)
    upstream.next(Scenario(status=503), path=path.format(there=there, response=finished.response_id))
    with pytest.raises(AssistantError) as refused:
        theirs.forget(there, responses)
    assert refused.value.transient
    theirs.forget(there, responses)
    assert (upstream.responses.conversations, upstream.responses.left_behind) == ({}, [])
