"""`GET /api/conversations/<uuid>` over Flask: who gets an answer, which one, and with which headers."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr

from app.errors import ChatError, Code, JournalError
from app.web.conversation_api import conversation_routes

UUID = "0b0e7c9e-6c1c-4b5e-9a52-0c6f9f8a7d11"
OPERATOR = {"Authorization": "Bearer an operator's token"}
VISITOR = {"Authorization": "bearer mine"}


class Kept:
    """One conversation, which the token `mine` opens."""

    def __init__(self) -> None:
        self.trouble: Exception | None = None

    def for_operator(self, conversation: str, start: int = 0) -> dict[str, Any]:
        if self.trouble:
            raise self.trouble
        if conversation != UUID:
            raise ChatError(Code.UNKNOWN_CONVERSATION, "There is no such conversation.")
        return {"conversation_uuid": UUID, "start": start}

    def for_visitor(self, token: str, conversation: str, start: int = 0) -> dict[str, Any]:
        if token != "mine":
            raise ChatError(Code.UNAUTHORIZED, "This token is invalid.")
        return self.for_operator(conversation, start)


@pytest.fixture
def kept() -> Kept:
    return Kept()


def client_of(kept: Kept, token: str | None = "an operator's token") -> FlaskClient:
    flask = Flask("test")
    flask.register_blueprint(conversation_routes(kept, SecretStr(token) if token else None))
    return flask.test_client()


@pytest.mark.parametrize("headers", [OPERATOR, VISITOR])
@pytest.mark.parametrize("uuid", [UUID, UUID.upper()])
def test_operators_and_the_owner_get_it(kept: Kept, headers: dict[str, str], uuid: str) -> None:
    response = client_of(kept).get(f"/api/conversations/{uuid}?from=7", headers=headers)
    assert response.status_code == 200
    assert response.json == {"conversation_uuid": UUID, "start": 7}
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Vary"] == "Authorization"


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer"}, {"Authorization": "Bearer "}, {"Authorization": "Basic bWluZQ=="},
     {"Authorization": "Bearer other"}, {"Authorization": "Bearer \u00e9"}, {"Cookie": "token=mine"}],
)  # fmt: skip
@pytest.mark.parametrize("uuid", [UUID, "unknown"])
def test_without_a_token_that_is_known_nobody_learns_anything(kept: Kept, uuid: str, headers: dict[str, str]) -> None:
    response = client_of(kept).get(f"/api/conversations/{uuid}", headers=headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json is not None
    assert response.json["error"]["code"] == "unauthorized"


def test_without_an_admin_token_there_are_no_operators(kept: Kept) -> None:
    client = client_of(kept, token=None)
    assert client.get(f"/api/conversations/{UUID}", headers=OPERATOR).status_code == 401
    assert client.get(f"/api/conversations/{UUID}", headers=VISITOR).status_code == 200


@pytest.mark.parametrize("headers", [OPERATOR, VISITOR])
@pytest.mark.parametrize("uuid", ["5c7c4a1e-0000-4000-8000-000000000000", "x", "%00", "<script>"])
def test_an_unknown_one_is_not_found(kept: Kept, uuid: str, headers: dict[str, str]) -> None:
    response = client_of(kept).get(f"/api/conversations/{uuid}", headers=headers)
    assert response.status_code == 404
    assert response.json == {"error": {"code": "unknown_conversation", "message": "There is no such conversation."}}


@pytest.mark.parametrize("start", ["-1", "x", "1.5", "9" * 20, ""])
def test_a_part_that_is_none_is_a_bad_request(kept: Kept, start: str) -> None:
    response = client_of(kept).get(f"/api/conversations/{UUID}?from={start}", headers=OPERATOR)
    assert response.status_code == 400
    assert response.json is not None
    assert response.json["error"]["code"] == "bad_payload"


def test_a_journal_that_cannot_be_read_is_a_503_with_when_to_try_again(kept: Kept) -> None:
    kept.trouble = JournalError("Messages cannot be kept at the moment.", transient=True)
    response = client_of(kept).get(f"/api/conversations/{UUID}", headers=OPERATOR)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert response.json is not None
    assert response.json["error"]["code"] == "journal_unavailable"


def test_what_has_not_changed_is_not_sent_again(kept: Kept) -> None:
    client = client_of(kept)
    tag = client.get(f"/api/conversations/{UUID}", headers=VISITOR).headers["ETag"]
    response = client.get(f"/api/conversations/{UUID}", headers={**VISITOR, "If-None-Match": tag})
    assert (response.status_code, response.data) == (304, b"")
    assert response.headers["Cache-Control"] == "no-store"


def test_it_is_not_opened_to_other_origins(kept: Kept) -> None:
    response = client_of(kept).get(f"/api/conversations/{UUID}", headers={**VISITOR, "Origin": "https://shop.example"})
    assert "Access-Control-Allow-Origin" not in response.headers
