"""Scenarios written into a message: `Hello [[delay=0.05]] [[429=2]]`.

`[[field]]` and `[[field=value]]` set the field of that name of `Scenario`; `SHORT` has shorter words for common ones.
A number after an HTTP error (`[[429=2]]`) says how many requests with this text get it before all is normal; without
it, all do. `[[times=N]]` says the same for every other trouble in the text. An unknown directive is an error.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from .scenario import ANSWER_FIELDS, Scenario

DIRECTIVE = re.compile(r"\s*\[\[(\w+)(?:=(.*?))?\]\]", re.DOTALL)

ERRORS: dict[str, dict[str, Any]] = {
    **{
        status: {"status": int(status)}
        for status in ("400", "401", "403", "404", "405", "422", "429", "500", "501", "502", "503")
    },
    "quota": {"status": 429, "code": "insufficient_quota"},
    "context_length": {"status": 400, "code": "context_length_exceeded"},
    "model_not_found": {"status": 404, "code": "model_not_found"},
    "filtered": {"status": 400, "code": "content_filter"},
    "locked": {"status": 400, "code": "conversation_locked"},
}
"""HTTP errors; `[[name=N]]` for the first N requests."""

SHORT: dict[str, dict[str, Any]] = {
    **{ending: {"ending": ending} for ending in ("cut", "reset", "end", "content_filter", "cancelled", "expired")},
    "json": {"body": "json"},
    "html": {"body": "html"},
    "whole": {"body": "whole"},
    "tool": {"tools": 1},
}
WITH_CODE = ("failed", "incomplete", "error_flat", "error_nested")
"""Endings; `[[failed=rate_limit_exceeded]]` sets the code."""

KINDS: dict[str, str] = {field.name: str(field.type) for field in fields(Scenario)}
CHOICES: dict[str, tuple[str, ...]] = {
    name: get_args(hint) for name, hint in get_type_hints(Scenario).items() if get_origin(hint) is Literal
}


def family_directive(text: str) -> str:
    """The family that a text names, or ""."""
    return next((value for name, value in DIRECTIVE.findall(text) if name == "family"), "")


class UnknownDirective(ValueError):
    """A directive that is spelt wrongly."""


def names() -> list[str]:
    """Every directive."""
    return sorted({*ERRORS, *SHORT, *WITH_CODE, *KINDS, "times"})


def plain(text: str) -> str:
    """The text without its directives."""
    return DIRECTIVE.sub("", text).strip()


class Directives:
    """Reads directives, and counts those that wear out."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()

    def applied(self, text: str, base: Scenario) -> Scenario:
        """`base` with what the directives in `text` change. Counts one request with this text."""
        found = DIRECTIVE.findall(text)
        trouble = (
            self._due(text, "times", next((int(value) for name, value in found if name == "times"), None))
            if found
            else True
        )
        scenario, refused = base, False
        for name, value in found:
            if name in ERRORS:
                if not refused and self._due(text, name, int(value) if value else None):
                    scenario, refused = replace(scenario, **ERRORS[name]), True
            elif name != "times":
                changes = changes_of(name, value)
                scenario = replace(scenario, **changes) if trouble or changes.keys() <= ANSWER_FIELDS else scenario
        return scenario

    def _due(self, text: str, name: str, times: int | None) -> bool:
        self.counts[text, name] += 1
        return times is None or self.counts[text, name] <= times


def changes_of(name: str, value: str) -> Mapping[str, Any]:
    """The fields that one directive sets."""
    if name in WITH_CODE:
        return {"ending": name} | ({"code": code_of(value)} if value else {})
    if name in SHORT and not value:
        return SHORT[name]
    if name == "tool":
        return {"tools": int(value)}
    if name not in KINDS:
        raise UnknownDirective(f"The double knows no directive [[{name}]].")
    return {name: _read(name, value)}


def _read(name: str, value: str) -> Any:
    kind = KINDS[name]
    if kind == "bool":
        return value in ("", "1", "true")
    if kind.startswith("int"):
        return int(value or 1)
    if kind.startswith("float"):
        return float(value)
    if name == "code":
        return code_of(value)
    value = "file" if name == "cite" and not value else value
    if value not in CHOICES.get(name, (value,)):
        raise UnknownDirective(f"The double knows [[{name}]] as {', '.join(CHOICES[name])}, not as {value!r}.")
    return value


def code_of(value: str) -> str | int:
    """A number, if it is written as one; in double quotes it is text."""
    if value.lstrip("-").isdecimal():
        return int(value)
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
