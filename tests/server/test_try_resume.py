"""`/try/resume`: there with the demo, which can count, and with nobody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.running_server import RunningServer

pytestmark = pytest.mark.server

Start = Callable[..., RunningServer]


def test_with_the_demo_it_is_a_page_under_the_same_rules_as_the_chat(start_server: Start) -> None:
    server = start_server()
    status, body, headers = server.get("/try/resume")
    _, _, chat = server.get("/")
    assert status == 200
    assert b"Cut the connection" in body
    for name in ("Content-Type", "Content-Security-Policy", "Referrer-Policy", "X-Content-Type-Options"):
        assert headers[name] == chat[name]
    assert "require-trusted-types-for 'script'" in headers["Content-Security-Policy"]


def test_with_another_assistant_there_is_no_such_page(start_server: Start) -> None:
    server = start_server(CHAT_MODEL="m", OPENAI_API_KEY="sk-x", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert server.status("/") == 200
    assert server.status("/try/resume") == 404
