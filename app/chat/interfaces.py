"""What the chat needs from the rest of the house: who answers, what is kept, who listens.

The chat is handed objects that fit these; it imports none of the rooms that make them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from app.chat.identity import Identity
from app.chat.turns import Turn, TurnState, UserMessage


@dataclass(frozen=True, slots=True)
class Delta:
    """A part of the answer's text, in order."""

    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A part of what the model thinks before it answers, in order. It is no part of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class TakenBack:
    """All text so far was no answer: the model was thinking, and nothing had said so."""


@dataclass(frozen=True, slots=True)
class Citation:
    """A source of the answer. `marker`: how it stands in the deltas, such as `【4:0†policy.pdf】`.

    The chat numbers the sources (`app.chat.citations`) and puts `[n]` in the place of markers.
    """

    marker: str | None = None
    title: str | None = None
    url: str | None = None
    file_id: str | None = None
    filename: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """The assistant is at work on something else than text. `state` is a word of the protocol's `turn_status`.

    `thinking`: it begins from the start, and what it has thought so far is void.
    """

    state: Literal["thinking", "tool"]
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """Where the answer is on the other side; recorded at once, so that a killed turn can be cleaned up after.

    `thread_id`: the conversation's own object there (a thread, a conversation). `run_id`: what can be
    cancelled. `request_id`: of one call, for asking the other side about it.
    """

    thread_id: str | None = None
    run_id: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The assistant is done; nothing follows. A stream that ends without this event has failed.

    `state`: whole, or cut off by the model's own limit. `text`: the completed text if the assistant gave
    one; where it differs from the deltas it is the answer. `usage`: tokens by name.
    """

    state: Literal["complete", "truncated"] = "complete"
    text: str | None = None
    usage: dict[str, int] | None = None
    model: str | None = None
    response_id: str | None = None


Event = Delta | Reasoning | TakenBack | Citation | Status | Trace | Finished


class Cancellation:
    """Tells a running assistant that nobody waits any more; told from any green thread, once."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._callbacks: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep, but wake at once when cancelled. True: it was cancelled."""
        return self._cancelled.wait(seconds)

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Have `callback` called when the turn is cancelled within this block, at once if it already was."""
        self._callbacks.append(callback)
        try:
            if self.cancelled:
                callback()
            yield
        finally:
            self._callbacks.remove(callback)

    def cancel(self) -> None:
        if not self.cancelled:
            self._cancelled.set()
            for callback in list(self._callbacks):
                callback()


@dataclass(frozen=True, slots=True)
class Exchange:
    """An earlier question and its answer, as an assistant sees them. `thread_id`: the thread that has them."""

    question: str
    answer: str
    thread_id: str | None = None


@dataclass(frozen=True, slots=True)
class Remote:
    """What the other side has of a conversation, for assistants that keep the history themselves.

    `settled`: the last turn there ended by itself; otherwise nobody knows how much of it stands there.
    `orphan`: the run of that turn, if it is not settled and may still go on.
    """

    thread_id: str | None = None
    orphan: str | None = None
    settled: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """What an assistant is asked: the new text, and the conversation before it, oldest first."""

    turn_id: str
    conversation: str
    text: str
    history: Sequence[Exchange] = ()
    remote: Remote = Remote()
    cancellation: Cancellation = field(default_factory=Cancellation)


class Assistant(Protocol):
    """Who answers. Held by one contract test, `tests/assistants/contract.py`."""

    @property
    def name(self) -> str:
        """One word, recorded with each turn."""

    def stream(self, question: Question) -> Generator[Event, None, None]:
        """The answer's events, the last one `Finished`. Raises `AssistantError` and nothing else.

        Runs in a green thread of its own. It may block; when the question is cancelled it ends soon.
        """

    def ready(self) -> bool:
        """Whether it could answer now, as far as that can be told without asking anybody."""


@runtime_checkable
class Forgetful(Protocol):
    """An assistant that keeps conversations on the other side, and can delete them there."""

    @property
    def name(self) -> str: ...

    def forget(self, thread_id: str, responses: Sequence[str]) -> None:
        """Delete a thread, and the responses made in it; nothing happens to what is not there any more.

        Raises `AssistantError`, and may then be called again.
        """


class Journal(Protocol):
    """What is kept. Every call raises `JournalError` when the store cannot do it."""

    def find(self, conversation: str, client_id: str) -> Turn | None: ...

    def accept(self, identity: Identity, message: UserMessage, turn_id: str, now: int) -> Turn: ...

    def start(self, turn_id: str, now: int) -> TurnState: ...

    def keep_texts(self, texts: Sequence[tuple[str, str, int]]) -> None: ...

    def finish(self, turn: Turn) -> bool: ...

    def turn(self, conversation: str, turn_id: str) -> Turn | None: ...

    def turns(
        self, conversation: str, *, before: str | None, limit: int, max_bytes: int
    ) -> tuple[list[Turn], bool]: ...

    def history(self, conversation: str, before_index: int, max_chars: int) -> list[Exchange]: ...

    def remote(self, conversation: str, before_index: int, assistant: str) -> Remote: ...

    def trace(self, turn_id: str, assistant: str, trace: Trace) -> None: ...

    def oldest_unfinished(self, conversation: str) -> Turn | None: ...

    def request_stop(self, turn_id: str, now: int) -> None: ...

    def stop_requests(self) -> list[str]: ...

    def rate(self, turn_id: str, rating: str | None, comment: str | None, now: int) -> None: ...


class Listener(Protocol):
    """Who hears what happens to turns. Never raises."""

    def started(self, turn: Turn) -> None: ...

    def status(self, turn: Turn, state: str, detail: str | None = None) -> None: ...

    def reasoning(self, turn: Turn, reasoning: dict[str, Any]) -> None: ...

    def piece(self, turn: Turn, seq: int, text: str) -> None: ...

    def finished(self, turn: Turn) -> None: ...


def citation_fields(citation: Citation) -> dict[str, Any]:
    """A citation as it is kept and sent: only the fields that it has."""
    names = ("title", "url", "file_id", "filename")
    return {name: getattr(citation, name) for name in names if getattr(citation, name) is not None}
