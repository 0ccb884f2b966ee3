"""What visitors want stopped, as one tab sends it: by the turn's id until it is acknowledged, without one only once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.faults.connection import Lost
from tests.faults.evidence import Evidence, Promise
from tests.faults.messages import Message
from tests.faults.outbox import AGAIN_LATER
from tests.faults.shown import FINAL


@dataclass
class Stop:
    """`message`: whose turn is to stop, once that is known; None: whatever runs or waits. Not before `due`.

    `cut`: the tab ends its connection right behind it, so that no acknowledgement comes.
    """

    message: Message | None
    due: float = 0.0
    cut: bool = False
    sent_at: float | None = None


class Stops:
    """`patience`: seconds without an acknowledgement after which a stop is sent again."""

    def __init__(self, evidence: Evidence, patience: float) -> None:
        self._evidence = evidence
        self._patience = patience
        self._stops: list[Stop] = []
        self._asked: dict[int, tuple[Stop, str | None]] = {}
        self._lock = threading.Lock()
        self.ended: set[str] = set()
        """Turns whose stop was acknowledged with a final state on this connection: nothing of them may follow."""

    def give(self, *stops: Stop) -> None:
        """From any thread."""
        with self._lock:
            self._stops += stops

    @property
    def empty(self) -> bool:
        return not self._stops

    def reconnected(self) -> None:
        """What was not acknowledged is sent again, but for those without an id: they could stop something else."""
        self._asked.clear()
        self.ended.clear()
        for stop in list(self._stops):
            if stop.sent_at is not None and stop.message is None:
                self._done(stop)
            stop.sent_at = None

    def send_due(self, emit: Callable[[str, dict[str, Any]], int], cut: Callable[[], None]) -> None:
        """Send what is due. Raises `Lost` after one that cuts."""
        now = time.monotonic()
        for stop in list(self._stops):
            if stop.sent_at is None and now >= stop.due:
                self._send(stop, emit, cut)
            elif stop.sent_at is not None and now - stop.sent_at > self._patience:
                stop.sent_at = None
                if stop.message is None:
                    self._done(stop)

    def _send(self, stop: Stop, emit: Callable[[str, dict[str, Any]], int], cut: Callable[[], None]) -> None:
        turn_id = self._evidence.turn_of(stop.message) if stop.message else None
        if stop.message and turn_id is None:
            return
        stop.sent_at = time.monotonic()
        self._evidence.stop_sent(turn_id)
        self._asked[emit("stop", {"turn_id": turn_id} if turn_id else {})] = stop, turn_id
        if stop.cut:
            stop.cut = False
            self._evidence.count("stops right before a cut")
            cut()
            raise Lost("cut behind a stop")

    def acknowledged(self, number: int, answer: dict[str, Any]) -> bool:
        """Take an acknowledgement. False: it is not of a stop."""
        if number not in self._asked:
            return False
        stop, turn_id = self._asked.pop(number)
        if not answer["ok"]:
            self._refused(stop, turn_id, answer["error"])
            return True
        self._evidence.stop_answered(turn_id, answer["state"])
        if turn_id and answer["state"] in FINAL:
            self.ended.add(turn_id)
        self._done(stop)
        return True

    def _refused(self, stop: Stop, turn_id: str | None, error: dict[str, Any]) -> None:
        self._evidence.count(f"stop refused: {error['code']}")
        if error["code"] in AGAIN_LATER and turn_id:
            stop.sent_at, stop.due = None, time.monotonic() + error.get("retry_after", 0.5)
            return
        # Without an id it may have come before the first message.
        if error["code"] != "unknown_turn" or turn_id:
            self._evidence.fault(Promise.STOPS, f"a stop of turn {turn_id} was refused: {error}")
        self._done(stop)

    def _done(self, stop: Stop) -> None:
        with self._lock:
            self._stops = [one for one in self._stops if one is not stop]
