"""Function calls that a model makes although it was offered no function: each is answered with an error.

A call that nobody answers leaves the other side waiting, or the visitor with an empty answer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from app.assistants.fields import mapping, text_of
from app.errors import AssistantError, Code

MOST_ROUNDS = 10
UNNAMED = "unknown"
NO_SUCH_FUNCTION = '{"error": "There is no such function here. Answer without it."}'


@dataclass(slots=True)
class Call:
    """A function call as it is put together from its parts. `index`: where the server counts it, if it does."""

    index: int | None = None
    id: str = ""
    name: str = ""
    arguments: str = ""


class CallParts:
    """The calls of one completion. Servers identify a part's call by an index, by an id, or not at all."""

    def __init__(self) -> None:
        self._calls: list[Call] = []

    def take(self, part: dict[str, Any]) -> None:
        """Add one element of a delta's `tool_calls`."""
        function = mapping(part.get("function"))
        arguments = function.get("arguments")
        call = self._call_of(part, text_of(function.get("name")))
        call.arguments += json.dumps(arguments) if isinstance(arguments, dict) else text_of(arguments)

    def all(self) -> list[Call]:
        """Every call, each with an id."""
        for number, call in enumerate(self._calls):
            call.id = call.id or f"call_{number}"
        return self._calls

    def __bool__(self) -> bool:
        return bool(self._calls)

    def _call_of(self, part: dict[str, Any], name: str) -> Call:
        index = part["index"] if isinstance(part.get("index"), int) else None
        ident = text_of(part.get("id"))
        call = self._known(index, ident, name)
        if call is None:
            call = Call()
            self._calls.append(call)
        call.index = call.index if index is None else index
        call.id = call.id or ident
        if name and not call.name.endswith(name):
            call.name += name
        return call

    def _known(self, index: int | None, ident: str, name: str) -> Call | None:
        """The call that a part goes on with; None: it begins one."""
        if not self._calls:
            return None
        last = self._calls[-1]
        if ident:
            named = next((call for call in self._calls if call.id == ident), None)
            # An id that is new begins a call, also where all calls are said to have the index 0; but not where every
            # part of one call has an id of its own.
            goes_on = _fits(last, index) and (not last.id or (index is not None and not name))
            return named or (last if goes_on else None)
        if index is not None:
            counted = next((call for call in reversed(self._calls) if call.index == index), None)
            return last if last.index is None else counted
        # Neither an index nor an id: a name after a whole call begins the next one.
        return None if name and last.name and last.arguments else last


def _fits(call: Call, index: int | None) -> bool:
    return index is None or call.index in (None, index)


def valid_arguments(arguments: object) -> str:
    """Arguments as a strict server takes them when a call is sent back to it: a JSON object in any case."""
    try:
        found = json.loads(arguments, parse_constant=_no_number) if isinstance(arguments, str) else None
    except ValueError:
        found = None
    return str(arguments) if isinstance(found, dict) else "{}"


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def too_many_rounds() -> AssistantError:
    """For a model that will not stop calling functions."""
    sentence = "The assistant could not answer this message."
    return AssistantError(Code.ASSISTANT_REFUSED, sentence, detail=f"more than {MOST_ROUNDS} rounds of calls")


def add_usage(total: dict[str, int], more: dict[str, int] | None) -> dict[str, int]:
    """Tokens by name, summed over the rounds of one answer."""
    return {name: total.get(name, 0) + (more or {}).get(name, 0) for name in total | (more or {})}
