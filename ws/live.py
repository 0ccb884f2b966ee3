"""Replay: the pieces of turns that are being answered, for clients that come in the middle.

A piece is appended here before it is sent, so that whoever joined the room first and reads here afterwards
misses none. A turn's pieces are dropped after its final state was written and sent, so that whoever reads here
first and the journal second sees at least one of the two. Kept in memory, for the turns of this worker.
"""

from __future__ import annotations

from dataclasses import dataclass
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

    def drop(self, turn_id: str) -> None: ...


class MemoryReplay:
    """Replay for one worker."""

    def __init__(self) -> None:
        self._pieces: dict[str, list[str]] = {}

    def append(self, turn_id: str, seq: int, text: str) -> None:
        pieces = self._pieces.setdefault(turn_id, [])
        if seq != len(pieces):
            raise ValueError(f"piece {seq} of a turn that has {len(pieces)}")
        pieces.append(text)

    def read(self, turn_id: str, after: int) -> list[tuple[int, str]] | Snapshot:
        pieces = self._pieces.get(turn_id, [])
        if after >= len(pieces):
            return Snapshot("".join(pieces), len(pieces) - 1)
        return list(enumerate(pieces[after + 1 :], after + 1))

    def snapshot(self, turn_id: str) -> Snapshot:
        pieces = list(self._pieces.get(turn_id, ()))
        return Snapshot("".join(pieces), len(pieces) - 1)

    def drop(self, turn_id: str) -> None:
        self._pieces.pop(turn_id, None)
