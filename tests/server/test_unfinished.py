"""Requests that are never finished, from either side, and clients that are only slow."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import websocket

from tests.chat_client import ChatClient
from tests.running_server import PATIENCE, RunningServer, wait_until
from tests.server.deaf_polling import POLLING, DeafPolling, hung_post
from tests.server.raw_client import RawPolling, request
from ws.admission import OTHER_REQUESTS
from ws.frames import LEAST_BODY, MAX_BODY
from ws.transfers import BODY_PATIENCE

pytestmark = pytest.mark.server

Start = Callable[..., RunningServer]
ESTABLISHED, CLOSE_WAIT = "01", "08"


@pytest.fixture
def start_impatient(start_server: Start) -> Start:
    """Start a server whose patience is one second, if nothing else is said."""

    def start(**environment: str) -> RunningServer:
        application = "tests.server.other_times:app_instance"
        return start_server(application=application, **{"TEST_TRANSFER": "1", **environment})

    return start


def descriptors(server: RunningServer) -> int:
    return len(os.listdir(f"/proc/{server.worker_pid()}/fd"))


def settled_descriptors(server: RunningServer) -> int:
    """The same when connections that have ended are closed."""
    wait_until(lambda: connections(server) == 0, "connections that have ended are closed")
    return descriptors(server)


def connections(server: RunningServer) -> int:
    """How many the server still has, by the kernel's word: those that it has not closed, or not even accepted."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[1].endswith(f":{server.port:04X}") and line[3] in (ESTABLISHED, CLOSE_WAIT) for line in lines)


def converse(server: RunningServer) -> str:
    """Have a conversation of some 200 kB; the token of its client."""
    with ChatClient(server.url) as client:
        for _ in range(16):
            client.ask("hello")
        return client.token


def test_a_second_poll_ends_the_session_and_the_first_is_told(start_server: Start) -> None:
    server = start_server()
    with DeafPolling(server) as deaf:
        # Everything that waits, so that the next one is parked.
        wait_until(lambda: b"session" in request(server.url, "GET", deaf.path).body, "the session")
        parked = deaf.poll()
        wait_until(lambda: request(server.url, "GET", deaf.path).status == 400, "the second poll is refused")
        assert b"200 OK" in parked.recv(100)
        assert deaf.ask() == 400
    assert "Traceback" not in server.log


def test_polls_that_are_not_read_are_one_at_most_and_are_given_back(start_impatient: Start) -> None:
    server = start_impatient(DEMO_ANSWER="long")
    token, before = converse(server), descriptors(server)
    with DeafPolling(server, token) as deaf:
        for _ in range(3):
            assert deaf.ask() == 200
        deaf.poll()
        wait_until(lambda: descriptors(server) <= before, "the unread response is cut")
        assert deaf.ask() == 400
    assert "Traceback" not in server.log


def test_a_polling_client_that_reads_everything_is_not_slow(start_server: Start) -> None:
    server = start_server(DEMO_ANSWER="long")
    with DeafPolling(server, converse(server)) as session:
        for _ in range(5):
            # The next poll is what the budget once waited for.
            assert len(request(server.url, "GET", session.path).body) > 0
            for _ in range(3):
                assert session.ask() == 200


def test_bodies_that_never_come_hold_up_nobody(start_server: Start) -> None:
    server = start_server(MAX_CONNECTIONS="3")
    with contextlib.ExitStack() as stack, RawPolling(server.url) as known:
        known.join()
        paths = ["/metrics", POLLING, *(f"{POLLING}&sid=x{number}" for number in range(OTHER_REQUESTS + 10))]
        for hung in [stack.enter_context(hung_post(server, path)) for path in paths]:
            # At once, not after the time that a session's body has.
            hung.settimeout(BODY_PATIENCE * 0.9)
            assert b" 40" in hung.recv(100)
        assert server.status("/healthz") == 200
        assert known.call('["user_message",{"text":"hello"}]')["ok"]


def test_a_session_has_a_few_bodies_under_way_and_each_for_a_time(start_impatient: Start) -> None:
    # So long they are there to be seen.
    server = start_impatient(TEST_TRANSFER="6")
    session = DeafPolling(server)
    before = settled_descriptors(server)
    with contextlib.ExitStack() as stack:
        most = MAX_BODY // LEAST_BODY
        hung = [stack.enter_context(hung_post(server, session.path)) for _ in range(most)]
        wait_until(lambda: descriptors(server) >= before + most, "they are being read")
        refused = stack.enter_context(hung_post(server, session.path))
        assert b"400 Bad Request" in refused.recv(100)
        for connection in hung:
            with contextlib.suppress(ConnectionResetError):
                assert b"200" not in connection.recv(100)
        wait_until(lambda: descriptors(server) <= before, "all places are free again")
    assert "Traceback" not in server.log


class Throttled:
    """A websocket read at `rate` bytes a second. It answers pings and counts what arrives."""

    def __init__(self, server: RunningServer, token: str, rate: int) -> None:
        self.packets: list[bytes] = []
        self.pings = 0
        self._rate = rate
        self._tick = threading.Event()
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.connect(("127.0.0.1", server.port))
        head = "\r\n".join((
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1", "Host: x", "Connection: Upgrade",
            "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4eA==", "", "",
        ))  # fmt: skip
        self._socket.sendall(head.encode())
        self._file = self._socket.makefile("rb", buffering=0)
        while self._file.readline() != b"\r\n":
            pass
        self.send("40/chat," + json.dumps({"protocol": 1, "token": token}))

    def send(self, text: str) -> None:
        """One frame, masked with zeros."""
        data = text.encode()
        length = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0x80 | 126]) + len(data).to_bytes(2)
        self._socket.sendall(b"\x81" + length + bytes(4) + data)

    def read(self) -> bool:
        """Read one frame. False if the connection is over."""
        try:
            first, length = self._read(2)
            if length > 125:
                length = int.from_bytes(self._read(2 if length == 126 else 8))
            packet = self._read(length)
        except OSError:
            return False
        self.packets.append(packet[:20])
        if packet == b"2":
            self.pings += 1
            self.send("3")
        return first & 15 != websocket.ABNF.OPCODE_CLOSE

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self._file.read(min(4096, count - len(data)))
            if not piece:
                raise ConnectionError
            data += piece
            if len(piece) > 100:
                # Not to wait for anything, but to be slow.
                self._tick.wait(len(piece) / self._rate)
        return data


def test_a_slow_reader_is_not_taken_for_one_that_is_gone(start_impatient: Start) -> None:
    server = start_impatient(DEMO_ANSWER="long", TEST_PING="4", TEST_TRANSFER="4")
    token = converse(server)
    slow = Throttled(server, token, rate=40_000)
    try:
        for _ in range(2):
            slow.send('42/chat,1["history",{"limit":50}]')
        # Some 500 kB in 12 s: no ping gets through for longer than an interval and a timeout together.
        deadline = time.monotonic() + 2 * PATIENCE
        while slow.pings < 2 and time.monotonic() < deadline:
            assert slow.read(), f"the server ended it after {slow.packets}"
        assert sum(packet.startswith(b"43/chat,1") for packet in slow.packets) == 2
    finally:
        slow.close()
