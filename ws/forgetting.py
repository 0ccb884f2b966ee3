"""A server process's part in an erasure: it stops the subject's turns, lets its clients go, drops its pieces.

Looked at once a second. When its part for a tombstone is done the process says so (`note`), and the erasure, which
may be another process, waits for that.
"""

from __future__ import annotations

from collections.abc import Callable

from app.chat.conversations import Conversations
from app.chat.identity import Identity
from app.errors import ChatError, Code
from app.transcripts.subjects import Subjects
from app.transcripts.tombstones import Tombstone, Tombstones
from ws.clients import Clients
from ws.live import MemoryReplay

ERASED = ChatError(Code.ERASED, "This conversation was erased. A new one begins.")
MEMBERS = ("conversation", "user", "aged")
"""The kinds of tombstones that are about conversations which somebody may be in."""


class Forgetting:
    """What this process has of a subject. `owner`: its id as a worker. `dismiss` ends a client's connection."""

    def __init__(
        self, tombstones: Tombstones, subjects: Subjects, owner: str, note: Callable[[int], None], *,
        conversations: Conversations, clients: Clients, replay: MemoryReplay, dismiss: Callable[[str, ChatError], None],
    ) -> None:  # fmt: skip
        self._tombstones = tombstones
        self._subjects = subjects
        self._owner = owner
        self._note = note
        self._conversations = conversations
        self._clients = clients
        self._replay = replay
        self._dismiss = dismiss
        # What was asked for before this process began: there is nothing of it here.
        self._seen = tombstones.newest()
        note(self._seen)

    def look(self) -> None:
        """Do our part for new tombstones, oldest first. Raises `JournalError`."""
        for tombstone in self._tombstones.after(self._seen):
            # One that is done already was begun after the erasure that it belongs to was told everybody.
            if tombstone.done_at is None and tombstone.kind in MEMBERS and not self._let_go(tombstone):
                return
            self._seen = tombstone.id
            self._note(self._seen)

    def _let_go(self, tombstone: Tombstone) -> bool:
        """Whether nothing of it is left here. Otherwise it was stopped, and ends in a moment."""
        for turn in self._subjects.unfinished(tombstone):
            if turn.owner == self._owner:
                self._conversations.stop(Identity(turn.conversation, turn.user_id, signed_in=turn.signed_in), turn.id)
        for sid in self._clients.of(tombstone.kind, tombstone.subject):
            self._dismiss(sid, ERASED)
        if any(turn.owner == self._owner for turn in self._subjects.unfinished(tombstone)):
            return False
        self._replay.drop(self._subjects.turn_ids(tombstone))
        return True
