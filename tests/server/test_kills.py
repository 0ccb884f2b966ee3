"""What is left after a `kill -9`: the turn is interrupted with its text, and the conversation goes on."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chat_client import ENDLESS, ChatClient
from tests.running_server import PATIENCE, SOON, RunningServer, wait_until

pytestmark = pytest.mark.server

Start = Callable[..., RunningServer]


def kept(data: Path, turn_id: str, column: str) -> str:
    with sqlite3.connect(data / "journal.sqlite3", timeout=PATIENCE) as journal:
        return str(journal.execute(f"SELECT {column} FROM turns WHERE id = ?", (turn_id,)).fetchone()[0])


@pytest.mark.parametrize("victim", ["server", "worker"])
def test_a_killed_answer_is_interrupted_with_its_text(start_server: Start, tmp_path: Path, victim: str) -> None:
    server = start_server(DEMO_PACE="20")
    client = ChatClient(server.url)
    turn_id, waiting = client.say(ENDLESS), client.say("and then?")
    wait_until(lambda: kept(tmp_path / "data", turn_id, "answer"), "some of the text is kept")
    token, seen = client.token, "".join(piece["text"] for piece in client.pieces(turn_id))
    if victim == "server":
        server.kill()
        server = start_server(DEMO_PACE="0")
    else:
        dead = server.kill_worker()
        wait_until(lambda: server.worker_pid() != dead and server.status("/readyz") == 200, "a new worker serves")
    with ChatClient(server.url, auth={"token": token, "after": {"turn_id": turn_id, "seq": 10_000}}) as again:
        first, second = again.session["turns"]
        assert (first["state"], second["state"]) == ("interrupted", "interrupted")
        assert first["answer"]
        assert seen.startswith(first["answer"]) or first["answer"].startswith(seen)
        assert again.session["resumed"]["reset"]["text"] == first["answer"]
        assert again.session["resumed"]["finished"]["state"] == "interrupted"
        assert again.session["running"] is None
        assert again.call("resume", {"turn_id": waiting, "after_seq": -1})["state"] == "interrupted"
        assert again.ask("hello")["state"] == "complete"
    client.close()
    assert "Traceback" not in server.log


def test_a_neighbour_on_the_same_data_folder_keeps_its_running_turns(start_server: Start) -> None:
    server = start_server(DEMO_PACE="20")
    with ChatClient(server.url) as client:
        turn_id = client.say("What is this?")
        client.wait_for_pieces(turn_id, 2)
        neighbour = start_server(DEMO_PACE="0")
        assert client.whole(turn_id)["state"] == "complete"
    assert "another server uses this DATA_DIR" in neighbour.log


@pytest.mark.parametrize("signal", [signal.SIGTERM, signal.SIGINT], ids=lambda signal: signal.name)
def test_an_end_without_patience_keeps_all_of_a_running_answer(
    start_server: Start, tmp_path: Path, signal: signal.Signals
) -> None:
    server = start_server(DEMO_PACE="20", DRAIN_SECONDS="0")
    client = ChatClient(server.url)
    turn_id, waiting = client.say(ENDLESS), client.say("and then?")
    client.wait_for_pieces(turn_id, 3)
    assert server.process is not None
    server.process.send_signal(signal)
    begun = time.monotonic()
    server.process.wait(PATIENCE)
    assert time.monotonic() - begun < SOON
    seen = "".join(piece["text"] for piece in client.pieces(turn_id))
    client.close()
    assert kept(tmp_path / "data", turn_id, "state") == kept(tmp_path / "data", waiting, "state") == "interrupted"
    assert kept(tmp_path / "data", turn_id, "answer").startswith(seen)


def test_messages_sent_while_the_server_was_away_are_not_lost_or_doubled(start_server: Start) -> None:
    server = start_server()
    with ChatClient(server.url) as client:
        client.say("hello", client_id="one")
        token = client.token
        server.kill()
    server = start_server()
    with ChatClient(server.url, auth={"token": token}) as again:
        repeated = again.call("user_message", {"text": "hello", "client_id": "one"})
        assert repeated["duplicate"] is True
        assert again.ask("hello")["state"] == "complete"
        assert len(again.call("history", {})["turns"]) == 2


def test_a_worker_whose_master_was_killed_ends_too_and_frees_the_port(start_server: Start) -> None:
    server = start_server()
    assert server.process is not None
    server.process.kill()
    server.process.wait()
    wait_until(lambda: server.status("/healthz") == 0, "the port is free")
