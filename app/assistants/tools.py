"""Function calls that a model makes although it was offered no function: each is answered with an error.

A call that nobody answers leaves the other side waiting, or the visitor with an empty answer.
"""

from __future__ import annotations

from app.errors import AssistantError, Code

MOST_ROUNDS = 10
NO_SUCH_FUNCTION = '{"error": "There is no such function here. Answer without it."}'


def too_many_rounds() -> AssistantError:
    """For a model that will not stop calling functions."""
    sentence = "The assistant could not answer this message."
    return AssistantError(Code.ASSISTANT_REFUSED, sentence, detail=f"more than {MOST_ROUNDS} rounds of calls")


def add_usage(total: dict[str, int], more: dict[str, int] | None) -> dict[str, int]:
    """Tokens by name, summed over the rounds of one answer."""
    return {name: total.get(name, 0) + (more or {}).get(name, 0) for name in total | (more or {})}
