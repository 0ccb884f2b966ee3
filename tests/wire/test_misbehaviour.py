"""Each wrong turn is taken as described: errors before a stream, things in place of one, and every way of ending it."""

from __future__ import annotations

import time
from collections.abc import Callable

import openai
import pytest

from . import raw_http
from .openai_server import OpenAIServer, Scenario
from .raw_http import final, names, said

Ask = Callable[[OpenAIServer, str], raw_http.Reply]
EVERY_API = pytest.mark.parametrize("ask", [raw_http.respond, raw_http.complete, raw_http.run])
PROOF = "You said: Hi. This is turn 1 of our conversation."


# HTTP errors.


@EVERY_API
@pytest.mark.parametrize(
    ("directive", "status", "code"),
    [
        ("400", 400, None),
        ("401", 401, "invalid_api_key"),
        ("403", 403, "unsupported_country_region_territory"),
        ("404", 404, "model_not_found"),
        ("model_not_found", 404, "model_not_found"),
        ("422", 422, None),
        ("429", 429, "rate_limit_exceeded"),
        ("quota", 429, "insufficient_quota"),
        ("500", 500, None),
        ("503", 503, None),
        ("context_length", 400, "context_length_exceeded"),
        ("filtered", 400, "content_filter"),
        ("locked", 400, "conversation_locked"),
        ("status=418]] [[code=teapot", 418, "teapot"),
    ],
)
def test_an_http_error_has_openais_status_code_and_shape(
    upstream: OpenAIServer, ask: Ask, directive: str, status: int, code: str | None
) -> None:
    reply = ask(upstream, f"Hi [[{directive}]]")
    assert (reply.status, reply.json["error"]["code"]) == (status, code)
    assert reply.headers["x-request-id"].startswith("req_")
    assert reply.headers.get("retry-after") == ("1" if directive == "429" else None)


def test_the_sdk_raises_its_own_errors_for_them(client: openai.OpenAI) -> None:
    for directive, error in (("429", openai.RateLimitError), ("500", openai.InternalServerError)):
        with pytest.raises(error) as raised:
            client.responses.create(model="gpt-x", input=f"Hi [[{directive}]]", stream=True)
        assert isinstance(raised.value, openai.APIStatusError)
        assert raised.value.request_id


@EVERY_API
def test_an_error_with_a_number_passes(upstream: OpenAIServer, ask: Ask) -> None:
    replies = [ask(upstream, "Hi [[429=2]] [[retry_after=0.5]]") for _ in range(3)]
    assert [reply.status for reply in replies] == [429, 429, 200]
    assert replies[0].headers["retry-after"] == "0.5"
    assert said(replies[2]) == PROOF


def test_errors_can_follow_each_other(upstream: OpenAIServer) -> None:
    replies = [raw_http.respond(upstream, "Hi [[500=1]] [[429=1]] [[say=Yes]]") for _ in range(3)]
    assert [reply.status for reply in replies] == [500, 429, 200]
    assert said(replies[2]) == "Yes"


def test_retry_after_can_be_anything_or_missing(upstream: OpenAIServer) -> None:
    upstream.next(Scenario(status=429, retry_after=""))
    upstream.next(Scenario(status=503, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"))
    assert "retry-after" not in raw_http.respond(upstream, "Hi").headers
    assert raw_http.respond(upstream, "Hi").headers["retry-after"] == "Wed, 21 Oct 2015 07:28:00 GMT"


def test_a_bad_gateway_answers_in_html(upstream: OpenAIServer) -> None:
    reply = raw_http.respond(upstream, "Hi [[502]]")
    assert (reply.status, reply.headers["content-type"]) == (502, "text/html; charset=utf-8")


def test_an_input_that_is_too_long_is_refused_until_it_is_shorter(upstream: OpenAIServer) -> None:
    refused = raw_http.respond(upstream, "x" * 200 + "[[context_limit=100]]")
    assert (refused.status, refused.json["error"]["code"]) == (400, "context_length_exceeded")
    assert raw_http.respond(upstream, "x" * 20 + "[[context_limit=100]]").status == 200


def test_or_it_fails_within_the_stream(upstream: OpenAIServer) -> None:
    upstream.scenario = Scenario(context_limit=100, context_in_stream=True)
    reply = raw_http.respond(upstream, "x" * 200)
    assert (names(reply)[-1], final(reply)["error"]["code"]) == ("response.failed", "context_length_exceeded")


def test_an_unknown_directive_is_told(upstream: OpenAIServer) -> None:
    reply = raw_http.respond(upstream, "Hi [[cutt]]")
    assert (reply.status, reply.json["error"]["code"]) == (400, "unknown_directive")


# In place of a stream.


@EVERY_API
def test_json_or_html_in_place_of_a_stream(upstream: OpenAIServer, ask: Ask) -> None:
    page, thing = ask(upstream, "Hi [[html]]"), ask(upstream, "Hi [[json]]")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (thing.status, thing.headers["content-type"]) == (200, "application/json")
    assert raw_http.events(page.body) == raw_http.events(thing.body) == []


def test_a_connection_can_be_dropped_before_the_headers(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIConnectionError):
        client.responses.create(model="gpt-x", input="Hi [[drop]]", stream=True)


def test_a_stall_can_come_before_the_headers_or_within_the_stream(upstream: OpenAIServer) -> None:
    for directive in ("stall_headers", "stall"):
        began = time.monotonic()
        reply = raw_http.respond(upstream, f"Hi [[{directive}=0.2]]")
        assert time.monotonic() - began >= 0.2
        assert said(reply) == PROOF


# How a stream ends.


@EVERY_API
def test_a_cut_stream_has_its_first_deltas_and_no_end(upstream: OpenAIServer, ask: Ask) -> None:
    reply = ask(upstream, "Hi [[cut]] [[after=3]]")
    assert (reply.status, reply.complete, said(reply)) == (200, False, "You said: Hi.")


def test_a_reset_is_a_real_one(upstream: OpenAIServer) -> None:
    with pytest.raises(ConnectionResetError):
        raw_http.respond(upstream, "Hi [[reset]] [[stall=0.05]]")


@EVERY_API
def test_a_clean_end_has_no_terminal_event(upstream: OpenAIServer, ask: Ask) -> None:
    reply = ask(upstream, "Hi [[end]]")
    assert (reply.complete, said(reply)) == (True, "You said:")
    assert not {"response.completed", "thread.run.completed", "done"} & set(names(reply))
    assert b"[DONE]" not in reply.body


@pytest.mark.parametrize("path", ["/responses", "/chat/completions"])
def test_without_a_stream_a_cut_is_a_connection_without_an_answer(upstream: OpenAIServer, path: str) -> None:
    asked = (
        {"input": "Hi [[cut]]"} if path == "/responses" else {"messages": [{"role": "user", "content": "Hi [[cut]]"}]}
    )
    with pytest.raises(ConnectionError):
        raw_http.ask(upstream, path, {"model": "x"} | asked)


@pytest.mark.parametrize("path", ["/responses", "/chat/completions"])
def test_without_a_stream_an_error_event_is_a_500(upstream: OpenAIServer, path: str) -> None:
    text = "Hi [[error_flat]]"
    asked = {"input": text} if path == "/responses" else {"messages": [{"role": "user", "content": text}]}
    assert raw_http.ask(upstream, path, {"model": "x"} | asked).status == 500


def test_error_events_are_flat_or_nested(upstream: OpenAIServer) -> None:
    flat = raw_http.events(raw_http.respond(upstream, "Hi [[error_flat=server_error]]").body)[-1]
    assert (flat.name, flat.data["code"]) == ("error", "server_error")
    nested = raw_http.events(raw_http.respond(upstream, "Hi [[error_nested=insufficient_quota]]").body)[-1]
    assert (nested.name, nested.data["error"]["code"]) == ("error", "insufficient_quota")


def test_a_response_can_fail_with_any_code(upstream: OpenAIServer) -> None:
    reply = raw_http.respond(upstream, "Hi [[failed=rate_limit_exceeded]]")
    assert names(reply)[-1] == "response.failed"
    assert (final(reply)["status"], final(reply)["error"]["code"]) == ("failed", "rate_limit_exceeded")
    assert said(reply) == "You said:"


@pytest.mark.parametrize(
    ("directive", "reason"), [("incomplete", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_a_response_can_be_incomplete(upstream: OpenAIServer, directive: str, reason: str) -> None:
    reply = raw_http.respond(upstream, f"Hi [[{directive}]]")
    assert names(reply)[-1] == "response.incomplete"
    assert final(reply)["incomplete_details"] == {"reason": reason}


def test_the_terminal_event_can_have_the_wrong_name(upstream: OpenAIServer) -> None:
    reply = raw_http.respond(upstream, "Hi [[incomplete]] [[misnamed]]")
    assert (names(reply)[-1], final(reply)["status"]) == ("response.completed", "incomplete")


def test_trouble_can_pass_too(upstream: OpenAIServer) -> None:
    replies = [raw_http.respond(upstream, "Hi [[cut]] [[times=1]] [[say=Yes I can]]") for _ in range(2)]
    assert [(reply.complete, said(reply)) for reply in replies] == [(False, "Yes I"), (True, "Yes I can")]
