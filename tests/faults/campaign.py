"""A campaign: visitors talk through a proxy that cuts, to a server that is killed, and everything is judged.

The seed decides what visitors say, how they misbehave and what befalls each connection; when a thing happens to
the millisecond is the machine's. So a seed brings back the kind of trouble, and nearly always the same failure.
"""

from __future__ import annotations

import contextlib
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.ends import ADMIN_TOKEN, DRAIN, Ends
from tests.faults.evidence import Promise
from tests.faults.messages import Shorthand
from tests.faults.proxy import Proxy
from tests.faults.shown import FINAL
from tests.faults.totals import Totals
from tests.faults.verdict import Verdict, journal
from tests.faults.visitor import Doors, Habit, Stuck, Visitor
from tests.faults.weather import Gaps, Weather
from tests.running_server import RunningServer
from tests.wire.openai_server import OpenAIServer

ENOUGH_FAULTS = 20
SPEAKS_EVERY = 15.0
TRACEBACK = r"Traceback \(most recent call last\):"


@dataclass(frozen=True)
class Plan:
    """All numbers are reached, or `seconds` are over: whichever comes first.

    `ends`: orderly ones. `slow`: clients that are let go because they do not read. `visitors` at a time, the first
    of them with large answers.
    """

    seed: int
    cuts: int
    kills: int
    ends: int
    slow: int
    seconds: float
    visitors: int = 8
    between_kills: tuple[float, float] = (3.0, 9.0)
    between_ends: tuple[float, float] = (10.0, 25.0)
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
        self._over = threading.Event()

    def run(self) -> Totals:
        """Everything from the first start to the last judgement."""
        with ExitStack() as stack:
            upstream = stack.enter_context(OpenAIServer())
            upstream.directives = Shorthand()
            self._asked = Asked(upstream)
            self._server = RunningServer(settings(self._data, upstream))
            stack.callback(self._server.stop)
            self._server.start()
            self._ends = Ends(self._server)
            self._proxy = stack.enter_context(Proxy(self._server.port, self._weather.fault))
            self._drowsy = stack.enter_context(Proxy(self._server.port, self._weather.drowsy))
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
            habit = self._plan.habit if slot else self._plan.habit.heavy
            first = self._proxy.url if slot else self._drowsy.url
            visitor = Visitor(name, Doors(first, self._proxy.url, self._server.url), draw, habit)
            with contextlib.suppress(Stuck):  # That is among the faults.
                visitor.visit()
            self._judge(visitor)

    def _judge(self, visitor: Visitor) -> None:
        kept = journal(self._data, "client_id LIKE ?", (f"{visitor.name}-m%",))
        for line in self.totals.add(Verdict(visitor, kept, self._asked.times(), tuple(self._ends.done))):
            self._say(line)

    def _trouble(self) -> None:
        until = time.monotonic() + self._plan.seconds
        troubles = [
            Trouble(self._weather.gaps("kills", *self._plan.between_kills), self._kill),
            Trouble(self._weather.gaps("orderly ends", *self._plan.between_ends), self._ask),
            Trouble(self._weather.gaps("closed doors", 5, 25), self._close_doors),
            Trouble(Gaps(random.Random(), 1, 1), self._count),
            Trouble(Gaps(random.Random(), SPEAKS_EVERY, SPEAKS_EVERY), lambda: self._say(self.totals.line())),
        ]
        while not self._enough() and time.monotonic() < until and not self._over.wait(0.02):
            for trouble in troubles:
                trouble.look()

    def _enough(self) -> bool:
        plan, counts = self._plan, self.totals.counts
        done = self._ends.kills >= plan.kills and self._ends.asked >= plan.ends and self._cuts >= plan.cuts
        return (done and counts["slow clients let go"] >= plan.slow) or len(self.totals.faults) >= ENOUGH_FAULTS

    @property
    def _cuts(self) -> int:
        return self._proxy.cuts + self._drowsy.cuts

    def _kill(self) -> None:
        if self._ends.kills < self._plan.kills:
            self._ends.kill()

    def _ask(self) -> None:
        if self._ends.asked < self._plan.ends:
            self._ends.ask()

    def _close_doors(self) -> None:
        self._proxy.refuse(min(2.0, self._plan.longest_freeze))

    def _count(self) -> None:
        counts, ends = self.totals.counts, self._ends
        counts["cuts"], counts["kills"], counts["orderly ends"] = self._cuts, ends.kills, ends.asked
        for kind, times in Counter(end.kind for end in ends.done).items():
            counts[f"ends: {kind}"] = times
        for what, times in (self._proxy.done + self._drowsy.done).items():
            counts[f"proxy: {what}"] = times
        counts["slow clients let go"] = ends.slow_clients()
        self.totals.slowest_end = ends.slowest
        log = self._server.log
        counts["tracebacks in the server's log"] = len(re.findall(TRACEBACK, log))
        for raised, times in Counter(re.findall(rf"{TRACEBACK}\n(?:[ \t].*\n)+(.*)", log)).items():
            counts[f"tracebacks: {raised}"] = times

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
        "OPENAI_BASE_URL": upstream.base_url, "DRAIN_SECONDS": str(DRAIN), "ADMIN_TOKEN": ADMIN_TOKEN,
    }  # fmt: skip


class Trouble:
    """Something that happens again and again. `look` from one thread; the gap begins when it is over."""

    def __init__(self, gaps: Gaps, happen: Callable[[], None]) -> None:
        self._gaps = gaps
        self._happen = happen
        self._due = time.monotonic() + gaps.next()

    def look(self) -> None:
        if time.monotonic() >= self._due:
            self._happen()
            self._due = time.monotonic() + self._gaps.next()


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
