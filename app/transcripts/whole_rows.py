"""Whole conversations written to the journal at once, and taken out again: for demonstrations, not for the chat.

Transactions are short, so that a server on the same file is not held up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from app.chat.turns import Turn
from app.transcripts.database import Database
from app.transcripts.tables import conversations, feedback, turns

AT_ONCE = 200
"""Conversations in a transaction: some 25 ms."""


class Rating(NamedTuple):
    """A rating of a turn, its `n`-th from 0; times in milliseconds since 1970. `rating` None takes one back."""

    turn_id: str
    n: int
    rating: str | None
    comment: str | None
    given_at: int


@dataclass(frozen=True, slots=True)
class Written:
    """A conversation whose turns have all ended."""

    uuid: str
    user_id: str
    created_at: int
    turns: Sequence[Turn]
    ratings: Sequence[Rating] = ()


def put_in(database: Database, written: Iterable[Written], owner: str) -> int:
    """Write conversations. How many turns that were. Raises `JournalError`, also if one is there already."""
    written, count = iter(written), 0
    while batch := list(islice(written, AT_ONCE)):
        database.write(lambda connection, batch=batch: _insert(connection, batch, owner))  # type: ignore[misc]
        count += sum(len(one.turns) for one in batch)
    return count


def count_others(database: Database, user_prefix: str) -> int:
    """How many conversations there are of users whose id begins otherwise."""
    others = select(func.count()).select_from(conversations).where(~conversations.c.user_id.startswith(user_prefix))
    with database.reading() as connection:
        return connection.scalar(others) or 0


def take_out(database: Database, user_prefix: str) -> int:
    """Remove all conversations of users whose id begins so, with everything in them. How many those were."""
    count = 0
    while removed := database.write(lambda connection: _delete(connection, user_prefix)):
        count += removed
    return count


def _insert(connection: Connection, batch: Sequence[Written], owner: str) -> None:
    heads = [{"uuid": w.uuid, "user_id": w.user_id, "by_client": False, "created_at": w.created_at} for w in batch]
    connection.execute(insert(conversations), heads)
    connection.execute(insert(turns), [_row(turn, owner) for one in batch for turn in one.turns])
    if ratings := [rating._asdict() for one in batch for rating in one.ratings]:
        connection.execute(insert(feedback), ratings)


def _delete(connection: Connection, user_prefix: str) -> int:
    theirs = select(conversations.c.uuid).where(conversations.c.user_id.startswith(user_prefix)).limit(AT_ONCE)
    found = list(connection.scalars(theirs))
    of_them = turns.c.conversation_uuid.in_(found)
    connection.execute(delete(feedback).where(feedback.c.turn_id.in_(select(turns.c.id).where(of_them))))
    connection.execute(delete(turns).where(of_them))
    connection.execute(delete(conversations).where(conversations.c.uuid.in_(found)))
    return len(found)


def _row(turn: Turn, owner: str) -> dict[str, Any]:
    return {
        "id": turn.id, "conversation_uuid": turn.conversation, "turn_index": turn.index, "owner": owner,
        "client_id": turn.client_id, "state": turn.state, "text": turn.text, "answer": turn.answer, "seq": turn.seq,
        "accepted_at": turn.accepted_at, "started_at": turn.started_at, "first_piece_at": turn.first_piece_at,
        "finished_at": turn.finished_at, "citations": list(turn.citations), "usage": turn.usage,
        "assistant": turn.assistant, "model": turn.model, "response_id": turn.response_id,
        "thread_id": turn.thread_id, "run_id": turn.run_id, "request_ids": list(turn.request_ids),
        "corrected": turn.corrected, "reasoning": turn.reasoning, "error_code": turn.error.code if turn.error else None,
        "error_message": turn.error.message if turn.error else None, "page_url": turn.page_url,
        "page_title": turn.page_title, "client_ip": turn.client_ip, "user_agent": turn.user_agent,
    }  # fmt: skip
