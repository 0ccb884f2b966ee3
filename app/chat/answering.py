"""The answer of one running turn: the assistant's events go in, numbered pieces come out. Told the time.

Several green threads touch an answer: the one that reads the assistant, the one that flushes what is held,
and the one in which somebody says stop. A lock keeps each piece and the end in one order, and whoever ends
the answer first decides its final state; what comes later is dropped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from app.chat.citations import Sources
from app.chat.coalescer import Coalescer
from app.chat.interfaces import (
    Cancellation,
    Citation,
    Delta,
    Event,
    Finished,
    Listener,
    Reasoning,
    Status,
    TakenBack,
    Trace,
)
from app.chat.text import has_text, sendable
from app.chat.thoughts import Thoughts
from app.chat.turns import Turn, TurnError, TurnState

STALLED_AFTER = 10.0
"""Seconds without a word from the assistant after which those who wait are told."""


class Answer:
    """An answer on its way. `started` and `now` are seconds of one monotonic clock, `*_at` milliseconds of UTC.

    `most`: characters that it may have; what comes after them is cut off, and it is `full`. `show_reasoning`: what
    the model thinks before it answers is told and kept.
    """

    def __init__(
        self, turn: Turn, listener: Listener, started: float, most: int = 200_000, *, show_reasoning: bool = False
    ) -> None:
        self.turn = turn
        self.started = started
        self.cancellation = Cancellation()
        self._listener = listener
        self._coalescer = Coalescer()
        self._lock = threading.Lock()
        self._pieces: list[str] = []
        self._begins_at = 0
        self._has_text = False
        self._sources = Sources()
        self._thoughts = Thoughts(show_reasoning)
        self._request_ids: list[str] = []
        self._finished: Finished | None = None
        self._first_piece_at: int | None = None
        self._heard_at = started
        self._stalled = False
        self.abandon: Callable[[], None] = lambda: None
        self.kept_seq = -1
        self.unrecorded: list[Trace] = []
        self._most = self._left = most
        self.full = False
        self.ended = False

    def take(self, event: Event, now: float, utc: int) -> bool:
        """Take the assistant's next event. False: the answer has ended and nobody wants more."""
        with self._lock:
            if self.ended:
                return False
            self._heard(now)
            if isinstance(event, Delta):
                self._tell_thoughts(now)
                self._has_text = self._has_text or has_text(event.text)
                self._send(self._coalescer.add(self._sources.pass_on(self._fitting(event.text)), now), utc)
            elif isinstance(event, TakenBack):
                self._coalescer.hold(self._sources.rest())
                self._send(self._coalescer.rest(), utc)
                self._begins_at = len(self._pieces)
                self._has_text = False
            elif isinstance(event, Reasoning):
                self._thoughts.add(event.text, now)
            elif isinstance(event, Citation):
                self._sources.add(event)
            elif isinstance(event, Status):
                if event.state == "thinking":
                    self._thoughts.begin_again()
                self._listener.status(self.turn, event.state, event.detail)
            elif isinstance(event, Trace):
                self._request_ids += [event.request_id] if event.request_id else []
            else:
                self._finished = event
            return True

    def flush(self, now: float, utc: int) -> None:
        """Send what has been held long enough."""
        with self._lock:
            if not self.ended:
                self._send(self._coalescer.due(now), utc)

    def watch(self, now: float) -> None:
        """Tell once when the assistant has been silent for long."""
        with self._lock:
            if not (self.ended or self._stalled) and now - self._heard_at >= STALLED_AFTER:
                self._stalled = True
                self._listener.status(self.turn, "stalled")

    def unkept(self) -> tuple[str, str, int] | None:
        """(turn id, text, seq) if there are pieces past `kept_seq`, the last one that the journal has."""
        with self._lock:
            seq = len(self._pieces) - 1
            if self.ended or seq == self.kept_seq:
                return None
            return self.turn.id, "".join(self._pieces), seq

    @property
    def empty(self) -> bool:
        """It has no text, neither streamed nor completed."""
        completed = (self._finished and self._finished.text) or ""
        return not (self._has_text or has_text(completed))

    @property
    def thought(self) -> bool:
        """The model has thought, whether that is shown or not."""
        return self._thoughts.seconds is not None

    @property
    def outcome(self) -> TurnState | None:
        """How the assistant said that it ended; None while it has not: a stream that stops there was cut."""
        return TurnState(self._finished.state) if self._finished else None

    def end(
        self, state: TurnState, utc: int, error: TurnError | None = None, assistant: str | None = None
    ) -> Turn | None:
        """End the answer, once. The finished turn for whoever was first, None for all later callers."""
        with self._lock:
            if self.ended:
                return None
            self._coalescer.hold(self._sources.rest())
            self._send(self._coalescer.rest(), utc)
            self.ended = True
        text, corrected = self._final_text(state)
        if len(text) > self._most and corrected:
            text, state = text[: self._most], TurnState.TRUNCATED
        done = self._finished or Finished()
        return replace(
            self.turn, state=state, answer=text, seq=len(self._pieces) - 1, corrected=corrected, error=error,
            first_piece_at=self._first_piece_at, finished_at=utc, citations=self._sources.all(),
            usage=done.usage, assistant=assistant, model=done.model, response_id=done.response_id,
            request_ids=tuple(self._request_ids), reasoning=self._thoughts.shown(),
        )  # fmt: skip

    def _tell_thoughts(self, now: float) -> None:
        self._thoughts.pause(now)
        if self._thoughts.untold and (reasoning := self._thoughts.shown()):
            self._thoughts.untold = False
            self._listener.reasoning(self.turn, reasoning)

    def _final_text(self, state: TurnState) -> tuple[str, bool]:
        streamed = "".join(self._pieces[self._begins_at :])
        completed = self._finished.text if self._finished else None
        # A completed text that is empty says nothing about what was streamed.
        if not completed or state not in (TurnState.COMPLETE, TurnState.TRUNCATED):
            return streamed, self._begins_at > 0
        completed = self._sources.numbered(sendable(completed))
        return completed, completed != streamed or self._begins_at > 0

    def _fitting(self, text: str) -> str:
        text = sendable(text)
        self.full = self.full or len(text) > self._left
        text = text[: self._left]
        self._left -= len(text)
        return text

    def _heard(self, now: float) -> None:
        self._heard_at = now
        if self._stalled:
            self._stalled = False
            self._listener.status(self.turn, "answering" if self._pieces else "thinking")

    def _send(self, piece: str | None, utc: int) -> None:
        if piece is None:
            return
        if not self._pieces:
            self._first_piece_at = utc
            self._listener.status(self.turn, "answering")
        self._pieces.append(piece)
        self._listener.piece(self.turn, len(self._pieces) - 1, piece)
