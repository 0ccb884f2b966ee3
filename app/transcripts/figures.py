"""The figures of each day for the viewer's charts: turns by state, and how long visitors waited for the first words."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from app.transcripts.database import Database
from app.transcripts.matching import Key, between
from app.transcripts.tables import turns

DAY = 86_400_000
AT_ONCE = 500
"""Turns in a statement; others go on between two."""
SETTLED = 2 * 3_600_000
"""Milliseconds after its end when a day's figures change no more: no turn runs so long."""
KEPT = 3_600_000
"""Milliseconds for which figures of settled days are kept; erasure may have taken something away since."""


@dataclass(frozen=True, slots=True)
class DayFigures:
    """A day (UTC) from `start`. `p50`, `p95`: milliseconds from acceptance to the first piece; None without any."""

    start: int
    states: dict[str, int]
    p50: int | None = None
    p95: int | None = None


class Figures:
    """Counts the journal's turns by day. `utc` gives milliseconds since 1970. Raises `JournalError`."""

    def __init__(self, database: Database, utc: Callable[[], int]) -> None:
        self._database = database
        self._utc = utc
        self._kept: dict[int, tuple[int, DayFigures]] = {}

    def days(self, count: int) -> list[DayFigures]:
        """The last `count` days with today, oldest first."""
        now = self._utc()
        today = now // DAY * DAY
        starts = [today - DAY * back for back in range(count - 1, -1, -1)]
        self._kept = {day: kept for day, kept in self._kept.items() if day in starts and now - kept[0] < KEPT}
        return [self._day(start, now) for start in starts]

    def _day(self, start: int, now: int) -> DayFigures:
        if start in self._kept:
            return self._kept[start][1]
        figures = self._count(start)
        if now > start + DAY + SETTLED:
            self._kept[start] = (now, figures)
        return figures

    def _count(self, start: int) -> DayFigures:
        columns = (turns.c.accepted_at, turns.c.id, turns.c.state, turns.c.first_piece_at)
        query = select(*columns).order_by(turns.c.accepted_at.desc(), turns.c.id.desc()).limit(AT_ONCE)
        states: Counter[str] = Counter()
        waits: list[int] = []
        position: Key | None = (start + DAY, "")
        while position is not None:
            with self._database.reading() as connection:
                rows = connection.execute(query.where(*between((start, ""), position))).all()
            states.update(row.state for row in rows)
            waits += [row.first_piece_at - row.accepted_at for row in rows if row.first_piece_at is not None]
            position = (rows[-1].accepted_at, rows[-1].id) if len(rows) == AT_ONCE else None
            time.sleep(0)
        waits.sort()
        return DayFigures(start, dict(states), percentile(waits, 50), percentile(waits, 95))


def percentile(ordered: list[int], percent: int) -> int | None:
    """The smallest value that `percent` of all do not exceed (nearest rank)."""
    return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else None
