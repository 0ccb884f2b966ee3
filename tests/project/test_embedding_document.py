"""docs/embedding.md names every option, call and event that the widget has, and none that it has not."""

from __future__ import annotations

import re

from tests.running_server import ROOT

SOURCES = ROOT / "widget/src"
DOCUMENT = (ROOT / "docs/embedding.md").read_text(encoding="utf-8")


def part(title: str) -> str:
    return DOCUMENT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title: str, table: int = 0) -> set[str]:
    """The names in the first column of a table below a heading."""
    tables = re.findall(r"^\|[ -|]+\|\n((?:\|.*\n)+)", part(title), re.M)
    return {name for row in tables[table].splitlines() for name in re.findall(r"`([^`]+)`", row.split(" | ")[0])}


def members(interface: str, name: str) -> set[str]:
    """The fields and calls of an interface of api.ts."""
    source = (SOURCES / "api.ts").read_text(encoding="utf-8")
    body = source.split(f"export interface {interface} {{\n")[1].split("\n}\n")[0]
    return set(re.findall(name, body, re.M))


def test_every_option_has_its_row() -> None:
    source = (SOURCES / "options.ts").read_text(encoding="utf-8")
    (names,) = re.findall(r"readOptions\(\{([^}]*)\}: DOMStringMap\)", source)
    fields = re.findall(r"(\w+)(?: = [^,]*)?(?:,|$)", names.strip())
    assert len(fields) > 5
    assert rows("Options") == {re.sub("([A-Z])", r"-\1", f"data-{field}").lower() for field in fields}


def test_every_language_is_named() -> None:
    languages = {path.stem for path in (SOURCES / "texts").glob("*.json")}
    assert languages
    (row,) = re.findall(r"^\| `data-language` .*$", part("Options"), re.M)
    assert languages <= set(re.findall(r"`(\w\w)`", row))


def test_every_call_and_every_event_has_its_row() -> None:
    calls = {call.partition("(")[0] for call in rows("From your own scripts", 0)}
    assert calls == members("AssistantChat", r"^  (\w+)[(<]")
    assert rows("From your own scripts", 1) == members("Events", r"^  (\w+): ")
