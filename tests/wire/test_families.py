"""Each make of server: what it takes and refuses, and in which shapes and words it answers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest

from tests.running_server import PATIENCE

from . import raw_http
from .openai_server import OpenAIServer, Scenario, families
from .raw_http import events, final, names, said
from .test_openai_server import ROOT

Json = dict[str, Any]
PROOF = "You said: Two. This is turn 2 of our conversation; before it you said: One."
OUTPUT_TEXT = {"type": "output_text", "text": "Yes"}
UNTYPED: Json = {"role": "assistant", "content": "Yes"}
TYPED: Json = {"type": "message", "role": "assistant", "content": "Yes"}
TYPED_PARTS: Json = {"type": "message", "role": "assistant", "content": [OUTPUT_TEXT]}
WHOLE_ITEM: Json = TYPED_PARTS | {
    "id": "msg_1",
    "status": "completed",
    "content": [OUTPUT_TEXT | {"annotations": []}],
}
MESSAGES: list[Json] = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "One"},
    {"role": "assistant", "content": "Yes"},
    {"role": "user", "content": "Two"},
]
EVERY_CHAT = pytest.mark.parametrize("name", families())
EVERY_RESPONSES = pytest.mark.parametrize("name", families("/responses"))


def respond(upstream: OpenAIServer, assistant: Json, **more: Any) -> raw_http.Reply:
    items = [{"role": "user", "content": "One"}, assistant, {"role": "user", "content": "Two"}]
    body = {"model": "m", "input": items, "stream": True, "store": False, "instructions": "Be kind."}
    return raw_http.ask(upstream, "/responses", body | more)


def complete(upstream: OpenAIServer, **more: Any) -> raw_http.Reply:
    return raw_http.ask(upstream, "/chat/completions", {"model": "m", "messages": MESSAGES, "stream": True} | more)


def chunks(reply: raw_http.Reply) -> list[Json]:
    return [event.data for event in events(reply.body) if event.text != "[DONE]"]


@contextmanager
def server(name: str, **settings: Any) -> Iterator[OpenAIServer]:
    with OpenAIServer(family=name, **settings) as upstream:
        yield upstream


# The list.


def test_the_families_are_listed_by_what_they_have() -> None:
    assert families()[0] == "openai"
    assert {"llamacpp", "vllm", "sglang", "ollama", "lmstudio", "litellm", "mistral", "azure", "databricks"} < set(
        families()
    )
    assert families("/conversations") == ["openai"]
    assert families("/threads") == ["openai", "azure"]
    assert not {"mistral", "azure", "databricks", "ollama_0_1", "sglang_0_4"} & set(families("/responses"))
    assert set(families(first_releases=True)) - set(families()) == {"llamacpp_first"}


def test_a_family_is_a_setting_a_scenario_or_a_directive(upstream: OpenAIServer) -> None:
    assert respond(upstream, UNTYPED).status == 200
    upstream.next(Scenario(family="llamacpp"))
    assert respond(upstream, UNTYPED).json["error"]["message"] == "Cannot determine type of 'item'"
    upstream.reset()
    text = [{"role": "user", "content": "One"}, UNTYPED, {"role": "user", "content": "Two [[family=llamacpp]]"}]
    assert raw_http.ask(upstream, "/responses", {"model": "m", "input": text}).status == 400
    upstream.scenario = Scenario(family="llamacpp")
    assert respond(upstream, UNTYPED).status == 400
    with server("llamacpp") as strict:
        assert respond(strict, UNTYPED).status == 400


def test_a_family_that_is_none_is_told(upstream: OpenAIServer) -> None:
    reply = raw_http.respond(upstream, "Hi [[family=nobody]]")
    assert (reply.status, reply.json["error"]["code"]) == (400, "unknown_directive")
    with pytest.raises(ValueError, match="no family 'nobody'"):
        OpenAIServer(family="nobody")


def test_by_hand_a_family_is_an_option() -> None:
    command = [sys.executable, "-m", "tests.wire.openai_server", "--quiet", "--family", "mistral"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with openai.OpenAI(base_url=url, api_key="x", max_retries=0) as client, pytest.raises(openai.NotFoundError):
            client.responses.create(model="m", input="Hi")
        process.terminate()


# What all of them take.


@EVERY_RESPONSES
def test_a_typed_message_with_a_string_is_taken_by_every_family(name: str) -> None:
    with server(name) as upstream:
        reply = respond(upstream, TYPED)
    assert (reply.status, said(reply), final(reply)["status"]) == (200, PROOF, "completed")


@EVERY_CHAT
def test_plain_messages_are_taken_by_every_family(name: str) -> None:
    with server(name) as upstream:
        reply = complete(upstream)
    assert (reply.status, said(reply)) == (200, PROOF)
    assert [choice["finish_reason"] for chunk in chunks(reply) for choice in chunk["choices"]][-1] == "stop"
    assert events(reply.body)[-1].text == "[DONE]"


@EVERY_CHAT
def test_the_sdk_reads_every_family(name: str) -> None:
    with server(name) as upstream, openai.OpenAI(base_url=upstream.base_url, api_key="x", timeout=PATIENCE) as client:
        messages: list[Any] = [{"role": "user", "content": "Go [[tool]] [[parallel=2]]"}]
        stream = client.chat.completions.create(model="m", messages=messages, stream=True)
        found = [choice.delta.tool_calls or [] for chunk in stream for choice in chunk.choices]
    pieces = [call for calls in found for call in calls]
    assert len({call.id for call in pieces if call.id}) == 2
    whole = "".join(call.function.arguments or "" for call in pieces if call.function)
    assert whole == '{"order":"A-1"}{"order":"A-2"}'


@pytest.mark.parametrize("name", families("/responses", first_releases=True))
def test_a_call_and_its_output_are_taken_by_every_family(name: str) -> None:
    with server(name) as upstream:
        asked: list[Json] = [{"role": "user", "content": "Go [[tool]]"}]
        first = raw_http.ask(upstream, "/responses", {"model": "m", "input": asked, "stream": True})
        [call] = final(first)["output"]
        asked += [call, {"type": "function_call_output", "call_id": call["call_id"], "output": "in Paris"}]
        second = raw_http.ask(upstream, "/responses", {"model": "m", "input": asked, "stream": True})
    assert said(second).endswith("The tool said: in Paris.")


@EVERY_CHAT
def test_a_call_and_its_answer_are_taken_by_every_family(name: str) -> None:
    with server(name) as upstream:
        asked: list[Json] = [{"role": "user", "content": "Go [[tool]]"}]
        body = {"model": "m", "messages": asked}
        message = raw_http.ask(upstream, "/chat/completions", body).json["choices"][0]["message"]
        [call] = message["tool_calls"]
        asked.append({"role": "assistant", "content": None, "tool_calls": [call]})
        asked.append({"role": "tool", "tool_call_id": call["id"], "content": "in Paris"})
        reply = raw_http.ask(upstream, "/chat/completions", body)
    assert reply.json["choices"][0]["message"]["content"].endswith("The tool said: in Paris.")


# What some of them refuse in a history.


@pytest.mark.parametrize(
    ("name", "item", "message"),
    [
        ("llamacpp", UNTYPED, "Cannot determine type of 'item'"),
        ("llamacpp_first", UNTYPED, "Cannot determine type of 'item'"),
        ("llamacpp_first", TYPED, "'type' must be 'output_text'"),
        ("vllm", TYPED_PARTS, "validation errors:"),
        ("sglang", TYPED_PARTS, "validation errors:"),
        ("vllm", WHOLE_ITEM | {"content": [OUTPUT_TEXT]}, "validation errors:"),
        ("ollama", {"content": "Yes"}, "input[1]: input item missing required 'type' field"),
        ("ollama", TYPED | {"content": [{"type": "text", "text": "x"}]}, "unknown content type: text"),
    ],
)
def test_an_item_of_a_history_is_refused_in_the_familys_words(name: str, item: Json, message: str) -> None:
    with server(name) as upstream:
        reply = respond(upstream, item)
    assert reply.status == 400
    assert message in reply.json["error"]["message"]


@pytest.mark.parametrize("name", families("/responses", first_releases=True))
def test_a_whole_item_is_taken_by_every_family_and_its_first_releases(name: str) -> None:
    with server(name) as upstream:
        assert respond(upstream, WHOLE_ITEM).status == 200


@pytest.mark.parametrize("name", ["llamacpp", "vllm", "sglang", "ollama", "lmstudio"])
def test_parameters_that_they_do_not_know_are_ignored(name: str) -> None:
    with server(name) as upstream:
        assert respond(upstream, TYPED, sparkle=True, conversation="conv_1").status == 200
        assert complete(upstream, sparkle=True, store=False, stream_options={"include_usage": True}).status == 200


def test_a_server_without_a_memory_says_so_or_forgets() -> None:
    refused = {"llamacpp": 400, "vllm": 404, "sglang": 404, "lmstudio": 404, "ollama": 200, "litellm": 200}
    for name, status in refused.items():
        with server(name) as upstream:
            assert respond(upstream, TYPED, previous_response_id="resp_1").status == status


# What some of them refuse among the parameters of Chat Completions.


def test_mistral_forbids_what_is_extra_all_at_once() -> None:
    more = {"stream_options": {"include_usage": True}, "store": False, "max_completion_tokens": 9}
    with server("mistral") as upstream:
        reply = complete(upstream, **more)
        body = reply.json
        assert (reply.status, body["object"], body["type"]) == (422, "error", "invalid_request_error")
        assert [error["loc"] for error in body["message"]["detail"]] == [
            ["body", "stream_options", "include_usage"],
            ["body", "store"],
            ["body", "max_completion_tokens"],
        ]
        extra = complete(upstream, messages=[{"role": "user", "content": "x", "reasoning_content": "y"}])
        assert extra.json["message"]["detail"][0]["loc"] == ["body", "messages", 0, "user", "reasoning_content"]
        assert complete(upstream, messages=[{"role": "developer", "content": "x"}]).status == 422
        empty = complete(upstream, messages=[MESSAGES[1], {"role": "assistant", "content": ""}, MESSAGES[3]])
        assert (empty.status, empty.json["code"]) == (400, "3240")
        call = {"id": "call_123", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        called = complete(upstream, messages=[{"role": "assistant", "tool_calls": [call]}])
        assert "length of 9" in called.json["message"]


@pytest.mark.parametrize(
    ("name", "parameter", "body"),
    [
        (
            "azure",
            "stream_options",
            {
                "error": {
                    "message": "Unrecognized request argument supplied: stream_options",
                    "type": "invalid_request_error",
                    "param": None,
                    "code": None,
                }
            },
        ),
        (
            "databricks",
            "store",
            {"error_code": "BAD_REQUEST", "message": 'Bad request: json: unknown field "store"\n'},
        ),
    ],
)
def test_one_unknown_parameter_is_refused(name: str, parameter: str, body: Json) -> None:
    with server(name) as upstream:
        reply = complete(upstream, **{parameter: {"include_usage": True}})
    assert (reply.status, reply.json) == (400, body)


@pytest.mark.parametrize(("name", "words"), [("openai", 3), ("vllm", 3), ("ollama", 9), ("lmstudio", 9)])
def test_the_new_name_of_the_limit_is_not_known_to_all(name: str, words: int) -> None:
    with server(name) as upstream:
        upstream.scenario = Scenario(deltas=9)
        assert len(said(complete(upstream, max_completion_tokens=3)).split()) == words
        assert len(said(complete(upstream, max_tokens=3)).split()) == 3


def test_a_limit_below_one_is_refused_by_vllm() -> None:
    with server("vllm") as upstream:
        error = complete(upstream, max_tokens=-186).json["error"]
    assert (error["message"], error["code"]) == ("max_tokens must be at least 1, got -186.", 400)


@pytest.mark.parametrize("name", families(first_releases=True))
@pytest.mark.parametrize("body", [{}, {"model": "m"}, {"model": "m", "messages": 5}, {"model": "m", "messages": [3]}])
def test_what_nobody_can_read_is_refused_by_every_family(name: str, body: Json) -> None:
    with server(name) as upstream:
        reply = raw_http.ask(upstream, "/chat/completions", body)
    assert 400 <= reply.status < 500
    assert b"double has a bug" not in reply.body


@pytest.mark.parametrize("name", families("/responses", first_releases=True))
@pytest.mark.parametrize("given", [5, [3], [{"role": "user", "content": 7}], [{"type": "sparkle"}]])
def test_nor_is_such_an_input_taken(name: str, given: Any) -> None:
    with server(name) as upstream:
        reply = raw_http.ask(upstream, "/responses", {"model": "m", "input": given})
    assert 400 <= reply.status < 500
    assert b"double has a bug" not in reply.body


# Errors.


@pytest.mark.parametrize(
    ("name", "status", "body"),
    [
        ("llamacpp", 404, {"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}}),
        ("vllm", 404, {"detail": "Not Found"}),
        ("ollama_0_1", 404, None),
        ("lmstudio", 200, {"error": "Unexpected endpoint or method. (POST /v1/nothing)"}),
        ("mistral", 404, {"message": "no Route matched with those values"}),
        ("azure", 404, {"error": {"code": "404", "message": "Resource not found"}}),
    ],
)
def test_a_missing_route_is_told_as_the_family_does(name: str, status: int, body: Json | None) -> None:
    with server(name) as upstream:
        reply = raw_http.ask(upstream, "/nothing", {})
    assert reply.status == status
    assert reply.json == body if body else reply.body == b"404 page not found"


@pytest.mark.parametrize("name", sorted(set(families()) - set(families("/responses"))))
def test_a_family_without_responses_has_no_such_route(name: str) -> None:
    with server(name) as upstream:
        assert respond(upstream, TYPED).status == 404
        assert complete(upstream).status == 200


@EVERY_RESPONSES
def test_a_route_can_be_taken_from_a_family_with_any_status(name: str) -> None:
    with server(name, absent={"/responses": 405}) as upstream:
        assert respond(upstream, TYPED).status == 405
        assert raw_http.complete(upstream, "Hi [[no_responses=501]]").status == 200


@EVERY_CHAT
def test_a_wrong_key_is_a_401_in_every_family(name: str) -> None:
    with server(name, api_key="sk-right") as upstream:
        assert complete(upstream).status == 401


@pytest.mark.parametrize(
    ("name", "status", "shown"),
    [
        ("llamacpp", 404, '"code":404'),
        ("vllm", 404, '"code":404'),
        ("ollama", 404, "model 'm' not found"),
        ("litellm", 400, "Invalid model name passed in model=m"),
        ("mistral", 400, "Invalid model: m"),
        ("azure", 404, "DeploymentNotFound"),
    ],
)
def test_a_missing_model_is_told_as_the_family_does(name: str, status: int, shown: str) -> None:
    with server(name, models=["other"]) as upstream:
        reply = complete(upstream)
    assert reply.status == status
    assert shown in reply.body.decode()


@pytest.mark.parametrize(
    ("name", "path", "code"),
    [
        ("openai", ["error", "code"], "rate_limit_exceeded"),
        ("llamacpp", ["error", "code"], 429),
        ("vllm", ["error", "code"], 429),
        ("sglang", ["code"], 429),
        ("ollama", ["error", "code"], None),
        ("litellm", ["error", "code"], "429"),
        ("mistral", ["code"], None),
        ("databricks", ["error_code"], "REQUEST_LIMIT_EXCEEDED"),
    ],
)
def test_an_error_has_the_familys_shape_unless_it_is_given(name: str, path: list[str], code: Any) -> None:
    with server(name) as upstream:
        upstream.next(Scenario(status=429), Scenario(status=429, code="insufficient_quota"))
        found: Any = complete(upstream).json
        for field in path:
            found = found[field]
        assert found == code
        assert complete(upstream).json["error"]["code"] == "insufficient_quota"


@pytest.mark.parametrize(("name", "code"), [("vllm", 500), ("sglang", 500), ("litellm", "500"), ("llamacpp", 500)])
def test_an_error_within_a_stream_has_it_too(name: str, code: Any) -> None:
    with server(name) as upstream:
        upstream.scenario = Scenario(ending="error_nested")
        errors = [event.data["error"] for event in events(complete(upstream).body) if "error" in event.text]
    assert [error["code"] for error in errors] == [code]


# Streams.


def test_llamacpp_begins_with_null_and_names_little() -> None:
    with server("llamacpp") as upstream:
        first = chunks(complete(upstream))[0]["choices"][0]["delta"]
        assert (first["role"], first["content"]) == ("assistant", None)
        reply = respond(upstream, TYPED)
    assert b"sequence_number" not in reply.body
    assert b"output_index" not in reply.body
    assert "[DONE]" not in [event.text for event in events(reply.body)]
    assert set(final(reply)) <= {"id", "object", "created_at", "completed_at", "status", "model", "output", "usage"}


@pytest.mark.parametrize(
    ("name", "before"), [("sglang_0_4", ""), ("ollama_0_1", ""), ("sglang", None), ("ollama", None)]
)
def test_older_releases_have_an_empty_reason_in_every_chunk(name: str, before: str | None) -> None:
    with server(name) as upstream:
        found = [choice["finish_reason"] for chunk in chunks(complete(upstream)) for choice in chunk["choices"]]
    assert (set(found[:-1]), found[-1]) == ({before}, "stop")


def test_sglang_sends_nulls_beside_the_text() -> None:
    with server("sglang") as upstream:
        second = chunks(complete(upstream))[1]["choices"][0]["delta"]
    assert (second["role"], second["tool_calls"], bool(second["content"])) == (None, None, True)


def test_azure_begins_with_a_chunk_without_choices() -> None:
    with server("azure") as upstream:
        first, second, *_ = chunks(complete(upstream))
    assert (first["choices"], "prompt_filter_results" in first) == ([], True)
    assert "content_filter_results" in second["choices"][0]


@pytest.mark.parametrize("name", ["mistral", "databricks"])
def test_some_tell_the_usage_unasked(name: str) -> None:
    with server(name) as upstream:
        last = chunks(complete(upstream))[-1]
    assert (last["choices"][0]["finish_reason"], last["usage"]["total_tokens"] > 0) == ("stop", True)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("vllm", "reasoning"),
        ("ollama", "reasoning"),
        ("llamacpp", "reasoning_content"),
        ("sglang", "reasoning_content"),
    ],
)
def test_reasoning_stands_where_the_family_has_it(name: str, field: str) -> None:
    with server(name) as upstream:
        upstream.scenario = Scenario(thoughts="Hm.")
        deltas = [choice["delta"] for chunk in chunks(complete(upstream)) for choice in chunk["choices"]]
        assert [delta[field] for delta in deltas if delta.get(field)] == ["Hm."]
        kinds = {event for event in names(respond(upstream, TYPED)) if "reasoning" in event}
    assert any(event.endswith("reasoning_summary_text.delta") for event in kinds) == (name == "ollama")
    assert ("response.reasoning_part.added" in kinds) == (name in ("vllm", "sglang"))


def test_ollama_sends_a_call_whole() -> None:
    with server("ollama") as upstream:
        found = chunks(complete(upstream, messages=[{"role": "user", "content": "Go [[tool]]"}]))
    deltas = [choice["delta"] for chunk in found for choice in chunk["choices"]]
    [calls] = [delta["tool_calls"] for delta in deltas if "tool_calls" in delta]
    assert calls[0]["function"] == {"name": "lookup_order", "arguments": '{"order":"A-1"}'}
