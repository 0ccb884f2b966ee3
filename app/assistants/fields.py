"""Fields of JSON that somebody else sent: of the type that is expected, or empty."""

from __future__ import annotations

from typing import Any

USAGE = {"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens", "total_tokens": "total_tokens"}
"""Token counts as Chat Completions and runs name them -> as they are recorded, like those of Responses."""


def mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


def tokens_of(usage: object, names: dict[str, str]) -> dict[str, int] | None:
    """Token counts under our names. `names`: theirs -> ours. Those of the reasoning are among the output's."""
    if not isinstance(usage, dict):
        return None
    counts = usage
    found = {ours: counts[theirs] for theirs, ours in names.items() if _is_count(counts.get(theirs))}
    for details in ("completion_tokens_details", "output_tokens_details"):
        reasoning = mapping(counts.get(details)).get("reasoning_tokens")
        if _is_count(reasoning) and reasoning:
            found["reasoning_tokens"] = reasoning
    return found or None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
