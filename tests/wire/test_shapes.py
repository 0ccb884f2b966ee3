"""Shapes in which compatible servers answer: where the text is, where the reasoning is, how a stream ends."""

from __future__ import annotations

from typing import Any

import pytest

from . import raw_http
from .openai_server import OpenAIServer, Scenario
from .raw_http import events, final, names, said

PROOF = "You said: Hi. This is turn 1 of our conversation."
DONE = "[DONE]"


def choices(reply: raw_http.Reply) -> list[dict[str, Any]]:
    found = [event.data for event in events(reply.body) if event.text != DONE]
    return [choice for chunk in found for choice in chunk["choices"]]


def reasons(reply: raw_http.Reply) -> list[Any]:
    return [choice.get("finish_reason", "absent") for choice in choices(reply)]


def contents(reply: raw_http.Reply) -> list[Any]:
    return [choice["delta"]["content"] for choice in choices(reply) if choice["delta"].get("content")]


def calls(reply: raw_http.Reply) -> list[dict[str, Any]]:
    return [call for choice in choices(reply) for call in choice["delta"].get("tool_calls") or []]


# How a completion ends.


@pytest.mark.parametrize("reason", ["eos", "eos_token", "max_tokens", "", "error"])
def test_a_reason_is_given_word_for_word(upstream: OpenAIServer, reason: str) -> None:
    reply = raw_http.complete(upstream, f"Hi [[finish_reason={reason}]]")
    assert (reasons(reply)[-1], said(reply)) == (reason, PROOF)


def test_a_reason_can_be_null_or_absent(upstream: OpenAIServer) -> None:
    assert reasons(raw_http.complete(upstream, "Hi [[finish_reason=null]]"))[-1] is None
    assert reasons(raw_http.complete(upstream, "Hi [[finish_reason=absent]]"))[-1] == "absent"


def test_every_chunk_can_have_an_empty_reason_or_none_at_all(upstream: OpenAIServer) -> None:
    empty = reasons(raw_http.complete(upstream, "Hi [[finish_reason_before=empty]]"))
    assert (set(empty[:-1]), empty[-1]) == ({""}, "stop")
    assert set(reasons(raw_http.complete(upstream, "Hi [[finish_reason_before=absent]]"))[:-1]) == {"absent"}


def test_done_can_be_the_only_end(upstream: OpenAIServer) -> None:
    chat, response = (ask(upstream, "Hi [[only_done]]") for ask in (raw_http.complete, raw_http.respond))
    assert (said(chat), said(response)) == (PROOF, PROOF)
    assert set(reasons(chat)) == {None}
    assert names(response)[-2:] == ["response.output_item.done", ""]
    assert [events(reply.body)[-1].text for reply in (chat, response)] == [DONE, DONE]


# Where the text is.


def test_content_can_be_a_list_of_parts(upstream: OpenAIServer) -> None:
    parts = contents(raw_http.complete(upstream, "Hi [[content_parts]]"))
    assert "".join(part["text"] for [part] in parts) == PROOF


def whole_text(reply: raw_http.Reply) -> str:
    return "".join(part["text"] for item in final(reply)["output"] for part in item.get("content", []))


@pytest.mark.parametrize(
    ("where", "deltas", "text_done", "item_done", "completed"),
    [
        ("everywhere", PROOF, PROOF, PROOF, PROOF),
        ("deltas", PROOF, "", "", ""),
        ("text_done", "", PROOF, "", ""),
        ("item_done", "", None, PROOF, ""),
        ("completed", "", None, None, PROOF),
    ],
)
def test_the_text_of_a_response_can_be_in_one_place_only(
    upstream: OpenAIServer, where: str, deltas: str, text_done: str | None, item_done: str | None, completed: str
) -> None:
    reply = raw_http.respond(upstream, f"Hi [[text_in={where}]]")
    by_name = {event.name: event.data for event in events(reply.body)}
    assert said(reply) == deltas
    assert by_name.get("response.output_text.done", {}).get("text") == text_done
    item = by_name.get("response.output_item.done")
    assert (item and "".join(part["text"] for part in item["item"]["content"])) == item_done
    assert (final(reply)["status"], whole_text(reply)) == ("completed", completed)


def test_the_terminal_event_can_be_slim(upstream: OpenAIServer) -> None:
    reply = raw_http.respond(upstream, "Hi [[slim]]")
    assert (said(reply), final(reply)["output"]) == (PROOF, [])


def test_a_whole_answer_can_come_in_place_of_a_stream(upstream: OpenAIServer) -> None:
    response, completion = (ask(upstream, "Hi [[whole]]") for ask in (raw_http.respond, raw_http.complete))
    assert response.headers["content-type"] == completion.headers["content-type"] == "application/json"
    assert response.json["output"][0]["content"][0]["text"] == PROOF
    assert completion.json["choices"][0]["message"]["content"] == PROOF


# Reasoning.


@pytest.mark.parametrize(("where", "field"), [("", "reasoning_content"), ("reasoning", "reasoning")])
def test_reasoning_comes_in_a_field_of_its_own(upstream: OpenAIServer, where: str, field: str) -> None:
    upstream.scenario = Scenario(thoughts="Let me think.", thoughts_in=where)  # type: ignore[arg-type]
    reply = raw_http.complete(upstream, "Hi")
    pieces = [choice["delta"][field] for choice in choices(reply) if field in choice["delta"]]
    assert (len(pieces), "".join(pieces), said(reply)) == (3, "Let me think.", PROOF)


def test_or_between_tags_that_are_torn_apart(upstream: OpenAIServer) -> None:
    for ask in (raw_http.complete, raw_http.respond):
        reply = ask(upstream, "Hi [[thoughts=Let me think.]] [[thoughts_in=tags]]")
        assert said(reply) == f"<think>\nLet me think.\n</think>\n\n{PROOF}"
        assert b"<think>" not in reply.body.split(b"response.output_text.done")[0]


def test_or_in_parts_of_the_content(upstream: OpenAIServer) -> None:
    found = contents(raw_http.complete(upstream, "Hi [[thoughts=Let me think.]] [[thoughts_in=parts]]"))
    thought = [part for content in found if isinstance(content, list) for part in content]
    assert {part["type"] for part in thought} == {"thinking"}
    assert "".join(part["thinking"][0]["text"] for part in thought) == "Let me think."
    assert "".join(content for content in found if isinstance(content, str)) == PROOF


@pytest.mark.parametrize(
    ("where", "kind", "field"),
    [("summary", "reasoning_summary_text", "summary"), ("reasoning_text", "reasoning_text", "content")],
)
def test_responses_have_events_for_it(upstream: OpenAIServer, where: str, kind: str, field: str) -> None:
    reply = raw_http.respond(upstream, f"Hi [[thoughts=Let me think.]] [[thoughts_in={where}]]")
    pieces = [event.data["delta"] for event in events(reply.body) if event.name == f"response.{kind}.delta"]
    assert ("".join(pieces), said(reply)) == ("Let me think.", PROOF)
    item, message = final(reply)["output"]
    assert (item["type"], item[field][0]["text"], message["type"]) == ("reasoning", "Let me think.", "message")
    assert final(reply)["usage"]["output_tokens_details"] == {"reasoning_tokens": 3}


def test_there_can_be_nothing_but_reasoning(upstream: OpenAIServer) -> None:
    asked = "Hi [[thoughts=Let me think.]] [[only_thoughts]]"
    chat, response = raw_http.complete(upstream, asked), raw_http.respond(upstream, asked)
    assert (said(chat), said(response), reasons(chat)[-1]) == ("", "", "stop")
    assert ([item["type"] for item in final(response)["output"]], final(response)["status"]) == (
        ["reasoning"],
        "completed",
    )


# Function calls.


@pytest.mark.parametrize(
    ("how", "indexes"),
    [
        ("number", [0, 0, 0, 1, 1, 1]),
        ("null", [None] * 6),
        ("null_or_zero", [None, 0, None] * 2),
        ("absent", ["absent"] * 6),
        ("zero", [0] * 6),
    ],
)
def test_calls_are_numbered_in_every_way(upstream: OpenAIServer, how: str, indexes: list[Any]) -> None:
    found = calls(raw_http.complete(upstream, f"Go [[tool]] [[parallel=2]] [[call_index={how}]]"))
    assert [call.get("index", "absent") for call in found] == indexes
    assert len({call["id"] for call in found if "id" in call}) == 2
    assert "".join(call["function"]["arguments"] for call in found) == '{"order":"A-1"}{"order":"A-2"}'


def test_a_call_can_be_left_out_of_the_terminal_event(upstream: OpenAIServer) -> None:
    reply = raw_http.respond(upstream, "Go [[tool]] [[calls_left_out]]")
    assert "response.function_call_arguments.done" in names(reply)
    assert (final(reply)["status"], final(reply)["output"]) == ("completed", [])


# The stream's bytes and its silence.


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/octet-stream"])
def test_the_content_type_is_given_word_for_word(upstream: OpenAIServer, kind: str) -> None:
    reply = raw_http.complete(upstream, f"Hi [[content_type={kind}]]")
    assert (reply.headers["content-type"], said(reply)) == (kind, PROOF)


def test_the_content_type_can_be_missing(upstream: OpenAIServer) -> None:
    for asked in ("Hi [[content_type=]]", "Hi [[whole]] [[content_type=]]"):
        assert "content-type" not in raw_http.complete(upstream, asked).headers


@pytest.mark.parametrize("directive", ["one_byte", "one_write", "comments", "crlf"])
def test_a_stream_can_begin_with_a_byte_order_mark(upstream: OpenAIServer, directive: str) -> None:
    body = raw_http.complete(upstream, f"Hi [[bom]] [[{directive}]]").body
    assert body.startswith(b"\xef\xbb\xbfdata: ")
    assert body.count(b"\xef\xbb\xbf") == 1


def test_pings_can_be_data(upstream: OpenAIServer) -> None:
    reply = raw_http.complete(upstream, "Hi [[data_pings]]")
    assert b"\n\ndata: ping\n\n" in reply.body
    assert said(reply) == PROOF


def test_a_stream_can_be_silent_before_its_first_event_with_and_without_comments(upstream: OpenAIServer) -> None:
    quiet = raw_http.complete(upstream, "Hi [[stall_events=0.05]]")
    talking = raw_http.complete(upstream, "Hi [[stall_events=0.05]] [[stall_comments=0.01]]")
    assert (said(quiet), said(talking)) == (PROOF, PROOF)
    assert b": keep-alive" not in quiet.body
    assert talking.body.startswith(b": keep-alive\n\n: keep-alive\n\n")


def test_a_limit_can_be_hidden(upstream: OpenAIServer) -> None:
    body = {"model": "m", "input": "Hi [[deltas=40]] [[hides_limit]]", "stream": True, "max_output_tokens": 16}
    reply = raw_http.ask(upstream, "/responses", body)
    assert (final(reply)["status"], final(reply)["usage"]["output_tokens"]) == ("completed", 16)
    assert len(said(reply).split()) == 16
