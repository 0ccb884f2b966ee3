"""Connects that are wrong, come twice, with somebody else's token or in the wrong moment: refused or left alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from itsdangerous import URLSafeTimedSerializer
from websocket import ABNF

from app.chat.identity import SALT, Tokens, new_identity
from tests.running_server import RunningServer, wait_until
from tests.server import bystander
from tests.server.bystander import DEEP, KEY, SAY, TURN, Neighbour, both, event
from tests.server.raw_client import MODERN, SEPARATOR, TRANSPORTS, RawPolling, RawWebsocket

pytestmark = pytest.mark.server

server, neighbour, harmless = bystander.server, bystander.neighbour, bystander.harmless

AUTHS = [
    *("true", '"token"', "[1]", '{"protocol":2}', '{"protocol":"1"}', '{"protocol":true}', '{"protocol":[]}'),
    *(f'{{"protocol":1,"token":{value}}}' for value in ("5", "true", "[]", "{}", '"\\ud800"', '"\\u0000"')),
    *(f'{{"protocol":1,"after":{value}}}' for value in ("5", '"x"', "[]", "{}", '{"turn_id":"x","seq":0}')),
    f'{{"protocol":1,"after":{{"turn_id":"{TURN}","seq":"0"}}}}',
]


@both
@pytest.mark.parametrize("auth", AUTHS)
def test_an_auth_of_wrong_types_is_refused_with_its_code(
    server: RunningServer, harmless: Any, transport: str, auth: str
) -> None:
    with harmless(), TRANSPORTS[transport](server.url) as client:
        client.send(f"40/chat,{auth}")
        client.wait_for(client.refusals, "the refusal")
        assert client.refusals()[0]["data"]["code"] == "bad_payload"
        client.join()


@both
@pytest.mark.parametrize("auth", ["{", "nonsense", DEEP, "NaN", f'{{"protocol":1,"token":"{"x" * 5000}"}}'])
def test_an_auth_that_cannot_be_read_opens_nothing(
    server: RunningServer, harmless: Any, transport: str, auth: str
) -> None:
    with harmless(), TRANSPORTS[transport](server.url) as client:
        client.send(f"40/chat,{auth}")
        client.join()
        assert len(client.events("session")) == 1


def signed(key: str, **fields: str) -> str:
    return str(URLSafeTimedSerializer(key, salt=SALT).dumps(fields))


@both
def test_a_token_that_is_not_the_servers_opens_a_fresh_session(
    server: RunningServer, harmless: Any, neighbour: Neighbour, transport: str
) -> None:
    token = neighbour.client.token
    c, u = neighbour.client.session["conversation_uuid"], neighbour.client.session["user_id"]
    forged = [
        # Not its last character: not all bits of that count.
        token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1],
        token[:-5],
        token.split(".")[0],
        "." + token,
        token + token,
        token.swapcase(),
        signed("another-key-than-that-of-the-server", c=c, u=u),
        str(URLSafeTimedSerializer(KEY, salt="another salt").dumps({"c": c, "u": u})),
        "",
        "...",
        "é" * 50,
    ]
    with harmless():
        for bad in forged:
            with TRANSPORTS[transport](server.url) as client:
                client.join(json.dumps({"protocol": 1, "token": bad}))
                session = client.events("session")[0]
                assert session["renewed"] == "invalid", bad
                assert session["conversation_uuid"] != c
                assert session["turns"] == []


@both
def test_an_expired_token_opens_a_fresh_session_and_says_so(
    server: RunningServer, harmless: Any, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    identity = new_identity()
    tokens = Tokens([KEY], 60)
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: 1_600_000_000)
    old = tokens.sign(identity)
    monkeypatch.undo()
    with harmless(), TRANSPORTS[transport](server.url) as client:
        client.join(json.dumps({"protocol": 1, "token": old}))
        session = client.events("session")[0]
        assert session["renewed"] == "expired"
        assert session["conversation_uuid"] != identity.conversation


@both
def test_nobody_reaches_the_turn_of_another(
    server: RunningServer, harmless: Any, neighbour: Neighbour, transport: str
) -> None:
    with harmless(), TRANSPORTS[transport](server.url) as client:
        turn = neighbour.client.all("turn_started")[-1]["turn_id"]
        client.join()
        for text in (
            event("resume", {"turn_id": turn, "after_seq": -1}),
            event("stop", {"turn_id": turn}),
            event("feedback", {"turn_id": turn, "rating": "down"}),
            event("history", {"before": turn}),
            event("stop", {}),
        ):
            assert client.call(text)["error"]["code"] == "unknown_turn", text
    with harmless(), TRANSPORTS[transport](server.url) as client:
        client.join(json.dumps({"protocol": 1, "after": {"turn_id": turn, "seq": -1}}))
        assert client.events("session")[0]["resumed"]["error"]["code"] == "unknown_turn"
        assert not client.events("assistant_message")


@both
def test_a_second_connect_changes_nothing(server: RunningServer, harmless: Any, transport: str) -> None:
    with harmless(), TRANSPORTS[transport](server.url) as client:
        client.join()
        for _ in range(3):
            client.send(f"40/chat,{MODERN}")
        assert client.call(event("history", {}))["ok"]
        assert len(client.events("session")) == 1


@both
@pytest.mark.parametrize("namespace", ["", "/,", "/other,", "/chat/,", "/CHAT,", '/a"b,', "/" + "x" * 100_000 + ","])
def test_another_namespace_is_refused(server: RunningServer, harmless: Any, transport: str, namespace: str) -> None:
    with harmless(), TRANSPORTS[transport](server.url) as client:
        client.join().send(f"40{namespace}")
        wait_until(lambda: any(frame.startswith("44") for frame in client.frames), "the refusal")
        assert client.call(event("history", {}))["ok"]


@both
@pytest.mark.parametrize("namespace", [r"/\ud800", r"/a\u001eb", r"/\u0000"])
def test_a_namespace_of_strange_characters_harms_its_own_connection_at_most(
    server: RunningServer, harmless: Any, transport: str, namespace: str
) -> None:
    """Engine.IO reads a frame as JSON first, and so a lone surrogate comes in; echoed, it cannot be sent."""
    with harmless(), TRANSPORTS[transport](server.url) as client:
        client.join().send(f'4"0{namespace},"')
        wait_until(lambda: client.closed or any(frame.startswith("44") for frame in client.frames), "an answer")


@both
def test_events_without_a_connection_do_nothing(server: RunningServer, harmless: Any, transport: str) -> None:
    with harmless(), TRANSPORTS[transport](server.url) as client:
        client.send(f"42/chat,1{event('user_message', SAY)}")
        client.join().send("41/chat,")
        client.send(f"42/chat,2{event('user_message', SAY)}")
        client.send("41/chat,")
        client.send("42/chat,[")
        client.send(f"40/chat,{MODERN}")
        client.wait_for(lambda: len(client.events("session")) == 2, "a second session")
        assert client.call(event("history", {}))["turns"] == []


def test_a_connection_that_ends_while_it_is_made_leaves_nothing_behind(server: RunningServer, harmless: Any) -> None:
    text = ABNF.OPCODE_TEXT
    with harmless():
        for ending in ((text, b"1"), (text, b"41/chat,"), (ABNF.OPCODE_CLOSE, b"\x03\xe8")):
            with RawWebsocket(server.url) as client:
                client.send_together((text, f"40/chat,{MODERN}".encode()), ending)
        with RawPolling(server.url) as client:
            client.post(f"40/chat,{MODERN}{SEPARATOR}1".encode())
        with RawPolling(server.url) as client:
            client.join().post(f"42/chat,1{event('user_message', SAY)}{SEPARATOR}1".encode())


def test_a_connection_that_is_asked_for_after_the_end_is_made_no_more(server: RunningServer, harmless: Any) -> None:
    connect = f"40/chat,{MODERN}"
    with harmless():
        with RawWebsocket(server.url) as client:
            client.send_together((ABNF.OPCODE_TEXT, b"1"), (ABNF.OPCODE_TEXT, connect.encode()))
            client.wait_until_closed()
        with RawPolling(server.url) as client:
            client.post(f"1{SEPARATOR}{connect}".encode())
