"""The official SDK, to talk to the double with."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from tests.running_server import PATIENCE

from .openai_server import OpenAIServer


@pytest.fixture
def client(upstream: OpenAIServer) -> Iterator[openai.OpenAI]:
    """The SDK, without retries of its own."""
    with openai.OpenAI(base_url=upstream.base_url, api_key="sk-any", max_retries=0, timeout=PATIENCE) as sdk:
        yield sdk
