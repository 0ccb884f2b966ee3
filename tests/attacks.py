"""The texts of `widget/test/attacks.ts`, which the widget's own tests use as well: one list for both."""

from __future__ import annotations

import re
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "widget/test/attacks.ts"
PART = re.compile(r'`(?P<template>(?:[^`\\]|\\.)*)`|"(?P<string>(?:[^"\\]|\\.)*)"|(?P<name>HIT)')
ESCAPE = re.compile(r"\\(u[0-9a-f]{4}|.)")
ESCAPES = {"n": "\n", "t": "\t"}


def _read() -> tuple[str, ...]:
    text = SOURCE.read_text(encoding="utf-8")
    hit = re.search(r'const HIT = "(.*)";', text)
    assert hit
    lines = [line.strip() for line in text.split("= [\n")[1].split("\n];")[0].splitlines()]
    return tuple(_value(line, hit[1]) for line in lines if not line.startswith("//"))


def _value(line: str, hit: str) -> str:
    assert not PART.sub("", line).strip(" +,"), f"attacks.ts: {line}"
    parts = []
    for match in PART.finditer(line):
        raw = hit if match["name"] else (match["template"] or match["string"] or "")
        parts.append(ESCAPE.sub(_unescaped, raw.replace("${HIT}", hit)))
    return "".join(parts)


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    return chr(int(code[1:], 16)) if len(code) > 1 else ESCAPES.get(code, code)


ATTACKS = _read()
