"""The tombstones: what is to be forgotten, how far that has come, and what was forgotten and must not come back.

A tombstone is written before anything else is done, and each step is written when it is done: whoever comes after a
crash goes on from there. A step is written only over the one that was read: the shipper may have opened the tombstone
again meanwhile, because it sent something that was to be forgotten (`sent_again`).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, delete, exists, func, insert, or_, select, update

from app.chat.identity import Identity, usual_form
from app.transcripts.database import Database
from app.transcripts.tables import conversations, tombstones

Kind = Literal["conversation", "user", "age", "aged", "there"]
"""`age`: everything before a moment, `aged`: one conversation that it found, or that a signed-in user's erasure has
deleted. `there`: what an assistant has."""


class Step(StrEnum):
    """What was done last, in this order; app/transcripts/erasure.py explains each."""

    ASKED = "asked"
    TOLD = "told"
    QUIET = "quiet"
    JOURNAL = "journal"
    ELASTICSEARCH = "elasticsearch"
    LOOKED = "looked"


ORDER = list(Step)


@dataclass(frozen=True, slots=True)
class Tombstone:
    """One erasure. Times are milliseconds since 1970."""

    id: int
    kind: Kind
    subject: str
    asked_at: int
    step: Step = Step.ASKED
    done_at: int | None = None

    def __str__(self) -> str:
        """For the log: enough of an id to find it, not enough to use it."""
        about_people = self.kind in ("conversation", "user", "aged")
        shown = f"{self.subject[: min(8, len(self.subject) // 2)]}…" if about_people else self.subject
        return f"erasure {self.id} ({self.kind} {shown})"

    def before(self, step: Step) -> bool:
        return ORDER.index(self.step) < ORDER.index(step)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What an assistant has of a conversation on the other side: a thread, and the responses made in it.

    `erasure`: the tombstone by which it is to be deleted there.
    """

    erasure: int
    assistant: str
    thread_id: str
    responses: tuple[str, ...] = ()

    @classmethod
    def of(cls, tombstone: Tombstone) -> Elsewhere:
        erasure, assistant, thread_id, responses = json.loads(tombstone.subject)
        return cls(erasure, assistant, thread_id, tuple(responses))

    def subject(self) -> str:
        return json.dumps([self.erasure, self.assistant, self.thread_id, self.responses])


class Tombstones:
    """The table. Every method raises `JournalError` when the journal cannot be read or written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def bury(self, kind: Kind, subject: str, now: int) -> Tombstone:
        """The open tombstone of this subject; a new one if there is none."""
        return self._database.write(lambda connection: bury(connection, kind, subject, now))

    def get(self, tombstone_id: int) -> Tombstone | None:
        return next(iter(self._all(select(tombstones).where(tombstones.c.id == tombstone_id))), None)

    def open(self) -> list[Tombstone]:
        """Those that are not done, oldest first."""
        return self._all(select(tombstones).where(tombstones.c.done_at.is_(None)))

    def after(self, tombstone_id: int) -> list[Tombstone]:
        """Those that are newer than `tombstone_id`, oldest first."""
        return self._all(select(tombstones).where(tombstones.c.id > tombstone_id))

    def unlooked(self, done_before: int) -> list[Tombstone]:
        """Those that were done before a moment and still want a second look."""
        done = (tombstones.c.done_at < done_before, tombstones.c.step == Step.ELASTICSEARCH)
        return self._all(select(tombstones).where(*done))

    def owed(self) -> list[Tombstone]:
        """Those that were done without Elasticsearch."""
        kinds = tombstones.c.kind.in_(["conversation", "user", "aged", "age"])
        return self._all(
            select(tombstones).where(tombstones.c.done_at.is_not(None), kinds, tombstones.c.step == Step.JOURNAL)
        )

    def open_of(self, kind: str, subject: str) -> Tombstone | None:
        """The one of a subject that is being worked on."""
        return next((one for one in self.open() if (one.kind, one.subject) == (kind, subject)), None)

    def newest(self) -> int:
        """The id of the newest one; 0 if there is none."""
        with self._database.reading() as connection:
            return connection.scalar(select(func.max(tombstones.c.id))) or 0

    def save(self, before: Tombstone, after: Tombstone) -> bool:
        """Write how far it has come. False: it is not any more as it was read."""
        return self._database.write(lambda connection: save(connection, before, after))

    def finish_age(self, before: Tombstone, now: int) -> bool:
        """An `age` is done, and with it the conversations that it found."""
        found = (tombstones.c.kind == "aged", tombstones.c.step == Step.JOURNAL, tombstones.c.done_at.is_(None))

        def work(connection: Connection) -> bool:
            if not save(connection, before, replace(before, done_at=now)):
                return False
            connection.execute(update(tombstones).where(*found).values(step=Step.LOOKED, done_at=now))
            return True

        return self._database.write(work)

    def purge(self, done_before: int) -> None:
        """Let go of all but the newest `age`, of what was elsewhere, and of `aged` ones that no token can name."""
        newest = select(func.max(tombstones.c.id)).scalar_subquery()
        newest_age = select(func.max(tombstones.c.id)).where(tombstones.c.kind == "age").scalar_subquery()
        ages = and_(tombstones.c.kind == "age", tombstones.c.id < newest_age)
        others = and_(tombstones.c.kind.in_(["aged", "there"]), tombstones.c.done_at < done_before)
        # Never the newest of all: its id would be given to the next one, which nobody would then look at.
        over = (tombstones.c.done_at.is_not(None), tombstones.c.id < newest, or_(ages, others))
        self._database.write(lambda connection: connection.execute(delete(tombstones).where(*over)))

    def covers(self, identity: Identity) -> bool:
        """Whether this conversation, or everything of this user, was or is being forgotten."""
        with self._database.reading() as connection:
            return is_erased(connection, identity)

    def _all(self, query: Select[Any]) -> list[Tombstone]:
        with self._database.reading() as connection:
            return [_tombstone(row) for row in connection.execute(query.order_by(tombstones.c.id))]


def bury(connection: Connection, kind: Kind, subject: str, now: int) -> Tombstone:
    """`Tombstones.bury` within a transaction."""
    same = (tombstones.c.kind == kind, tombstones.c.subject == subject, tombstones.c.done_at.is_(None))
    row = connection.execute(select(tombstones).where(*same)).first()
    if row is not None:
        return _tombstone(row)
    values = {"kind": kind, "subject": subject, "asked_at": now, "step": Step.ASKED}
    made = connection.execute(insert(tombstones).values(values).returning(tombstones.c.id))
    return Tombstone(made.scalar_one(), kind, subject, now)


def bury_deleted(connection: Connection, conversation: str, now: int) -> None:
    """A tombstone of one conversation with which everything is done already: only so that it stays forgotten."""
    values = {"kind": "aged", "subject": conversation, "asked_at": now, "step": Step.LOOKED, "done_at": now}
    connection.execute(insert(tombstones).values(values))


def save(connection: Connection, before: Tombstone, after: Tombstone) -> bool:
    """`Tombstones.save` within a transaction."""
    done = tombstones.c.done_at.is_(None) if before.done_at is None else tombstones.c.done_at == before.done_at
    as_read = (tombstones.c.id == before.id, tombstones.c.step == before.step, done)
    values = {"kind": after.kind, "step": after.step, "done_at": after.done_at}
    return connection.execute(update(tombstones).where(*as_read).values(values)).rowcount == 1


def sent_again(connection: Connection, sent: Iterable[tuple[str, str]]) -> None:
    """To be called by who sent documents of these (conversation, user id): forgotten ones are deleted once more."""
    for conversation, user_id in sent:
        about = [select(tombstones).where(one) for one in (_of_conversation(conversation), _of_user(user_id))]
        own, users = [[_tombstone(row) for row in connection.execute(query)] for query in about]
        # A user's only where the conversation has none: a signed-in one may have begun others since.
        for found in own or users:
            # An `age` looks at Elasticsearch as a whole: a late document is one conversation's own matter.
            kind: Kind = "conversation" if found.kind == "aged" else found.kind
            step = found.step if found.before(Step.QUIET) else Step.QUIET
            save(connection, found, replace(found, kind=kind, step=step, done_at=None))


def erased() -> ColumnElement[bool]:
    """A condition for queries on conversations: it is forgotten, or being forgotten."""
    return _forgotten(tombstones.c.done_at.is_(None))


def unsendable() -> ColumnElement[bool]:
    """The same for what goes to Elasticsearch, where everything of a user is deleted until that was looked at twice."""
    return _forgotten(tombstones.c.step != Step.LOOKED)


def is_erased(connection: Connection, identity: Identity) -> bool:
    """Whether this conversation, or its user, is forgotten. A signed-in user is, only until that is done."""
    of_user = _of_user(identity.user_id)
    if identity.signed_in:
        of_user = and_(of_user, tombstones.c.done_at.is_(None))
    query = select(tombstones.c.id).where(or_(_of_conversation(identity.conversation), of_user)).limit(1)
    return connection.execute(query).first() is not None


def well_formed(kind: str, subject: str) -> str:
    """An id that may be asked for, in its usual form. Raises `ValueError`."""
    user_id = usual_form(subject) if kind == "user" else None
    if user_id is not None:
        return user_id
    if kind != "conversation" or len(subject) != 36:
        raise ValueError(f"this is not the id of a {kind}")
    return str(uuid.UUID(subject))


def _forgotten(user_is_not_over: ColumnElement[bool]) -> ColumnElement[bool]:
    of_user = and_(_of_user(conversations.c.user_id), or_(~conversations.c.by_user_token, user_is_not_over))
    return exists().where(or_(_of_conversation(conversations.c.uuid), of_user))


def _of_conversation(conversation: Any) -> ColumnElement[bool]:
    return and_(tombstones.c.kind.in_(["conversation", "aged"]), tombstones.c.subject == conversation)


def _of_user(user_id: Any) -> ColumnElement[bool]:
    return and_(tombstones.c.kind == "user", tombstones.c.subject == user_id)


def _tombstone(row: Row[Any]) -> Tombstone:
    assert row.kind in get_args(Kind)
    return Tombstone(row.id, row.kind, row.subject, row.asked_at, Step(row.step), row.done_at)
