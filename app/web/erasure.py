"""Erasure over HTTP, for operators: `DELETE /api/conversations/<uuid>` and `DELETE /api/users/<id>`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, Response, jsonify, request
from pydantic import SecretStr
from werkzeug.routing import BaseConverter

from app.errors import ChatServerError
from app.web.admin import operators_only

Erase = Callable[[str, str, bool], dict[str, Any]]
"""Kind (conversation, user), id, whether only to count → what is told. Raises `ValueError`, `ChatServerError`."""
YES = ("true", "1", "yes")
NEEDED = {"conversation": "a UUID of 36 characters", "user": "one line of 1 to 200 characters"}


class AnyText(BaseConverter):
    """A part of a path that may be any text, decoded."""

    regex = ".+"
    part_isolating = False


def add_erasure(flask: Flask, *, admin_token: SecretStr | None, erase: Erase) -> None:
    """Add the two routes. 200: done; 202: it goes on, and says what it waits for; 503: nothing was touched."""
    routes = Blueprint("erasure", __name__)

    @routes.delete("/api/conversations/<subject>")
    @operators_only(admin_token)
    def erase_conversation(subject: str) -> Response:
        return _answer(erase, "conversation", subject)

    # A user's id may be any text, also one with slashes.
    @routes.delete("/api/users/<any_text:subject>", merge_slashes=False)
    @operators_only(admin_token)
    def erase_user(subject: str) -> Response:
        return _answer(erase, "user", subject)

    flask.url_map.converters["any_text"] = AnyText
    flask.register_blueprint(routes)


def _answer(erase: Erase, kind: str, subject: str) -> Response:
    dry_run = request.args.get("dry_run", "false").lower()
    if dry_run not in (*YES, "false", "0", "no"):
        return _refusal(400, "dry_run must be true or false.")
    try:
        told = erase(kind, subject, dry_run in YES)
    except ValueError:
        return _refusal(400, f"This is not the id of a {kind}: {NEEDED[kind]} is needed.")
    except ChatServerError as error:
        return _refusal(503, f"Nothing was touched: {error}")
    response = jsonify(told)
    response.status_code = 200 if told.get("done", True) else 202
    return response


def _refusal(status: int, message: str) -> Response:
    response = jsonify(error={"message": message})
    response.status_code = status
    return response
