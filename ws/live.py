"""Replay: the pieces of turns that are being answered, or were a moment ago, for clients that come in the middle.

A piece is appended here before it is sent, so that whoever joined the room first and reads here afterwards
misses none. A turn is finished here after its final state was written, so that whoever reads here first and
the journal second sees at least one of the two. Kept in memory, for the turns of this worker.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from sys import getsizeof
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A running turn's text so far, and the last `seq` that it covers (-1: none)."""

    text: str
    seq: int


class Replay(Protocol):
    """Where pieces are kept for replay."""

    def append(self, turn_id: str, seq: int, text: str) -> None: ...

    def snapshot(self, turn_id: str) -> Snapshot: ...

    def read(self, turn_id: str, after: int) -> list[tuple[int, str]] | Snapshot:
        """The pieces after `after`, as (seq, text); a snapshot where that number is not known here."""

    def finish(self, turn_id: str) -> None:
        """No more pieces follow: the turn may be forgotten when there is a reason to."""


@dataclass(slots=True)
class _Kept:
    pieces: list[str] = field(default_factory=list)
    size: int = 0
    forget_at: float = 0


class MemoryReplay:
    """Replay for one worker.

    Finished turns are kept for `seconds`, and while all turns together are not larger than `max_bytes`:
    the one that finished first goes first. Turns that are being answered are always kept whole; an answer's
    own limit (`MAX_ANSWER`) bounds them.
    """

    def __init__(
        self, seconds: float = 60, max_bytes: int = 64 * 1024 * 1024, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._clock = clock
        self._turns: dict[str, _Kept] = {}
        self._finished: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()
        self.size = 0
        """Bytes of memory that the pieces take."""

    def append(self, turn_id: str, seq: int, text: str) -> None:
        with self._lock:
            kept = self._turns.setdefault(turn_id, _Kept())
            if seq != len(kept.pieces):
                raise ValueError(f"piece {seq} of a turn that has {len(kept.pieces)}")
            kept.pieces.append(text)
            kept.size += getsizeof(text)
            self.size += getsizeof(text)
        if self.size > self._max_bytes:
            self.forget()

    def read(self, turn_id: str, after: int) -> list[tuple[int, str]] | Snapshot:
        pieces = self._pieces(turn_id)
        if after >= len(pieces):
            return Snapshot("".join(pieces), len(pieces) - 1)
        return list(enumerate(pieces[after + 1 :], after + 1))

    def snapshot(self, turn_id: str) -> Snapshot:
        pieces = list(self._pieces(turn_id))
        return Snapshot("".join(pieces), len(pieces) - 1)

    def finish(self, turn_id: str) -> None:
        with self._lock:
            kept = self._turns.pop(turn_id, None)
            if kept is not None:
                kept.forget_at = self._clock() + self._seconds
                self._finished[turn_id] = kept
        self.forget()

    def drop(self, turn_ids: Iterable[str]) -> None:
        """Let go of these turns at once, whatever they are doing."""
        with self._lock:
            for turn_id in turn_ids:
                for kept in (self._turns.pop(turn_id, None), self._finished.pop(turn_id, None)):
                    self.size -= kept.size if kept else 0

    def forget(self) -> None:
        """Let go of finished turns that are too old or too many. To be called now and then."""
        now = self._clock()
        with self._lock:
            while self._finished:
                oldest = next(iter(self._finished.values()))
                if self.size <= self._max_bytes and now < oldest.forget_at:
                    return
                self.size -= oldest.size
                self._finished.popitem(last=False)

    def _pieces(self, turn_id: str) -> list[str]:
        kept = self._turns.get(turn_id) or self._finished.get(turn_id)
        return kept.pieces if kept else []
