"""One visitor in one conversation: writes its messages in good and in bad manners, in one tab or in several."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from tests.faults.evidence import Evidence, Promise
from tests.faults.messages import KINDS, Message, Paces, message
from tests.faults.outbox import Post
from tests.faults.stops import Stop
from tests.faults.tab import Patience, Tab, Ticket

MANNERS = ("good", "good", "good", "twice at once", "twice after", "reordered", "two tabs")
STOPS = ("by id", "by id", "without id", "waiting", "twice", "before a cut")
TRANSPORTS = ("websocket", "websocket", "websocket", "polling")


@dataclass(frozen=True)
class Habit:
    """How visitors are: `messages` and `tabs` at most, `settling` seconds until everything must have ended."""

    messages: int = 5
    tabs: int = 3
    settling: float = 90.0
    longest: float = 5.0
    """Seconds of an answer."""
    kinds: tuple[str, ...] = KINDS
    """Of answers."""
    manners: tuple[str, ...] = MANNERS
    stopping: float = 0.3
    """How likely a message is followed by a stop."""
    transports: tuple[str, ...] = TRANSPORTS
    greedy: bool = False
    """Its tabs ask for whole answers again and again."""
    patience: Patience = field(default_factory=Patience)

    @property
    def heavy(self) -> Habit:
        """The same visitor with answers so large that a tab which does not read them is let go."""
        return replace(self, messages=max(self.messages, 3), tabs=3, kinds=("bulk",), stopping=0.1, greedy=True)


@dataclass(frozen=True)
class Doors:
    """Addresses: of a visitor's first tab, of its others, and of the server itself for the last one."""

    first: str
    others: str
    straight: str


class Visitor:
    """`draw` decides everything that it does."""

    def __init__(self, name: str, doors: Doors, draw: random.Random, habit: Habit) -> None:
        self.name = name
        self.evidence = Evidence(name)
        self.messages: list[Message] = []
        self.tabs: list[Tab] = []
        self._doors = doors
        self._draw = draw
        self._habit = habit
        self._paces = Paces(draw, habit.longest, habit.kinds)
        self._ticket = Ticket()
        self._pause = threading.Event()

    def visit(self) -> None:
        """Say everything, and wait until every tab, and one that was opened last, shows every end."""
        try:
            self._open(self._doors.first)
            for _ in range(self._draw.randint(1, self._habit.tabs) - 1):
                self._open(self._doors.others)
            for _ in range(self._draw.randint(1, self._habit.messages)):
                self._say()
            self._settle()
            self._open(self._doors.straight)
            self._settle()
        finally:
            for tab in self.tabs:
                tab.close()

    def turn_of(self, one: Message) -> str | None:
        return self.evidence.turn_of(one)

    def _open(self, url: str) -> None:
        name, transport = f"{self.name} tab {len(self.tabs)}", self._draw.choice(self._habit.transports)
        tab = Tab(name, url, self._ticket, self.evidence, self._habit.patience, transport)
        self.tabs.append(tab)
        self._wait(tab.ready.is_set, f"{tab.name} has its session")

    def _say(self) -> None:
        manner = self._draw.choice(self._habit.manners)
        self.evidence.count(f"manner: {manner}")
        tab, other = self._draw.choice(self.tabs), self._draw.choice(self.tabs)
        one = self._next_message()
        if manner == "good":
            tab.outbox.give(Post(one))
        elif manner == "twice at once":
            tab.outbox.give(Post(one), Post(one, hasty=True))
        elif manner == "twice after":
            tab.outbox.give(Post(one), Post(one))
        elif manner == "reordered":
            later = self._next_message()
            tab.outbox.give(Post(later), Post(one, hasty=True))
        else:
            tab.outbox.give(Post(one))
            other.outbox.give(Post(one))
        if self._draw.random() < self._habit.stopping:
            self._stop(one)
        if self._draw.random() < 0.6:
            self._wait(lambda: self._ended(one), f"{one.client_id} ends")
        else:
            self._pause.wait(self._draw.uniform(0, 1.5))
        if self._habit.greedy and (turn_id := self.turn_of(one)):
            for each in self.tabs:
                each.want_again(turn_id)

    def _stop(self, one: Message) -> None:
        kind, due = self._draw.choice(STOPS), time.monotonic() + 2 * self._draw.random() ** 2
        self.evidence.count(f"stop: {kind}")
        tab, other = self._draw.choice(self.tabs), self._draw.choice(self.tabs)
        if kind == "waiting":
            later = self._next_message()
            tab.outbox.give(Post(later))
            other.stops.give(Stop(later))
        elif kind == "twice":
            tab.stops.give(Stop(one, due))
            other.stops.give(Stop(one, due))
        else:
            tab.stops.give(Stop(None if kind == "without id" else one, due, cut=kind == "before a cut"))

    def _next_message(self) -> Message:
        self.messages.append(message(f"{self.name}-m{len(self.messages)}", self._paces.next()))
        return self.messages[-1]

    def _ended(self, one: Message) -> bool:
        turn_id = self.turn_of(one)
        return turn_id is not None and any(tab.ended(turn_id) for tab in self.tabs)

    def _settle(self) -> None:
        self._wait(lambda: all(tab.settled for tab in self.tabs), "every message and every stop is acknowledged")
        turns = {turn_id for one in self.messages if (turn_id := self.turn_of(one))}
        for tab in self.tabs:
            self._wait(partial(_all_ended, tab, turns), f"{tab.name} shows the end of every turn")

    def _wait(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + self._habit.settling
        while not condition():
            if time.monotonic() > deadline:
                self.evidence.fault(Promise.ENDS, f"not within {self._habit.settling:.0f} s: {what}")
                raise Stuck(what)
            self._pause.wait(0.02)


def _all_ended(tab: Tab, turns: set[str]) -> bool:
    return all(map(tab.ended, turns))


class Stuck(Exception):
    """Something did not happen that must; it is among the faults."""
