"""What people do with conversations: say something, stop it, rate it, read it. Ownership, order and duplicates.

Every turn is in the journal before anybody hears of it. Accepting runs under a lock per conversation, so
that a message sent twice at the same moment is one turn.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from app.chat.identity import Identity
from app.chat.interfaces import Journal, Listener
from app.chat.queue import TurnQueue
from app.chat.runner import Runner
from app.chat.turns import Turn, TurnState, UserMessage
from app.errors import ChatError, Code, JournalError


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message's turn; `duplicate`: it was there already."""

    turn: Turn
    duplicate: bool


class Conversations:
    """All conversations of this worker. `utc` gives milliseconds since 1970."""

    def __init__(
        self, journal: Journal, queue: TurnQueue, runner: Runner, listener: Listener, utc: Callable[[], int]
    ) -> None:
        self._journal = journal
        self._queue = queue
        self._runner = runner
        self._listener = listener
        self._utc = utc
        self._locks = [threading.Lock() for _ in range(64)]

    def accept(self, identity: Identity, message: UserMessage) -> Accepted:
        """Record a message and have it answered.

        Raises `ChatError`: `busy`, `restarting`, `not_yours`, `bad_payload` (the `client_id` was used for another
        text), `journal_unavailable`. Then nothing was recorded and the same `client_id` may be sent again.
        """
        with self._lock_of(identity.conversation):
            known = self._journal.find(identity.conversation, message.client_id)
            if known is not None:
                return _repeated(known, identity, message)
            self._queue.check_room(identity.conversation)
            turn = self._journal.accept(identity, message, str(uuid.uuid4()), self._utc())
            self._listener.started(turn)
            self._queue.put(turn)
        self._runner.start_waiting()
        if self._queue.waiting_turn(turn.id):
            self._listener.status(turn, "queued")
        return Accepted(turn, duplicate=False)

    def stop(self, identity: Identity, turn_id: str | None) -> TurnState:
        """Stop a turn, or the conversation's oldest unfinished one. The state that it has then. Idempotent.

        Raises `ChatError`: `unknown_turn`; `journal_unavailable`, and then it ends all the same.
        """
        turn = self.turn(identity, turn_id) if turn_id else self._unfinished_or_last(identity)
        if turn.state.final:
            return turn.state
        with self._lock_of(identity.conversation):
            # Not while the turn is recorded and not in the queue yet: it would be told to stop and wait there.
            waiting = self._record_stop(turn)
        if waiting is not None:
            self._runner.end_waiting(waiting, TurnState.STOPPED)
            return TurnState.STOPPED
        self._runner.stop(turn)
        return self.turn(identity, turn.id).state

    def _record_stop(self, turn: Turn) -> Turn | None:
        """Record that a turn is to stop. The turn, if it was waiting and is withdrawn now."""
        try:
            self._journal.request_stop(turn.id, self._utc())
        except JournalError:
            # Nothing is promised, but it ends all the same.
            self._runner.stop_unrecorded(turn, self._queue.withdraw(turn.id))
            raise
        return self._queue.withdraw(turn.id)

    def turn(self, identity: Identity, turn_id: str) -> Turn:
        """One turn of this conversation. Raises `ChatError`: `unknown_turn`, also for somebody else's."""
        turn = self._journal.turn(identity.conversation, turn_id)
        if turn is None or not _is_of(turn, identity):
            raise ChatError(Code.UNKNOWN_TURN, "This conversation has no such message.")
        return turn

    def turns(
        self, identity: Identity, *, before: str | None = None, limit: int = 20, max_bytes: int = 256 * 1024
    ) -> tuple[list[Turn], bool]:
        """The last `limit` turns (before the turn `before`), oldest first, and whether there are older ones."""
        if before is not None:
            self.turn(identity, before)
        turns, more = self._journal.turns(identity.conversation, before=before, limit=limit, max_bytes=max_bytes)
        return [turn for turn in turns if _is_of(turn, identity)], more

    def running_turn(self, identity: Identity) -> Turn | None:
        """The conversation's turn that is being answered at this moment, if it is this user's."""
        turn = self._queue.running_turn(identity.conversation)
        return turn if turn is not None and _is_of(turn, identity) else None

    def rate(self, identity: Identity, turn_id: str, rating: str | None, comment: str | None) -> None:
        """Record what the visitor thinks of an answer; the last rating counts. Raises `unknown_turn`."""
        self._journal.rate(self.turn(identity, turn_id).id, rating, comment, self._utc())

    def _unfinished_or_last(self, identity: Identity) -> Turn:
        oldest = self._journal.oldest_unfinished(identity.conversation)
        if oldest is not None and _is_of(oldest, identity):
            return oldest
        last, _ = self.turns(identity, limit=1)
        if not last:
            raise ChatError(Code.UNKNOWN_TURN, "There is no answer to stop.")
        return last[0]

    def _lock_of(self, conversation: str) -> threading.Lock:
        return self._locks[hash(conversation) % len(self._locks)]


def _is_of(turn: Turn, identity: Identity) -> bool:
    return (turn.user_id, turn.signed_in) == (identity.user_id, identity.signed_in)


def _repeated(known: Turn, identity: Identity, message: UserMessage) -> Accepted:
    if not _is_of(known, identity):
        raise ChatError(Code.NOT_YOURS, "This conversation belongs to somebody else.")
    if known.text != message.text:
        raise ChatError(
            Code.BAD_PAYLOAD, "This client_id was already used for another text; give each message its own."
        )
    return Accepted(known, duplicate=True)
