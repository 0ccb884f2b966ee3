"""A campaign: visitors talk through a proxy that cuts, to a server that is killed, and everything is judged.

The seed decides what visitors say, how they misbehave and what befalls each connection; when a thing happens to
the millisecond is the machine's. So a seed brings back the kind of trouble, and nearly always the same failure.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.faults.evidence import Promise
from tests.faults.proxy import Proxy
from tests.faults.tab import FINAL
from tests.faults.totals import Totals
from tests.faults.verdict import Kill, Verdict, journal
from tests.faults.visitor import Habit, Stuck, Visitor
from tests.faults.weather import Weather
from tests.running_server import RunningServer, quiet_port, wait_until
from tests.wire.openai_server import OpenAIServer

ENOUGH_FAULTS = 20
SPEAKS_EVERY = 15.0
DYING = 500
"""Milliseconds in which whoever was killed may still accept a turn; those who come after need longer to start."""


@dataclass(frozen=True)
class Plan:
    """`cuts` and `kills` are reached, or `seconds` are over: whichever comes first. `visitors` at a time."""

    seed: int
    cuts: int
    kills: int
    seconds: float
    visitors: int = 8
    between_kills: tuple[float, float] = (3.0, 9.0)
    longest_freeze: float = 12.0
    habit: Habit = field(default_factory=Habit)


class Campaign:
    """One run of a plan, with a server of its own on a data folder."""

    def __init__(self, plan: Plan, data: Path, say: Callable[[str], None] = lambda _line: None) -> None:
        self.totals = Totals(plan.seed)
        self._plan = plan
        self._data = data
        self._say = say
        self._weather = Weather(plan.seed, plan.longest_freeze)
        self._kills: list[Kill] = []
        self._over = threading.Event()

    def run(self) -> Totals:
        """Everything from the first start to the last judgement."""
        with ExitStack() as stack:
            upstream = stack.enter_context(OpenAIServer())
            self._asked = Asked(upstream)
            self._server = RunningServer(settings(self._data, upstream), port=quiet_port())
            stack.callback(self._server.stop)
            self._server.start()
            self._proxy = stack.enter_context(Proxy(self._server.port, self._weather.fault))
            visitors = [threading.Thread(target=self._visit_on, args=(slot,)) for slot in range(self._plan.visitors)]
            for thread in visitors:
                thread.start()
            try:
                self._trouble()
            finally:
                self._over.set()
                for thread in visitors:
                    thread.join()
            self._count()
            self._judge_journal()
        return self.totals

    def _visit_on(self, slot: int) -> None:
        number = 0
        while not self._over.is_set():
            name = f"v{slot}.{number}"
            number += 1
            draw = self._weather.visitor(name)
            visitor = Visitor(name, self._proxy.url, self._server.url, draw, self._plan.habit)
            with contextlib.suppress(Stuck):  # That is among the faults.
                visitor.visit()
            self._judge(visitor)

    def _judge(self, visitor: Visitor) -> None:
        kept = journal(self._data, "client_id LIKE ?", (f"{visitor.name}-m%",))
        for line in self.totals.add(Verdict(visitor, kept, self._asked.times(), tuple(self._kills))):
            self._say(line)

    def _trouble(self) -> None:
        ends = time.monotonic() + self._plan.seconds
        kill_gaps = self._weather.gaps("kills", *self._plan.between_kills)
        door_gaps = self._weather.gaps("closed doors", 5, 25)
        kill_at, door_at = time.monotonic() + kill_gaps.next(), time.monotonic() + door_gaps.next()
        victims, speak_at = self._victims(), time.monotonic() + SPEAKS_EVERY
        while not self._enough() and (now := time.monotonic()) < ends and not self._over.wait(0.02):
            if now >= kill_at and len(self._kills) < self._plan.kills:
                next(victims)
                kill_at = time.monotonic() + kill_gaps.next()
            if now >= door_at:
                self._proxy.refuse(min(2.0, self._plan.longest_freeze))
                door_at = now + door_gaps.next()
            if now >= speak_at:
                self._count()
                self._say(self.totals.line())
                speak_at = now + SPEAKS_EVERY

    def _enough(self) -> bool:
        done = self._proxy.cuts >= self._plan.cuts and len(self._kills) >= self._plan.kills
        return done or len(self.totals.faults) >= ENOUGH_FAULTS

    def _victims(self) -> Iterator[None]:
        while True:
            dead = self._server.worker_pid()
            self._server.kill_worker()
            self._note("worker")
            wait_until(partial(self._replaced, dead), "a new worker serves")
            yield
            self._server.kill()
            self._note("server")
            self._server.start()
            yield

    def _note(self, victim: str) -> None:
        self._kills.append(Kill(victim, time.monotonic(), time.time_ns() // 1_000_000 + DYING))

    def _replaced(self, dead: int) -> bool:
        return self._server.worker_pid() != dead and self._server.status("/readyz") == 200

    def _count(self) -> None:
        counts = self.totals.counts
        counts["cuts"], counts["kills"] = self._proxy.cuts, len(self._kills)
        for victim in ("worker", "server"):
            counts[f"kills of the {victim}"] = sum(kill.victim == victim for kill in self._kills)
        for what, times in self._proxy.done.items():
            counts[f"proxy: {what}"] = times
        counts["tracebacks in the server's log"] = self._server.log.count("Traceback")

    def _judge_journal(self) -> None:
        turns = journal(self._data)
        without = [turn for turn in turns if turn.state not in FINAL or turn.finished_at is None]
        self.totals.counts["turns without a final state"] = len(without)
        for turn in without:
            self.totals.fault(Promise.ENDS, f"turn {turn.turn_id} ({turn.client_id}) is {turn.state} at the end")
        if len(turns) != self.totals.counts["messages"]:
            wrong = f"{len(turns)} turns in the journal for {self.totals.counts['messages']} messages"
            self.totals.fault(Promise.ONCE, wrong)


def settings(data: Path, upstream: OpenAIServer) -> dict[str, str]:
    """Of a server whose assistant is the double."""
    return {
        "DATA_DIR": str(data), "ASSISTANT": "chat", "CHAT_MODEL": "a-model", "OPENAI_API_KEY": "sk-any",
        "OPENAI_BASE_URL": upstream.base_url,
    }  # fmt: skip


class Asked:
    """How often the assistant was asked each message, by its text."""

    def __init__(self, upstream: OpenAIServer) -> None:
        self._upstream = upstream
        self._times: Counter[str] = Counter()
        self._seen = 0
        self._lock = threading.Lock()

    def times(self) -> Counter[str]:
        with self._lock:
            requests: list[Any] = self._upstream.requests[self._seen :]
            self._seen += len(requests)
            self._times.update(one.body["messages"][-1]["content"] for one in requests if one.method == "POST")
            return self._times
