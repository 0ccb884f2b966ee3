"""The double itself: its life, its keys, what it records, and that it notices a client that leaves."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openai
import pytest

from tests.running_server import PATIENCE, SOON

from . import raw_http
from .openai_server import OpenAIServer, Scenario

ROOT = Path(__file__).parents[2]


@contextmanager
def sdk(upstream: OpenAIServer, key: str = "sk-any") -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=upstream.base_url, api_key=key, max_retries=0, timeout=PATIENCE) as client:
        yield client


def test_it_starts_and_stops_at_once_even_while_a_stream_stalls() -> None:
    began = time.monotonic()
    with OpenAIServer() as upstream:
        thread = threading.Thread(target=raw_http.respond, args=(upstream, "Hello [[stall=600]]"))
        thread.start()
        upstream.wait_until(lambda: upstream.streaming == 1)
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert time.monotonic() - began < SOON
    assert upstream.client_closed == []


def test_it_listens_on_the_loopback_address_only(upstream: OpenAIServer) -> None:
    assert upstream._door.server_address[0] == "127.0.0.1"
    assert upstream.base_url == f"http://127.0.0.1:{upstream.port}/v1"


def test_a_request_that_breaks_off_is_none(upstream: OpenAIServer) -> None:
    with socket.create_connection(("127.0.0.1", upstream.port), timeout=PATIENCE) as client:
        client.sendall(b"POST /v1/responses HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert upstream.requests == []


def test_it_runs_by_hand_and_prints_its_address_first() -> None:
    command = [sys.executable, "-m", "tests.wire.openai_server", "--quiet"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with openai.OpenAI(base_url=url, api_key="sk-any") as client:
            assert [model.id for model in client.models.list()] == ["gpt-wire", "gpt-wire-mini"]
        process.terminate()


def test_any_key_is_good_until_one_is_set() -> None:
    with OpenAIServer(api_key="sk-the-right-one") as upstream:
        with sdk(upstream, "sk-the-right-one") as client:
            assert client.responses.create(model="gpt-x", input="Hi").status == "completed"
        with sdk(upstream, "sk-wrong-wrong-wrong") as client, pytest.raises(openai.AuthenticationError) as refused:
            client.responses.create(model="gpt-x", input="Hi")
    assert refused.value.code == "invalid_api_key"
    assert refused.value.request_id is not None
    assert "sk-wrong-wrong-wrong" not in str(refused.value)


def test_an_unknown_path_is_a_404_in_json_and_a_wrong_method_a_405(upstream: OpenAIServer) -> None:
    unknown = raw_http.ask(upstream, "/nothing/here", {})
    assert (unknown.status, unknown.json["error"]["message"]) == (404, "Invalid URL (POST /v1/nothing/here)")
    assert raw_http.ask(upstream, "/responses", method="PUT").status == 405


def test_a_model_or_an_assistant_that_it_was_told_not_to_have_is_not_found() -> None:
    with OpenAIServer(models=["gpt-a"], assistants=["asst_a"]) as upstream, sdk(upstream) as client:
        assert [model.id for model in client.models.list()] == ["gpt-a"]
        with pytest.raises(openai.NotFoundError) as refused:
            client.responses.create(model="gpt-b", input="Hi", stream=True)
        assert refused.value.code == "model_not_found"
        assert raw_http.ask(upstream, "/assistants/asst_a", method="GET").json["object"] == "assistant"
        assert raw_http.ask(upstream, "/assistants/asst_b", method="GET").status == 404


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_without_responses_says_so_in_its_own_words_and_still_completes(status: int) -> None:
    with OpenAIServer(absent={"/responses": status}) as upstream:
        reply = raw_http.respond(upstream, "Hi")
        assert reply.status == status
        assert "error" not in reply.json
        assert raw_http.complete(upstream, "Hi").status == 200


def test_the_same_can_be_asked_for_by_a_directive(upstream: OpenAIServer) -> None:
    assert raw_http.respond(upstream, "Hi [[no_responses=405]]").status == 405
    assert raw_http.complete(upstream, "Hi [[no_responses=405]]").status == 200


def test_each_request_is_recorded_with_its_body_and_its_request_id(
    upstream: OpenAIServer, client: openai.OpenAI
) -> None:
    response = client.responses.with_raw_response.create(model="gpt-x", input="Hi", store=False)
    [request] = upstream.requests
    assert (request.method, request.path, request.status) == ("POST", "/v1/responses", 200)
    assert request.body == {"model": "gpt-x", "input": "Hi", "store": False}
    assert request.headers["authorization"] == "Bearer sk-any"
    assert response.headers["x-request-id"] == request.request_id
    assert request.answer_id == response.parse().id
    upstream.reset()
    assert upstream.requests == []


def test_connections_are_kept_alive_after_a_stream(upstream: OpenAIServer, client: openai.OpenAI) -> None:
    for _ in range(3):
        for _event in client.responses.create(model="gpt-x", input="Hi", stream=True):
            pass
    assert {request.connection for request in upstream.requests} == {1}


def test_a_client_that_closes_while_streaming_is_noticed(upstream: OpenAIServer, client: openai.OpenAI) -> None:
    stream = client.responses.create(model="gpt-x", input="Hi [[stall=600]]", stream=True)
    first = next(iter(stream))
    assert first.type == "response.created"
    upstream.wait_until(lambda: upstream.streaming == 1)
    stream.close()
    upstream.wait_until(lambda: upstream.client_closed)
    assert upstream.client_closed == [first.response.id]
    assert upstream.requests[0].client_closed
    upstream.wait_until(lambda: upstream.streaming == 0)


def test_a_client_that_closes_between_slow_deltas_is_noticed(upstream: OpenAIServer, client: openai.OpenAI) -> None:
    upstream.delay = 600
    stream = client.chat.completions.create(model="x", messages=[{"role": "user", "content": "Hi"}], stream=True)
    chunk = next(iter(stream))
    stream.close()
    upstream.wait_until(lambda: upstream.client_closed == [chunk.id])


def test_a_client_that_leaves_before_the_headers_is_noticed(upstream: OpenAIServer) -> None:
    client = openai.OpenAI(base_url=upstream.base_url, api_key="x", max_retries=0, timeout=0.1)
    with client, pytest.raises(openai.APITimeoutError):
        client.responses.create(model="gpt-x", input="Hi [[stall_headers=600]]", stream=True)
    upstream.wait_until(lambda: upstream.requests and upstream.requests[0].client_closed)


def test_a_whole_answer_is_not_taken_for_a_client_that_left(upstream: OpenAIServer) -> None:
    raw_http.respond(upstream, "Hi")
    upstream.wait_until(lambda: upstream.requests[0].finished)
    assert upstream.client_closed == []


def test_a_hundred_slow_streams_run_side_by_side() -> None:
    with OpenAIServer(delay=600) as upstream:
        threads = [threading.Thread(target=raw_http.respond, args=(upstream, "x [[deltas=10]]")) for _ in range(100)]
        for thread in threads:
            thread.start()
        upstream.wait_until(lambda: upstream.streaming == 100)
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)


def test_queued_scenarios_are_for_answers_unless_they_name_a_path(upstream: OpenAIServer) -> None:
    upstream.next(Scenario(say="first"), Scenario(say="second"))
    upstream.next(Scenario(status=503), path="/models")
    assert raw_http.ask(upstream, "/models", method="GET").status == 503
    assert raw_http.ask(upstream, "/models", method="GET").status == 200
    said = [raw_http.ask(upstream, "/responses", {"model": "x", "input": "Hi"}).json for _ in range(3)]
    assert [one["output"][0]["content"][0]["text"] for one in said] == [
        "first",
        "second",
        "You said: Hi. This is turn 1 of our conversation.",
    ]


def test_a_default_scenario_is_for_every_answer(upstream: OpenAIServer) -> None:
    upstream.scenario = Scenario(say="always", delay=0)
    for _ in range(2):
        assert b'"text":"always"' in raw_http.respond(upstream, "Hi").body


def test_waiting_in_vain_fails_with_what_was_asked(upstream: OpenAIServer) -> None:
    raw_http.respond(upstream, "Hi")
    with pytest.raises(AssertionError, match="POST /v1/responses -> 200"):
        upstream.wait_until(lambda: False, seconds=0.05)
