"""Every framing and all noise of a stream: really there on the wire, and the same text to who reads by the standard."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import openai
import pytest

from . import raw_http
from .openai_server import OpenAIServer
from .raw_http import names, said

Ask = Callable[[OpenAIServer, str], raw_http.Reply]
EVERY_API = pytest.mark.parametrize("ask", [raw_http.respond, raw_http.complete, raw_http.run])
PROOF = "You said: Hi. This is turn 1 of our conversation."


@EVERY_API
@pytest.mark.parametrize(
    "directive",
    ["broken_json", "unknown", "comments", "pings", "crlf", "multiline", "one_byte", "one_write", "unchunked"],
)
def test_a_tolerant_client_reads_the_same_text(upstream: OpenAIServer, ask: Ask, directive: str) -> None:
    assert said(ask(upstream, f"Hi [[{directive}]]")) == PROOF


@pytest.mark.parametrize("directive", ["unknown", "comments", "crlf", "multiline", "one_byte", "one_write"])
def test_so_does_the_sdk(client: openai.OpenAI, directive: str) -> None:
    events = list(client.responses.create(model="x", input=f"Hi [[{directive}]]", stream=True))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == PROOF


def test_the_sdk_itself_dies_of_empty_pings(client: openai.OpenAI) -> None:
    with pytest.raises(json.JSONDecodeError):
        list(client.responses.create(model="x", input="Hi [[pings]]", stream=True))


def test_all_framings_can_come_together(upstream: OpenAIServer) -> None:
    together = "[[crlf]] [[multiline]] [[one_byte]] [[comments]] [[pings]] [[unknown]] [[bare]] [[broken_json]]"
    assert said(raw_http.respond(upstream, f"Hi {together}")) == PROOF


def test_each_framing_is_really_there(upstream: OpenAIServer) -> None:
    def body(directive: str) -> bytes:
        return raw_http.respond(upstream, f"Hi [[{directive}]]").body

    assert b"\n: keep-alive\n\n" in body("comments")
    assert b"\n\nevent: ping\n\ndata:\n\n" in body("pings")
    assert b"\nevent: response.sparkle.delta\n" in body("unknown")
    assert body("crlf").count(b"\r\n") == body("crlf").count(b"\n") > 0
    assert b"\ndata:  " in body("multiline")
    bare = body("bare")
    assert b"event:" not in bare
    assert b"sequence_number" not in bare
    assert bare.endswith(b"data: [DONE]\n\n")


def test_a_broken_line_is_a_piece_of_the_event_that_follows(upstream: OpenAIServer) -> None:
    broken = []
    for event in raw_http.events(raw_http.respond(upstream, "Hi [[broken_json]]").body):
        try:
            json.loads(event.text)
        except ValueError:
            broken.append(event.name)
    assert broken == ["response.output_text.delta"]


def test_one_byte_at_a_time_and_two_thousand_deltas_at_once(upstream: OpenAIServer) -> None:
    assert {len(chunk) for chunk in raw_http.chunks(upstream, "Grüße [[one_byte]]")} == {1}
    [chunk] = raw_http.chunks(upstream, "Hi [[deltas=2000]] [[one_write]]")
    assert chunk.count(b"event: response.output_text.delta\n") == 2000


def test_an_answer_has_the_text_and_the_number_of_deltas_asked_for(upstream: OpenAIServer) -> None:
    reply = raw_http.respond(upstream, "Hi [[say=äöüß, 你好!]] [[deltas=4]]")
    assert (said(reply), names(reply).count("response.output_text.delta")) == ("äöüß, 你好!", 4)


def test_deltas_come_slowly_if_asked(upstream: OpenAIServer) -> None:
    began = time.monotonic()
    raw_http.respond(upstream, "Hi [[deltas=5]] [[delay=0.04]]")
    assert time.monotonic() - began >= 0.2


def test_what_cannot_be_utf_8_comes_back_as_it_came(upstream: OpenAIServer) -> None:
    assert said(raw_http.respond(upstream, "Hi \ud83d \x00")) == PROOF.replace("Hi", "Hi \ud83d \x00")
