from __future__ import annotations

import pytest

from app.chat.answering import STALLED_AFTER, Answer
from app.chat.interfaces import Citation, Delta, Finished, Reasoning, TakenBack
from app.chat.text import sendable
from app.chat.thoughts import MOST
from app.chat.turns import Turn, TurnError, TurnState
from tests.fakes import Heard

TURN = Turn("t", "c", "u", 0, "k", "question", accepted_at=1000)


def answer_to(heard: Heard, *texts: str, apart: float = 1.0) -> Answer:
    answer = Answer(TURN, heard, started=0)
    for count, text in enumerate(texts):
        answer.take(Delta(text), now=count * apart, utc=2000 + count)
    return answer


def test_pieces_are_numbered_from_zero_and_each_is_only_its_own_text() -> None:
    heard = Heard()
    answer_to(heard, "Hel", "lo ", "you")
    assert heard.pieces("t") == [(0, "Hel"), (1, "lo "), (2, "you")]


def test_deltas_that_come_close_together_become_one_piece() -> None:
    heard = Heard()
    answer = answer_to(heard, *"abcdef", apart=0.001)
    assert heard.pieces("t") == [(0, "a")]
    answer.flush(now=1, utc=0)
    assert heard.pieces("t") == [(0, "a"), (1, "bcdef")]


def test_the_end_sends_what_is_held_before_it_is_told() -> None:
    heard = Heard()
    answer = answer_to(heard, "a", "b", apart=0.001)
    ended = answer.end(TurnState.STOPPED, utc=5000)
    assert heard.pieces("t") == [(0, "a"), (1, "b")]
    assert ended is not None
    assert (ended.answer, ended.seq, ended.state) == ("ab", 1, TurnState.STOPPED)
    assert (ended.first_piece_at, ended.finished_at) == (2000, 5000)


def test_only_the_first_end_counts_and_nothing_is_sent_after_it() -> None:
    heard = Heard()
    answer = answer_to(heard, "a")
    assert answer.end(TurnState.STOPPED, utc=1) is not None
    assert answer.end(TurnState.COMPLETE, utc=2) is None
    assert answer.take(Delta("late"), now=9, utc=9) is False
    answer.flush(now=99, utc=99)
    assert heard.pieces("t") == [(0, "a")]


def test_an_answer_without_its_last_event_has_no_outcome() -> None:
    heard = Heard()
    answer = answer_to(heard, "a")
    assert answer.outcome is None
    answer.take(Finished("truncated"), now=2, utc=2)
    assert answer.outcome is TurnState.TRUNCATED


def test_a_completed_text_that_differs_is_the_answer_and_said_to_be_corrected() -> None:
    answer = answer_to(Heard(), "Helo")
    answer.take(Finished(text="Hello"), now=2, utc=2)
    ended = answer.end(TurnState.COMPLETE, utc=3)
    assert ended is not None
    assert (ended.answer, ended.corrected) == ("Hello", True)


def test_an_empty_completed_text_takes_nothing_back() -> None:
    answer = answer_to(Heard(), "Hello")
    answer.take(Finished(text=""), now=2, utc=2)
    ended = answer.end(TurnState.COMPLETE, utc=3)
    assert ended is not None
    assert (ended.answer, ended.corrected) == ("Hello", False)


def test_a_completed_text_that_is_the_same_corrects_nothing() -> None:
    answer = answer_to(Heard(), "Hel", "lo")
    answer.take(Finished(text="Hello", usage={"input_tokens": 3}, model="m", response_id="r"), now=2, utc=2)
    ended = answer.end(TurnState.COMPLETE, utc=3)
    assert ended is not None
    assert not ended.corrected
    assert (ended.usage, ended.model, ended.response_id) == ({"input_tokens": 3}, "m", "r")


def test_a_stopped_answer_keeps_what_was_said_whatever_comes_later() -> None:
    answer = answer_to(Heard(), "Hel")
    answer.take(Finished(text="Hello"), now=2, utc=2)
    ended = answer.end(TurnState.STOPPED, utc=3)
    assert ended is not None
    assert (ended.answer, ended.corrected) == ("Hel", False)


def test_a_failure_carries_its_error_and_citations_are_kept() -> None:
    answer = answer_to(Heard(), "a")
    answer.take(Citation(filename="x.pdf"), now=1, utc=1)
    ended = answer.end(TurnState.FAILED, 3, TurnError("busy", "sorry"))
    assert ended is not None
    assert ended.error == TurnError("busy", "sorry")
    assert ended.citations == ({"n": 1, "filename": "x.pdf"},)


def test_the_journal_is_offered_text_only_when_there_is_more_of_it() -> None:
    answer = answer_to(Heard(), "a", "b")
    assert answer.unkept() == ("t", "ab", 1)
    answer.kept_seq = 1
    assert answer.unkept() is None


def test_a_long_silence_is_told_once_and_its_end_too() -> None:
    heard = Heard()
    answer = answer_to(heard, "a")
    answer.watch(now=STALLED_AFTER - 1)
    answer.watch(now=STALLED_AFTER + 1)
    answer.watch(now=STALLED_AFTER + 2)
    answer.take(Delta("b"), now=STALLED_AFTER + 3, utc=1)
    assert [what for name, _, what in heard.events if name == "status"] == ["answering", "stalled", "answering"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("grüße 🙂", "grüße 🙂"),
        ("null\0", "null\N{REPLACEMENT CHARACTER}"),
        ("half \ud83d", "half \N{REPLACEMENT CHARACTER}"),
        ("pair \ud83d\ude42", "pair 🙂"),
    ],
)
def test_text_is_made_fit_for_every_browser_and_database(text: str, expected: str) -> None:
    assert sendable(text) == expected


def thinking(heard: Heard, *, show: bool) -> Answer:
    answer = Answer(TURN, heard, started=0, show_reasoning=show)
    answer.take(Reasoning("Let me "), now=1, utc=0)
    answer.take(Reasoning("see."), now=4, utc=0)
    return answer


def test_what_the_model_thought_is_told_before_the_first_piece_and_kept() -> None:
    heard = Heard()
    answer = thinking(heard, show=True)
    answer.take(Delta("Hello"), now=6, utc=0)
    answer.take(Delta(" you"), now=7, utc=0)
    told = {"text": "Let me see.", "seconds": 5.0}
    names = [(name, what) for name, _, what in heard.events if name != "status"]
    assert names == [("reasoning", told), ("piece", (0, "Hello")), ("piece", (1, " you"))]
    ended = answer.end(TurnState.COMPLETE, utc=9)
    assert ended is not None
    assert (ended.answer, ended.reasoning) == ("Hello you", told)


def test_where_it_is_not_shown_nothing_of_it_is_told_or_kept() -> None:
    heard = Heard()
    answer = thinking(heard, show=False)
    answer.take(Delta("Hello"), now=6, utc=0)
    ended = answer.end(TurnState.COMPLETE, utc=9)
    assert ended is not None
    assert ended.reasoning is None
    assert not [name for name, *_ in heard.events if name == "reasoning"]


def test_thoughts_between_two_parts_of_an_answer_are_told_again_as_a_whole() -> None:
    heard = Heard()
    answer = thinking(heard, show=True)
    answer.take(Delta("Hello"), now=6, utc=0)
    answer.take(Reasoning(" And so?"), now=10, utc=0)
    answer.take(Delta(" you"), now=12, utc=0)
    told = [what for name, _, what in heard.events if name == "reasoning"]
    assert told[-1] == {"text": "Let me see. And so?", "seconds": 7.0}


def test_thoughts_are_bounded() -> None:
    answer = Answer(TURN, Heard(), started=0, show_reasoning=True)
    for _ in range(3):
        answer.take(Reasoning("x" * MOST), now=1, utc=0)
    ended = answer.end(TurnState.STOPPED, utc=9)
    assert ended is not None
    assert ended.reasoning is not None
    assert len(ended.reasoning["text"]) == MOST


@pytest.mark.parametrize(
    ("texts", "completed", "empty"),
    [([], None, True), ([" ", "\n"], None, True), ([" ", "a"], None, False), ([], "a", False), ([], " ", True),
     (["\n", "【4:"], None, False)],
)  # fmt: skip
def test_an_answer_is_empty_without_any_text(texts: list[str], completed: str | None, empty: bool) -> None:
    answer = answer_to(Heard(), *texts)
    answer.take(Finished(text=completed), now=99, utc=99)
    assert answer.empty is empty


@pytest.mark.parametrize("state", [TurnState.COMPLETE, TurnState.STOPPED, TurnState.FAILED])
def test_what_was_taken_back_is_in_no_answer_however_it_ends(state: TurnState) -> None:
    heard = Heard()
    answer = answer_to(heard, "I wonder.")
    answer.take(TakenBack(), now=5, utc=0)
    assert answer.empty
    answer.take(Delta("Hello"), now=6, utc=0)
    assert not answer.empty
    ended = answer.end(state, utc=9)
    assert ended is not None
    assert (ended.answer, ended.seq, ended.corrected) == ("Hello", 1, True)
