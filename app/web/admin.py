"""The door to operators' routes: `Authorization: Bearer <ADMIN_TOKEN>`, and 404 where no token is set."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import wraps

from flask import Response, abort, request
from pydantic import SecretStr

Route = Callable[[], Response]


def operators_only(token: SecretStr | None) -> Callable[[Route], Route]:
    """A decorator for routes that only the holder of `token` may use."""

    def decorate(route: Route) -> Route:
        @wraps(route)
        def guarded() -> Response:
            if token is None:
                abort(404)
            given = request.headers.get("Authorization", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {token.get_secret_value()}".encode()):
                return Response("Authorization: Bearer <ADMIN_TOKEN> is needed.\n", 401, {"WWW-Authenticate": "Bearer"})
            return route()

        return guarded

    return decorate
