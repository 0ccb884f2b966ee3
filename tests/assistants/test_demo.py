from __future__ import annotations

import time
from pathlib import Path

import pytest

from app.assistants.demo import FAILS_AFTER, LONG_WORDS, SOURCES, DemoAssistant
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
        return DemoAssistant(pace=2)

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
        ("Is anything lost when I reconnect?", "numbered"),
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
