"""Whose a conversation is: of who wrote in it first, a visitor, a signed-in user, or a page that chose its ids."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from app.chat.identity import Identity
from app.errors import ChatError, Code
from app.transcripts.tables import conversations
from app.transcripts.tombstones import is_erased


def take(connection: Connection, identity: Identity, now: int) -> None:
    """Make the conversation theirs, or see that it is, for a message at `now`. Raises `not_yours`, `erased`."""
    if is_erased(connection, identity):
        raise ChatError(Code.ERASED, "This conversation was erased. Please begin a new one.")
    known = select(conversations).where(conversations.c.uuid == identity.conversation)
    row = connection.execute(known).first()
    if row is None:
        connection.execute(insert(conversations).values(_new_conversation(identity, now)))
    elif identity_of(row) != identity:
        raise ChatError(Code.NOT_YOURS, "This conversation belongs to somebody else.")
    elif identity.signed_in:
        this = conversations.c.uuid == identity.conversation
        connection.execute(update(conversations).where(this).values(last_at=now))


def _new_conversation(identity: Identity, now: int) -> dict[str, Any]:
    return {
        "uuid": identity.conversation, "user_id": identity.user_id, "by_client": identity.by_client,
        "by_user_token": identity.signed_in, "created_at": now, "last_at": now if identity.signed_in else None,
    }  # fmt: skip


def identity_of(row: Row[Any]) -> Identity:
    return Identity(row.uuid, row.user_id, by_client=row.by_client, signed_in=row.by_user_token)
