"""Assistants that ask the double of each test."""

from __future__ import annotations

import pytest

from app.assistants.chat_completions import ChatAssistant
from app.assistants.openai_client import new_client
from app.assistants.responses import ResponsesAssistant
from app.chat.interfaces import Assistant
from tests.wire.openai_server import OpenAIServer


@pytest.fixture
def chat(upstream: OpenAIServer) -> ChatAssistant:
    return ChatAssistant(new_client("sk-test", upstream.base_url), "a-model", max_output_tokens=500)


@pytest.fixture
def responses(upstream: OpenAIServer) -> ResponsesAssistant:
    return ResponsesAssistant(new_client("sk-test", upstream.base_url), "a-model", max_output_tokens=500)


@pytest.fixture(params=["chat", "responses"])
def one(request: pytest.FixtureRequest) -> Assistant:
    """Either API."""
    found: Assistant = request.getfixturevalue(request.param)
    return found
