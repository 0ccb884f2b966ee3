"""How times, durations and found words are shown in the transcript viewer. Pure; its texts are escaped by the pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from datetime import date as Date

AROUND = 70
"""Characters that a snippet shows before the first word that was looked for."""
MOST_MARKS = 500


def moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def clock(milliseconds: int) -> str:
    return f"{moment(milliseconds):%H:%M}"


def date(milliseconds: int) -> str:
    """Such as `21 Nov`."""
    at = moment(milliseconds)
    return f"{at.day} {at:%b}"


def stamp(milliseconds: int) -> str:
    """Such as `21 November 2026, 14:03:07`."""
    at = moment(milliseconds)
    return f"{at.day} {at:%B %Y, %H:%M:%S}"


def day_name(milliseconds: int, now: int) -> str:
    """`Today`, `Yesterday`, or such as `Friday, 20 November`, with the year if it is another one."""
    day, today = moment(milliseconds).date(), moment(now).date()
    if day == today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    return short_day(day) if day.year == today.year else f"{short_day(day)} {day.year}"


def short_day(day: Date) -> str:
    return f"{day:%A}, {day.day} {day:%B}"


def duration(milliseconds: float | None) -> str:
    """Such as `0.08 s`, `1.4 s`, `2 min 05 s`; a dash for none."""
    if milliseconds is None:
        return "–"  # noqa: RUF001
    seconds = milliseconds / 1000
    if seconds < 0.1:
        return f"{seconds:.2f} s"
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{round(seconds) // 60} min {round(seconds) % 60:02} s"


def count(number: int) -> str:
    """With thin spaces between thousands."""
    return f"{number:,}".replace(",", "\u202f")


def marked(text: str, words: Sequence[str]) -> list[tuple[bool, str]]:
    """The text in parts, each with whether it is one of the words; together they are the text."""
    if not words:
        return [(False, text)]
    pattern = re.compile("(" + "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) + ")", re.I)
    parts = pattern.split(text, maxsplit=MOST_MARKS)
    return [(index % 2 == 1, part) for index, part in enumerate(parts) if part]


def snippet(text: str, words: Sequence[str], length: int) -> str:
    """A piece of the text on one line: from its beginning, or around the first word that is found."""
    starts = [match.start() for word in words if (match := re.search(re.escape(word), text, re.I))]
    start = max(0, min(starts) - AROUND) if starts else 0
    # From a word's beginning, where there is one.
    start += (text[start : start + AROUND].find(" ") + 1) if start else 0
    piece = " ".join(text[start : start + length * 2].split())
    cut = piece if len(piece) <= length else f"{piece[:length].rstrip()} …"
    return f"… {cut}" if start else cut
