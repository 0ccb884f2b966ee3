"""Trying again, and trying again with less: where it is safe, and never after the visitor saw text.

At most two more tries within about ten seconds; a `Retry-After` of the other side is honoured, and the visitor
is told. A request that changes something there is repeated only when the other side itself said that it
failed: after a lost connection nobody knows whether it was carried out.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import TypeVar

from app.assistants.history import fitting, newest_half, size_of
from app.assistants.learned import Learned
from app.assistants.upstream_errors import SENTENCES
from app.chat.interfaces import Cancellation, Delta, Event, Exchange, Finished, Question, Status
from app.errors import AssistantError, Code

MORE_TRIES = 2
BUDGET = 10.0
"""Seconds after which no further try begins."""
FIRST_PAUSE = 0.5

FULL = AssistantError(Code.CONTEXT_TOO_LONG, SENTENCES[Code.CONTEXT_TOO_LONG], detail="the window is full")

Result = TypeVar("Result")
Steps = Generator[Event, None, Result]


def retried(attempt: Callable[[], Steps[Result]], cancellation: Cancellation, *, repeatable: bool) -> Steps[Result]:
    """The events and the result of `attempt`, tried again after transient faults.

    `repeatable`: doing it twice does no harm, so that also a lost connection is a reason to try again.
    """
    begun = time.monotonic()
    for tries in range(MORE_TRIES + 1):
        speech = Speech()
        try:
            return (yield from speech.of(attempt()))
        except AssistantError as error:
            pause = _pause(error, tries, time.monotonic() - begun, repeatable)
            if pause is None or speech.begun or cancellation.cancelled:
                raise
        yield Status("thinking", f"The assistant is busy. Trying again in {max(1, round(pause))} s.")
        cancellation.wait(pause)
    raise AssertionError("the last try returns or raises")


def shortened(
    attempt: Callable[[Sequence[Exchange]], Steps[None]], question: Question, learned: Learned
) -> Steps[None]:
    """`attempt` with as much of the history as fits: with half of it whenever that was too long, down to none."""
    history = fitting(question, learned.window)
    too_long: int | None = None
    while True:
        speech = Speech()
        try:
            with closing(speech.of(attempt(history))) as events:
                for event in events:
                    if history and not speech.begun and _is_full(event):
                        raise FULL
                    yield event
        except AssistantError as error:
            if error.code != Code.CONTEXT_TOO_LONG or not history or speech.begun:
                raise
            too_long, history = size_of(question, history), newest_half(history)
            yield Status("thinking")
        else:
            size = size_of(question, history)
            if too_long is None:
                learned.learn_fit(size)
            elif speech.begun:
                learned.learn_overflow(too_long, size)
            return


def _is_full(event: Event) -> bool:
    """The model's window was full before its first word: some servers call that a limit, not an error."""
    return isinstance(event, Finished) and event.state == "truncated" and not (event.text or "").strip()


class Speech:
    """Notices whether text was given. Reasoning does not count: after `thinking` it starts again."""

    begun = False

    def of(self, events: Steps[Result]) -> Steps[Result]:
        try:
            while True:
                event = next(events)
                self.begun = self.begun or isinstance(event, Delta)
                yield event
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        finally:
            events.close()


def _pause(error: AssistantError, tries: int, elapsed: float, repeatable: bool) -> float | None:
    """Seconds to wait before the next try; None: there is none."""
    if tries == MORE_TRIES or not error.transient or not (error.answered or repeatable):
        return None
    backoff = FIRST_PAUSE * 2**tries * random.uniform(0.75, 1.25)
    pause = backoff if error.retry_after is None else error.retry_after
    return pause if elapsed + pause <= BUDGET else None
