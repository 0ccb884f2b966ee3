"""The charts' geometry: everything in its box, and each bar as tall as its number."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.charts import STACK, charts, line, nice

DAY = 86_400_000


@dataclass
class Day:
    start: int
    states: dict[str, int] = field(default_factory=dict)
    p50: int | None = None
    p95: int | None = None


STATES = st.dictionaries(st.sampled_from([*STACK, "running"]), st.integers(0, 10_000))
DAYS = st.lists(
    st.tuples(STATES, st.none() | st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)).map(sorted)),
    min_size=1,
    max_size=40,
).map(
    lambda days: [
        Day(20_000 * DAY + n * DAY, states, *(waits or (None, None))) for n, (states, waits) in enumerate(days)
    ]
)


@given(DAYS)
def test_bars_stand_on_each_other_in_their_box_and_are_as_tall_as_their_numbers(days: list[Day]) -> None:
    drawn = charts(days)
    for day, column in zip(days, drawn.columns, strict=True):
        assert 0 <= column.x < column.x + column.width <= 100.0001
        bottom = 100.0
        for bar in column.bars:
            assert bar.y + bar.height == pytest.approx(bottom)
            assert bar.height == pytest.approx(100 * day.states[bar.state] / drawn.most)
            bottom = bar.y
        assert bottom >= -0.0001
        assert [bar.state for bar in column.bars] == [state for state in STACK if day.states.get(state)]
    assert drawn.total == sum(column.turns for column in drawn.columns)


@given(DAYS)
def test_lines_stay_in_the_box_and_are_broken_where_there_is_nothing(days: list[Day]) -> None:
    for name, path in charts(days).lines.items():
        points = re.findall(r"([ML])([\d.]+) (-?[\d.]+)", path)
        assert len(points) == sum(getattr(day, name) is not None for day in days)
        assert all(0 <= float(x) <= 100 and -0.01 <= float(y) <= 100.01 for _, x, y in points)


def test_a_day_between_two_empty_ones_is_a_dot() -> None:
    assert line([None, 0.5, None, 1, 0]) == "M30.00 50.00h0M70.00 0.00h0L90.00 100.00"


@given(DAYS)
def test_shares_are_the_whole_and_the_largest_comes_first(days: list[Day]) -> None:
    shares = charts(days).shares
    assert sorted(share.state for share in shares) == sorted(STACK)
    counts = [share.count for share in shares]
    assert counts == sorted(counts, reverse=True)
    assert sum(share.percent for share in shares) == pytest.approx(100 if sum(counts) else 0)


def test_a_share_that_is_small_or_nearly_all_is_not_rounded_away() -> None:
    shares = charts([Day(0, {"complete": 9990, "failed": 10})]).shares
    assert {share.state: share.percent_text for share in shares if share.count} == {
        "complete": ">99 %",
        "failed": "<1 %",
    }


def test_a_column_says_its_figures() -> None:
    (column,) = charts([Day(20_000 * DAY, {"complete": 1}, 900, 2400)]).columns
    assert column.date == "2024-10-04"
    assert column.label == "Friday, 4 October: 1 turn, first words after 0.9 s (p95 2.4 s)"


@given(st.integers(0, 10**9))
def test_the_top_of_a_chart_is_a_round_number_that_is_large_enough(value: int) -> None:
    assert max(1, value) <= nice(value) <= max(1, value * 1.5 + 1)
    assert len(str(nice(value)).rstrip("0")) <= 2


def test_there_is_something_to_draw_without_any_turns() -> None:
    drawn = charts([Day(0), Day(DAY)])
    assert (drawn.total, drawn.lines["p50"], len(drawn.columns)) == (0, "", 2)
