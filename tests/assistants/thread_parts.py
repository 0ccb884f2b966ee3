"""What tests of the threads assistant share: the assistant, a question, and what there is on the other side."""

from __future__ import annotations

from typing import Any

import pytest

from app.assistants.openai_client import new_client
from app.assistants.threads import ThreadsAssistant
from app.chat.interfaces import Event, Question, Remote, Trace
from tests.wire.openai_server import OpenAIServer
from tests.wire.thread import Thread
from tests.wire.thread import text_of as message_text


@pytest.fixture
def threads(upstream: OpenAIServer) -> ThreadsAssistant:
    return ThreadsAssistant(new_client("sk-test", upstream.base_url), "asst_1")


def asked(turn: str, text: str = "hello", remote: Remote | None = None, history: Any = ()) -> Question:
    return Question(turn, "conversation", text, history, remote or Remote())


def traced(events: list[Event], name: str) -> list[str]:
    """The ids of one kind that an answer told."""
    ids = [getattr(event, name) for event in events if isinstance(event, Trace)]
    return [found for found in ids if found]


def the_thread(upstream: OpenAIServer) -> Thread:
    (thread,) = upstream.threads.threads.values()
    return thread


def messages(thread: Thread) -> list[tuple[str, str]]:
    return [(message["role"], message_text(message)) for message in thread.messages]


def states(thread: Thread) -> list[str]:
    return [run.status for run in thread.runs]
