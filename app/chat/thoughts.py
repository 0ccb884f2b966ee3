"""What a model thinks before it answers: collected beside the answer, with the time that it took. Told the time."""

from __future__ import annotations

from typing import Any

from app.chat.text import sendable

MOST = 100_000
"""Characters that are kept of the reasoning of one answer."""


class Thoughts:
    """The reasoning of one answer. `show`: visitors see it; without that no text is kept."""

    def __init__(self, show: bool) -> None:
        self._show = show
        self._texts: list[str] = []
        self._left = MOST
        self._since: float | None = None
        self._last = 0.0
        self._before = 0.0
        self.untold = False

    def add(self, text: str, now: float) -> None:
        self._since = now if self._since is None else self._since
        self._last = now
        if self._show and self._left > 0:
            text = sendable(text)[: self._left]
            self._left -= len(text)
            self._texts.append(text)
            self.untold = True

    def begin_again(self) -> None:
        """What was thought so far is void, unless it was told: the model is asked anew."""
        if self.untold:
            self._texts.clear()
            self._left = MOST
            self.untold = False

    def pause(self, now: float) -> None:
        """The answer goes on."""
        if self._since is not None:
            self._before += now - self._since
            self._since = None

    @property
    def seconds(self) -> float | None:
        """How long the model has thought; None: it has not."""
        running = self._last - self._since if self._since is not None else 0.0
        return self._before + running if self._texts or self._before or self._since is not None else None

    def shown(self) -> dict[str, Any] | None:
        """What a client is told, and the journal keeps: `{"text", "seconds"}`."""
        text = "".join(self._texts).strip()
        return {"text": text, "seconds": round(self.seconds or 0.0, 1)} if text else None
