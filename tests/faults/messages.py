"""What visitors say, and what the assistant is known to answer: the message itself tells the double of `tests.wire`."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace

from tests.wire.directives import Directives
from tests.wire.scenario import Scenario

BULK = 7000
"""Words of an answer of some 130,000 characters; it comes within a second."""
KINDS = ("blink", "steady", "steady", "steady", "bursts", "long")
WORDS = ("alpha", "beta", "γάμμα", "Ünïcödé", "emoji 🙂", "line\n", "**bold**", "tail")


@dataclass(frozen=True, slots=True)
class Message:
    """A message with the whole answer that the assistant gives to it."""

    client_id: str
    text: str
    answer: str


@dataclass(frozen=True, slots=True)
class Pace:
    """`deltas` of an answer, `delay` seconds before each, and its `words`."""

    deltas: int
    delay: float
    words: int


def message(client_id: str, pace: Pace) -> Message:
    """A message that is answered at this pace with words that no other answer has."""
    answer = words(client_id, pace.words)
    say = f"{client_id} x {pace.words}" if pace.words >= BULK else answer
    directives = f"[[say={say}]] [[deltas={pace.deltas}]] [[delay={pace.delay}]]"
    return Message(client_id, f"{client_id} {directives}", answer)


def words(client_id: str, count: int) -> str:
    return " ".join(f"{client_id}/{number} {WORDS[number % len(WORDS)]}" for number in range(count))


class Shorthand(Directives):
    """For the double: `[[say=v0.1-m2 x 7000]]` says what `words` gives, for answers longer than a message may be."""

    def applied(self, text: str, base: Scenario) -> Scenario:
        scenario = super().applied(text, base)
        found = re.fullmatch(r"(\S+) x (\d+)", scenario.say or "")
        return replace(scenario, say=words(found[1], int(found[2]))) if found else scenario


@dataclass
class Paces:
    """Draws answers of these kinds: by default of a blink, of some seconds, and now and then a long one."""

    draw: random.Random
    longest: float = 5.0
    """Seconds that an answer takes at most, about."""
    kinds: tuple[str, ...] = KINDS

    def next(self) -> Pace:
        kind = self.draw.choice(self.kinds)
        if kind == "bulk":
            return Pace(deltas=30, delay=0.012, words=BULK)
        if kind == "few":
            return Pace(deltas=6, delay=0.08, words=12)
        if kind == "blink":
            return Pace(deltas=self.draw.randint(1, 4), delay=0.0, words=5)
        seconds = self.draw.uniform(1.0, self.longest)
        deltas = self.draw.randint(8, 20) if kind == "bursts" else int(seconds * 14)
        return Pace(deltas, round(seconds / deltas, 4), words=650 if kind == "long" else 60)
