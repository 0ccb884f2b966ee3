"""What a stream has said so far, whichever API it belongs to."""

from __future__ import annotations

from collections.abc import Iterator

from app.assistants.think_tags import ThinkTags
from app.chat.interfaces import Event, Reasoning


class Reading:
    """The text and the reasoning of one stream. `junk`: something came that was neither an event nor a keep-alive."""

    def __init__(self) -> None:
        self.tags = ThinkTags()
        self._received: list[str] = []
        self._thought = False
        self._junk = False

    @property
    def received(self) -> str:
        """The text as it came, with think tags."""
        return "".join(self._received)

    def _add(self, text: str) -> Iterator[Event]:
        if text:
            self._received.append(text)
            yield from self.tags.feed(text)

    def _think(self, text: str) -> Iterator[Event]:
        if text:
            self._thought = True
            yield Reasoning(text)
