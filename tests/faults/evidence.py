"""What the tabs of one conversation saw and did, written down as it happens, for the judgement at its end."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tests.faults.messages import Message


class Promise(StrEnum):
    """What a fault breaks; the totals count each."""

    PIECES = "pieces lost or doubled"
    ONCE = "messages answered twice or not at all"
    ENDS = "turns without exactly one final state"
    PREFIX = "interrupted turns of which too much is missing"
    STOPS = "stops that stopped nothing, or what they should not"
    MANNERS = "other breaches of the protocol"


class Fault(NamedTuple):
    """A promise that was broken, and how."""

    promise: Promise
    sentence: str


class Mark(NamedTuple):
    """What a tab began to show of a turn at a time (monotonic seconds)."""

    at: float
    tab: str
    seq: int
    text: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """An acknowledgement of a message."""

    client_id: str
    turn_id: str
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Stopping:
    """A stop that was sent, or acknowledged with a `state`. `at`: milliseconds since 1970. `turn_id` None: of any."""

    at: int
    turn_id: str | None
    state: str | None = None


class Evidence:
    """Of one conversation; its tabs write from threads of their own. `faults`: promises broken."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.counts: Counter[str] = Counter()
        self.faults: list[Fault] = []
        self.receipts: list[Receipt] = []
        self.stops: list[Stopping] = []
        self.stop_answers: list[Stopping] = []
        self.shown: dict[str, list[Mark]] = {}
        self._pieces: dict[tuple[str, int], str] = {}
        self._messages: dict[str, Message] = {}
        self._lock = threading.Lock()

    def count(self, what: str, times: int = 1) -> None:
        with self._lock:
            self.counts[what] += times

    def fault(self, promise: Promise, sentence: str) -> None:
        with self._lock:
            self.faults.append(Fault(promise, f"{self.name}: {sentence}"))

    def acknowledged(self, message: Message, turn_id: str, *, duplicate: bool) -> None:
        with self._lock:
            self.receipts.append(Receipt(message.client_id, turn_id, duplicate))
            self.counts["acknowledgements of repeats" if duplicate else "acknowledgements"] += 1

    def turn_of(self, message: Message) -> str | None:
        """The turn that a message was acknowledged with."""
        with self._lock:
            return next((one.turn_id for one in self.receipts if one.client_id == message.client_id), None)

    def stop_sent(self, turn_id: str | None) -> None:
        """To be told before it is sent."""
        with self._lock:
            self.stops.append(Stopping(now(), turn_id))
            self.counts["stops by turn_id" if turn_id else "stops without turn_id"] += 1

    def stop_answered(self, turn_id: str | None, state: str) -> None:
        with self._lock:
            self.stop_answers.append(Stopping(now(), turn_id, state))
            self.counts[f"stops acknowledged: {state}"] += 1

    def piece(self, tab: str, turn_id: str, seq: int, text: str) -> None:
        """A piece came in, for the first time or again."""
        with self._lock:
            self.counts["pieces"] += 1
            known = self._pieces.setdefault((turn_id, seq), text)
        if known != text:
            self.fault(Promise.PIECES, f"turn {turn_id}: piece {seq} was {known!r}, and to {tab} it is {text!r}")

    def shows(self, tab: str, turn_id: str, seq: int, text: str) -> None:
        """What a tab shows of a turn has changed."""
        with self._lock:
            self.shown.setdefault(turn_id, []).append(Mark(time.monotonic(), tab, seq, text))


def now() -> int:
    """Milliseconds since 1970, as the journal counts them."""
    return time.time_ns() // 1_000_000
