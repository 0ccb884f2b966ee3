"""One visitor in one conversation: writes its messages in good and in bad manners, in one tab or in several."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from tests.faults.evidence import Evidence, Promise
from tests.faults.messages import KINDS, Message, Paces, message
from tests.faults.outbox import Post
from tests.faults.tab import Patience, Tab, Ticket

MANNERS = ("good", "good", "good", "twice at once", "twice after", "reordered", "two tabs")


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
    patience: Patience = field(default_factory=Patience)


class Visitor:
    """`draw` decides everything that it does. `url`: where its tabs connect; `straight`: the server itself."""

    def __init__(self, name: str, url: str, straight: str, draw: random.Random, habit: Habit) -> None:
        self.name = name
        self.evidence = Evidence(name)
        self.messages: list[Message] = []
        self.tabs: list[Tab] = []
        self._url = url
        self._straight = straight
        self._draw = draw
        self._habit = habit
        self._paces = Paces(draw, habit.longest, habit.kinds)
        self._ticket = Ticket()
        self._pause = threading.Event()

    def visit(self) -> None:
        """Say everything, and wait until every tab, and one that was opened last, shows every end."""
        try:
            self._open(self._url)
            for _ in range(self._draw.randint(1, self._habit.tabs) - 1):
                self._open(self._url)
            for _ in range(self._draw.randint(1, self._habit.messages)):
                self._say()
            self._settle()
            self._open(self._straight)
            self._settle()
        finally:
            for tab in self.tabs:
                tab.close()

    def turn_of(self, one: Message) -> str | None:
        return self.evidence.turn_of(one)

    def _open(self, url: str) -> None:
        tab = Tab(f"{self.name} tab {len(self.tabs)}", url, self._ticket, self.evidence, self._habit.patience)
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
        if self._draw.random() < 0.6:
            self._wait(lambda: self._ended(one), f"{one.client_id} ends")
        else:
            self._pause.wait(self._draw.uniform(0, 1.5))

    def _next_message(self) -> Message:
        self.messages.append(message(f"{self.name}-m{len(self.messages)}", self._paces.next()))
        return self.messages[-1]

    def _ended(self, one: Message) -> bool:
        turn_id = self.turn_of(one)
        return turn_id is not None and any(tab.ended(turn_id) for tab in self.tabs)

    def _settle(self) -> None:
        self._wait(lambda: all(tab.outbox.empty for tab in self.tabs), "every message is acknowledged")
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
