"""One turn of a few pieces, cut once at every border between two frames and once inside of every frame."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.campaign import Asked, settings
from tests.faults.proxy import Fault, Proxy, Side
from tests.faults.verdict import Verdict, journal
from tests.faults.visitor import Doors, Habit, Visitor
from tests.running_server import RunningServer
from tests.wire.openai_server import OpenAIServer

pytestmark = pytest.mark.server

AT_ONCE = 6
TRIES = 10
"""Two deltas that come at once make one piece, and then the last borders are not reached."""
HABIT = Habit(messages=1, tabs=1, kinds=("few",), manners=("good",), stopping=0, transports=("websocket",))

Run = Callable[[str, Fault | None], Proxy]


@pytest.fixture
def run(upstream: OpenAIServer, tmp_path: Path) -> Iterator[Run]:
    """Have one visitor ask one thing, with a fault of its first connection, and judge what came of it."""
    server, asked = RunningServer(settings(tmp_path, upstream)), Asked(upstream)
    server.start()

    def run_once(name: str, fault: Fault | None) -> Proxy:
        with Proxy(server.port, lambda number: None if number else fault) as proxy:
            doors = Doors(proxy.url, proxy.url, server.url)
            visitor = Visitor(name, doors, random.Random(name), HABIT)
            visitor.visit()
        verdict = Verdict(visitor, journal(tmp_path, "client_id LIKE ?", (f"{name}-m%",)), asked.times(), ())
        assert not verdict.faults()
        assert verdict.counts["complete"] == 1
        return proxy

    yield run_once
    server.stop()
    assert "Traceback" not in server.log


def places(run: Run) -> Iterator[Fault]:
    """Every place for a cut in the connection of a turn without one."""
    borders = run("whole", None).links[0].borders
    sides: tuple[Side, Side] = ("down", "up")
    for side in sides:
        lengths = borders[side].lengths
        for frame, length in enumerate([*lengths[1:], 0]):
            yield Fault("fin" if frame % 2 else "rst", side, frame, 0)
            if length:
                yield Fault("rst" if frame % 2 else "fin", side, frame, length // 2)
        yield Fault("rst", side, None, lengths[0] // 2)


def test_a_cut_at_any_border_and_inside_any_frame_costs_no_piece_and_doubles_none(run: Run) -> None:
    def cut(fault: Fault) -> Counter[str]:
        name = f"{fault.side}-{fault.frame}-{fault.extra}"
        for attempt in range(TRIES):
            proxy = run(f"{name}-{attempt}", fault)
            if proxy.cuts:
                return proxy.done
        raise AssertionError(f"the cut did not happen: {fault}")

    faults = list(places(run))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = sum(pool.map(cut, faults), Counter[str]())
    assert done["fin"] + done["rst"] == len(faults) > 30
