"""`GET /api/conversations/<uuid>`: a conversation as JSON, for its owner (the token of `session`) and for operators."""

from __future__ import annotations

import hmac
from typing import Any, Protocol

from flask import Blueprint, Response, jsonify, request
from pydantic import SecretStr

from app.errors import ChatError, Code

STATUSES = {Code.UNAUTHORIZED: 401, Code.UNKNOWN_CONVERSATION: 404, Code.BAD_PAYLOAD: 400}
"""Of error codes; any other is a 503."""


class Conversations(Protocol):
    """Conversations as objects. Both raise `ChatError`."""

    def for_operator(self, conversation: str, start: int = 0) -> dict[str, Any]: ...

    def for_visitor(self, token: str, conversation: str, start: int = 0) -> dict[str, Any]: ...


def conversation_routes(conversations: Conversations, admin_token: SecretStr | None) -> Blueprint:
    """The route. Without `admin_token` there are no operators."""
    routes = Blueprint("conversations", __name__)

    @routes.get("/api/conversations/<conversation>")
    def read(conversation: str) -> Response:
        token, start = _bearer(), _start()
        if admin_token is not None and hmac.compare_digest(token.encode(), admin_token.get_secret_value().encode()):
            found = conversations.for_operator(conversation.lower(), start)
        else:
            found = conversations.for_visitor(token, conversation.lower(), start)
        response = jsonify(found)
        response.add_etag()
        response.make_conditional(request)
        return response

    @routes.errorhandler(ChatError)
    def explain(error: ChatError) -> Response:
        body: dict[str, object] = {"code": error.code, "message": error.message}
        response = jsonify({"error": body})
        response.status_code = STATUSES.get(error.code, 503)
        if response.status_code == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        if error.retry_after is not None:
            response.headers["Retry-After"] = str(round(error.retry_after))
        return response

    @routes.after_request
    def keep_private(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        response.headers["Vary"] = "Authorization"
        return response

    return routes


def _bearer() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise ChatError(Code.UNAUTHORIZED, "Authorization: Bearer <token> is needed.")
    return token.strip()


def _start() -> int:
    given = request.args.get("from", "0")
    if not (given.isascii() and given.isdecimal() and len(given) < 10):
        raise ChatError(Code.BAD_PAYLOAD, "from: a turn's index is needed, such as 0.")
    return int(given)
