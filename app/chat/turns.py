"""A turn: a message and its answer. Knows which states a turn can have and how they follow each other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class TurnState(StrEnum):
    """Where a turn stands. The last five are final: an accepted turn ends in exactly one of them."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETE = "complete"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    TRUNCATED = "truncated"

    @property
    def final(self) -> bool:
        return not FOLLOWING[self]


FOLLOWING: dict[TurnState, frozenset[TurnState]] = {
    TurnState.QUEUED: frozenset({TurnState.RUNNING, TurnState.STOPPED, TurnState.FAILED, TurnState.INTERRUPTED}),
    TurnState.RUNNING: frozenset(
        {TurnState.COMPLETE, TurnState.STOPPED, TurnState.FAILED, TurnState.INTERRUPTED, TurnState.TRUNCATED}
    ),
    TurnState.COMPLETE: frozenset(),
    TurnState.STOPPED: frozenset(),
    TurnState.FAILED: frozenset(),
    TurnState.INTERRUPTED: frozenset(),
    TurnState.TRUNCATED: frozenset(),
}
"""The allowed transitions: from each state to those that may follow it."""


def states_before(state: TurnState) -> list[TurnState]:
    """The states from which a turn may come to `state`."""
    return [before for before, following in FOLLOWING.items() if state in following]


@dataclass(frozen=True, slots=True)
class UserMessage:
    """What a visitor wrote, already checked. `client_id` names it, so that a repeat is recognised.

    `client_ip` and `user_agent`: of the connection, as far as the settings let them be kept.
    """

    text: str
    client_id: str
    page_url: str | None = None
    page_title: str | None = None
    client_ip: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class TurnError:
    """Why a turn failed, as the visitor is told."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn as it stands in the journal.

    `index` counts the conversation's turns from 0. Times are milliseconds since 1970 (UTC). `seq` is the
    last piece that `answer` covers, -1 for none. `corrected`: the assistant's completed text differs from
    what it streamed, and `answer` is the completed one. `reasoning`: what the model thought before it answered, as
    `{"text", "seconds"}`, only where it is shown. `signed_in`: as in `Identity`.
    """

    id: str
    conversation: str
    user_id: str
    index: int
    client_id: str
    text: str
    accepted_at: int
    state: TurnState = TurnState.QUEUED
    answer: str = ""
    seq: int = -1
    started_at: int | None = None
    first_piece_at: int | None = None
    finished_at: int | None = None
    citations: tuple[dict[str, Any], ...] = ()
    usage: dict[str, int] | None = None
    assistant: str | None = None
    model: str | None = None
    response_id: str | None = None
    thread_id: str | None = None
    run_id: str | None = None
    request_ids: tuple[str, ...] = ()
    corrected: bool = False
    reasoning: dict[str, Any] | None = None
    error: TurnError | None = None
    feedback: str | None = None
    page_url: str | None = None
    page_title: str | None = None
    client_ip: str | None = None
    user_agent: str | None = None
    signed_in: bool = False
