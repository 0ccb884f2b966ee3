"""The contract that every assistant has to pass. A new one's test file adds itself with a class like this:

class TestMyAssistant(AssistantContract):
    @pytest.fixture
    def slow(self): ...
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from app.chat.interfaces import Assistant, Citation, Delta, Event, Exchange, Finished, Question, citation_fields
from app.errors import AssistantError
from tests.running_server import PATIENCE, SOON, wait_until
from tests.wire.openai_server import OpenAIServer, Scenario


def ask(assistant: Assistant, text: str = "hello", history: Sequence[Exchange] = ()) -> list[Event]:
    """All events of one answer."""
    return list(assistant.stream(Question("turn", "conversation", text, history)))


def text_of(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


HISTORY = [Exchange("first question", "first answer"), Exchange("second question", "second answer")]


def end_of(events: Sequence[Event]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


def failure_of(assistant: Assistant, **given: Any) -> AssistantError:
    with pytest.raises(AssistantError) as failure:
        ask(assistant, **given)
    return failure.value


class AssistantContract:
    """Fixtures to give: `assistant` answers at once, `slow` takes minutes, `failing` fails in mid-answer."""

    def test_it_has_a_name_and_is_ready(self, assistant: Assistant) -> None:
        assert assistant.name
        assert assistant.ready()

    def test_an_answer_has_text_and_ends_with_finished_and_nothing_after_it(self, assistant: Assistant) -> None:
        events = ask(assistant)
        assert text_of(events).strip()
        assert isinstance(events[-1], Finished)
        assert events[-1].state == "complete"
        assert sum(isinstance(event, Finished) for event in events) == 1

    def test_the_completed_text_is_what_was_streamed(self, assistant: Assistant) -> None:
        events = ask(assistant)
        assert isinstance(events[-1], Finished)
        assert events[-1].text in (None, text_of(events))

    def test_it_answers_in_several_deltas(self, assistant: Assistant) -> None:
        assert sum(isinstance(event, Delta) for event in ask(assistant)) > 1

    def test_it_takes_a_history(self, assistant: Assistant) -> None:
        history = [Exchange("first question", "first answer"), Exchange("second question", "second answer")]
        assert text_of(ask(assistant, "third question", history))

    def test_a_citation_names_its_source(self, assistant: Assistant) -> None:
        for event in ask(assistant):
            assert not isinstance(event, Citation) or citation_fields(event)

    def test_many_are_answered_at_the_same_time(self, assistant: Assistant) -> None:
        answers: list[str] = []
        threads = [threading.Thread(target=lambda: answers.append(text_of(ask(assistant)))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert len(answers) == 8
        assert len(set(answers)) == 1

    def test_a_cancelled_answer_ends_at_once_and_without_an_error(self, slow: Assistant) -> None:
        question = Question("turn", "conversation", "hello")
        events: list[Event] = []
        faults: list[BaseException] = []

        def read() -> None:
            try:
                for event in slow.stream(question):
                    events.append(event)
            except BaseException as fault:
                faults.append(fault)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        wait_until(lambda: self.is_under_way(slow), "the answer is under way")
        cancelled_at = time.monotonic()
        question.cancellation.cancel()
        reader.join(PATIENCE)
        assert not reader.is_alive()
        assert time.monotonic() - cancelled_at < SOON
        assert not faults
        assert not any(isinstance(event, Finished) for event in events)

    def test_a_failure_is_an_assistant_error_with_a_sentence(self, failing: Assistant) -> None:
        with pytest.raises(AssistantError) as failure:
            ask(failing)
        assert failure.value.message.endswith((".", ")."))

    def is_under_way(self, _slow: Assistant) -> bool:
        """Whether the slow answer has begun on the other side."""
        return True


class WireContract(AssistantContract):
    """For assistants whose other side is `tests.wire`. Fixture to give: `assistant`, which asks `upstream`."""

    @pytest.fixture
    def slow(self, upstream: OpenAIServer, assistant: Assistant) -> Assistant:
        self.upstream = upstream
        upstream.scenario = Scenario(stall=600, after=2)
        return assistant

    @pytest.fixture
    def failing(self, upstream: OpenAIServer, assistant: Assistant) -> Assistant:
        upstream.scenario = Scenario(ending="cut")
        return assistant

    def is_under_way(self, _slow: Assistant) -> bool:
        return bool(self.upstream.streaming)

    def test_a_cancel_after_the_end_disturbs_no_answer_that_follows(
        self, upstream: OpenAIServer, assistant: Assistant
    ) -> None:
        first, second = (Question(f"turn-{n}", f"conversation-{n}", "hello") for n in (1, 2))
        list(assistant.stream(first))
        upstream.scenario = Scenario(delay=0.02, deltas=10)
        events = assistant.stream(second)
        begun = next(event for event in events if isinstance(event, Delta))
        # The second answer comes over the connection that the first one gave back.
        first.cancellation.cancel()
        rest = list(events)
        assert isinstance(rest[-1], Finished)
        assert text_of([begun, *rest]) == rest[-1].text or rest[-1].text is None
