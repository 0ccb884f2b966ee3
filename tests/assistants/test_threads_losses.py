"""The threads assistant when a call of it is lost or refused: what is tried again, and nothing there twice."""

from __future__ import annotations

import httpx2
import openai
import pytest

from app.assistants.openai_client import new_client
from app.assistants.threads import ThreadsAssistant
from app.chat.interfaces import Exchange, Finished, Status
from app.errors import AssistantError
from tests.assistants import thread_parts
from tests.assistants.contract import ask
from tests.assistants.thread_parts import asked, messages, states, the_thread
from tests.wire.openai_server import OpenAIServer, Scenario

threads = thread_parts.threads


# Lost connections.


class LosingTransport(httpx2.HTTPTransport):
    """Loses the answers to POSTs whose path ends as in `losses`: (end of the path, whether it arrived there)."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[tuple[str, bool]] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        for loss in self.losses:
            end, arrives = loss
            if request.method == "POST" and request.url.path.endswith(end):
                self.losses.remove(loss)
                if arrives:
                    super().handle_request(request).close()
                raise httpx2.ReadError("the connection was lost")
        return super().handle_request(request)


@pytest.fixture
def weather() -> LosingTransport:
    return LosingTransport()


@pytest.fixture
def unlucky(upstream: OpenAIServer, weather: LosingTransport) -> ThreadsAssistant:
    """The assistant on a line on which answers get lost."""
    client = openai.OpenAI(
        api_key="sk-test", base_url=upstream.base_url, max_retries=0, http_client=httpx2.Client(transport=weather)
    )
    return ThreadsAssistant(client, "asst_1")


def test_a_message_whose_answer_was_lost_is_found_there_and_not_posted_twice(
    upstream: OpenAIServer, unlucky: ThreadsAssistant, weather: LosingTransport
) -> None:
    weather.losses = [("/messages", True)]
    events = list(unlucky.stream(asked("t1", "alpha")))
    assert isinstance(events[-1], Finished)
    assert [text for role, text in messages(the_thread(upstream)) if role == "user"] == ["alpha"]


def test_a_message_that_was_lost_on_its_way_is_posted_again(
    upstream: OpenAIServer, unlucky: ThreadsAssistant, weather: LosingTransport
) -> None:
    weather.losses = [("/messages", False)]
    events = list(unlucky.stream(asked("t1", "alpha")))
    assert isinstance(events[-1], Finished)
    assert [text for role, text in messages(the_thread(upstream)) if role == "user"] == ["alpha"]


def test_lost_turns_of_the_history_are_not_doubled_either(
    upstream: OpenAIServer, unlucky: ThreadsAssistant, weather: LosingTransport
) -> None:
    weather.losses = [("/messages", True), ("/messages", False)]
    list(unlucky.stream(asked("t2", "two", history=[Exchange("one", "1")])))
    assert messages(the_thread(upstream))[:3] == [("user", "one"), ("assistant", "1"), ("user", "two")]


def test_a_message_is_not_posted_a_third_time(
    upstream: OpenAIServer, unlucky: ThreadsAssistant, weather: LosingTransport
) -> None:
    weather.losses = [("/messages", False), ("/messages", False), ("/messages", False)]
    with pytest.raises(AssistantError) as failure:
        list(unlucky.stream(asked("t1", "alpha")))
    assert failure.value.code == "assistant_unavailable"
    assert weather.losses == [("/messages", False)]
    assert not upstream.asked("/runs")


def test_a_run_whose_creation_was_lost_is_cancelled_and_not_created_again(
    upstream: OpenAIServer, unlucky: ThreadsAssistant, weather: LosingTransport
) -> None:
    weather.losses = [("/runs", True)]
    upstream.next(Scenario(delay=600, deltas=5))
    with pytest.raises(AssistantError) as failure:
        list(unlucky.stream(asked("t1", "alpha")))
    assert failure.value.code == "assistant_unavailable"
    upstream.wait_until(lambda: states(the_thread(upstream)) == ["cancelled"])


def test_a_run_that_was_lost_on_its_way_is_not_created_again(
    upstream: OpenAIServer, unlucky: ThreadsAssistant, weather: LosingTransport
) -> None:
    weather.losses = [("/runs", False)]
    with pytest.raises(AssistantError):
        list(unlucky.stream(asked("t1", "alpha")))
    assert the_thread(upstream).runs == []


def test_a_thread_whose_creation_was_lost_is_not_created_again(
    upstream: OpenAIServer, unlucky: ThreadsAssistant, weather: LosingTransport
) -> None:
    weather.losses = [("/threads", True)]
    with pytest.raises(AssistantError):
        list(unlucky.stream(asked("t1", "alpha")))
    assert len(upstream.threads.threads) == 1


# Received refusals.


@pytest.mark.parametrize("path", ["/threads", "/messages", ""], ids=["thread", "message", "run"])
@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_received_fault_is_tried_again_and_leaves_nothing_twice(
    upstream: OpenAIServer, threads: ThreadsAssistant, path: str, status: int
) -> None:
    upstream.next(Scenario(status=status, retry_after="0"), path=path)
    events = list(threads.stream(asked("t1", "alpha")))
    assert isinstance(events[-1], Finished)
    assert any(isinstance(event, Status) and event.state == "thinking" for event in events)
    assert [role for role, _ in messages(the_thread(upstream))] == ["user", "assistant"]
    assert states(the_thread(upstream)) == ["completed"]


@pytest.mark.parametrize("path", ["/threads", "/messages", ""], ids=["thread", "message", "run"])
@pytest.mark.parametrize(
    ("scenario", "code"),
    [
        (Scenario(status=400), "assistant_refused"),
        (Scenario(status=401), "assistant_misconfigured"),
        (Scenario(status=403), "assistant_misconfigured"),
        (Scenario(status=422), "assistant_refused"),
        (Scenario(status=429, code="insufficient_quota"), "assistant_quota"),
        (Scenario(status=400, code="context_length_exceeded"), "context_too_long"),
        (Scenario(status=400, code="content_filter"), "content_filtered"),
        (Scenario(body="json"), "assistant_unavailable"),
        (Scenario(body="html"), "assistant_unavailable"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.status or value.body}",
)
def test_every_refusal_has_its_code_and_is_not_tried_again(
    upstream: OpenAIServer, threads: ThreadsAssistant, path: str, scenario: Scenario, code: str
) -> None:
    upstream.next(scenario, path=path)
    with pytest.raises(AssistantError) as failure:
        ask(threads)
    assert failure.value.code == code
    assert "sk-test" not in failure.value.message + failure.value.detail
    posts = [request.path for request in upstream.requests if request.method == "POST"]
    assert len(posts) == len(set(posts))


def test_a_fault_that_stays_ends_after_three_tries(upstream: OpenAIServer, threads: ThreadsAssistant) -> None:
    upstream.scenario = Scenario(status=429, retry_after="0")
    with pytest.raises(AssistantError) as failure:
        ask(threads)
    assert failure.value.code == "assistant_busy"
    assert len(upstream.asked("/runs", method="POST")) == 3


def test_an_assistant_that_is_not_there_is_misconfigured(upstream: OpenAIServer, threads: ThreadsAssistant) -> None:
    upstream.assistants = ["asst_other"]
    with pytest.raises(AssistantError) as failure:
        ask(threads)
    assert failure.value.code == "assistant_misconfigured"


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(AssistantError) as failure:
        ask(ThreadsAssistant(new_client(None, "http://127.0.0.1:9/v1"), "asst_1"))
    assert failure.value.code == "assistant_unavailable"
