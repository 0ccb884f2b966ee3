"""What the viewer's list is asked for: read from any address, and written back the same."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.filters import DAY, FEEDBACK, OUTCOMES, SPANS, Filters, read, read_cursor, start_of_day

NAMES = st.sampled_from(["q", "outcome", "feedback", "span", "user", "before", "x"])
VALUES = st.text(max_size=300) | st.sampled_from([*OUTCOMES, *FEEDBACK, *SPANS, "2026-11-21", "2026-02-30"])


@given(st.dictionaries(NAMES, VALUES))
def test_any_address_is_read_and_what_was_read_is_written_back_the_same(arguments: dict[str, str]) -> None:
    filters = read(arguments)
    assert read(dict(parse_qsl(filters.query().removeprefix("?")))) == filters
    criteria = filters.criteria(now=100 * DAY)
    assert set(criteria) == {"words", "state", "rating", "user", "since", "until"}
    assert filters.active or not any(criteria.values())


def test_an_unknown_value_is_none() -> None:
    assert read({"outcome": "lost", "feedback": "<b>", "span": "forever"}) == Filters()


def test_a_span_is_counted_back_from_now_and_a_day_is_from_midnight_to_midnight() -> None:
    week = read({"span": "7d"}).criteria(now=100 * DAY)
    assert (week["since"], week["until"]) == (93 * DAY, None)
    day = read({"span": "1970-01-03"}).criteria(now=100 * DAY)
    assert (day["since"], day["until"]) == (2 * DAY, 3 * DAY)


def test_words_are_few_and_without_what_no_database_takes() -> None:
    filters = read({"q": "  a\0b  \ud800 " + "x " * 300})
    assert filters.words[:3] == ("a", "b", "?")
    assert len(filters.words) == 8
    assert len(filters.q) <= 200


@pytest.mark.parametrize("text", ["", "1", "1.", ".a", "x.a", "-1.a", "1.a b", "1.a'", "²." + "a", "1." + "a" * 65])
def test_a_place_in_the_list_that_is_none_is_the_beginning(text: str) -> None:
    assert read_cursor(text) is None


def test_a_place_in_the_list_is_a_time_and_an_id() -> None:
    assert read_cursor("1795132800000.de300000-0376") == (1795132800000, "de300000-0376")


@pytest.mark.parametrize("text", ["2026-13-01", "0000-01-01", "٢٠٢٦-01-01", "2026-1-1", "today"])
def test_a_date_that_is_none_is_no_day(text: str) -> None:
    assert start_of_day(text) is None
