"""Runs turns: starts the assistant in a green thread, moves pieces on, and sees each turn to its one final state.

Three kinds of green threads meet here: one a running turn, which reads the assistant; one clock, which
flushes held text, gives running texts to the journal once a second and ends turns past their deadline; and
whichever asks for a stop. A turn that was ended while its reader still waits for the assistant is abandoned:
the reader is ended where it waits, which closes its connection.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from app.chat.answering import Answer
from app.chat.clock import Clock
from app.chat.coalescer import INTERVAL
from app.chat.interfaces import Assistant, Journal, Listener, Question, Trace
from app.chat.queue import TurnQueue
from app.chat.recorder import Recorder
from app.chat.turns import Turn, TurnError, TurnState
from app.errors import AssistantError, ChatError, Code

log = logging.getLogger(__name__)

KEEP_EVERY = 0.8
"""Seconds between two writes of a running turn's text: with the time that they take, a kill costs at most one."""
AGAIN = 0.5
"""Seconds between two tries to start a turn: while another worker still has an earlier one of its conversation, or
while the journal is in trouble."""

CUT = AssistantError(Code.ASSISTANT_UNAVAILABLE, "The answer broke off. Please ask again.", detail="no end of stream")
TOO_SLOW = ChatError(Code.DEADLINE_EXCEEDED, "The answer took too long and was ended.")
EMPTY = "The assistant gave no answer. Please ask again."
FAULT = ChatError(Code.INTERNAL, "Something went wrong on our side. Please try again.")

Spawn = Callable[[Callable[[], object]], Callable[[], None]]
"""Starts a green thread, and gives what ends it from outside, wherever it waits (or does nothing)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`deadline`: seconds a turn may take; `history_chars`: how much of the conversation an assistant is given;
    `answer_chars`: how long an answer may become; `show_reasoning`: what the model thinks is told and kept."""

    deadline: float = 300
    history_chars: int = 48_000
    answer_chars: int = 200_000
    show_reasoning: bool = False


class Runner:
    """Runs the turns of a queue, as many at once as it allows."""

    def __init__(
        self, queue: TurnQueue, assistant: Assistant, journal: Journal, listener: Listener,
        spawn: Spawn, limits: Limits | None = None, clock: Clock | None = None,
    ) -> None:  # fmt: skip
        self._queue = queue
        self._assistant = assistant
        self._journal = journal
        self._listener = listener
        self._spawn = spawn
        self._limits = limits or Limits()
        self._clock = clock or Clock()
        self._recorder = Recorder(journal, assistant, self._clock)
        self._answers: dict[str, Answer] = {}
        self._leaving = 0
        self._some_running = threading.Event()
        self._ticking = False
        self._keeping = False

    def start_waiting(self) -> None:
        """Start every turn that may run now."""
        while (turn := self._queue.next()) is not None:
            limits = self._limits
            answer = Answer(
                turn, self._listener, self._clock.seconds(), limits.answer_chars, show_reasoning=limits.show_reasoning
            )
            self._answers[turn.id] = answer
            answer.abandon = self._spawn(partial(self._run, answer))
            self._keep_ticking()

    def stop(self, turn: Turn) -> bool:
        """End a running turn as stopped. False: it is not running here (any more)."""
        answer = self._answers.get(turn.id)
        return answer is not None and self._end_early(answer, TurnState.STOPPED)

    def stop_unrecorded(self, turn: Turn, waiting: Turn | None) -> None:
        """Have a turn ended as stopped, without waiting until that stands in the journal.

        `waiting`: the turn if it was withdrawn from the queue before.
        """
        if waiting is not None:
            self._spawn(partial(self.end_waiting, waiting, TurnState.STOPPED))
        else:
            self._spawn(partial(self.stop, turn))

    def end_waiting(self, turn: Turn, state: TurnState) -> None:
        """End a turn that was withdrawn from the queue before it ran."""
        self._leaving += 1
        try:
            self._listener.finished(self._recorder.end(replace(turn, state=state, finished_at=self._clock.utc())))
        finally:
            self._leaving -= 1

    def interrupt(self) -> None:
        """Have every turn of this worker ended as interrupted: it is going away. `unrecorded` tells when it is done."""
        waiting, running = self._queue.withdraw_all(), list(self._answers.values())
        if waiting or running:
            log.warning("%d turns are interrupted by the end of this worker", len(waiting) + len(running))
        for turn in waiting:
            self._spawn(partial(self.end_waiting, turn, TurnState.INTERRUPTED))
        for answer in running:
            self._spawn(partial(self._end_early, answer, TurnState.INTERRUPTED))

    @property
    def unrecorded(self) -> int:
        """How many turns that were started or withdrawn have no final state in the journal yet."""
        return len(self._answers) + self._leaving

    def _run(self, answer: Answer) -> None:
        turn = answer.turn
        try:
            if self._begin(answer):
                self._read(answer)
        except AssistantError as error:
            log.warning("turn %s failed: %s (%s)", turn.id, error.code, error.detail)
            self._fail(answer, error)
        except ChatError as error:
            log.error("turn %s failed: %s", turn.id, error.code)
            self._fail(answer, error)
        except Exception:
            log.exception("turn %s failed", turn.id)
            self._fail(answer, FAULT)

    def _begin(self, answer: Answer) -> bool:
        while not answer.ended:
            now = self._clock.utc()
            state = self._recorder.start(answer.turn, now)
            if state is TurnState.RUNNING and not answer.ended:
                answer.turn = replace(answer.turn, state=TurnState.RUNNING, started_at=now)
                self._listener.status(answer.turn, "thinking")
                return True
            if state is TurnState.STOPPED:
                # In the moment between leaving the queue and starting.
                self._finish(answer, TurnState.STOPPED)
            else:
                self._clock.sleep(AGAIN)
        return False

    def _read(self, answer: Answer) -> None:
        turn = answer.turn
        history = self._journal.history(turn.conversation, turn.index, self._limits.history_chars)
        remote = self._journal.remote(turn.conversation, turn.index, self._assistant.name)
        question = Question(turn.id, turn.conversation, turn.text, history, remote, answer.cancellation)
        with closing(self._assistant.stream(question)) as events:
            for event in events:
                if isinstance(event, Trace) and (event.thread_id or event.run_id):
                    self._recorder.trace(answer, event)
                if not answer.take(event, self._clock.seconds(), self._clock.utc()):
                    return
                if answer.full:
                    self._finish(answer, TurnState.TRUNCATED)
                    return
        if answer.ended:
            return
        if answer.outcome is None:
            raise CUT
        if answer.empty:
            raise _empty(answer)
        self._finish(answer, answer.outcome)

    def _end_early(self, answer: Answer, state: TurnState, error: TurnError | None = None) -> bool:
        """End an answer from outside: nobody reads on, and the connection to the assistant is closed."""
        ended = self._finish(answer, state, error)
        if ended:
            answer.abandon()
        return ended

    def _fail(self, answer: Answer, error: ChatError) -> None:
        self._finish(answer, TurnState.FAILED, TurnError(error.code, error.message))

    def _finish(self, answer: Answer, state: TurnState, error: TurnError | None = None) -> bool:
        turn = answer.end(state, self._clock.utc(), error, self._assistant.name)
        if turn is None:
            return False
        answer.cancellation.cancel()
        recorded = self._recorder.end(turn, answer.unrecorded)
        del self._answers[turn.id]
        try:
            self._listener.finished(recorded)
        finally:
            self._queue.done(turn)
            self.start_waiting()
        return True

    def _keep_ticking(self) -> None:
        self._some_running.set()
        if not self._ticking:
            self._ticking = True
            self._spawn(self._tick_forever)

    def _tick_forever(self) -> None:
        kept_at = self._clock.seconds()
        while True:
            self._some_running.clear()
            if not self._answers:
                self._some_running.wait()
            self._clock.sleep(INTERVAL)
            try:
                now = self._clock.seconds()
                self._flush(now)
                if now - kept_at >= KEEP_EVERY:
                    kept_at = now
                    self._watch(now)
                    self._look_after_journal()
            except Exception:
                log.exception("the clock of the running turns stumbled")

    def _flush(self, now: float) -> None:
        utc = self._clock.utc()
        for answer in list(self._answers.values()):
            answer.flush(now, utc)

    def _look_after_journal(self) -> None:
        """In a green thread of its own: a journal that is locked for a while must not hold the clock up."""
        if not self._keeping:
            self._keeping = True
            self._spawn(self._keep_and_stop)

    def _keep_and_stop(self) -> None:
        try:
            self._recorder.keep(list(self._answers.values()))
            self._hear_stops()
        finally:
            self._keeping = False

    def _hear_stops(self) -> None:
        """End what was stopped by way of another worker."""
        for turn_id in self._recorder.stops():
            if (answer := self._answers.get(turn_id)) is not None:
                self._spawn(partial(self._end_early, answer, TurnState.STOPPED))
            elif (waiting := self._queue.withdraw(turn_id)) is not None:
                self._spawn(partial(self.end_waiting, waiting, TurnState.STOPPED))

    def _watch(self, now: float) -> None:
        for answer in list(self._answers.values()):
            answer.watch(now)
            if now - answer.started > self._limits.deadline:
                late = TurnError(TOO_SLOW.code, TOO_SLOW.message)
                self._spawn(partial(self._end_early, answer, TurnState.FAILED, late))


def _empty(answer: Answer) -> AssistantError:
    """An answer without any text is none, however the assistant says that it ended."""
    thought = "it only thought" if answer.thought else "not even thoughts came"
    detail = f"an answer that ended as {answer.outcome} had no text; {thought}"
    if answer.outcome is TurnState.TRUNCATED:
        detail += "; see CHAT_MAX_OUTPUT_TOKENS"
    return AssistantError(Code.ASSISTANT_EMPTY, EMPTY, detail=detail)
