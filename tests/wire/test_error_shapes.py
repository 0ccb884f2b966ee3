"""Errors in any shape: statuses, codes, types, words and bodies freely combined, before a stream and within it."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from . import raw_http
from .openai_server import OpenAIServer, Scenario
from .raw_http import events, final


@pytest.mark.parametrize(
    ("directives", "status", "body"),
    [
        (
            "[[status=404]] [[code=]] [[message=Invalid URL (POST /v1/responses)]] [[error_type=x]]",
            404,
            {"error": {"message": "Invalid URL (POST /v1/responses)", "type": "x", "param": None, "code": ""}},
        ),
        (
            "[[status=404]] [[code=404]] [[error_type=absent]] [[param=absent]] [[message=File Not Found]]",
            404,
            {"error": {"message": "File Not Found", "code": 404}},
        ),
        (
            '[[status=400]] [[code="400"]] [[error_type=null]] [[message=m]]',
            400,
            {"error": {"message": "m", "type": None, "param": None, "code": "400"}},
        ),
        (
            '[[status=400]] [[code=absent]] [[message=m]] [[error_extra={"n_ctx": 64}]] [[error_body=flat]]',
            400,
            {"object": "error", "message": "m", "type": "invalid_request_error", "param": None, "n_ctx": 64},
        ),
        ("[[status=401]] [[message=Unauthorized]] [[error_body=string]]", 401, {"error": "Unauthorized"}),
        ("[[status=404]] [[message=no Route]] [[error_body=message]]", 404, {"message": "no Route"}),
        ("[[status=404]] [[message=Not Found]] [[error_body=detail]]", 404, {"detail": "Not Found"}),
        (
            "[[status=400]] [[code=BAD_REQUEST]] [[message=m]] [[error_body=error_code]]",
            400,
            {"error_code": "BAD_REQUEST", "message": "m"},
        ),
        (
            "[[status=400]] [[code=400]] [[message=m]] [[error_type=absent]] [[param=absent]] [[error_body=list]]",
            400,
            [{"error": {"message": "m", "code": 400}}],
        ),
        ("[[status=200]] [[message=Unexpected endpoint]] [[error_body=string]]", 200, {"error": "Unexpected endpoint"}),
    ],
)
def test_an_http_error_can_read_in_any_way(
    upstream: OpenAIServer, directives: str, status: int, body: dict[str, Any]
) -> None:
    for ask in (raw_http.respond, raw_http.complete, raw_http.run):
        reply = ask(upstream, f"Hi {directives}")
        assert (reply.status, reply.json) == (status, body)


@pytest.mark.parametrize(
    ("shape", "kind", "body"),
    [
        ("text", "text/plain; charset=utf-8", b"404 page not found"),
        ("html", "text/html; charset=utf-8", b"<h1>404 page not found</h1>"),
        ("empty", None, b""),
    ],
)
def test_or_be_no_json_at_all(upstream: OpenAIServer, shape: str, kind: str | None, body: bytes) -> None:
    reply = raw_http.respond(upstream, f"Hi [[status=404]] [[message=404 page not found]] [[error_body={shape}]]")
    assert (reply.status, reply.headers.get("content-type")) == (404, kind)
    assert body in reply.body


def test_the_sdk_makes_words_of_numbers(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.responses.create(model="m", input="Hi [[status=404]] [[code=404]] [[message=File Not Found]]")
    assert refused.value.body == {
        "message": "File Not Found",
        "type": "invalid_request_error",
        "param": None,
        "code": 404,
    }


@pytest.mark.parametrize("status", [200, 400, 404, 405, 500, 501])
def test_a_missing_route_can_be_said_with_any_status_and_words(upstream: OpenAIServer, status: int) -> None:
    asked = f"Hi [[no_responses={status}]] [[code=404]] [[message=File Not Found]]"
    reply = raw_http.respond(upstream, asked)
    assert (reply.status, reply.json["error"]["code"]) == (status, 404)
    assert raw_http.complete(upstream, asked).status == 200


def test_so_can_a_setting_of_the_server() -> None:
    lacking = Scenario(status=404, code="", param="", message="Invalid URL (POST /v1/responses)")
    with OpenAIServer(absent={"/responses": lacking}) as upstream:
        reply = raw_http.respond(upstream, "Hi")
        error = {
            "message": "Invalid URL (POST /v1/responses)",
            "type": "invalid_request_error",
            "param": "",
            "code": "",
        }
        assert (reply.status, reply.json) == (404, {"error": error})
        assert raw_http.complete(upstream, "Hi").status == 200


# Parameters.


@pytest.mark.parametrize(
    ("words", "status", "shown"),
    [
        ("unsupported", 400, "Unsupported parameter: 'stream_options' is not supported with this model."),
        ("unknown", 400, "Unknown parameter: 'stream_options'."),
        ("unrecognized", 400, "Unrecognized request argument supplied: stream_options"),
        ("extra_forbidden", 422, '"loc":["body","stream_options"],"msg":"Extra inputs are not permitted"'),
        ("databricks", 400, '"message":"Bad request: json: unknown field \\"stream_options\\"\\n"'),
        ("litellm", 400, "openai does not support parameters: ['stream_options']"),
        ("plain", 400, "stream_options is not supported by this server"),
    ],
)
def test_a_parameter_is_refused_until_it_is_left_out(
    upstream: OpenAIServer, words: str, status: int, shown: str
) -> None:
    upstream.scenario = Scenario(refuse_parameter="stream_options,store", refuse_words=words)  # type: ignore[arg-type]
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    refused = raw_http.ask(upstream, "/chat/completions", body | {"stream_options": {"include_usage": True}})
    assert refused.status == status
    assert shown in refused.body.decode()
    assert "store" in raw_http.ask(upstream, "/chat/completions", body | {"store": False}).body.decode()
    assert raw_http.ask(upstream, "/chat/completions", body).status == 200


@pytest.mark.parametrize("name", ["store", "instructions", "tools", "max_output_tokens"])
def test_so_is_one_of_responses(upstream: OpenAIServer, name: str) -> None:
    optional = {"store": False, "instructions": "Be kind.", "tools": [], "max_output_tokens": 99}
    body = {"model": "m", "input": f"Hi [[refuse_parameter={name}]]", "stream": True} | optional
    assert raw_http.ask(upstream, "/responses", body).json["error"]["param"] == name
    del body[name]
    assert raw_http.ask(upstream, "/responses", body).status == 200


def test_a_refusal_can_name_the_other_parameter(upstream: OpenAIServer) -> None:
    text = "Hi [[refuse_parameter=max_tokens]] [[refuse_words=instead]]"
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    error = raw_http.ask(upstream, "/chat/completions", body | {"max_tokens": 9}).json["error"]
    assert error["message"].endswith("with this model. Use 'max_completion_tokens' instead.")
    assert (error["param"], error["code"]) == ("max_tokens", "unsupported_parameter")
    assert raw_http.ask(upstream, "/chat/completions", body | {"max_completion_tokens": 99}).status == 200


def test_newer_models_of_openai_refuse_the_old_limit(upstream: OpenAIServer) -> None:
    body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hi"}]}
    refused = raw_http.ask(upstream, "/chat/completions", body | {"max_tokens": 9})
    assert (refused.status, refused.json["error"]["code"]) == (400, "unsupported_parameter")
    assert raw_http.ask(upstream, "/chat/completions", body | {"max_completion_tokens": 9}).status == 200


# Within the stream.


@pytest.mark.parametrize("ending", ["error_nested", "error_flat"])
@pytest.mark.parametrize(("code", "shown"), [("429", 429), ('"402"', "402"), ("400", 400), ('"503"', "503")])
def test_a_code_within_a_stream_is_a_number_or_text(
    upstream: OpenAIServer, ending: str, code: str, shown: int | str
) -> None:
    for ask in (raw_http.respond, raw_http.complete):
        last = events(ask(upstream, f"Hi [[{ending}={code}]] [[message=words]] [[after=0]]").body)[-1].data
        error = last["error"] if ending == "error_nested" else last
        assert (error["code"], error["message"]) == (shown, "words")


@pytest.mark.parametrize("code", ["null", "absent"])
def test_it_can_stand_in_the_type_only(upstream: OpenAIServer, code: str) -> None:
    for ask in (raw_http.respond, raw_http.complete):
        asked = f"Hi [[error_nested]] [[code={code}]] [[error_type=rate_limit_error]]"
        error = events(ask(upstream, asked).body)[-1].data["error"]
        assert (error["type"], error.get("code")) == ("rate_limit_error", None)
        assert ("code" in error) == (code == "null")


def test_a_response_can_fail_with_a_number(upstream: OpenAIServer) -> None:
    reply = raw_http.respond(upstream, "Hi [[failed=429]]")
    assert final(reply)["error"]["code"] == 429


def test_a_value_that_a_field_cannot_have_is_told(upstream: OpenAIServer) -> None:
    reply = raw_http.respond(upstream, "Hi [[thoughts_in=nowhere]]")
    assert (reply.status, reply.json["error"]["code"]) == (400, "unknown_directive")
