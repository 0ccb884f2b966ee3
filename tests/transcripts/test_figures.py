"""The figures of days: counted right, in small steps, and not counted again when they cannot have changed."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from app.chat.turns import Turn, TurnState
from app.transcripts import figures as module
from app.transcripts.database import Database
from app.transcripts.figures import DAY, KEPT, DayFigures, Figures, percentile
from app.transcripts.whole_rows import Written, put_in

NOW = 100 * DAY + DAY // 2


def say(database: Database, name: str, at: int, wait: int | None, state: TurnState = TurnState.COMPLETE) -> None:
    first = None if wait is None else at + wait
    turn = Turn(name, name, "user", 0, name, "question", at, state=state, first_piece_at=first, finished_at=at + 9)
    put_in(database, [Written(name, "user", at, [turn])], "test")


def test_each_day_has_its_turns_by_state_and_its_waits(database: Database) -> None:
    say(database, "before", 98 * DAY - 1, 10)
    say(database, "first", 98 * DAY, 100)
    say(database, "last", 99 * DAY - 1, 300)
    say(database, "failed", 98 * DAY + 5, None, TurnState.FAILED)
    say(database, "today", 100 * DAY, 7)
    days = Figures(database, lambda: NOW).days(3)
    assert days == [
        DayFigures(98 * DAY, {"complete": 2, "failed": 1}, 100, 300),
        DayFigures(99 * DAY, {}),
        DayFigures(100 * DAY, {"complete": 1}, 7, 7),
    ]


def test_a_busy_day_is_counted_in_steps_between_which_others_go_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        # Two of them at the same time: the step's border does not lose one.
        say(database, f"t{number}", 100 * DAY + number // 2, number)
    monkeypatch.setattr(module, "AT_ONCE", 2)
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    (day,) = Figures(database, lambda: NOW).days(1)
    assert (day.states, day.p50, day.p95) == ({"complete": 7}, 3, 6)
    assert pauses == [0] * 4


def test_days_that_cannot_change_are_counted_once_an_hour(database: Database) -> None:
    now = NOW
    figures = Figures(database, lambda: now)
    asked: Counter[str] = Counter()
    event.listen(database._reader, "before_cursor_execute", lambda *_: asked.update(["statement"]))
    figures.days(10)
    assert asked.total() == 10
    figures.days(10)
    assert asked.total() == 11, "only today"
    now += KEPT
    figures.days(10)
    assert asked.total() == 21


@given(st.lists(st.integers(0, 1000), max_size=200), st.sampled_from([50, 95]))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values: list[int], percent: int) -> None:
    values.sort()
    found = percentile(values, percent)
    if not values:
        assert found is None
        return
    assert found is not None
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
    assert sum(value < found for value in values) * 100 < percent * len(values)
