"""The viewer's charts as geometry: figures of days in, shapes in a box of 100 by 100 out. The templates draw them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.web.filters import OUTCOMES
from app.web.shown import count, date, duration, moment, short_day

GAP = 0.28
"""The part of a day's width that stays empty beside its bar."""
STACK = ("complete", "truncated", "stopped", "interrupted", "failed")
"""From the bottom up; what has no final state yet is left out."""
ROUND = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)


class Day(Protocol):
    """A day's figures: `start` in milliseconds since 1970, turns by state, and the first piece's percentiles."""

    @property
    def start(self) -> int: ...

    @property
    def states(self) -> Mapping[str, int]: ...

    @property
    def p50(self) -> int | None: ...

    @property
    def p95(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of a day's stack."""

    state: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """A day: where it stands, its bars, and what it says when somebody points at it."""

    date: str
    label: str
    turns: int
    counts: Mapping[str, int]
    x: float
    width: float
    bars: Sequence[Bar]
    p50: str
    p95: str


@dataclass(frozen=True, slots=True)
class Share:
    """An outcome's part of all."""

    state: str
    name: str
    count: int
    percent: float

    @property
    def percent_text(self) -> str:
        if 0 < self.percent < 1:
            return "<1 %"
        return ">99 %" if 99 < self.percent < 100 else f"{self.percent:.0f} %"


@dataclass(frozen=True, slots=True)
class Charts:
    """All three. `most` and `slowest` are what the top of the first two stands for; lines are SVG paths."""

    columns: Sequence[Column]
    most: int
    total: int
    lines: Mapping[str, str]
    slowest: str
    shares: Sequence[Share]
    first_day: str
    last_day: str


def charts(days: Sequence[Day]) -> Charts:
    """The charts of consecutive days, oldest first."""
    most = nice(max((_ended(day) for day in days), default=0))
    slowest = nice(max((day.p95 or 0 for day in days), default=0))
    width = 100 / max(1, len(days))
    columns = [_column(day, index * width, width, most) for index, day in enumerate(days)]
    lines = {
        name: line([value / slowest if (value := getattr(day, name)) is not None else None for day in days])
        for name in ("p50", "p95")
    }
    ends = [date(days[index].start) for index in (0, -1)] if days else ["", ""]
    total = sum(_ended(day) for day in days)
    return Charts(columns, most, total, lines, f"{slowest / 1000:g} s", shares(days), *ends)


def shares(days: Sequence[Day]) -> list[Share]:
    """All final outcomes of these days, with their parts."""
    counts: Counter[str] = Counter()
    for day in days:
        counts.update({state: day.states.get(state, 0) for state in STACK})
    total = sum(counts.values())
    ordered = sorted(STACK, key=lambda state: -counts[state])
    return [Share(s, OUTCOMES[s], counts[s], 100 * counts[s] / total if total else 0.0) for s in ordered]


def line(values: Sequence[float | None]) -> str:
    """An SVG path through values from 0 (bottom) to 1 (top), broken where there is none."""
    parts: list[str] = []
    pen_down = False
    width = 100 / max(1, len(values))
    for index, value in enumerate(values):
        if value is not None:
            x, y = (index + 0.5) * width, 100 - 100 * value
            # A day on its own is a dot: a line of no length with round ends.
            parts.append(f"L{x:.2f} {y:.2f}" if pen_down else f"M{x:.2f} {y:.2f}h0")
        pen_down = value is not None
    return "".join(parts)


def nice(value: float) -> int:
    """The next round number from `value` up; at least 1."""
    if value <= 1:
        return 1
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(math.ceil(step * power) for step in ROUND if math.ceil(step * power) >= value)


def _ended(day: Day) -> int:
    return sum(day.states.get(state, 0) for state in STACK)


def _column(day: Day, x: float, width: float, most: int) -> Column:
    bars: list[Bar] = []
    top = 100.0
    for state in STACK:
        if number := day.states.get(state, 0):
            height = 100 * number / most
            top -= height
            bars.append(Bar(state, top, height))
    at = moment(day.start).date()
    turns = _ended(day)
    label = f"{short_day(at)}: {count(turns)} {'turn' if turns == 1 else 'turns'}"
    if day.p50 is not None:
        label += f", first words after {duration(day.p50)} (p95 {duration(day.p95)})"
    counts = {state: day.states.get(state, 0) for state in STACK}
    return Column(
        at.isoformat(), label, turns, counts, x + width * GAP / 2, width * (1 - GAP), bars,
        duration(day.p50), duration(day.p95),
    )  # fmt: skip
