"""Requests of HTTP that are wrong, for polling and for a websocket: answered at once, and nobody else notices."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.running_server import RunningServer
from tests.server import bystander
from tests.server.bystander import AT_ONCE, SECRET, Neighbour, event, within
from tests.server.raw_client import SEPARATOR, RawPolling, RawWebsocket, Reply, request

pytestmark = pytest.mark.server

server, neighbour, harmless = bystander.server, bystander.neighbour, bystander.harmless


def test_a_made_up_session_id_writes_no_line_of_its_own_into_the_log(
    start_server: Callable[..., RunningServer],
) -> None:
    server = start_server()
    request(server.url, "GET", "/socket.io/?EIO=4&transport=polling&sid=x%0A2026-01-01%20ERROR%20the%20disk%20burns")
    assert not [line for line in server.log.splitlines() if line.startswith("2026-01-01 ERROR")]


BODIES = [
    *(b"", b"x", b"\xff\xfe", b"4\xed\xa0\x80", b"0{}", b"6", b"7", b"9", b"bA", b"bAAA", b"2", b"2probe", b"\x1e"),
    *(b"4hello\x1e", SEPARATOR.join(["43"] * 17).encode(), b"d=42", b"d=%34%32", b"5" * 5_000_000, b"\0"),
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:20]))
def test_a_polling_request_with_a_bad_body_is_answered_at_once_with_400(
    server: RunningServer, harmless: Any, body: bytes
) -> None:
    with harmless(), RawPolling(server.url) as client:
        client.join()
        reply: Reply = within(AT_ONCE, lambda: client.post(body))
        assert reply.status == 400
        assert SECRET.encode() not in reply.body
        assert client.call(event("history", {}))["ok"]


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "0", "99999999999", ""])
def test_a_polling_request_with_a_bad_length_is_refused(server: RunningServer, harmless: Any, length: str) -> None:
    with harmless(), RawPolling(server.url) as client:
        client.join()
        reply: Reply = within(AT_ONCE, lambda: client.post(b'42/chat,["stop"]', {"Content-Length": length}))
        assert reply.status in (400, 413)


def test_a_body_shorter_than_its_length_holds_up_nobody(server: RunningServer, harmless: Any) -> None:
    with harmless(), RawPolling(server.url) as client:
        client.join()
        with contextlib.suppress(AssertionError):
            within(0.5, lambda: client.post(b"4", {"Content-Length": "100"}))
        assert client.call(event("history", {}))["ok"]


@pytest.mark.parametrize(
    ("method", "query"),
    [
        ("GET", "EIO=4&transport=polling&sid=nobody"),
        ("GET", "EIO=3&transport=polling"),
        ("GET", "transport=polling"),
        ("GET", "EIO=4&transport=pigeon"),
        ("GET", "EIO=4&transport=websocket"),
        ("GET", "EIO=4&transport=polling&j=x"),
        ("GET", "EIO=4&transport=polling&sid=%ff%00"),
        ("POST", "EIO=4&transport=polling"),
        ("POST", "EIO=4&transport=polling&sid=nobody"),
        ("PUT", "EIO=4&transport=polling"),
        ("DELETE", "EIO=4&transport=polling&sid=nobody"),
    ],
)
def test_a_request_that_belongs_to_no_connection_is_refused(
    server: RunningServer, neighbour: Neighbour, method: str, query: str
) -> None:
    logged = len(server.log)
    neighbour.ask()
    reply: Reply = within(AT_ONCE, lambda: request(server.url, method, f"/socket.io/?{query}", b"4x"))
    assert 400 <= reply.status < 500
    neighbour.goes_on()
    # The library logs the first of each kind as an error, in one line; that is right.
    assert "Traceback" not in server.log[logged:]


def test_a_jsonp_connection_is_served_or_refused_and_nothing_else(server: RunningServer, harmless: Any) -> None:
    with harmless():
        reply: Reply = within(AT_ONCE, lambda: request(server.url, "GET", "/socket.io/?EIO=4&transport=polling&j=0"))
        assert reply.status in (200, 400)


@pytest.mark.parametrize("first", [b"4\xff", b"x", b"", b"2prob", b"42/chat,[", b"\xff" * 10])
def test_an_upgrade_that_is_none_leaves_the_polling_connection_as_it_was(
    server: RunningServer, harmless: Any, first: bytes
) -> None:
    with harmless(), RawPolling(server.url) as client:
        client.join()
        with RawWebsocket(server.url, f"&sid={client.sid}") as upgrade:
            upgrade.send_raw(first)
            upgrade.wait_until_closed()
        assert client.call(event("history", {}))["ok"]


@pytest.mark.parametrize(
    "extensions",
    ["permessage-deflate; server_max_window_bits=x", "permessage-deflate; client_max_window_bits=", "=;=,"],
)
def test_a_websocket_handshake_with_odd_extensions_leaves_no_traceback(
    server: RunningServer, harmless: Any, extensions: str
) -> None:
    headers = {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Extensions": extensions,
    }  # fmt: skip
    with harmless(), contextlib.suppress(TimeoutError):
        path = "/socket.io/?EIO=4&transport=websocket"
        within_reach = threading.Thread(target=lambda: request(server.url, "GET", path, None, headers), daemon=True)
        within_reach.start()
        within_reach.join(0.5)
