"""A signed-in user's own conversations, as a list to go on from. Nobody else has such a list.

One page costs one look at an index (`conversations_of_signed_in`), however many conversations there are.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import func, select, tuple_

from app.errors import ChatError, Code
from app.transcripts.database import Database
from app.transcripts.tables import conversations, turns
from app.transcripts.tombstones import erased

LONGEST_TITLE = 80
READ = 500
"""Characters of the first message that are looked at for its first line."""


class Past(NamedTuple):
    """`at`: when its last message was accepted, in milliseconds since 1970."""

    conversation: str
    title: str
    at: int


class PastConversations:
    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, user_id: str, before: str | None = None, limit: int = 20) -> tuple[list[Past], bool]:
        """Those of a signed-in user after the one called `before`, last used first, and whether there are more.

        Raises `ChatError`: `unknown_conversation` if `before` is not theirs, `journal_unavailable`.
        """
        theirs = (conversations.c.user_id == user_id, conversations.c.by_user_token)
        key = tuple_(conversations.c.last_at, conversations.c.uuid)
        first_text = func.substr(func.ltrim(turns.c.text, " \t\r\n"), 1, READ).label("text")
        query = (
            select(conversations.c.uuid, conversations.c.last_at, first_text)
            .join(turns, (turns.c.conversation_uuid == conversations.c.uuid) & (turns.c.turn_index == 0))
            .where(*theirs, ~erased())
            .order_by(conversations.c.last_at.desc(), conversations.c.uuid.desc())
            .limit(limit + 1)
        )
        with self._database.reading() as connection:
            if before is not None:
                last = connection.execute(
                    select(conversations.c.last_at, conversations.c.uuid).where(*theirs, conversations.c.uuid == before)
                ).first()
                if last is None:
                    raise ChatError(Code.UNKNOWN_CONVERSATION, "There is no such conversation.")
                query = query.where(key < tuple_(*last))
            rows = connection.execute(query).all()
        return [Past(row.uuid, title_of(row.text), row.last_at) for row in rows[:limit]], len(rows) > limit


def title_of(text: str) -> str:
    """The first line of a message, cut between two words if it is long."""
    line = " ".join(next(iter(text.strip().splitlines()), "").split())
    if len(line) <= LONGEST_TITLE:
        return line or "…"
    head = line[:LONGEST_TITLE].rpartition(" ")[0]
    # A single word as long as that is cut where it is.
    return (head if len(head) >= LONGEST_TITLE // 2 else line[: LONGEST_TITLE - 1]) + "…"
