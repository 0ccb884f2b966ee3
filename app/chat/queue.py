"""Which turn runs next on this worker: first come, first served, one running turn of a conversation."""

from __future__ import annotations

import threading
from collections import Counter

from app.chat.turns import Turn
from app.errors import ChatError, Code

RETRY_AFTER = 5.0
"""Seconds that a refused client is asked to wait."""
RESTARTED_AFTER = 2.0
"""The same while the server is being restarted."""


class TurnQueue:
    """At most `max_running` turns run, at most `max_waiting` wait, at most `per_conversation` of one conversation."""

    def __init__(self, max_running: int, max_waiting: int, per_conversation: int) -> None:
        self._max_running = max_running
        self._max_waiting = max_waiting
        self._per_conversation = per_conversation
        self._waiting: dict[str, Turn] = {}
        self._running: dict[str, Turn] = {}
        self._unfinished: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.closed = False
        """The worker is going away: what was accepted is still worked on, nothing more is taken."""

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def check_room(self, conversation: str) -> None:
        """Raise `busy` if one more turn of this conversation would be too many, `restarting` if any would."""
        if self.closed:
            sentence = "The server is being restarted. Please send it again in a moment."
            raise ChatError(Code.RESTARTING, sentence, retry_after=RESTARTED_AFTER)
        ahead = self._unfinished[conversation]
        if ahead > self._per_conversation:
            sentence = "Please wait until the answer before this one has ended."
            raise ChatError(Code.BUSY, sentence, retry_after=RETRY_AFTER)
        if self.running >= self._max_running and self.waiting >= self._max_waiting:
            sentence = "Many people are writing at the moment. Please try again shortly."
            raise ChatError(Code.BUSY, sentence, retry_after=RETRY_AFTER)

    def put(self, turn: Turn) -> None:
        with self._lock:
            self._waiting[turn.id] = turn
            self._unfinished[turn.conversation] += 1

    def next(self) -> Turn | None:
        """The turn to start now; it counts as running from here on. None: none may start."""
        with self._lock:
            if len(self._running) >= self._max_running:
                return None
            turn = next((t for t in self._waiting.values() if t.conversation not in self._running), None)
            if turn is not None:
                del self._waiting[turn.id]
                self._running[turn.conversation] = turn
            return turn

    def waiting_turn(self, turn_id: str) -> Turn | None:
        return self._waiting.get(turn_id)

    def running_turn(self, conversation: str) -> Turn | None:
        return self._running.get(conversation)

    def has_unfinished(self, conversation: str) -> bool:
        return conversation in self._unfinished

    def withdraw(self, turn_id: str) -> Turn | None:
        """Take a waiting turn out. None: it is not waiting (any more)."""
        with self._lock:
            turn = self._waiting.pop(turn_id, None)
            if turn is not None:
                self._forget(turn)
            return turn

    def withdraw_all(self) -> list[Turn]:
        """Take every waiting turn out."""
        withdrawn = (self.withdraw(turn_id) for turn_id in list(self._waiting))
        return [turn for turn in withdrawn if turn is not None]

    def done(self, turn: Turn) -> None:
        """A running turn has ended."""
        with self._lock:
            del self._running[turn.conversation]
            self._forget(turn)

    def _forget(self, turn: Turn) -> None:
        self._unfinished[turn.conversation] -= 1
        if not self._unfinished[turn.conversation]:
            del self._unfinished[turn.conversation]
