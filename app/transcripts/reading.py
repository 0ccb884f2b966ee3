"""What the transcript viewer reads from the journal: a list, one conversation.

SQLite holds the whole worker while a statement runs, so a search looks at the turns in slices, newest first,
lets others go on between two of them, and stops after a while: the page says how far it came and goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, exists, func, select

from app.transcripts.database import Database
from app.transcripts.matching import Key, Wanted, between, fits, newest_that_fits, of_user
from app.transcripts.tables import conversations, feedback, turns

SLICE = 100
"""Turns in the first slice of a search; the next ones adapt to `HOLD`."""
MOST_IN_SLICE = 2000
HOLD = 0.005
"""Seconds that a slice should take: so long nobody else is served."""
PATIENCE = 1.5
"""Seconds after which a search stops and says how far it came."""
SHOWN = 20_000
"""Characters of an answer that the list reads, to show where the words stand."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A conversation in the list, with the turn by which it was found (`question`, `answer`, `state` …).

    `states` and `ratings` count those of all its turns. Times in milliseconds since 1970.
    """

    uuid: str
    user_id: str
    turn_id: str
    index: int
    at: int
    question: str
    answer: str
    state: str
    states: dict[str, int]
    ratings: dict[str, int]

    @property
    def turns(self) -> int:
        return sum(self.states.values())


@dataclass(frozen=True, slots=True)
class Found:
    """A page of the list. `after`: where the next one begins; None at the end.

    `back_to`: the search stopped here, before the page was full and before the journal's end.
    """

    conversations: Sequence[Listed]
    after: Key | None
    back_to: int | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    """A conversation, or a part of it. `turns`: rows of the table, oldest first; `ratings`: those of each turn's id.

    `next_index`: where the next part begins, None at its end. `total`: how many turns there are.
    """

    uuid: str
    user_id: str
    created_at: int
    last_at: int | None
    total: int
    turns: Sequence[Row[Any]]
    ratings: dict[str, list[Row[Any]]]
    next_index: int | None


class Reading:
    """The journal, as operators read it. Raises `JournalError`. Writes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, *, before: Key | None = None, limit: int = 25, **criteria: Any) -> Found:
        """Conversations by their newest turn that fits `criteria` (fields of `Wanted`), newest first."""
        wanted = Wanted(**criteria)
        deadline = time.monotonic() + PATIENCE
        found: list[Row[Any]] = []
        size, position = SLICE, wanted.newest(before)
        while True:
            begun = time.monotonic()
            end = self._end_of_slice(wanted, position, size)
            found += self._slice(wanted, position, end, limit + 1 - len(found))
            if len(found) > limit:
                last = found[limit - 1]
                return Found(self._listed(found[:limit], wanted), (last.accepted_at, last.id))
            if end is None:
                return Found(self._listed(found, wanted), None)
            position = end
            if time.monotonic() > deadline:
                return Found(self._listed(found, wanted), position, back_to=position[0])
            size = _adapted(size, time.monotonic() - begun)
            # Others have their turn.
            time.sleep(0)

    def conversation(self, uuid: str, start: int = 0, *, limit: int, max_chars: int) -> Whole | None:
        """A conversation from its turn `start` on: at most so many turns and characters, but one turn at least."""
        head = select(conversations).where(conversations.c.uuid == uuid)
        count = select(func.count(), func.max(turns.c.accepted_at)).where(turns.c.conversation_uuid == uuid)
        rows = select(turns).where(turns.c.conversation_uuid == uuid, turns.c.turn_index >= start)
        with self._database.reading() as connection:
            about = connection.execute(head).first()
            if about is None:
                return None
            total, last_at = connection.execute(count).one()
            with connection.execute(rows.order_by(turns.c.turn_index).limit(limit + 1)) as result:
                read, more = _as_much(result, limit, max_chars)
        return Whole(
            uuid, about.user_id, about.created_at, last_at, total, read, self._ratings([row.id for row in read]),
            read[-1].turn_index + 1 if more else None,
        )  # fmt: skip

    def _end_of_slice(self, wanted: Wanted, position: Key | None, size: int) -> Key | None:
        """The key of the last turn of the slice; None if the journal ends before."""
        query = select(turns.c.accepted_at, turns.c.id).where(*of_user(wanted), *between(wanted.oldest, position))
        with self._database.reading() as connection:
            row = connection.execute(_newest_first(query).offset(size - 1).limit(1)).first()
        return (row.accepted_at, row.id) if row else None

    def _slice(self, wanted: Wanted, position: Key | None, end: Key | None, limit: int) -> Sequence[Row[Any]]:
        query: Select[Any] = select(
            turns.c.id, turns.c.conversation_uuid, turns.c.turn_index, turns.c.accepted_at, turns.c.state,
            turns.c.text, func.substr(turns.c.answer, 1, SHOWN).label("answer"), conversations.c.user_id,
        ).join_from(turns, conversations)  # fmt: skip
        query = query.where(*of_user(wanted), *between(end or wanted.oldest, position))
        query = _newest_first(query.where(*fits(wanted), newest_that_fits(wanted)))
        with self._database.reading() as connection:
            return connection.execute(query.limit(limit)).all()

    def _listed(self, rows: Sequence[Row[Any]], wanted: Wanted) -> list[Listed]:
        uuids = [row.conversation_uuid for row in rows]
        of_them = turns.c.conversation_uuid.in_(uuids)
        states = select(turns.c.conversation_uuid, turns.c.state, func.count().label("n")).where(of_them)
        rated = select(turns.c.conversation_uuid, feedback.c.rating, func.count().label("n"))
        rated = rated.join_from(feedback, turns).where(of_them, feedback.c.rating.is_not(None), _is_last())
        begun = select(turns.c.conversation_uuid, turns.c.text, func.substr(turns.c.answer, 1, SHOWN).label("answer"))
        with self._database.reading() as connection:
            all_states = connection.execute(states.group_by(turns.c.conversation_uuid, turns.c.state)).all()
            all_rated = connection.execute(rated.group_by(turns.c.conversation_uuid, feedback.c.rating)).all()
            # Where nothing is looked for in the turns, the first question says best what it is about.
            firsts = [] if wanted.narrows else connection.execute(begun.where(of_them, turns.c.turn_index == 0)).all()
        first = {row.conversation_uuid: row for row in firsts}
        return [
            Listed(
                row.conversation_uuid, row.user_id, row.id, row.turn_index, row.accepted_at,
                first.get(row.conversation_uuid, row).text, first.get(row.conversation_uuid, row).answer, row.state,
                {one.state: one.n for one in all_states if one.conversation_uuid == row.conversation_uuid},
                {one.rating: one.n for one in all_rated if one.conversation_uuid == row.conversation_uuid},
            )
            for row in rows
        ]  # fmt: skip

    def _ratings(self, ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
        query = select(feedback).where(feedback.c.turn_id.in_(ids)).order_by(feedback.c.turn_id, feedback.c.n)
        ratings: dict[str, list[Row[Any]]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(query):
                ratings.setdefault(row.turn_id, []).append(row)
        return ratings


def _newest_first(query: Select[Any]) -> Select[Any]:
    return query.order_by(turns.c.accepted_at.desc(), turns.c.id.desc())


def _is_last() -> Any:
    later = feedback.alias()
    return ~exists().where(later.c.turn_id == feedback.c.turn_id, later.c.n > feedback.c.n)


def _adapted(size: int, seconds: float) -> int:
    """The next slice's size: twice as much or half as much, so that it takes about `HOLD`."""
    if seconds < HOLD / 2:
        return min(size * 2, MOST_IN_SLICE)
    return max(size // 2, SLICE // 10) if seconds > HOLD * 1.5 else size


def _as_much(rows: Iterable[Row[Any]], limit: int, max_chars: int) -> tuple[list[Row[Any]], bool]:
    """As many rows as fit, and whether there are more."""
    kept: list[Row[Any]] = []
    for row in rows:
        max_chars -= len(row.text) + len(row.answer)
        if len(kept) == limit or (kept and max_chars < 0):
            return kept, True
        kept.append(row)
    return kept, False
