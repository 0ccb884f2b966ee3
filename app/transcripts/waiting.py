"""Which records wait for Elasticsearch, oldest first, and how many: the outbox's questions to the journal.

They are answered from the partial indexes of what is unshipped, so they cost the same however much the journal
has kept. A conversation waits from its first finished turn on, a turn when it is finished, a rating when its
turn is. What has a tombstone waits for nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from heapq import merge
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, and_, bindparam, func, null, select

from app.chat.turns import Turn
from app.transcripts.records import Document, Service, feedback_document, start_document, turn_document
from app.transcripts.tables import conversations, feedback, turns
from app.transcripts.tombstones import unsendable
from app.transcripts.turn_rows import turn_of

MOMENTS = {"conversation": conversations.c.created_at, "turn": turns.c.finished_at, "feedback": feedback.c.given_at}
"""The kinds of records, and when each became one."""
COUNTED = 100_000
"""So many of a kind are counted at most: the worker is held for as long as that takes."""
REASONS = 10
"""Reasons that are told at most."""


class Found(NamedTuple):
    """A record that waits. `n`: of a rating. The turn is the one that a conversation's start is told from."""

    at: int
    kind: str
    key: tuple[str, int]
    turn: Turn
    row: Row[Any]

    def document(self, service: Service) -> Document:
        if self.kind == "conversation":
            return start_document(self.turn, self.row.created_at, service)
        if self.kind == "turn":
            return turn_document(self.turn, service, self.row.previous_ended_at)
        row = self.row
        return feedback_document(self.turn, row.n, row.given_rating, row.comment, row.given_at, service)


class Depth(NamedTuple):
    """How many records wait (of each kind up to `COUNTED`), and when the oldest became one; how many were refused.

    `reasons`: why, and how many for each.
    """

    waiting: int
    refused: int
    oldest_at: int | None = None
    reasons: Mapping[str, int] = MappingProxyType({})


def unshipped(table: Table) -> Any:
    """The condition of the partial indexes."""
    return and_(table.c.shipped_at.is_(None), table.c.refused.is_(None))


def waiting(connection: Connection, most: int) -> Iterator[Found]:
    """The records that wait, oldest first, read as they are asked for; at most `most` of each kind."""
    found = (_of_kind(connection, kind, query, most) for kind, query in QUERIES.items())
    return merge(*found, key=lambda record: record.at)


def started() -> Select[Any]:
    """Unshipped conversations, each with its first finished turn that has a thread, or its first finished one."""
    first = (
        select(turns.c.id)
        .where(turns.c.conversation_uuid == conversations.c.uuid, turns.c.finished_at.is_not(None))
        .order_by(turns.c.thread_id.is_(None), turns.c.turn_index)
        .limit(1)
        .correlate(conversations)
        .scalar_subquery()
    )
    query = _turns(conversations.c.created_at).join(conversations, turns.c.id == first)
    return query.where(unshipped(conversations), _kept()).order_by(conversations.c.created_at)


def finished() -> Select[Any]:
    """Unshipped turns in a final state."""
    before = turns.alias("before")
    query = _turns(before.c.finished_at.label("previous_ended_at"))
    query = query.join(conversations, turns.c.conversation_uuid == conversations.c.uuid)
    one_before = (
        before.c.conversation_uuid == turns.c.conversation_uuid,
        before.c.turn_index == turns.c.turn_index - 1,
    )
    query = query.outerjoin(before, and_(*one_before))
    query = query.where(unshipped(turns), turns.c.finished_at.is_not(None), _kept())
    return query.order_by(turns.c.finished_at)


def rated() -> Select[Any]:
    """Unshipped ratings of such turns."""
    columns = (feedback.c.n, feedback.c.rating.label("given_rating"), feedback.c.comment, feedback.c.given_at)
    query = _turns(*columns).join(feedback, feedback.c.turn_id == turns.c.id)
    query = query.join(conversations, turns.c.conversation_uuid == conversations.c.uuid)
    query = query.where(unshipped(feedback), turns.c.finished_at.is_not(None), _kept())
    return query.order_by(feedback.c.given_at)


def depth(connection: Connection) -> Depth:
    """How much waits. Tombstoned records are counted until they are deleted."""
    # A conversation whose first turn is not finished has nothing to tell yet.
    too_new = select(func.count()).select_from(turns).where(turns.c.finished_at.is_(None), turns.c.turn_index == 0)
    counts = {kind: _count(connection, moment) for kind, moment in MOMENTS.items()}
    counts["conversation"] = max(0, counts["conversation"] - (connection.scalar(too_new) or 0))
    reasons = Counter[str]()
    for moment in MOMENTS.values():
        reason = moment.table.c.refused
        rows = connection.execute(select(reason, func.count()).where(reason.is_not(None)).group_by(reason))
        reasons.update({row[0]: row[1] for row in rows})
    return Depth(sum(counts.values()), reasons.total(), _oldest(connection), dict(reasons.most_common(REASONS)))


def _oldest(connection: Connection) -> int | None:
    """Of turns and ratings; a conversation's first turn is not older than itself."""
    moments = (turns.c.finished_at, feedback.c.given_at)
    found = [connection.scalar(select(func.min(at)).where(unshipped(at.table), at.is_not(None))) for at in moments]
    return min((at for at in found if at is not None), default=None)


def _of_kind(connection: Connection, kind: str, query: Select[Any], most: int) -> Iterator[Found]:
    for row in connection.execute(query, {"most": most}):
        turn = turn_of(row)
        if kind == "conversation":
            yield Found(row.created_at, kind, (turn.conversation, 0), turn, row)
        elif kind == "turn":
            yield Found(row.finished_at, kind, (turn.id, 0), turn, row)
        else:
            yield Found(row.given_at, kind, (turn.id, row.n), turn, row)


def _turns(*more: Any) -> Select[Any]:
    # Without the rating that counts: a document tells what does not change any more.
    whose = (conversations.c.user_id, conversations.c.by_user_token)
    return select(turns, *whose, null().label("rating"), *more).select_from(turns)


def _kept() -> ColumnElement[bool]:
    return ~unsendable()


def _count(connection: Connection, moment: Any) -> int:
    some = select(moment).where(unshipped(moment.table), moment.is_not(None)).limit(COUNTED).subquery()
    return connection.scalar(select(func.count()).select_from(some)) or 0


# Built once: putting such a query together takes as long as running it.
QUERIES = {
    kind: query.limit(bindparam("most"))
    for kind, query in (("conversation", started()), ("turn", finished()), ("feedback", rated()))
}
