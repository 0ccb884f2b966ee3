"""What befalls connections and the server, drawn from the seed: the plan of a proxy, and the killer's timetable."""

from __future__ import annotations

import random

from tests.faults.proxy import Fault, Kind, Side

CUTS: tuple[Kind, Kind] = ("fin", "rst")
SPARED = 0.2
FREEZES = 0.1


class Weather:
    """`longest_freeze`: seconds for which a reader stops reading at most; a short time is as likely as a long one."""

    def __init__(self, seed: int, longest_freeze: float) -> None:
        self._seed = seed
        self._longest_freeze = longest_freeze

    def fault(self, number: int) -> Fault | None:
        """The plan of a proxy."""
        return self._fault(random.Random(f"{self._seed}, connection {number}"))

    def drowsy(self, number: int) -> Fault | None:
        """The plan of a proxy for readers that often stop reading while they are sent a lot."""
        draw = random.Random(f"{self._seed}, drowsy connection {number}")
        if draw.random() < 0.4:
            return self._fault(draw)
        return Fault("freeze", "down", draw.randint(4, 15), 0, max(4.0, self._longest_freeze ** draw.random()))

    def _fault(self, draw: random.Random) -> Fault | None:
        roll = draw.random()
        if roll < SPARED:
            return None
        side: Side = "down" if draw.random() < 0.7 else "up"
        if roll < SPARED + FREEZES:
            return Fault("freeze", "down", draw.randint(1, 40), 0, self._longest_freeze ** draw.random())
        kind: Kind = draw.choice(CUTS)
        if draw.random() < 0.5:
            # Any byte: as often in the first hundred as between ten thousand and a hundred thousand.
            return Fault(kind, side, None, int(10 ** draw.uniform(0, 4.7 if side == "down" else 3.7)))
        frame = int(10 ** draw.uniform(0, 2.2 if side == "down" else 0.9)) - 1
        return Fault(kind, side, frame, 0 if draw.random() < 0.6 else draw.randint(1, 60))

    def gaps(self, name: str, shortest: float, longest: float) -> Gaps:
        """Seconds between troubles of one kind."""
        return Gaps(random.Random(f"{self._seed}, {name}"), shortest, longest)

    def visitor(self, name: str) -> random.Random:
        return random.Random(f"{self._seed}, {name}")


class Gaps:
    """Draws the seconds until the next trouble of a kind."""

    def __init__(self, draw: random.Random, shortest: float, longest: float) -> None:
        self._draw = draw
        self._bounds = shortest, longest

    def next(self) -> float:
        return self._draw.uniform(*self._bounds)
