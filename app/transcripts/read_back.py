"""A conversation read back as one object, for whoever owns it and for operators (`GET /api/conversations/<uuid>`).

It comes from the journal; one that was pruned there, from `archive` (Elasticsearch), which may be absent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from app.chat.identity import Identity, Tokens
from app.chat.user_tokens import UserTokens
from app.errors import ChatError, ChatServerError, Code
from app.transcripts.journal import SqlJournal
from app.transcripts.reading import Reading, Whole

MOST_TURNS = 1000
MOST_CHARS = 2_000_000
"""Of one object; a longer conversation comes in parts (`next`). Making the JSON of so much takes some 10 ms."""

Archive = Callable[[str], dict[str, Any] | None]


class ReadBack:
    """Conversations as objects. `assistant_id`: of the assistant that answers here, if it has one."""

    def __init__(
        self, reading: Reading, journal: SqlJournal, tokens: Tokens, user_tokens: UserTokens, *,
        assistant_id: str | None = None, archive: Archive | None = None,
    ) -> None:  # fmt: skip
        self._reading = reading
        self._journal = journal
        self._tokens = tokens
        self._user_tokens = user_tokens
        self._assistant_id = assistant_id
        self._archive = archive

    def for_operator(self, conversation: str, start: int = 0) -> dict[str, Any]:
        """Any one, from its turn `start` on. Raises `ChatError`: `unknown_conversation`, `journal_unavailable`."""
        whole = self._reading.conversation(conversation, start, limit=MOST_TURNS, max_chars=MOST_CHARS)
        found = self._object(whole) if whole else self._archived(conversation)
        if found is None:
            raise _unknown()
        return found

    def for_visitor(self, token: str, conversation: str, start: int = 0) -> dict[str, Any]:
        """The conversation if `token` opens it: its own one, or the user token of the signed-in user whose it is.

        Raises `unauthorized` too; somebody else's is an unknown one.
        """
        identity = self._identity(token, conversation)
        if identity.conversation != conversation:
            raise _unknown()
        owner = self._journal.owner_of(conversation)
        # Ids that somebody else than us chose prove too little to open what is not in the journal any more.
        if (identity.by_client or identity.signed_in) if owner is None else owner != identity:
            raise _unknown()
        found = self.for_operator(conversation, start)
        if found["user_id"] != identity.user_id:
            raise _unknown()
        return found

    def _identity(self, token: str, conversation: str) -> Identity:
        opened = self._tokens.open(token)
        if isinstance(opened, Identity) and not opened.signed_in:
            return opened
        if isinstance(opened, Identity):
            raise ChatError(Code.UNAUTHORIZED, "This conversation is a signed-in user's: send the user token instead.")
        try:
            return Identity(conversation, self._user_tokens.open(token), signed_in=True)
        except ChatError:
            raise ChatError(Code.UNAUTHORIZED, f"This token is {opened}.") from None

    def _archived(self, conversation: str) -> dict[str, Any] | None:
        if self._archive is None:
            return None
        try:
            found = self._archive(conversation)
        except ChatServerError as error:
            sentence = "Older conversations cannot be read at the moment."
            raise ChatError(Code.JOURNAL_UNAVAILABLE, sentence, retry_after=30) from error
        return found and {**found, "next": None}

    def _object(self, whole: Whole) -> dict[str, Any]:
        threads = [row.thread_id for row in whole.turns if row.thread_id]
        return {
            "conversation_uuid": whole.uuid,
            "user_id": whole.user_id,
            "thread_id": threads[-1] if threads else None,
            "assistant_id": self._assistant_id,
            "created_at": _iso(whole.created_at),
            "conversations": [_turn(row, whole.ratings.get(row.id, [])) for row in whole.turns],
            "next": whole.next_index,
        }


def _turn(row: Row[Any], ratings: Sequence[Row[Any]]) -> dict[str, Any]:
    last = ratings[-1] if ratings else None
    return {
        "user_query": row.text,
        "assistant_response": row.answer,
        "turn_id": row.id,
        "index": row.turn_index,
        "state": row.state,
        "accepted_at": _iso(row.accepted_at),
        "started_at": _iso(row.started_at),
        "first_piece_at": _iso(row.first_piece_at),
        "finished_at": _iso(row.finished_at),
        "model": row.model,
        "usage": row.usage,
        "citations": row.citations or [],
        "error": {"code": row.error_code, "message": row.error_message} if row.error_code else None,
        "feedback": {"rating": last.rating, "comment": last.comment} if last and last.rating else None,
    }


def _iso(moment: int | None) -> str | None:
    """RFC 3339 in UTC with milliseconds."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _unknown() -> ChatError:
    return ChatError(Code.UNKNOWN_CONVERSATION, "There is no such conversation.")
