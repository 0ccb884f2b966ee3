"""The orderly end of a server: running answers end by themselves, the rest is said to be interrupted, nobody hangs."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chat_client import ENDLESS, ChatClient
from tests.running_server import PATIENCE, SOON, RunningServer, free_port, is_gone, wait_until
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
        socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_idle_connections_do_not_hold_the_server_up(start_server: Start, transport: str) -> None:
    server = start_server(DRAIN_SECONDS="600")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(TRANSPORTS[transport](server.url)) for _ in range(20)]
        # An HTTP connection that is only kept alive, and one that never asked for anything.
        kept = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        kept.recv(1000)
        stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        assert seconds_to_exit(server) < SOON
        wait_until(lambda: all(client.closed for client in clients), "every client is let go")
    assert "Traceback" not in server.log


def test_a_running_answer_ends_by_itself_and_nothing_new_is_taken(start_server: Start) -> None:
    server = start_server(DEMO_PACE="40", DRAIN_SECONDS="600")
    idle, client = ChatClient(server.url), ChatClient(server.url)
    # Fifteen seconds: what is asked while it runs has so long.
    turn_id, waiting = client.say("count to 600"), client.say("hello", client_id="waits")
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
    turn_id, waiting = client.say(ENDLESS), client.say("and then?")
    client.wait_for_pieces(turn_id)
    assert 1 <= seconds_to_exit(server) < SOON
    assert client.whole(turn_id)["state"] == client.finished(waiting)["state"] == "interrupted"
    assert client.finished(turn_id)["text"]
    token = client.token
    server = start_server(DEMO_PACE="0")
    with ChatClient(server.url, auth={"token": token}) as again:
        assert again.session["turns"][0]["answer"] == client.finished(turn_id)["text"]
        assert again.ask("hello")["state"] == "complete"


@pytest.fixture
def reloaded(start_server: Start, request: pytest.FixtureRequest) -> Iterator[tuple[RunningServer, ChatClient, str]]:
    """A server that was told to load itself anew in the middle of the answer to `request.param`: (it, client, turn)."""
    server = start_server(DEMO_PACE="20", DRAIN_SECONDS="600")
    client = ChatClient(server.url)
    turn_id = client.say(request.param)
    client.wait_for_pieces(turn_id, 2)
    old = server.worker_pid()
    tell(server, signal.SIGHUP)
    wait_until(lambda: server.worker_pid() != old and "Chat page" in server.log.rpartition("Booting")[2], "a new one")
    yield server, client, turn_id
    client.close()


# Fifteen seconds: before that the new worker has to serve.
@pytest.mark.parametrize("reloaded", ["count to 300"], indirect=True)
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


@pytest.mark.parametrize("reloaded", [ENDLESS], indirect=True)
def test_a_stop_reaches_an_answer_that_another_worker_makes(reloaded: tuple[RunningServer, ChatClient, str]) -> None:
    server, client, turn_id = reloaded
    with ChatClient(server.url, auth={"token": client.token}) as beside:
        waiting = beside.say("hello")
        assert beside.call("stop", {})["ok"]
        assert client.whole(turn_id)["state"] == "stopped"
        assert beside.whole(waiting)["state"] == "complete"


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_real_threads_serve_several_clients_and_end_in_order(start_server: Start, transport: str) -> None:
    port = free_port()
    worker = ("--config", "ws/gunicorn_config.py", "--worker-class", "gthread", "app.main:app_instance")
    arguments = (*worker, "-b", f"127.0.0.1:{port}")
    server = start_server(arguments=arguments, port=port, ASYNC_MODE="threading", DEMO_PACE="40")
    clients = [ChatClient(server.url, transport=transport) for _ in range(3)]
    assert all(client.ask("hello")["state"] == "complete" for client in clients)
    turn_id = clients[0].say("What is this?")
    clients[0].wait_for_pieces(turn_id, 2)
    assert clients[1].call("user_message", {"text": "hello"})["ok"]
    tell(server, signal.SIGTERM)
    assert clients[0].finished(turn_id)["state"] == "complete"
    assert server.process is not None
    server.process.wait(PATIENCE)
    assert "Traceback" not in server.log


def test_a_reload_keeps_both_ports_and_takes_the_settings_of_now(tmp_path: Path) -> None:
    fe_port = free_port()
    server = RunningServer({"DEMO_PACE": "0"}, folder=tmp_path)
    settings = tmp_path / ".env"
    right = f"PORT={server.port}\nFE_PORT={fe_port}\nMAX_TEXT=100\n"
    settings.write_text(right)
    server.start()
    try:
        first = server.worker_pid()
        for wrong in ("MAX_TEXT=wrong", "ASYNC_MODE=threading", "DATA_DIR=/dev/null/no", f"FE_PORT={free_port()}"):
            refusals = server.log.count("Nothing is loaded anew")
            settings.write_text(f"{right}{wrong}\n")
            tell(server, signal.SIGHUP)
            wait_until(lambda before=refusals: server.log.count("Nothing is loaded anew") > before, wrong)
        assert server.status("/readyz") == 200
        settings.write_text(right.replace("100", "200"))
        tell(server, signal.SIGHUP)
        wait_until(lambda: server.worker_pid() != first and server.log.count("Chat page") == 4, "a new worker serves")
        wait_until(lambda: is_gone(first), "and the old one does not any more")
        for port in (server.port, fe_port):
            with ChatClient(f"http://127.0.0.1:{port}") as client:
                assert client.session["limits"]["max_text"] == 200
    finally:
        server.stop()


def test_turns_of_a_neighbour_that_dies_end_without_a_start(start_server: Start) -> None:
    server = start_server(DEMO_PACE="10")
    neighbour = start_server()
    client = ChatClient(server.url)
    turn_id = client.say(ENDLESS)
    client.wait_for_pieces(turn_id, 12)
    token = client.token
    server.kill()
    with ChatClient(neighbour.url, auth={"token": token}) as again:
        wait_until(lambda: again.all("turn_finished", turn_id) or _state(again, turn_id) == "interrupted", "it ends")
        assert _state(again, turn_id) == "interrupted"
        assert again.ask("hello")["state"] == "complete"


def _state(client: ChatClient, turn_id: str) -> str:
    return str(client.call("resume", {"turn_id": turn_id, "after_seq": -1})["state"])
