"""Stand-ins for the rest of the house, in memory. Each passes the contract test of what it stands for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app.chat.identity import Identity
from app.chat.interfaces import Delta, Event, Exchange, Finished, Question, Remote, Trace
from app.chat.turns import Turn, TurnState, UserMessage, states_before
from app.errors import ChatError, Code, JournalError
from tests.running_server import PATIENCE


class ScriptedAssistant:
    """Says what it was given: events, exceptions to raise, and gates to wait at."""

    name = "scripted"

    def __init__(self, *script: Event | Exception | threading.Event) -> None:
        self.script: Sequence[Event | Exception | threading.Event] = script
        self.questions: list[Question] = []
        self.left = 0

    def ready(self) -> bool:
        return True

    def stream(self, question: Question) -> Generator[Event, None, None]:
        self.questions.append(question)
        try:
            for step in self.script:
                if isinstance(step, threading.Event):
                    step.wait(2 * PATIENCE)
                elif isinstance(step, Exception):
                    raise step
                else:
                    yield step
        finally:
            self.left += 1


def saying(*texts: str) -> ScriptedAssistant:
    """An assistant that says these deltas and is done."""
    return ScriptedAssistant(*(Delta(text) for text in texts), Finished())


@dataclass
class Heard:
    """Everything that a listener was told, in order."""

    events: list[tuple[str, str, object]] = field(default_factory=list)

    def started(self, turn: Turn) -> None:
        self.events.append(("started", turn.id, turn.text))

    def status(self, turn: Turn, state: str, detail: str | None = None) -> None:
        self.events.append(("status", turn.id, state))

    def reasoning(self, turn: Turn, reasoning: dict[str, Any]) -> None:
        self.events.append(("reasoning", turn.id, reasoning))

    def piece(self, turn: Turn, seq: int, text: str) -> None:
        self.events.append(("piece", turn.id, (seq, text)))

    def finished(self, turn: Turn) -> None:
        self.events.append(("finished", turn.id, turn))

    def ends(self) -> list[Turn]:
        return [what for name, _, what in self.events if name == "finished" and isinstance(what, Turn)]

    def pieces(self, turn_id: str) -> list[tuple[int, str]]:
        return [what for name, about, what in self.events if name == "piece" and about == turn_id]  # type: ignore[misc]


class MemoryJournal:
    """A journal in a dictionary. `broken` makes every write fail until it is taken back."""

    def __init__(self) -> None:
        self.kept: dict[str, Turn] = {}
        self.stops: set[str] = set()
        self.broken = False
        self.refused = 0

    def find(self, conversation: str, client_id: str) -> Turn | None:
        return next((t for t in self._of(conversation) if t.client_id == client_id), None)

    def accept(self, identity: Identity, message: UserMessage, turn_id: str, now: int) -> Turn:
        self._write()
        earlier = self._of(identity.conversation)
        if any(turn.user_id != identity.user_id for turn in earlier):
            raise ChatError(Code.NOT_YOURS, "somebody else's")
        self.kept[turn_id] = Turn(
            turn_id, identity.conversation, identity.user_id, len(earlier), message.client_id, message.text, now
        )
        return self.kept[turn_id]

    def start(self, turn_id: str, now: int) -> TurnState:
        self._write()
        turn = self.kept[turn_id]
        if turn.state is not TurnState.QUEUED or turn_id in self.stops:
            return TurnState.STOPPED
        if any(not earlier.state.final for earlier in self._of(turn.conversation)[: turn.index]):
            return TurnState.QUEUED
        self.kept[turn_id] = replace(turn, state=TurnState.RUNNING, started_at=now)
        return TurnState.RUNNING

    def keep_texts(self, texts: Sequence[tuple[str, str, int]]) -> None:
        self._write()
        for turn_id, answer, seq in texts:
            if self.kept[turn_id].state is TurnState.RUNNING:
                self.kept[turn_id] = replace(self.kept[turn_id], answer=answer, seq=seq)

    def finish(self, turn: Turn) -> bool:
        self._write()
        if self.kept[turn.id].state not in states_before(turn.state):
            return False
        before = self.kept[turn.id]
        self.kept[turn.id] = replace(turn, thread_id=before.thread_id, run_id=before.run_id)
        return True

    def turn(self, conversation: str, turn_id: str) -> Turn | None:
        turn = self.kept.get(turn_id)
        return turn if turn and turn.conversation == conversation else None

    def turns(
        self, conversation: str, *, before: str | None = None, limit: int, max_bytes: int
    ) -> tuple[list[Turn], bool]:
        end = self.kept[before].index if before else None
        earlier = self._of(conversation)[:end]
        return earlier[-limit:], len(earlier) > limit

    def history(self, conversation: str, before_index: int, max_chars: int) -> list[Exchange]:
        turns = self._of(conversation)[:before_index]
        return [Exchange(t.text, t.answer, t.thread_id) for t in turns if t.answer and t.state is not TurnState.FAILED]

    def remote(self, conversation: str, before_index: int, assistant: str) -> Remote:
        theirs = [t for t in self._of(conversation)[:before_index] if t.assistant == assistant and t.thread_id]
        if not theirs:
            return Remote()
        settled = theirs[-1].state in (TurnState.COMPLETE, TurnState.TRUNCATED)
        return Remote(theirs[-1].thread_id, None if settled else theirs[-1].run_id, settled)

    def trace(self, turn_id: str, assistant: str, trace: Trace) -> None:
        self._write()
        turn = self.kept[turn_id]
        thread_id, run_id = trace.thread_id or turn.thread_id, trace.run_id or turn.run_id
        self.kept[turn_id] = replace(turn, assistant=assistant, thread_id=thread_id, run_id=run_id)

    def oldest_unfinished(self, conversation: str) -> Turn | None:
        return next((turn for turn in self._of(conversation) if not turn.state.final), None)

    def stop_requests(self) -> list[str]:
        return [turn_id for turn_id in self.stops if not self.kept[turn_id].state.final]

    def request_stop(self, turn_id: str, now: int) -> None:
        self._write()
        self.stops.add(turn_id)

    def rate(self, turn_id: str, rating: str | None, comment: str | None, now: int) -> None:
        self._write()
        self.kept[turn_id] = replace(self.kept[turn_id], feedback=rating)

    def _of(self, conversation: str) -> list[Turn]:
        turns: Iterable[Turn] = (turn for turn in self.kept.values() if turn.conversation == conversation)
        return sorted(turns, key=lambda turn: turn.index)

    def _write(self) -> None:
        if self.broken:
            self.refused += 1
            raise JournalError("broken", transient=True)


def in_threads(work: Callable[[], object]) -> Callable[[], None]:
    """The `spawn` of tests: a real thread, which nobody can end from outside."""
    threading.Thread(target=work, daemon=True).start()
    return lambda: None
