from __future__ import annotations

import time
from pathlib import Path

import pytest

from app.assistants.demo import COUNT_MOST, FAILS_AFTER, LONG_WORDS, SOURCES, DemoAssistant
from app.chat.interfaces import Citation, Delta, Exchange, Question
from app.errors import AssistantError
from tests.assistants.contract import AssistantContract, ask, text_of

ROOT = Path(__file__).resolve().parent.parent.parent


class TestDemo(AssistantContract):
    @pytest.fixture
    def assistant(self) -> DemoAssistant:
        return DemoAssistant(pace=0)

    @pytest.fixture
    def slow(self) -> DemoAssistant:
        return DemoAssistant(pace=0.1)

    @pytest.fixture
    def failing(self) -> DemoAssistant:
        return DemoAssistant(pace=0, kind="failing")


@pytest.mark.parametrize(
    ("question", "part"),
    [
        ("Hello!", "built-in demo"),
        ("What is this?", "realtime chat server"),
        ("How do I put it on my site?", "<script src="),
        ("How do I connect a model?", "CHAT_MODEL"),
        ("Which port does it run on?", "gunicorn"),
        ("What if I reload the page offline?", "CORS_ALLOWED_ORIGINS"),
        ("Is anything lost when I reconnect?", "/try/resume"),
        ("What is stored?", "journal"),
    ],
)
def test_the_answer_fits_the_question(question: str, part: str) -> None:
    assert part in text_of(ask(DemoAssistant(0), question))


def test_answers_vary_when_a_conversation_goes_on() -> None:
    demo = DemoAssistant(0)
    again = text_of(ask(demo, "and?", [Exchange("what?", "this")]))
    assert "realtime" in text_of(ask(demo, "What is this?", [Exchange("what?", "this")]))
    assert again != text_of(ask(demo, "and?"))


def test_every_answer_cites_a_document_that_exists() -> None:
    for document in [*SOURCES.values(), "README.md"]:
        assert (ROOT / document).is_file()
    cited = [event for event in ask(DemoAssistant(0), "what is stored?") if isinstance(event, Citation)]
    assert [citation.filename for citation in cited] == [SOURCES["kept"]]


@pytest.mark.parametrize(
    ("question", "last"),
    [
        ("Count to 300", 300),
        ("please count up to 12.", 12),
        ("count to 1", 1),
        ("Count to 0", 1),
        ("count to 2001", COUNT_MOST),
        ("count to " + "9" * 5000, COUNT_MOST),
    ],
)
def test_it_counts_as_far_as_it_is_asked_to(question: str, last: int) -> None:
    assert [int(word) for word in text_of(ask(DemoAssistant(0), question)).split()] == list(range(1, last + 1))


def test_it_counts_a_number_at_a_time_and_ten_to_a_line() -> None:
    events = ask(DemoAssistant(0), "Count to 120")
    deltas = [event.text for event in events if isinstance(event, Delta)]
    assert [delta.strip() for delta in deltas] == [str(number) for number in range(1, 121)]
    lines = "".join(deltas).split("\n")
    assert lines[0] == "1 2 3 4 5 6 7 8 9 10"
    assert lines[9:12] == ["91 92 93 94 95 96 97 98 99 100", "", "101 102 103 104 105 106 107 108 109 110"]
    assert [event.filename for event in events if isinstance(event, Citation)] == [SOURCES["reliable"]]


def test_a_count_breaks_off_where_the_demo_is_set_to_fail() -> None:
    with pytest.raises(AssistantError, match="fail"):
        ask(DemoAssistant(0, "failing"), "Count to 300")


def test_a_failing_answer_fails_after_some_words() -> None:
    events = DemoAssistant(0, "failing").stream(Question("t", "c", "hello"))
    assert [type(next(events)) for _ in range(FAILS_AFTER)] == [Delta] * FAILS_AFTER
    with pytest.raises(AssistantError, match="fail"):
        next(events)


def test_a_long_answer_is_long() -> None:
    deltas = [event for event in ask(DemoAssistant(0, "long")) if isinstance(event, Delta)]
    assert len(deltas) == LONG_WORDS


def test_the_pace_is_words_a_second() -> None:
    begun = time.monotonic()
    words = len([event for event in ask(DemoAssistant(pace=500), "hello") if isinstance(event, Delta)])
    assert time.monotonic() - begun >= (words - 1) / 500
