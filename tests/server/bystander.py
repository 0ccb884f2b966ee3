"""What tests of bad input share: a neighbour whose answer runs all the while, and that nobody may harm.

The neighbour is another client of the server that everything bad is sent to. A file takes the fixtures by their names.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from tests.chat_client import ChatClient
from tests.running_server import RunningServer, wait_until
from ws.transfers import BODY_PATIENCE

SECRET = "walrus7c1f"
"""Stands in every text and token here; it must never stand in the log."""

KEY = "the-key-of-the-server-of-this-module"
TURN = "5a0d3c1e-6f5b-4f0e-9d0a-2f1f6f1b8c11"
DEEP = "[" * 10_000 + "]" * 10_000
ALLOWED_IN_LOG = ("Bad file descriptor",)
"""Noise of the eventlet worker after a closed websocket (stack facts, 15)."""

FAULTS = ("Traceback", "Error", "exception", SECRET)

AT_ONCE = BODY_PATIENCE * 0.9
"""Seconds: less than a body is waited for."""

both = pytest.mark.parametrize("transport", ["websocket", "polling"])

RESUME = {"turn_id": TURN, "after_seq": -1}
FEEDBACK = {"turn_id": TURN, "rating": "up"}
SAY = {"text": SECRET}


class Neighbour:
    """A client with a running answer, one after the other, each of which has to be whole."""

    def __init__(self, url: str) -> None:
        self.client = ChatClient(url)
        self.arrivals: list[float] = []
        self._turn = ""

    def ask(self) -> None:
        """See to it that an answer is running."""
        if self._turn and not self.client.all("turn_finished", self._turn):
            return
        if self._turn:
            self.check()
        self._turn = self.client.say("hello, what is this?")

    def check(self) -> None:
        """The answer, when it has ended, is whole."""
        assert self.client.whole(self._turn)["state"] == "complete"

    def goes_on(self) -> None:
        """Another piece arrives, or the answer ends."""
        before = len(self.client.pieces(self._turn))
        wait_until(
            lambda: len(self.client.pieces(self._turn)) > before or self.client.all("turn_finished", self._turn),
            "the neighbour's answer goes on",
        )
        seqs = [piece["seq"] for piece in self.client.pieces(self._turn)]
        assert seqs == list(range(len(seqs)))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    data = str(tmp_path_factory.mktemp("data"))
    server = RunningServer({"DATA_DIR": data, "DEMO_PACE": "50", "SECRET_KEY": KEY})
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def neighbour(server: RunningServer) -> Iterator[Neighbour]:
    neighbour = Neighbour(server.url)
    yield neighbour
    neighbour.check()
    assert_all_was_harmless(server, neighbour)
    neighbour.client.close()


@pytest.fixture
def harmless(server: RunningServer, neighbour: Neighbour) -> Callable[[], AbstractContextManager[None]]:
    """`with harmless():` what happens inside leaves no trace in the log, nor in the neighbour's answer."""

    @contextlib.contextmanager
    def watch() -> Iterator[None]:
        logged = len(server.log)
        neighbour.ask()
        yield
        neighbour.goes_on()
        assert neighbour.client.call("history", {"limit": 1})["ok"]
        assert_clean(server.log[logged:])

    return watch


def assert_clean(log: str) -> None:
    lines = [line for line in log.splitlines() if not any(noise in line for noise in ALLOWED_IN_LOG)]
    faults = [line for line in lines if any(fault in line for fault in FAULTS)]
    assert not faults, "\n".join(lines)[:4000]
    assert "token" not in log


def assert_all_was_harmless(server: RunningServer, neighbour: Neighbour) -> None:
    """After all tests of a file."""
    assert SECRET not in server.log
    assert neighbour.client.token not in server.log
    assert server.log.count("Booting worker") == 1, "the worker was restarted"


def within(seconds: float, work: Callable[[], Any]) -> Any:
    """What `work` gives; fails if it takes longer."""
    results: list[Any] = []

    def attempt() -> None:
        with contextlib.suppress(OSError):
            results.append(work())

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(seconds)
    assert results, f"no answer within {seconds} s"
    return results[0]


def event(name: str, *payload: Any) -> str:
    return json.dumps([name, *payload])
