"""What an operator looks for in the transcripts, as conditions on turns. A turn has to fit all of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, false, or_, select, tuple_

from app.transcripts.tables import conversations, feedback, turns

MOST_WORDS = 8
WILD = re.compile("[%_!]")
Key = tuple[int, str]
"""Where a turn stands in the order of time: (accepted_at, id)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`words`: each is in question or answer. `rating`: up, down, comment. Times: `since` <= t < `until`."""

    words: tuple[str, ...] = ()
    state: str | None = None
    rating: str | None = None
    user: str | None = None
    since: int | None = None
    until: int | None = None

    @property
    def oldest(self) -> Key | None:
        return None if self.since is None else (self.since, "")

    def newest(self, before: Key | None) -> Key | None:
        """Where the turns end that are looked at, if only those before the key `before` are."""
        keys = [key for key in (before, None if self.until is None else (self.until, "")) if key is not None]
        return min(keys, default=None)

    @property
    def narrows(self) -> bool:
        """Whether some turns of a conversation may fit and others not, apart from their time."""
        return bool(self.words or self.state or self.rating)


def between(older: Key | None, newer: Key | None) -> list[ColumnElement[bool]]:
    """The turns from `older` on, which is one of them, up to `newer`, which is not.

    SQLite uses an index for one such bound at each end. With a second condition on the time beside it, it would
    walk from the newest turn again in each slice.
    """
    key = tuple_(turns.c.accepted_at, turns.c.id)
    lower = [] if older is None else [key >= tuple_(*older)]
    return lower if newer is None else [*lower, key < tuple_(*newer)]


def of_user(wanted: Wanted) -> list[ColumnElement[bool]]:
    if wanted.user is None:
        return []
    theirs = select(conversations.c.uuid).where(conversations.c.user_id == wanted.user)
    return [turns.c.conversation_uuid.in_(theirs)]


def fits(wanted: Wanted, of: Any = turns) -> list[ColumnElement[bool]]:
    """What each turn has to be read for."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.state is not None:
        conditions.append(of.c.state == wanted.state)
    if wanted.rating is not None:
        conditions.append(_rated(wanted.rating, of))
    for word in wanted.words[:MOST_WORDS]:
        patterns = ["%" + WILD.sub(r"!\g<0>", form) + "%" for form in forms(word)]
        conditions.append(or_(*(c.like(p, escape="!") for p in patterns for c in (of.c.text, of.c.answer))))
    return conditions


def newest_that_fits(wanted: Wanted) -> ColumnElement[bool]:
    """No later turn of the same conversation fits as well: each conversation is found once."""
    later = turns.alias()
    same = (later.c.conversation_uuid == turns.c.conversation_uuid, later.c.turn_index > turns.c.turn_index)
    since = [] if wanted.since is None else [later.c.accepted_at >= wanted.since]
    until = [] if wanted.until is None else [later.c.accepted_at < wanted.until]
    return ~exists().where(*same, *since, *until, *fits(wanted, later))


def forms(word: str) -> list[str]:
    """The spellings of a word that are looked for: SQLite knows upper and lower case of ASCII letters only."""
    return [word] if word.isascii() else list(dict.fromkeys((word, word.lower(), word.upper(), word.capitalize())))


def _rated(rating: str, of: Any) -> ColumnElement[bool]:
    later = feedback.alias()
    is_last = ~exists().where(later.c.turn_id == feedback.c.turn_id, later.c.n > feedback.c.n)
    what = {
        "up": and_(feedback.c.rating == "up", is_last),
        "down": and_(feedback.c.rating == "down", is_last),
        "comment": feedback.c.comment.is_not(None),
    }.get(rating, false())
    return exists().where(feedback.c.turn_id == of.c.id, what)
