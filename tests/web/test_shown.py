"""How things are shown: nothing of a text is lost or added by marking it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.shown import count, day_name, duration, marked, snippet

DAY = 86_400_000
WORD = st.text(min_size=1, max_size=5).filter(lambda word: not word.isspace())


@given(st.text(max_size=200), st.lists(WORD, max_size=4))
def test_the_parts_of_a_marked_text_are_the_text(text: str, words: list[str]) -> None:
    assert "".join(part for _, part in marked(text, words)) == text


def test_words_are_marked_in_any_case_and_literally() -> None:
    assert marked("A+b, über a+B", ["a+b", "Über"]) == [
        (True, "A+b"), (False, ", "), (True, "über"), (False, " "), (True, "a+B"),
    ]  # fmt: skip


@given(st.text(max_size=500), st.lists(WORD, max_size=3), st.integers(20, 200))
def test_a_snippet_is_one_line_and_short(text: str, words: list[str], length: int) -> None:
    piece = snippet(text, words, length)
    assert len(piece) <= length + 4
    assert "\n" not in piece


def test_a_snippet_shows_where_the_word_stands_from_the_beginning_of_a_word() -> None:
    piece = snippet("aaaa " * 100 + "needle " + "bbbb " * 100, ["needle"], 120)
    assert piece.startswith("… aaaa ")
    assert "needle bbbb" in piece
    assert piece.endswith(" …")


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [(None, "–"), (0, "0.00 s"), (80, "0.08 s"), (1440, "1.4 s"), (99_900, "99.9 s"), (125_000, "2 min 05 s")],  # noqa: RUF001
)
def test_a_duration_is_as_exact_as_anybody_needs(milliseconds: int | None, shown: str) -> None:
    assert duration(milliseconds) == shown


def test_days_have_names() -> None:
    now = 20_000 * DAY + 5
    assert day_name(now, now) == "Today"
    assert day_name(now - 6, now) == "Yesterday"
    assert day_name(now - 3 * DAY, now) == "Tuesday, 1 October"
    assert day_name(now - 366 * DAY, now) == "Wednesday, 4 October 2023"


def test_large_numbers_have_thin_spaces() -> None:
    assert count(1234567) == "1\u202f234\u202f567"
