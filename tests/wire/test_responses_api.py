"""Responses and Conversations, as the official SDK reads them."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent

from . import raw_http
from .openai_server import OpenAIServer

HISTORY: list[Any] = [
    {"role": "user", "content": "My name is Ada"},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello Ada"}]},
    {"role": "developer", "content": "be short"},
    {"role": "user", "content": [{"type": "input_text", "text": "Who am I?"}]},
]
LOOKUP: Any = {"type": "function", "name": "lookup_order", "parameters": {"type": "object"}, "strict": False}


def streamed(client: openai.OpenAI, text: Any, **more: Any) -> list[ResponseStreamEvent]:
    return list(client.responses.create(model="gpt-x", input=text, stream=True, **more))


def last_response(events: list[ResponseStreamEvent]) -> Response:
    last = events[-1]
    assert last.type in ("response.completed", "response.incomplete", "response.failed")
    return last.response


def delta_text(events: list[ResponseStreamEvent]) -> str:
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def test_a_stream_has_every_event_in_order_with_sequence_numbers(client: openai.OpenAI) -> None:
    events = streamed(client, "Hi")
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert set(kinds[4:-4]) == {"response.output_text.delta"}
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    for event in events:
        type(event).model_validate(event.model_dump())  # the SDK itself does not check


def test_the_answer_proves_that_the_history_arrived(client: openai.OpenAI) -> None:
    events = streamed(client, HISTORY, instructions="Be kind.", store=False)
    response = last_response(events)
    assert delta_text(events) == response.output_text
    assert response.output_text == (
        "You said: Who am I?. This is turn 2 of our conversation; before it you said: My name is Ada."
    )
    assert response.instructions == "Be kind."
    assert response.id.startswith("resp_")
    assert response.model == "gpt-x-2026-08-07"


def test_usage_counts_the_input_and_the_deltas(client: openai.OpenAI) -> None:
    events = streamed(client, "Hi")
    usage = last_response(events).usage
    assert usage is not None
    assert usage.output_tokens == sum(event.type == "response.output_text.delta" for event in events)
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens


def test_without_stream_the_answer_comes_whole(client: openai.OpenAI) -> None:
    response = client.responses.create(model="gpt-x", input="Hi")
    assert response.output_text == "You said: Hi. This is turn 1 of our conversation."


def test_every_script_comes_back_as_it_was_sent(client: openai.OpenAI) -> None:
    text = "Grüße 👩‍👩‍👧 ありがとうございます。今日は本当に素晴らしい一日でした " + "x" * 100
    assert f"You said: {text}." in delta_text(streamed(client, text))


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"input": "x"}, "model", "missing_required_parameter"),
        ({"model": "m"}, "input", "missing_required_parameter"),
        ({"model": "m", "input": 5}, "input", "invalid_type"),
        ({"model": "m", "input": [3]}, "input[0]", "invalid_type"),
        ({"model": "m", "input": [{"role": "robot", "content": "x"}]}, "input[0]", "invalid_value"),
        ({"model": "m", "input": [{"role": "user", "content": None}]}, "input[0].content", "invalid_type"),
        (
            {"model": "m", "input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]},
            "input[0].content[0]",
            "invalid_value",
        ),
        ({"model": "m", "input": "x", "max_output_tokens": 5}, "max_output_tokens", "integer_below_min_value"),
        ({"model": "m", "input": "x", "messages": []}, "messages", "unknown_parameter"),
        ({"model": "m", "input": "x", "previous_response_id": "resp_1"}, "previous_response_id", None),
        ({"model": "m", "input": [{"type": "function_call_output", "call_id": "c", "output": "o"}]}, "input", None),
    ],
)
def test_a_malformed_request_is_refused_as_openai_does(
    upstream: OpenAIServer, body: dict[str, Any], param: str, code: str | None
) -> None:
    reply = raw_http.ask(upstream, "/responses", body)
    assert reply.status == 400
    error = reply.json["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert code is None or error["code"] == code


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff\xfe", b"[" * 20_000])
def test_a_body_that_is_no_json_object_is_refused(upstream: OpenAIServer, body: bytes) -> None:
    reply = raw_http.ask(upstream, "/responses", body)
    assert reply.status == 400
    assert "could not parse the JSON body" in reply.json["error"]["message"]


def test_too_few_output_tokens_make_it_incomplete(client: openai.OpenAI) -> None:
    events = streamed(client, "Hi [[deltas=40]]", max_output_tokens=16)
    response = last_response(events)
    assert (events[-1].type, response.status) == ("response.incomplete", "incomplete")
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert delta_text(events).split() == [f"w{number}" for number in range(1, 17)]


def test_a_function_call_is_answered_by_a_new_request_with_its_output(client: openai.OpenAI) -> None:
    first = last_response(streamed(client, "Where is it? [[tool]]", tools=[LOOKUP], store=False))
    [call] = first.output
    assert call.type == "function_call"
    assert (first.status, call.name, call.arguments) == ("completed", "lookup_order", '{"order":"A-1"}')
    asked: list[Any] = [{"role": "user", "content": "Where is it? [[tool]]"}, call.model_dump(exclude_none=True)]
    with pytest.raises(openai.BadRequestError, match="No tool output found for function call"):
        streamed(client, asked)
    asked.append({"type": "function_call_output", "call_id": call.call_id, "output": "in Paris"})
    assert last_response(streamed(client, asked)).output_text.endswith("The tool said: in Paris.")


def test_tool_rounds_and_parallel_calls_can_be_many(client: openai.OpenAI) -> None:
    asked: list[Any] = [{"role": "user", "content": "Go [[tool=3]] [[parallel=2]]"}]
    for _ in range(3):
        calls = last_response(streamed(client, asked)).output
        assert [call.type for call in calls] == ["function_call"] * 2
        asked += [call.model_dump(exclude_none=True) for call in calls]
        asked += [
            {"type": "function_call_output", "call_id": call.call_id, "output": "no"}
            for call in calls
            if call.type == "function_call"
        ]
    assert "The tool said: no | no | no | no | no | no." in last_response(streamed(client, asked)).output_text


def test_a_stored_response_can_be_gone_on_from_and_deleted(client: openai.OpenAI) -> None:
    first = client.responses.create(model="gpt-x", input="One")
    second = client.responses.create(model="gpt-x", input="Two", previous_response_id=first.id)
    assert second.output_text.endswith("turn 2 of our conversation; before it you said: One.")
    assert client.responses.retrieve(first.id).output_text == first.output_text
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)


def test_a_conversation_remembers_on_the_servers_side(client: openai.OpenAI) -> None:
    conversation = client.conversations.create()
    for text in ("One", "Two", "Three"):
        response = last_response(streamed(client, text, conversation=conversation.id))
    assert response.output_text.endswith("turn 3 of our conversation; before it you said: One | Two.")
    assert response.conversation is not None
    assert response.conversation.id == conversation.id
    assert client.conversations.delete(conversation.id).deleted
    with pytest.raises(openai.NotFoundError):
        streamed(client, "Four", conversation=conversation.id)


def test_a_busy_conversation_is_locked_until_the_stream_is_closed(
    upstream: OpenAIServer, client: openai.OpenAI
) -> None:
    conversation = client.conversations.create().id
    stream = client.responses.create(model="x", input="One [[stall=60]]", conversation=conversation, stream=True)
    next(iter(stream))
    with pytest.raises(openai.BadRequestError) as refused:
        streamed(client, "Two", conversation=conversation)
    assert refused.value.code == "conversation_locked"
    stream.close()
    upstream.wait_until(lambda: upstream.streaming == 0)
    assert last_response(streamed(client, "Three", conversation=conversation)).status == "completed"


def test_a_forgetful_server_takes_any_conversation_and_remembers_nothing() -> None:
    with OpenAIServer(forgetful=True) as upstream:
        body = {"model": "x", "input": "Hi", "conversation": "conv_never_made"}
        for _ in range(2):
            reply = raw_http.ask(upstream, "/responses", body)
            assert (reply.status, "turn 1" in reply.body.decode()) == (200, True)


def test_items_of_a_conversation_are_listed_and_deleted_and_stay_when_only_the_conversation_is(
    upstream: OpenAIServer, client: openai.OpenAI
) -> None:
    items: list[Any] = [{"role": "user", "content": f"text {n}"} for n in range(3)]
    there = client.conversations.create(items=items).id
    first, *others = client.conversations.items.list(there, limit=100).data
    assert len(others) == 2
    client.conversations.items.delete(str(first.id), conversation_id=there)
    assert [item.id for item in client.conversations.items.list(there)] == [item.id for item in others]
    with pytest.raises(openai.NotFoundError):
        client.conversations.items.delete(str(first.id), conversation_id=there)
    client.conversations.delete(there)
    assert [item["id"] for item in upstream.responses.left_behind] == [item.id for item in others]
