"""`GET /api/conversations/<uuid>` of the real server: what was said, for whom it belongs to and for operators."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.chat_client import ChatClient
from tests.running_server import RunningServer

pytestmark = pytest.mark.server

ADMIN_TOKEN = "an operator's long token"


def test_what_was_said_is_read_by_its_owner_and_by_operators_and_by_nobody_else(
    start_server: Callable[..., RunningServer],
) -> None:
    server = start_server(ADMIN_TOKEN=ADMIN_TOKEN)
    with ChatClient(server.url) as mine, ChatClient(server.url) as other:
        finished = mine.ask("hello")
        other.ask("something else")
        path = f"/api/conversations/{mine.session['conversation_uuid']}"

        def read(token: str) -> tuple[int, dict[str, object]]:
            status, body, _ = server.get(path, {"Authorization": f"Bearer {token}"})
            return status, json.loads(body)

        status, found = read(mine.token)
        assert status == 200
        (turn,) = found["conversations"]  # type: ignore[misc]
        assert (turn["user_query"], turn["assistant_response"]) == ("hello", finished["text"])
        assert read(ADMIN_TOKEN) == (200, found)
        assert read(other.token)[0] == 404
        assert read("nonsense")[0] == 401
        assert server.status(path) == 401
    assert ADMIN_TOKEN not in server.log
    assert mine.token not in server.log
