"""Which function answers which path."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .misbehaviour import Refusal, invalid


@dataclass(frozen=True)
class Route:
    """`path` has `*` for an id. An answering route chooses its scenario itself, once it knows the prompt."""

    method: str
    path: str
    action: Callable[..., None]
    answering: bool = False

    def parts(self, path: str) -> tuple[str, ...] | None:
        """The ids in a path, or None if it is another path."""
        found = re.fullmatch(re.escape("/v1" + self.path).replace(r"\*", "([^/]+)"), path)
        return None if found is None else found.groups()


def matching(routes: Iterable[Route], method: str, path: str) -> tuple[Route, tuple[str, ...]]:
    """The route for a request, and the ids in its path."""
    other_method = False
    for route in routes:
        parts = route.parts(path)
        if parts is not None and route.method == method:
            return route, parts
        other_method |= parts is not None
    if other_method:
        raise invalid(f"Not allowed to {method} on {path}.", code="method_not_supported", status=405)
    raise invalid(f"Invalid URL ({method} {path})", status=404)


def not_found(kind: str, ident: str) -> Refusal:
    """OpenAI's 404 for an id."""
    return invalid(f"No {kind} found with id '{ident}'.", status=404)
