"""What answers are made of: citations, corrections, refusals, items before the answer."""

from __future__ import annotations

import openai
import pytest

from . import raw_http
from .openai_server import OpenAIServer
from .raw_http import final, names, said


def test_a_marker_is_torn_apart_and_cited(upstream: OpenAIServer) -> None:
    reply = raw_http.respond(upstream, "Hi [[cite]]")
    sent = raw_http.events(reply.body)
    assert not any("†policy.pdf】" in event.data["delta"] for event in sent if event.name.endswith("text.delta"))
    assert said(reply).endswith("See 【4:0†policy.pdf】.")
    [added] = [event.data["annotation"] for event in sent if event.name.endswith("annotation.added")]
    assert (added["type"], added["filename"]) == ("file_citation", "policy.pdf")
    assert final(reply)["output"][0]["content"][0]["annotations"] == [added]


@pytest.mark.parametrize(("place", "events", "items"), [("both", 1, 1), ("events", 1, 0), ("done", 0, 1)])
def test_annotations_are_where_they_are_asked_for(upstream: OpenAIServer, place: str, events: int, items: int) -> None:
    reply = raw_http.respond(upstream, f"Hi [[cite=url]] [[cite_in={place}]]")
    assert names(reply).count("response.output_text.annotation.added") == events
    assert len(final(reply)["output"][0]["content"][0]["annotations"]) == items


def test_every_marker_and_link_in_a_given_text_is_cited(upstream: OpenAIServer) -> None:
    text = "A 【1:0†a.md】 and ([B](https://b.example/)) and an ordinary 【bracket】"
    annotations = final(raw_http.respond(upstream, f"Hi [[say={text}]]"))["output"][0]["content"][0]["annotations"]
    assert [one["type"] for one in annotations] == ["file_citation", "url_citation"]
    assert text[annotations[1]["start_index"] : annotations[1]["end_index"]] == "([B](https://b.example/))"


def test_the_completed_item_can_differ_from_what_was_streamed(upstream: OpenAIServer) -> None:
    reply = raw_http.respond(upstream, "Hi [[say=wrong]] [[completed=right]]")
    assert (said(reply), final(reply)["output"][0]["content"][0]["text"]) == ("wrong", "right")


def test_a_refusal_comes_in_deltas_of_its_own(upstream: OpenAIServer) -> None:
    reply = raw_http.respond(upstream, "Hi [[refusal]] [[say=I will not]]")
    assert (names(reply).count("response.refusal.delta"), said(reply)) == (3, "")
    assert final(reply)["output"][0]["content"][0] == {"type": "refusal", "refusal": "I will not"}


def test_commentary_and_reasoning_come_before_the_answer(client: openai.OpenAI) -> None:
    response = client.responses.create(model="x", input="Hi [[commentary]] [[reasoning]]")
    assert [item.type for item in response.output] == ["reasoning", "message", "message"]
    phases = [item.phase for item in response.output if item.type == "message"]
    assert phases == ["commentary", "final_answer"]


def test_the_model_that_answered_can_be_another(client: openai.OpenAI) -> None:
    assert client.responses.create(model="x", input="Hi [[model=gpt-y]]").model == "gpt-y"
