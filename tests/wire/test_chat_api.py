"""Chat Completions, as the official SDK reads them."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from . import raw_http
from .openai_server import OpenAIServer


def said(*texts: str) -> list[Any]:
    roles = ("user", "assistant")
    return [{"role": roles[number % 2], "content": text} for number, text in enumerate(texts)]


def streamed(client: openai.OpenAI, messages: list[Any], **more: Any) -> list[ChatCompletionChunk]:
    return list(client.chat.completions.create(model="gpt-x", messages=messages, stream=True, **more))


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def finish_of(chunks: list[ChatCompletionChunk]) -> list[str]:
    return [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]


def test_a_stream_proves_the_history_and_ends_with_usage(client: openai.OpenAI) -> None:
    chunks = streamed(client, said("One", "Yes", "Two"), stream_options={"include_usage": True})
    assert text_of(chunks) == "You said: Two. This is turn 2 of our conversation; before it you said: One."
    assert finish_of(chunks) == ["stop"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens > 0
    assert {chunk.id for chunk in chunks} == {chunks[0].id}
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk.model_dump())  # the SDK itself does not check


def test_without_the_option_there_is_no_usage_and_done_comes_last(upstream: OpenAIServer) -> None:
    sent = raw_http.events(raw_http.complete(upstream, "Hi").body)
    assert sent[-1].text == "[DONE]"
    assert all(event.name == "" and "usage" not in event.text for event in sent)


def test_without_stream_the_answer_comes_whole(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(model="gpt-x", messages=said("Hi"))
    assert completion.choices[0].message.content == "You said: Hi. This is turn 1 of our conversation."
    assert completion.usage is not None


def test_parts_of_content_are_read_and_system_messages_are_no_turns(client: openai.OpenAI) -> None:
    parts: list[Any] = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
    ]
    assert text_of(streamed(client, parts)) == "You said: Hi. This is turn 1 of our conversation."


@pytest.mark.parametrize(
    "body",
    [
        {"messages": said("x")},
        {"model": "m"},
        {"model": "m", "messages": []},
        {"model": "m", "messages": [{"role": "robot", "content": "x"}]},
        {"model": "m", "messages": [{"role": "user", "content": None}]},
        {"model": "m", "messages": [{"role": "tool", "content": "x", "tool_call_id": "call_1"}]},
        {"model": "m", "messages": said("x"), "input": "y"},
        {"model": "m", "messages": said("x"), "stream_options": {"include_usage": True}},
        {"model": "m", "messages": said("x"), "max_completion_tokens": 0},
    ],
)
def test_a_malformed_request_is_refused_as_openai_does(upstream: OpenAIServer, body: dict[str, Any]) -> None:
    reply = raw_http.ask(upstream, "/chat/completions", body)
    assert (reply.status, reply.json["error"]["type"]) == (400, "invalid_request_error")


def test_too_few_tokens_end_with_length(client: openai.OpenAI) -> None:
    chunks = streamed(client, said("Hi [[deltas=9]]"), max_completion_tokens=3)
    assert (text_of(chunks), finish_of(chunks)) == ("w1 w2 w3", ["length"])


def test_a_tool_call_is_answered_by_a_tool_message(client: openai.OpenAI) -> None:
    chunks = streamed(client, said("Go [[tool]]"))
    assert finish_of(chunks) == ["tool_calls"]
    calls = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or []]
    assert "".join(call.function.arguments or "" for call in calls if call.function) == '{"order":"A-1"}'
    function = {"name": "lookup_order", "arguments": '{"order":"A-1"}'}
    asked: list[Any] = said("Go [[tool]]")
    asked.append({"role": "assistant", "tool_calls": [{"id": calls[0].id, "type": "function", "function": function}]})
    with pytest.raises(openai.BadRequestError, match="did not have response messages"):
        streamed(client, asked)
    asked.append({"role": "tool", "tool_call_id": calls[0].id, "content": "in Paris"})
    assert text_of(streamed(client, asked)).endswith("The tool said: in Paris.")


def test_a_refusal_a_filter_and_reasoning_have_their_own_fields(client: openai.OpenAI) -> None:
    refused = streamed(client, said("Hi [[refusal]] [[say=I cannot do that]]"))
    assert "".join(choice.delta.refusal or "" for chunk in refused for choice in chunk.choices) == "I cannot do that"
    assert finish_of(streamed(client, said("Hi [[content_filter]]"))) == ["content_filter"]
    thought = streamed(client, said("Hi [[commentary]]"))
    extra = [choice.delta.model_extra or {} for chunk in thought for choice in chunk.choices]
    assert any("reasoning_content" in one for one in extra)


def test_a_link_is_annotated(upstream: OpenAIServer) -> None:
    body = raw_http.complete(upstream, "Hi [[cite=url]]").body.decode()
    assert '"url":"https://example.com/refunds"' in body


@pytest.mark.parametrize(("ending", "nested"), [("error_nested", True), ("error_flat", False)])
def test_an_error_comes_within_the_stream_and_nothing_after_it(
    upstream: OpenAIServer, ending: str, nested: bool
) -> None:
    last = raw_http.events(raw_http.complete(upstream, f"Hi [[{ending}=rate_limit_exceeded]]").body)[-1].data
    assert (last["error"] if nested else last)["code"] == "rate_limit_exceeded"


def test_done_and_usage_can_be_missing(upstream: OpenAIServer, client: openai.OpenAI) -> None:
    assert b"[DONE]" not in raw_http.complete(upstream, "Hi [[no_done]]").body
    chunks = streamed(client, said("Hi [[no_usage]]"), stream_options={"include_usage": True})
    assert all(chunk.usage is None for chunk in chunks)


def test_a_clean_end_has_no_finish_reason(client: openai.OpenAI) -> None:
    chunks = streamed(client, said("Hi [[end]]"))
    assert (text_of(chunks), finish_of(chunks)) == ("You said:", [])
