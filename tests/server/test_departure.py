"""The orderly end of a server: running answers end by themselves, the rest is said to be interrupted, nobody hangs."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chat_client import ChatClient
from tests.running_server import PATIENCE, RunningServer, free_port, wait_until
from tests.server.raw_client import TRANSPORTS

pytestmark = pytest.mark.server

Start = Callable[..., RunningServer]


def tell(server: RunningServer, what: signal.Signals) -> None:
    assert server.process is not None
    server.process.send_signal(what)


def seconds_to_exit(server: RunningServer) -> float:
    """Send SIGTERM and wait for the end of the whole server."""
    assert server.process is not None
    begun = time.monotonic()
    tell(server, signal.SIGTERM)
    server.process.wait(PATIENCE)
    return time.monotonic() - begun


def refuses(server: RunningServer) -> bool:
    """Whether nobody listens on the server's port."""
    try:
        socket.create_connection(("127.0.0.1", server.port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_idle_connections_do_not_hold_the_server_up(start_server: Start, transport: str) -> None:
    server = start_server()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(TRANSPORTS[transport](server.url)) for _ in range(20)]
        # An HTTP connection that is only kept alive, and one that never asked for anything.
        kept = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        kept.recv(1000)
        stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        assert seconds_to_exit(server) < 2
        wait_until(lambda: all(client.closed for client in clients), "every client is let go")
    assert "Traceback" not in server.log


def test_a_running_answer_ends_by_itself_and_nothing_new_is_taken(start_server: Start) -> None:
    server = start_server(DEMO_PACE="40")
    idle, client = ChatClient(server.url), ChatClient(server.url)
    turn_id, waiting = client.say("What is this?"), client.say("hello", client_id="waits")
    client.wait_for_pieces(turn_id, 2)
    tell(server, signal.SIGTERM)
    wait_until(lambda: idle.all("disconnect"), "a client that waits for nothing is let go at once")
    assert not client.all("turn_finished")
    assert refuses(server)
    refused = client.call("user_message", {"text": "one more", "client_id": "new"})
    assert refused["error"]["code"] == "restarting"
    assert refused["error"]["retry_after"] > 0
    assert client.call("user_message", {"text": "hello", "client_id": "waits"})["duplicate"] is True
    assert client.whole(turn_id)["state"] == client.whole(waiting)["state"] == "complete"
    wait_until(lambda: client.all("disconnect"), "its connection ends with its last answer")
    assert server.process is not None
    assert server.process.wait(PATIENCE) == 0
    assert "Traceback" not in server.log


def test_what_is_not_done_in_time_is_interrupted_and_its_clients_are_told(start_server: Start) -> None:
    server = start_server(DEMO_PACE="10", DRAIN_SECONDS="1")
    client = ChatClient(server.url)
    turn_id, waiting = client.say("What is this?"), client.say("and then?")
    client.wait_for_pieces(turn_id)
    assert 1 <= seconds_to_exit(server) < 3
    assert client.whole(turn_id)["state"] == client.finished(waiting)["state"] == "interrupted"
    assert client.finished(turn_id)["text"]
    token = client.token
    server = start_server(DEMO_PACE="0")
    with ChatClient(server.url, auth={"token": token}) as again:
        assert again.session["turns"][0]["answer"] == client.finished(turn_id)["text"]
        assert again.ask("hello")["state"] == "complete"


@pytest.fixture
def reloaded(start_server: Start) -> Iterator[tuple[RunningServer, ChatClient, str]]:
    """A server that was told to load itself anew in the middle of an answer: (it, the client, the turn)."""
    server = start_server(DEMO_PACE="40")
    client = ChatClient(server.url)
    turn_id = client.say("What is this?")
    client.wait_for_pieces(turn_id, 2)
    old = server.worker_pid()
    tell(server, signal.SIGHUP)
    wait_until(lambda: server.worker_pid() != old and "Chat page" in server.log.rpartition("Booting")[2], "a new one")
    yield server, client, turn_id
    client.close()


def test_a_reload_lets_the_old_worker_end_its_answers(reloaded: tuple[RunningServer, ChatClient, str]) -> None:
    server, client, turn_id = reloaded
    with ChatClient(server.url, auth={"token": client.token}) as beside:
        # This one is with the new worker, and its message waits for the old one's answer.
        next_turn = beside.say("hello")
        assert client.whole(turn_id)["state"] == "complete"
        assert beside.whole(next_turn)["state"] == "complete"
        first, second = beside.call("history", {})["turns"]
        assert (first["turn_id"], second["turn_id"]) == (turn_id, next_turn)
        assert beside.call("resume", {"turn_id": turn_id, "after_seq": -1})["finished"]["state"] == "complete"
    assert "Traceback" not in server.log


def test_a_reload_keeps_both_ports_and_takes_the_settings_of_now(tmp_path: Path) -> None:
    fe_port = free_port()
    server = RunningServer({"DATA_DIR": "data", "DEMO_PACE": "0"}, folder=tmp_path)
    settings = tmp_path / ".env"
    settings.write_text(f"PORT={server.port}\nFE_PORT={fe_port}\nMAX_TEXT=100\n")
    server.start()
    try:
        first = server.worker_pid()
        settings.write_text(settings.read_text() + "MAX_TEXT=wrong\n")
        tell(server, signal.SIGHUP)
        wait_until(lambda: "Nothing is loaded anew" in server.log, "a mistake is refused")
        assert "MAX_TEXT: write characters" in server.log
        settings.write_text(settings.read_text().replace("wrong", "200"))
        tell(server, signal.SIGHUP)
        wait_until(lambda: server.worker_pid() != first and server.log.count("Chat page") == 4, "a new worker serves")
        for port in (server.port, fe_port):
            with ChatClient(f"http://127.0.0.1:{port}") as client:
                assert client.session["limits"]["max_text"] == 200
    finally:
        server.stop()


def test_turns_of_a_neighbour_that_dies_end_without_a_start(start_server: Start) -> None:
    server = start_server(DEMO_PACE="10")
    neighbour = start_server()
    client = ChatClient(server.url)
    turn_id = client.say("What is this?")
    client.wait_for_pieces(turn_id, 12)
    token = client.token
    server.kill()
    with ChatClient(neighbour.url, auth={"token": token}) as again:
        wait_until(lambda: again.all("turn_finished", turn_id) or _state(again, turn_id) == "interrupted", "it ends")
        assert _state(again, turn_id) == "interrupted"
        assert again.ask("hello")["state"] == "complete"


def _state(client: ChatClient, turn_id: str) -> str:
    return str(client.call("resume", {"turn_id": turn_id, "after_seq": -1})["state"])
