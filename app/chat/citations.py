"""Sources of an answer: numbers for them, and `[n]` in the place of the markers that stand in the text.

A marker is `【4:0†policy.pdf】`; it can be split over deltas. Everything else in such brackets is ordinary text
and survives. Delivered text is final: a marker is decided on when it closes, and until then held back.
"""

from __future__ import annotations

import re
from typing import Any

from app.chat.interfaces import Citation, citation_fields

MARKER = re.compile(r"【\d+:\d+†([^【】\n]*)】")
HELD_AT_MOST = 200
"""Characters after an opening bracket that are held back for its closing one."""


class Sources:
    """The sources of one answer, numbered from 1 in the order in which the text names them."""

    def __init__(self) -> None:
        self._held = ""
        self._numbers: dict[str, int] = {}
        self._fields: dict[int, dict[str, Any]] = {}

    def pass_on(self, text: str) -> str:
        """What may be sent of `text` and of what was held before it, with numbers for markers."""
        text = self._held + text
        opening = text.rfind("【")
        keep = opening >= 0 and _may_become_a_marker(text[opening:])
        self._held = text[opening:] if keep else ""
        return self.numbered(text[:opening] if keep else text)

    def rest(self) -> str:
        """What is still held, at the end of the answer: no marker."""
        held, self._held = self._held, ""
        return held

    def numbered(self, text: str) -> str:
        """A whole text with numbers for markers."""
        return (
            MARKER.sub(lambda match: f"[{self._number(match[1], filename=match[1])}]", text) if "【" in text else text
        )

    def add(self, citation: Citation) -> None:
        """Learn about a source: one that a marker stands for, or one that the text names otherwise."""
        match = MARKER.fullmatch(citation.marker or "")
        named = citation.url or citation.filename or citation.file_id or citation.title or ""
        name = match[1] if match else named
        number = self._number(name)
        self._fields[number] |= citation_fields(citation)

    def all(self) -> tuple[dict[str, Any], ...]:
        """Every source with its number `n`."""
        return tuple({"n": number, **fields} for number, fields in sorted(self._fields.items()))

    def _number(self, name: str, **fields: str) -> int:
        number = self._numbers.setdefault(name, len(self._numbers) + 1)
        self._fields.setdefault(number, {k: v for k, v in fields.items() if v})
        return number


def _may_become_a_marker(text: str) -> bool:
    return "】" not in text and "\n" not in text and len(text) <= HELD_AT_MOST
