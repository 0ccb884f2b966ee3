"""What an operator asked the list for, from the address and back into one. Nothing that is asked is an error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

MOST_CHARS = 200
HOUR, DAY = 3_600_000, 86_400_000
OUTCOMES = {
    "complete": "Complete", "stopped": "Stopped", "failed": "Failed", "truncated": "Cut off",
    "interrupted": "Interrupted", "running": "Running", "queued": "Waiting",
}  # fmt: skip
FEEDBACK = {"up": "Thumbs up", "down": "Thumbs down", "comment": "With a comment"}
SPANS = {"24h": ("Last 24 hours", 24 * HOUR), "7d": ("Last 7 days", 7 * DAY), "30d": ("Last 30 days", 30 * DAY)}
CURSOR = re.compile(r"(\d{1,15})\.([0-9A-Za-z-]{1,64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Filters:
    """The fields of the form, checked: an unknown value is none. `day` is a date (UTC) such as 2026-11-21."""

    q: str = ""
    outcome: str = ""
    feedback: str = ""
    span: str = ""
    user: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self.q.split())[:8]

    @property
    def active(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))

    @property
    def scattered(self) -> bool:
        """Whether few conversations of each day will fit."""
        return bool(self.q or self.outcome or self.feedback or self.user)

    @property
    def is_day(self) -> bool:
        return bool(self.span) and self.span not in SPANS

    def criteria(self, now: int) -> dict[str, Any]:
        """As `Reader.find` takes it; `now` in milliseconds since 1970."""
        since = until = None
        if self.is_day:
            since = start_of_day(self.span)
            until = since + DAY if since is not None else None
        elif self.span:
            since = now - SPANS[self.span][1]
        return {
            "words": self.words, "state": self.outcome or None, "rating": self.feedback or None,
            "user": self.user or None, "since": since, "until": until,
        }  # fmt: skip

    def query(self, **more: str) -> str:
        """The address's query string, with its `?`; empty without any."""
        values = {field.name: getattr(self, field.name) for field in fields(self)} | more
        text = urlencode({name: value for name, value in values.items() if value})
        return f"?{text}" if text else ""


def read(arguments: Mapping[str, str]) -> Filters:
    """The filters of an address."""
    span = arguments.get("span", "")
    return Filters(
        q=" ".join(_plain(arguments.get("q", "")).split())[:MOST_CHARS].strip(),
        outcome=_one_of(arguments.get("outcome", ""), OUTCOMES),
        feedback=_one_of(arguments.get("feedback", ""), FEEDBACK),
        span=span if start_of_day(span) is not None else _one_of(span, SPANS),
        user=_plain(arguments.get("user", "")).strip()[:MOST_CHARS].strip(),
    )


def read_cursor(text: str) -> tuple[int, str] | None:
    match = CURSOR.fullmatch(text)
    return (int(match[1]), match[2]) if match else None


def start_of_day(text: str) -> int | None:
    """Milliseconds since 1970 at which a date such as 2026-11-21 begins (UTC)."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        return None
    try:
        return round(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        return None


def _plain(text: str) -> str:
    """Without what no database takes: NUL, and halves of characters."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode()


def _one_of(value: str, known: Mapping[str, Any]) -> str:
    return value if value in known else ""
