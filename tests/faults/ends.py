"""The ways in which a server ends, one at a time: killed, or in order; what was done to it, and when."""

from __future__ import annotations

import contextlib
import math
import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import cycle

from tests.faults.evidence import now
from tests.running_server import PATIENCE, RunningServer, is_gone, wait_until

DYING = 500
"""Milliseconds in which whoever was killed may still accept a turn; those who come after need longer to start."""
DRAIN = 1
"""Seconds that running answers are given at an orderly end (`DRAIN_SECONDS`)."""
BUSY = 3
"""Running answers that an orderly end waits for, for a moment."""
LEAVING = DRAIN + PATIENCE
ADMIN_TOKEN = "an-operators-token"


@dataclass(slots=True)
class End:
    """Of a worker. `began`: just before its signal; `last`: until when it may accept; `over`: when another one serves
    and it has gone (ms since 1970). `at`: just behind the signal, in monotonic seconds. `orderly`: it was asked to go.
    """

    kind: str
    orderly: bool
    began: int
    at: float
    last: float
    over: float = math.inf


class Ends:
    """Each call of `kill` and `ask` ends the worker in the next way, and comes back when another one serves."""

    def __init__(self, server: RunningServer) -> None:
        self.done: list[End] = []
        self.slowest = 0.0
        """Seconds that an orderly end took at most."""
        self._server = server
        self._slow_before = 0
        self._slow_now = 0
        self._kills: Iterator[Callable[[], None]] = cycle((self._kill_worker, self._kill_server))
        self._asks: Iterator[Callable[[], None]] = cycle((self._terminate, self._reload))

    @property
    def kills(self) -> int:
        return sum(not end.orderly for end in self.done)

    @property
    def asked(self) -> int:
        return sum(end.orderly for end in self.done)

    def kill(self) -> None:
        next(self._kills)()
        self.done[-1].over = now()

    def ask(self) -> None:
        with contextlib.suppress(AssertionError):  # Without running answers there would be little to see.
            wait_until(lambda: self._metric("chat_turns_running", 0) >= BUSY, "answers run", PATIENCE / 10)
        begun = time.monotonic()
        next(self._asks)()
        self.done[-1].over = now()
        self.slowest = max(self.slowest, time.monotonic() - begun)

    def slow_clients(self) -> int:
        """Clients that were let go because they did not read: the metric of all workers so far."""
        # It begins at zero with each worker; what one counts between the last look and its end is not known.
        self._slow_now = self._metric("chat_slow_clients_total", self._slow_now)
        return self._slow_before + self._slow_now

    def _metric(self, name: str, otherwise: int) -> int:
        status, body, _ = self._server.get("/metrics", {"Authorization": f"Bearer {ADMIN_TOKEN}"})
        found = re.search(rf"^{name} (\S+)$", body.decode(), re.M)
        return int(float(found[1])) if status == 200 and found else otherwise

    def _kill_worker(self) -> None:
        self._during("kill -9 of the worker", self._server.kill_worker)
        self._wait_for_another()

    def _kill_server(self) -> None:
        self._during("kill -9 of the server", self._server.kill)
        self._server.start()

    def _terminate(self) -> None:
        self._during("SIGTERM", partial(self._tell, signal.SIGTERM), orderly=True)
        process = self._server.process
        wait_until(lambda: process is None or process.poll() is not None, "the server has gone", LEAVING)
        self._server.start()

    def _reload(self) -> None:
        old = self._server.worker_pid()
        self._during("SIGHUP", partial(self._tell, signal.SIGHUP), orderly=True)
        self._wait_for_another()
        wait_until(lambda: is_gone(old), "the old worker has gone", LEAVING)

    def _tell(self, what: signal.Signals) -> None:
        assert self._server.process is not None
        self._server.process.send_signal(what)

    def _during(self, kind: str, strike: Callable[[], object], *, orderly: bool = False) -> None:
        self._slow_before, self._slow_now = self.slow_clients(), 0
        self._pid = self._server.worker_pid()
        began = now()
        strike()
        # Whoever is asked may take a message until it hears of it; whoever it hands over to is not going to end.
        last = now() + (LEAVING * 1000 if orderly else DYING)
        self.done.append(End(kind, orderly, began, time.monotonic(), last))

    def _wait_for_another(self) -> None:
        wait_until(self._replaced, "a new worker serves")

    def _replaced(self) -> bool:
        booted = "Chat page" in self._server.log.rpartition("Booting worker")[2]
        return booted and self._server.worker_pid() != self._pid and self._server.status("/readyz") == 200
