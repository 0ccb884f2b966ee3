"""Tells the journal what becomes of running turns. No answer ends because the journal is in trouble.

What cannot be written at once is written later: a start is tried again, a text goes with the next ones, a place on
the other side with the final state, and that is tried for as long as it takes. Called from the runner's green threads.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from app.chat.answering import Answer
from app.chat.clock import Clock
from app.chat.interfaces import Assistant, Journal, Trace
from app.chat.turns import Turn, TurnState
from app.errors import JournalError

log = logging.getLogger(__name__)


class Recorder:
    """Writes for one worker. `assistant`: who answers; its name may become another one on the way."""

    def __init__(self, journal: Journal, assistant: Assistant, clock: Clock) -> None:
        self._journal = journal
        self._assistant = assistant
        self._clock = clock

    def start(self, turn: Turn, now: int) -> TurnState:
        """Try to make it the running turn: still queued if it has to wait for another worker, or for the journal."""
        try:
            return self._journal.start(turn.id, now)
        except JournalError as error:
            log.error("turn %s: its start cannot be recorded yet: %s", turn.id, error.message)
            return TurnState.QUEUED

    def trace(self, answer: Answer, trace: Trace) -> None:
        """Write where an answer is on the other side."""
        try:
            self._journal.trace(answer.turn.id, self._assistant.name, trace)
        except JournalError as error:
            # Nobody's answer ends for that; it is written with the final state.
            log.error("turn %s: where it is cannot be recorded yet: %s", answer.turn.id, error.message)
            answer.unrecorded.append(trace)

    def keep(self, answers: Iterable[Answer]) -> None:
        """Write the texts so far of answers that have new ones, all at once."""
        unkept = [(answer, text) for answer in answers if (text := answer.unkept())]
        if not unkept:
            return
        try:
            self._journal.keep_texts([text for _, text in unkept])
        except JournalError as error:
            log.error("the texts of %d running turns cannot be kept at the moment: %s", len(unkept), error.message)
            return
        for answer, (_, _, seq) in unkept:
            answer.kept_seq = seq

    def stops(self) -> list[str]:
        """The turns that were stopped by way of another worker; none while the journal cannot be read."""
        try:
            return self._journal.stop_requests()
        except JournalError:
            return []

    def end(self, turn: Turn, traces: Sequence[Trace] = ()) -> Turn:
        """Write the final state, however long the journal is in trouble: nobody is told before it stands there.

        The turn as the journal has it then: somebody else's final state, if that was written first.
        """
        pause = 0.1
        while True:
            try:
                for trace in traces:
                    self._journal.trace(turn.id, self._assistant.name, trace)
                if self._journal.finish(turn):
                    return turn
                return self._journal.turn(turn.conversation, turn.id) or turn
            except JournalError as error:
                log.error("turn %s: its end cannot be recorded yet: %s", turn.id, error.message)
                self._clock.sleep(pause)
                pause = min(pause * 2, 5)
