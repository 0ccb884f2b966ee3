"""The door to operators' routes: `Authorization: Bearer <ADMIN_TOKEN>`, and 404 where no token is set."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import wraps

from flask import Response, abort, request
from pydantic import SecretStr

Route = Callable[..., Response]


def operators_only(token: SecretStr | None) -> Callable[[Route], Route]:
    """A decorator for routes that only the holder of `token` may use."""

    def decorate(route: Route) -> Route:
        @wraps(route)
        def guarded(**parts: str) -> Response:
            if token is None:
                abort(404)
            scheme, _, given = request.headers.get("Authorization", "").partition(" ")
            known = hmac.compare_digest(given.encode(), token.get_secret_value().encode())
            if scheme.lower() != "bearer" or not known:
                headers = {"WWW-Authenticate": "Bearer", "Content-Type": "text/plain"}
                return Response("Authorization: Bearer <ADMIN_TOKEN> is needed.\n", 401, headers)
            return route(**parts)

        return guarded

    return decorate
