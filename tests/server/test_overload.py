"""More than a server can take: clients that do not read, one client too many, thousands that only sit there."""

from __future__ import annotations

import contextlib
import json
import re
import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import websocket

from tests.chat_client import ChatClient
from tests.running_server import PATIENCE, RunningServer, wait_until
from tests.server.deaf_polling import DeafPolling
from tests.server.raw_client import RawWebsocket, request

pytestmark = pytest.mark.server

Start = Callable[..., RunningServer]
TOKEN = "an-operators-token"
MIB = 1024 * 1024


def memory(server: RunningServer) -> int:
    """Bytes of memory that the worker has at the moment."""
    kilobytes = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{server.worker_pid()}/status").read_text())
    assert kilobytes
    return int(kilobytes[1]) * 1024


def metric(server: RunningServer, name: str) -> float:
    _, body, _ = server.get("/metrics", {"Authorization": f"Bearer {TOKEN}"})
    found = re.search(rf"^{name} (\S+)$", body.decode(), re.M)
    assert found, name
    return float(found[1])


def connect(server: RunningServer, token: str | None = None) -> websocket.WebSocket:
    """A connection that stands in the chat, and that nobody reads from."""
    address = f"{server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket"
    connection = websocket.create_connection(address, timeout=PATIENCE)
    connection.recv()
    connection.send("40/chat," + json.dumps({"protocol": 1, "token": token}))
    return connection


TEXTS = {"ascii": ("long", "hello"), "emoji": ("guide", "\U0001f600" * 1200)}
"""Kinds of conversations that take some 200 kB: what the demo answers, and what it is asked."""


@pytest.fixture(params=["ascii"])
def talkative(start_server: Start, request: pytest.FixtureRequest) -> Iterator[tuple[RunningServer, ChatClient]]:
    """A server, and a client with a conversation of some 200 kB."""
    answer, question = TEXTS[request.param]
    server = start_server(DEMO_ANSWER=answer, ADMIN_TOKEN=TOKEN)
    with ChatClient(server.url) as client:
        for _ in range(16):
            client.ask(question)
        yield server, client


def asks_until_let_go(connection: websocket.WebSocket) -> None:
    """Ask again and again for 200 kB without reading them, until the server ends the connection."""

    def fails() -> bool:
        try:
            connection.send('42/chat,1["history",{"limit":50}]')
        except (OSError, websocket.WebSocketException):
            return True
        return False

    wait_until(fails, "the server lets go of a client that does not read")


def polls_until_let_go(server: RunningServer, token: str) -> None:
    """The same by polling: one poll that is not read, and request after request."""
    with DeafPolling(server, token) as deaf:
        deaf.poll()
        wait_until(lambda: deaf.ask() != 200, "the server lets go of a client that does not read")


def never_reads(server: RunningServer, token: str, transport: str) -> None:
    if transport == "polling":
        polls_until_let_go(server, token)
    else:
        asks_until_let_go(connect(server, token))


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize("talkative", TEXTS, indirect=True)
def test_clients_that_never_read_cost_two_megabytes_at_most_and_are_let_go(
    talkative: tuple[RunningServer, ChatClient], transport: str
) -> None:
    server, client = talkative
    # What is loaded only once does not count.
    never_reads(server, client.token, transport)
    before, highest = memory(server), 0
    with ThreadPoolExecutor(5) as pool:
        asking = [pool.submit(never_reads, server, client.token, transport) for _ in range(5)]
        while not all(future.done() for future in asking):
            highest = max(highest, memory(server))
    assert all(future.exception() is None for future in asking)
    assert highest - before <= 5 * 2 * MIB
    wait_until(lambda: metric(server, "chat_slow_clients_total") == 6, "each is counted")
    assert client.whole(client.say("still there?"))["state"] == "complete"
    assert "Traceback" not in server.log


def test_a_tab_that_does_not_read_delays_no_other(talkative: tuple[RunningServer, ChatClient]) -> None:
    server, client = talkative
    deaf = connect(server, client.token)
    for _ in range(60):
        assert client.whole(client.say("hello"))["state"] == "complete"
    wait_until(lambda: metric(server, "chat_slow_clients_total") == 1, "the deaf one is let go")
    deaf.close()
    with ChatClient(server.url, auth={"token": client.token}) as again:
        assert again.session["turns"][-1]["state"] == "complete"
        assert again.session["more"] is True


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_one_client_too_many_is_refused_at_once_and_served_when_there_is_room(
    start_server: Start, transport: str
) -> None:
    server = start_server(MAX_CONNECTIONS="3")
    clients = [ChatClient(server.url, transport=transport) for _ in range(3)]
    path = f"/socket.io/?EIO=4&transport={transport}"
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    headers = {**upgrade, "Sec-WebSocket-Key": "x" * 24} if transport == "websocket" else {}
    reply = request(server.url, "GET", path, headers=headers)
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    assert server.status("/") == server.status("/readyz") == 200
    assert clients[0].ask("hello")["state"] == "complete"
    clients.pop().close()
    wait_until(lambda: _connects(server, transport), "the next one is served")
    for client in clients:
        client.close()


def test_two_thousand_idle_clients_are_served(start_server: Start) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 6000)), hard))
    # They answer no pings: a slow machine would have lost the first before the last has come.
    server = start_server(application="tests.server.other_times:app_instance", TEST_PING="600", ADMIN_TOKEN=TOKEN)
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(20) as pool:
        before = memory(server)
        clients = list(pool.map(lambda _: connect(server), range(2000)))
        for client in clients:
            stack.callback(client.sock.close)
        sessions = list(pool.map(_greeted, clients))
        assert len({session["conversation_uuid"] for session in sessions}) == 2000
        assert metric(server, "chat_connections") == 2000
        assert (memory(server) - before) / 2000 < 100 * 1024
        with RawWebsocket(server.url) as one_more:
            one_more.join()
            assert one_more.call('["user_message",{"text":"hello"}]')["ok"]


def _greeted(client: websocket.WebSocket) -> dict[str, str]:
    assert str(client.recv()).startswith("40/chat,")
    name, session = json.loads(str(client.recv()).removeprefix("42/chat,"))
    assert name == "session"
    return dict(session)


def _connects(server: RunningServer, transport: str) -> bool:
    with contextlib.suppress(Exception), ChatClient(server.url, transport=transport) as client:
        return client.ask("hello")["state"] == "complete"
    return False
