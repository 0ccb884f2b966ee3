"""Pruning: whole conversations leave the journal when Elasticsearch has all of them and they were idle for long.

Not forgetting: they stay in Elasticsearch. A conversation of which anything waits or was refused stays here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, or_, select

from app.transcripts.database import Database
from app.transcripts.tables import conversations, feedback, turns

LOOKED_AT = 500
"""Conversations that one look goes through."""
PORTION = 5
"""Conversations that are deleted in one transaction: it holds the whole worker."""
PAUSE = 0.02
"""Seconds between two portions."""


def prune(database: Database, before: int, sleep: Callable[[float], None] = time.sleep) -> int:
    """Delete what has been confirmed and idle since `before` (milliseconds since 1970). How many conversations.

    Raises `JournalError`; what was deleted until then stays deleted.
    """
    count, last = 0, ""
    while True:
        some = _next_old(database, before, last)
        if not some:
            return count
        last = some[-1]
        for start in range(0, len(some), PORTION):
            portion = some[start : start + PORTION]
            count += database.write(lambda connection, portion=portion: _delete(connection, portion, before))  # type: ignore[misc]
            sleep(PAUSE)


def _next_old(database: Database, before: int, last: str) -> Sequence[str]:
    """The next conversations, by their id, that began long ago and are confirmed; their turns are looked at later."""
    old = (conversations.c.uuid > last, conversations.c.created_at < before, conversations.c.shipped_at.is_not(None))
    query = select(conversations.c.uuid).where(*old).order_by(conversations.c.uuid).limit(LOOKED_AT)
    with database.reading() as connection:
        return connection.scalars(query).all()


def _delete(connection: Connection, uuids: Sequence[str], before: int) -> int:
    whole = select(conversations.c.uuid).where(conversations.c.uuid.in_(uuids), ~_has_more(before))
    found = list(connection.scalars(whole))
    if found:
        in_them = turns.c.conversation_uuid.in_(found)
        connection.execute(delete(feedback).where(feedback.c.turn_id.in_(select(turns.c.id).where(in_them))))
        connection.execute(delete(turns).where(in_them))
        connection.execute(delete(conversations).where(conversations.c.uuid.in_(found)))
    return len(found)


def _has_more(before: int) -> ColumnElement[bool]:
    """Whether something of a conversation is not confirmed, or is not old enough."""
    in_it = turns.c.conversation_uuid == conversations.c.uuid
    rated = and_(feedback.c.turn_id == turns.c.id, or_(feedback.c.shipped_at.is_(None), feedback.c.given_at >= before))
    young = or_(turns.c.finished_at.is_(None), turns.c.finished_at >= before)
    return or_(
        conversations.c.shipped_at.is_(None),
        exists().where(in_it, or_(turns.c.shipped_at.is_(None), young)),
        exists().where(in_it, rated),
    )
