"""Long answers to measure with. Every word is different, so that a lost or doubled one shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import count, islice

CHARACTERS = 90_000
"""20,000 tokens of 4.5 characters."""


def of_kind(kind: str, characters: int = CHARACTERS) -> str:
    """A Markdown text of about so many characters."""
    return KINDS[kind](characters)


def bare(markdown: str) -> str:
    """What a page has to show of such a text: its letters and digits, without marks."""
    return re.sub(r"[^A-Za-z0-9]", "", re.sub(r"^```.*$", "", markdown, flags=re.MULTILINE))


def words() -> Iterator[str]:
    for number in count(1):
        yield f"{('stream', 'of', 'words', 'answer', 'long')[number % 5]}{number}"


def mixed(characters: int) -> str:
    source = words()
    sections: list[str] = []
    while sum(map(len, sections)) < characters:
        table = "".join(f"| {' | '.join(islice(source, 3))} |\n" for _ in range(6))
        sections.append(
            f"## {_line(source, 4)}\n\n{_line(source, 60)}, **{_line(source, 3)}** and `{next(source)}`.\n\n"
            + "".join(f"- {_line(source, 8)} *{next(source)}*\n" for _ in range(6))
            + f"\n```python\n{_lines(source, 12)}```\n\n{_line(source, 40)}.\n\n"
            + f"| {' | '.join(islice(source, 3))} |\n|---|---|--:|\n{table}\n> {_line(source, 20)}.\n\n"
        )
    return "".join(sections)


def code(characters: int) -> str:
    return f"```python\n{_lines(words(), characters // 45)}```"


def list_(characters: int) -> str:
    source = words()
    return "".join(f"- {_line(source, 5)} **{next(source)}** `{next(source)}`\n" for _ in range(characters // 85))


def table(characters: int) -> str:
    source = words()
    rows = "".join(f"| {_line(source, 2)} | {_line(source, 3)} | {next(source)} |\n" for _ in range(characters // 80))
    return f"| {' | '.join(islice(source, 3))} |\n|---|---|--:|\n{rows}"


def paragraph(characters: int) -> str:
    source = words()
    return " ".join(f"{_line(source, 11)} *{next(source)}*." for _ in range(characters // 125))


def _line(source: Iterator[str], length: int) -> str:
    return " ".join(islice(source, length))


def _lines(source: Iterator[str], number: int) -> str:
    return "".join(f"    {next(source)} = {next(source)}({next(source)})\n" for _ in range(number))


KINDS: dict[str, Callable[[int], str]] = {
    "mixed": mixed,
    "code": code,
    "list": list_,
    "table": table,
    "paragraph": paragraph,
}
