"""A journal that is full or locked under a running server: refused clearly, nothing acknowledged is lost."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.chat_client import ENDLESS, ChatClient
from tests.running_server import PATIENCE, RunningServer, wait_until
from tests.server.test_kills import kept

pytestmark = pytest.mark.server

Start = Callable[..., RunningServer]
Trouble = Callable[[RunningServer, Path], object]


@contextmanager
def full(server: RunningServer, _journal: Path) -> Iterator[None]:
    """No file of the worker can grow: what a full disk is to SQLite's writing."""
    before = resource.prlimit(server.worker_pid(), resource.RLIMIT_FSIZE)
    resource.prlimit(server.worker_pid(), resource.RLIMIT_FSIZE, (0, before[1]))
    yield
    resource.prlimit(server.worker_pid(), resource.RLIMIT_FSIZE, before)


@contextmanager
def locked(_server: RunningServer, journal: Path) -> Iterator[None]:
    """Another program sits in a write transaction."""
    other = sqlite3.connect(journal, timeout=PATIENCE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


@pytest.mark.parametrize("trouble", [full, locked], ids=lambda trouble: trouble.__name__)
def test_messages_are_refused_answers_go_on_and_all_that_was_acknowledged_is_kept(
    start_server: Start, tmp_path: Path, trouble: Trouble
) -> None:
    server = start_server(DEMO_PACE="20", DEMO_ANSWER="long")
    journal = tmp_path / "data" / "journal.sqlite3"
    with ChatClient(server.url) as client:
        running, waiting = client.say("What is this?"), client.say("hello")
        client.wait_for_pieces(running, 2)
        with trouble(server, journal):  # type: ignore[attr-defined]
            seen = len(client.pieces(running))
            refused = client.call("user_message", {"text": "hello", "client_id": "refused"})
            assert refused["error"]["code"] == "journal_unavailable"
            assert server.status("/readyz") == 503
            assert server.status("/healthz") == 200
            wait_until(lambda: len(client.pieces(running)) >= seen + 10, "the answer goes on")
            with ChatClient(server.url, auth={"token": client.token}) as beside:
                assert beside.session["running"]["text"]
            assert client.call("stop", {"turn_id": running})["error"]["code"] == "journal_unavailable"
            assert not client.all("turn_finished")
        assert client.whole(running)["state"] == "stopped"
        client.wait_for_pieces(waiting)
        assert client.call("stop", {"turn_id": waiting})["state"] == "stopped"
        again = client.call("user_message", {"text": "hello", "client_id": "refused"})
        assert again["duplicate"] is False
        client.wait_for_pieces(again["turn_id"])
        wait_until(lambda: server.status("/readyz") == 200, "it is ready again")
    with sqlite3.connect(journal) as reading:
        states = reading.execute("SELECT state FROM turns ORDER BY turn_index").fetchall()
    assert states == [("stopped",), ("stopped",), ("running",)]
    assert "Traceback" not in server.log


def test_a_server_in_trouble_still_ends_in_time(start_server: Start, tmp_path: Path) -> None:
    server = start_server(DEMO_PACE="20", DRAIN_SECONDS="0")
    client = ChatClient(server.url)
    turn_id = client.say(ENDLESS)
    wait_until(lambda: kept(tmp_path / "data", turn_id, "answer"), "some of the text is kept")
    assert server.process is not None
    with locked(server, tmp_path / "data" / "journal.sqlite3"):
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0
    token = client.token
    server = start_server()
    with ChatClient(server.url, auth={"token": token}) as again:
        (turn,) = again.session["turns"]
        assert turn["state"] == "interrupted"
        assert turn["answer"]
