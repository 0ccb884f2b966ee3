"""What visitors say, and what the assistant is known to answer: the message itself tells the double of `tests.wire`."""

from __future__ import annotations

import random
from dataclasses import dataclass

MOST_LONG = 4
"""Of a conversation: more would not fit into one `session`, and the last tab would have to ask for its history."""
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
    answer = " ".join(f"{client_id}/{number} {WORDS[number % len(WORDS)]}" for number in range(pace.words))
    directives = f"[[say={answer}]] [[deltas={pace.deltas}]] [[delay={pace.delay}]]"
    return Message(client_id, f"{client_id} {directives}", answer)


@dataclass
class Paces:
    """Draws answers of these kinds: by default of a blink, of some seconds, and now and then a long one."""

    draw: random.Random
    longest: float = 5.0
    """Seconds that an answer takes at most, about."""
    kinds: tuple[str, ...] = KINDS
    _long: int = 0

    def next(self) -> Pace:
        kind = self.draw.choice(self.kinds)
        if kind == "long":
            self._long += 1
            kind = kind if self._long <= MOST_LONG else "steady"
        if kind == "few":
            return Pace(deltas=6, delay=0.08, words=12)
        if kind == "blink":
            return Pace(deltas=self.draw.randint(1, 4), delay=0.0, words=5)
        seconds = self.draw.uniform(1.0, self.longest)
        deltas = self.draw.randint(8, 20) if kind == "bursts" else int(seconds * 14)
        return Pace(deltas, round(seconds / deltas, 4), words=650 if kind == "long" else 60)
