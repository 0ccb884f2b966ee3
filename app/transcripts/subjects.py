"""What a tombstone means in the journal: whose rows they are, counted, read, and deleted in small portions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, exists, func, or_, select

from app.transcripts.database import Database
from app.transcripts.tables import conversations, feedback, turns
from app.transcripts.tombstones import Elsewhere, Kind, Step, Tombstone, bury, bury_deleted, erased, save

PORTION = 20
"""Conversations that are deleted in one transaction: it holds the whole worker."""
AGED_PORTION = 100
"""Conversations that are found too old at once."""


class Unfinished(NamedTuple):
    """A turn that has no final state yet. `owner`: the worker that has it."""

    id: str
    conversation: str
    user_id: str
    signed_in: bool
    owner: str


class Subjects:
    """The journal's rows of a subject. Every method raises `JournalError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, kind: Kind, subject: str) -> tuple[int, int]:
        """How many conversations and turns there are of it."""
        mine = _old(int(subject)) if kind == "age" else _of(kind, subject)
        with self._database.reading() as connection:
            number = connection.scalar(select(func.count()).select_from(conversations).where(mine)) or 0
            uuids = select(conversations.c.uuid).where(mine)
            of_mine = select(func.count()).select_from(turns).where(turns.c.conversation_uuid.in_(uuids))
            return number, connection.scalar(of_mine) or 0

    def unfinished(self, tombstone: Tombstone) -> list[Unfinished]:
        """Its turns that wait or run."""
        whose = (conversations.c.user_id, conversations.c.by_user_token)
        columns = (turns.c.id, turns.c.conversation_uuid, *whose, turns.c.owner)
        query = select(*columns).join_from(turns, conversations).where(turns.c.finished_at.is_(None), _mine(tombstone))
        with self._database.reading() as connection:
            return [Unfinished(*row) for row in connection.execute(query.order_by(turns.c.accepted_at))]

    def turn_ids(self, tombstone: Tombstone) -> list[str]:
        with self._database.reading() as connection:
            return list(connection.scalars(select(turns.c.id).join_from(turns, conversations).where(_mine(tombstone))))

    def delete(self, tombstone: Tombstone, now: int) -> Tombstone:
        """Delete some of its conversations, and remember what they have elsewhere. `journal` when none is left.

        The tombstone as it stands then; unchanged if somebody else has worked on it.
        """

        def work(connection: Connection) -> Tombstone:
            some = list(connection.scalars(select(conversations.c.uuid).where(_mine(tombstone)).limit(PORTION)))
            after = tombstone if len(some) == PORTION else replace(tombstone, step=Step.JOURNAL)
            if not save(connection, tombstone, after):
                return tombstone
            for there in _elsewhere(connection, tombstone.id, some):
                bury(connection, "there", there.subject(), now)
            in_some = turns.c.conversation_uuid.in_(some)
            connection.execute(delete(feedback).where(feedback.c.turn_id.in_(select(turns.c.id).where(in_some))))
            connection.execute(delete(turns).where(in_some))
            _bury_signed_in(connection, tombstone, some, now)
            connection.execute(delete(conversations).where(conversations.c.uuid.in_(some)))
            return after

        return self._database.write(work)

    def bury_aged(self, moment: int, now: int) -> int:
        """Tombstones for some conversations that have been quiet since before `moment`. How many."""

        def work(connection: Connection) -> int:
            old = select(conversations.c.uuid).where(_old(moment)).limit(AGED_PORTION)
            found = list(connection.scalars(old))
            for conversation in found:
                bury(connection, "aged", conversation, now)
            return len(found)

        return self._database.write(work)

    def unshipped_before(self, moment: int) -> bool:
        """Whether Elasticsearch lacks something of a conversation that began before `moment`.

        It would take that conversation for older than it is.
        """
        began = conversations.c.created_at < moment
        lacking = select(turns.c.id).join_from(turns, conversations).where(began, _unshipped(turns))
        unrated = select(turns.c.id).join_from(feedback, turns).join(conversations).where(began, _unshipped(feedback))
        with self._database.reading() as connection:
            queries = (lacking.limit(1), unrated.limit(1))
            return any(connection.execute(query).first() is not None for query in queries)

    def scrub(self) -> None:
        """Leave nothing of what was deleted in the journal's files, as far as nobody reads there just now."""
        self._database.scrub()


def _unshipped(table: Table) -> ColumnElement[bool]:
    return and_(table.c.shipped_at.is_(None), table.c.refused.is_(None))


def _of(kind: Kind, subject: str) -> ColumnElement[bool]:
    if kind == "user":
        return conversations.c.user_id == subject
    return conversations.c.uuid == subject


def _mine(tombstone: Tombstone) -> ColumnElement[bool]:
    return _of(tombstone.kind, tombstone.subject)


def _old(moment: int) -> ColumnElement[bool]:
    """Nothing has happened in it since before `moment`, nothing is happening, and nobody forgets it yet."""
    said = turns.alias()
    in_it = said.c.conversation_uuid == conversations.c.uuid
    active = or_(said.c.finished_at.is_(None), said.c.finished_at >= moment)
    rated = exists().where(feedback.c.turn_id == said.c.id, feedback.c.given_at >= moment)
    return and_(
        conversations.c.created_at < moment,
        ~exists().where(in_it, or_(active, rated)),
        ~erased(),
    )


def _bury_signed_in(connection: Connection, tombstone: Tombstone, uuids: Iterable[str], now: int) -> None:
    """A signed-in user may come back under the same id; what was erased may not: each of it has its own tombstone."""
    if tombstone.kind == "user":
        theirs = and_(conversations.c.uuid.in_(list(uuids)), conversations.c.by_user_token)
        for conversation in list(connection.scalars(select(conversations.c.uuid).where(theirs))):
            bury_deleted(connection, conversation, now)


def _elsewhere(connection: Connection, erasure: int, uuids: Iterable[str]) -> list[Elsewhere]:
    """What the assistants keep of these conversations on the other side."""
    columns = (turns.c.assistant, turns.c.thread_id, turns.c.response_id)
    query = select(*columns).where(turns.c.conversation_uuid.in_(list(uuids)), turns.c.thread_id.is_not(None))
    made: dict[tuple[str, str], list[str]] = {}
    for assistant, thread_id, response_id in connection.execute(query.order_by(turns.c.accepted_at)):
        responses = made.setdefault((assistant or "", thread_id), [])
        if response_id:
            responses.append(response_id)
    return [Elsewhere(erasure, name, thread, tuple(responses)) for (name, thread), responses in made.items()]
