"""Conversations for tests, written to the journal by the journal's own calls."""

from __future__ import annotations

from dataclasses import replace

from app.chat.identity import Identity, new_identity
from app.chat.interfaces import Trace
from app.chat.turns import Turn, TurnError, TurnState, UserMessage
from app.transcripts.journal import SqlJournal
from app.transcripts.records import Service

SERVICE = Service("assistant-chat-server", "0.1.0", "demo")
FINAL = [state for state in TurnState if state.final]


def begin(journal: SqlJournal, identity: Identity, name: str, at: int = 1000, text: str = "a question") -> Turn:
    """A turn that runs."""
    turn = journal.accept(identity, UserMessage(text, name), f"{name}-{identity.conversation[:8]}", at)
    journal.start(turn.id, at + 10)
    return turn


def say(
    journal: SqlJournal, identity: Identity, name: str = "a", *, at: int = 1000, answer: str = "an answer",
    state: TurnState = TurnState.COMPLETE, thread_id: str | None = None, text: str = "a question",
) -> Turn:  # fmt: skip
    """A finished turn, as the journal has it."""
    turn = begin(journal, identity, name, at, text)
    if thread_id:
        journal.trace(turn.id, "threads", Trace(thread_id))
    error = TurnError("internal", "Something went wrong.") if state is TurnState.FAILED else None
    ended = replace(turn, state=state, answer=answer, seq=0, started_at=at + 10, first_piece_at=at + 20)
    assert journal.finish(replace(ended, finished_at=at + 100, error=error, usage={"input_tokens": len(text)}))
    kept = journal.turn(identity.conversation, turn.id)
    assert kept is not None
    return kept


def talk(journal: SqlJournal, turns: int = 1, *, at: int = 1000, answer: str = "an answer") -> Identity:
    """A conversation with finished turns, a second apart."""
    identity = new_identity()
    for number in range(turns):
        say(journal, identity, f"t{number}", at=at + 1000 * number, answer=answer)
    return identity
