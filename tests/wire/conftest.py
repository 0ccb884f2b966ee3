"""A double and the official SDK to talk to it with."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from .openai_server import OpenAIServer


@pytest.fixture
def upstream() -> Iterator[OpenAIServer]:
    """A double of its own for each test."""
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def client(upstream: OpenAIServer) -> Iterator[openai.OpenAI]:
    """The SDK, without retries of its own."""
    with openai.OpenAI(base_url=upstream.base_url, api_key="sk-any", max_retries=0, timeout=10) as sdk:
        yield sdk
