"""Joins neighbouring deltas into pieces, so that one packet carries several of them. Told the time."""

from __future__ import annotations

INTERVAL = 0.03
"""Seconds between two pieces of a turn at the least. The first piece is never delayed."""


class Coalescer:
    """Holds text back for at most `interval` seconds.

    `add` gives the piece to send now, if one is due; whoever owns it calls `due` at least once an
    interval, so that nothing stays behind when the assistant pauses.
    """

    def __init__(self, interval: float = INTERVAL) -> None:
        self._interval = interval
        self._held: list[str] = []
        self._sent_at = float("-inf")

    def add(self, text: str, now: float) -> str | None:
        self.hold(text)
        return self.due(now)

    def hold(self, text: str) -> None:
        if text:
            self._held.append(text)

    def due(self, now: float) -> str | None:
        if not self._held or now - self._sent_at < self._interval:
            return None
        self._sent_at = now
        return self.rest()

    def rest(self) -> str | None:
        """Whatever is held, for the end of the answer."""
        if not self._held:
            return None
        piece = "".join(self._held)
        self._held.clear()
        return piece
