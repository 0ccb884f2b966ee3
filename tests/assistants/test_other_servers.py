"""What other servers than OpenAI's send, over real HTTP: each of these was seen on one of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from app.assistants.chat_completions import ChatAssistant
from app.assistants.openai_client import new_client
from app.assistants.responses import ResponsesAssistant
from app.chat.interfaces import Assistant, Event, Reasoning, TakenBack
from tests.assistants.contract import ask, end_of, failure_of, text_of
from tests.running_server import PATIENCE
from tests.wire.openai_server import OpenAIServer, Scenario


def final_text(events: Sequence[Event]) -> str:
    """What the visitor ends with."""
    begins_at = max((number for number, event in enumerate(events) if isinstance(event, TakenBack)), default=0)
    return end_of(events).text or text_of(events[begins_at:])


def thoughts(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Reasoning)).strip()


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    """The address of a server that sends these bytes as a stream, and then neither more nor an end."""
    over = threading.Event()

    class Connection(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
            over.wait(PATIENCE)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing to say."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Connection) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            over.set()
            server.shutdown()


class TestHowItEnds:
    @pytest.mark.parametrize("before", ["empty", "absent", "null"])
    @pytest.mark.parametrize("reason", ["stop", "eos", "eos_token", "ready"])
    def test_every_word_for_an_end_is_one(
        self, upstream: OpenAIServer, chat: ChatAssistant, reason: str, before: Any
    ) -> None:
        upstream.scenario = Scenario(finish_reason=reason, finish_reason_before=before)
        events = ask(chat)
        assert (end_of(events).state, text_of(events)) == (
            "complete",
            "You said: hello. This is turn 1 of our conversation.",
        )

    @pytest.mark.parametrize("reason", ["length", "MAX_TOKENS", "model_length"])
    def test_every_word_for_a_limit_is_one(self, upstream: OpenAIServer, chat: ChatAssistant, reason: str) -> None:
        upstream.scenario = Scenario(finish_reason=reason)
        assert end_of(ask(chat)).state == "truncated"

    @pytest.mark.parametrize(
        ("reason", "code"),
        [("SAFETY", "content_filtered"), ("error", "assistant_unavailable"), ("abort", "assistant_unavailable")],
    )
    def test_filters_and_faults_are_no_end(
        self, upstream: OpenAIServer, chat: ChatAssistant, reason: str, code: str
    ) -> None:
        upstream.scenario = Scenario(finish_reason=reason)
        assert failure_of(chat).code == code

    def test_a_body_that_does_not_end_after_the_reason_is_not_waited_for(self) -> None:
        with answering(b'data: {"choices":[{"delta":{"content":"Hello"},"finish_reason":"stop"}]}\n\n') as url:
            events = ask(ChatAssistant(new_client(None, url), "m"))
        assert (text_of(events), end_of(events).state) == ("Hello", "complete")

    def test_done_without_any_reason_is_an_end(self, upstream: OpenAIServer, one: Assistant) -> None:
        upstream.scenario = Scenario(only_done=True)
        events = ask(one)
        assert end_of(events).state == "complete"
        assert text_of(events)

    @pytest.mark.parametrize("ending", ["cut", "end", "reset"])
    def test_a_stream_without_its_end_has_failed(self, upstream: OpenAIServer, one: Assistant, ending: Any) -> None:
        upstream.scenario = Scenario(ending=ending, finish_reason_before="empty")
        assert failure_of(one).code == "assistant_unavailable"

    @pytest.mark.parametrize("kind", [ChatAssistant, ResponsesAssistant])
    def test_an_answer_as_long_as_the_limit_is_not_whole_whatever_its_server_says(
        self, upstream: OpenAIServer, kind: Any
    ) -> None:
        short = kind(new_client(None, upstream.base_url), "m", max_output_tokens=16)
        upstream.scenario = Scenario(say="word " * 16, deltas=16)
        assert end_of(ask(short)).state == "truncated"


class TestWhereTheTextStands:
    @pytest.mark.parametrize(
        ("where", "slim"),
        [("deltas", False), ("text_done", False), ("item_done", False), ("completed", False),
         ("deltas", True), ("text_done", True), ("item_done", True)],
    )  # fmt: skip
    def test_the_text_is_read_where_it_stands_and_once(
        self, upstream: OpenAIServer, responses: ResponsesAssistant, where: Any, slim: bool
    ) -> None:
        upstream.scenario = Scenario(say="Hello to you.", text_in=where, slim=slim)
        events = ask(responses)
        assert (text_of(events), final_text(events)) == ("Hello to you.", "Hello to you.")

    def test_content_in_parts_is_read(self, upstream: OpenAIServer, chat: ChatAssistant) -> None:
        upstream.scenario = Scenario(say="Hello to you.", content_parts=True, thoughts="Hm.", thoughts_in="parts")
        events = ask(chat)
        assert (text_of(events), thoughts(events)) == ("Hello to you.", "Hm.")

    @pytest.mark.parametrize("content_type", ["text/plain", "", "application/json", "application/octet-stream"])
    def test_a_stream_is_one_whatever_its_content_type(
        self, upstream: OpenAIServer, one: Assistant, content_type: str
    ) -> None:
        upstream.scenario = Scenario(say="Hello to you.", content_type=content_type)
        assert text_of(ask(one)) == "Hello to you."

    @pytest.mark.parametrize("content_type", [None, "text/event-stream", "text/plain"])
    def test_a_whole_answer_in_the_place_of_a_stream_is_one(
        self, upstream: OpenAIServer, one: Assistant, content_type: str | None
    ) -> None:
        upstream.scenario = Scenario(say="Hello to you.", body="whole", content_type=content_type)
        events = ask(one)
        assert (text_of(events), end_of(events).state) == ("Hello to you.", "complete")
        assert end_of(events).usage

    @pytest.mark.parametrize("body", ["html", "json"])
    def test_pages_and_other_json_go_on_failing(self, upstream: OpenAIServer, one: Assistant, body: Any) -> None:
        upstream.scenario = Scenario(body=body)
        assert failure_of(one).code == "assistant_unavailable"

    @pytest.mark.parametrize("bytes_as", [{"bom": True}, {"bom": True, "one_byte": True}, {"data_pings": True}])
    def test_marks_and_pings_cost_no_word(
        self, upstream: OpenAIServer, one: Assistant, bytes_as: dict[str, Any]
    ) -> None:
        upstream.scenario = Scenario(say="Hello to you.", **bytes_as)
        events = ask(one)
        assert (text_of(events), end_of(events).state) == ("Hello to you.", "complete")


class TestErrorsInAStream:
    @pytest.mark.parametrize("ending", ["error_flat", "error_nested"])
    @pytest.mark.parametrize(
        ("code", "ours", "requests"),
        [(429, "assistant_busy", 3), ("429", "assistant_busy", 3), (402, "assistant_quota", 1),
         (400, "assistant_refused", 1)],
    )  # fmt: skip
    def test_a_number_is_a_status(
        self, upstream: OpenAIServer, one: Assistant, ending: Any, code: Any, ours: str, requests: int
    ) -> None:
        upstream.scenario = Scenario(ending=ending, code=code, after=0)
        assert failure_of(one).code == ours
        assert len(upstream.requests) == requests


class TestReasoning:
    @pytest.mark.parametrize("where", ["reasoning_content", "reasoning", "tags", "parts"])
    def test_it_is_kept_apart_in_chat(self, upstream: OpenAIServer, chat: ChatAssistant, where: Any) -> None:
        upstream.scenario = Scenario(say="Hello to you.", thoughts="Let me think.", thoughts_in=where)
        events = ask(chat)
        assert (final_text(events), text_of(events), thoughts(events)) == (
            "Hello to you.",
            "Hello to you.",
            "Let me think.",
        )

    @pytest.mark.parametrize("where", ["summary", "reasoning_text", "tags"])
    def test_it_is_kept_apart_in_responses(
        self, upstream: OpenAIServer, responses: ResponsesAssistant, where: Any
    ) -> None:
        upstream.scenario = Scenario(say="Hello to you.", thoughts="Let me think.", thoughts_in=where)
        events = ask(responses)
        assert (final_text(events), text_of(events), thoughts(events)) == (
            "Hello to you.",
            "Hello to you.",
            "Let me think.",
        )

    def test_a_closing_tag_alone_corrects_the_text(self, upstream: OpenAIServer, one: Assistant) -> None:
        upstream.scenario = Scenario(say="I wonder.\n</think>\n\nHello to you.")
        assert final_text(ask(one)) == "Hello to you."

    def test_its_tokens_are_counted(self, upstream: OpenAIServer, one: Assistant) -> None:
        upstream.scenario = Scenario(say="Hello.", thoughts="Let me think.")
        usage = end_of(ask(one)).usage
        assert usage is not None
        assert 0 < usage["reasoning_tokens"] < usage["output_tokens"]


class TestFunctionCalls:
    @pytest.mark.parametrize("index", ["number", "null", "null_or_zero", "absent", "zero"])
    @pytest.mark.parametrize("parallel", [1, 2])
    def test_they_are_understood_however_they_are_counted(
        self, upstream: OpenAIServer, chat: ChatAssistant, index: Any, parallel: int
    ) -> None:
        upstream.next(Scenario(tools=1, parallel=parallel, call_index=index))
        assert end_of(ask(chat)).state == "complete"
        calls = upstream.requests[1].body["messages"][-parallel - 1]["tool_calls"]
        assert [call["function"]["name"] for call in calls] == ["lookup_order"] * parallel
        assert [call["function"]["arguments"] for call in calls] == [
            f'{{"order":"A-{n + 1}"}}' for n in range(parallel)
        ]

    def test_those_that_the_completed_response_lacks_are_answered(
        self, upstream: OpenAIServer, responses: ResponsesAssistant
    ) -> None:
        upstream.next(Scenario(tools=1, parallel=2, calls_left_out=True))
        events = ask(responses)
        assert text_of(events)
        items = [item["type"] for item in upstream.requests[1].body["input"]]
        assert items == ["message", "function_call", "function_call", "function_call_output", "function_call_output"]
