"""What a client may send and does not mean well: one clear error each, nobody else notices, nothing is logged of it.

Every test runs beside a neighbour, another client whose answer is running all the while.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from itsdangerous import URLSafeTimedSerializer
from websocket import ABNF

from app.chat.identity import SALT, Tokens, new_identity
from tests.chat_client import ENDLESS, ChatClient, assert_whole
from tests.running_server import PATIENCE, RunningServer, wait_until
from tests.server.raw_client import MODERN, SEPARATOR, TRANSPORTS, RawClient, RawPolling, RawWebsocket, Reply, request
from ws.transfers import BODY_PATIENCE

pytestmark = pytest.mark.server

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


def each_field(name: str, good: dict[str, Any], field: str, *bad: Any) -> list[tuple[str, str]]:
    return [(event(name, {**good, field: value}), "bad_payload") for value in bad]


RESUME = {"turn_id": TURN, "after_seq": -1}
FEEDBACK = {"turn_id": TURN, "rating": "up"}
SAY = {"text": SECRET}
NO_TEXT = (5, 1.5, True, [], {}, ["x"], "\0", "\ud800", SECRET + "\udfff")
NO_ID = (5, True, [], {}, "", "x", "\0", "\ud800" * 36)

WRONG_FIELDS = [
    *each_field("user_message", {}, "text", None, "", " \n", *NO_TEXT),
    *each_field("user_message", SAY, "client_id", "", "a b", "é", *NO_TEXT),
    *each_field("user_message", SAY, "context", 5, True, "x", [1]),
    *each_field("user_message", SAY, "context", *({"page_url": value} for value in NO_TEXT)),
    *each_field("user_message", SAY, "context", *({"page_title": value} for value in NO_TEXT)),
    *each_field("resume", RESUME, "turn_id", None, *NO_ID),
    *each_field("resume", RESUME, "after_seq", None, "0", 1.5, True, [], {}, -2, 2**31, 10**400),
    *each_field("stop", {}, "turn_id", *NO_ID),
    *each_field("feedback", FEEDBACK, "turn_id", None, *NO_ID),
    *each_field("feedback", FEEDBACK, "rating", "UP", 1, True, [], {}),
    *each_field("feedback", FEEDBACK, "comment", *NO_TEXT),
    *each_field("history", {}, "before", *NO_ID),
    *each_field("history", {}, "limit", None, "5", 1.5, True, [], {}, 0, -1, 51, 10**400),
]
NO_PAYLOADS = [
    (event(name, *payload), "bad_payload")
    for name in ("user_message", "resume", "stop", "feedback", "history")
    for payload in ([None], [5], [True], ["text"], [[]], [[{}]], [{}, {}], [{"text": "x"}, 1, 2], [{}] * 100)
] + [(event(name), "bad_payload") for name in ("user_message", "resume", "feedback")]
NO_JSON = [
    (text, "bad_payload")
    for text in (
        '["user_message",{"text":',
        '["user_message",{"text":NaN}]',
        '["user_message",{"text":Infinity}]',
        '["history",{"limit":-Infinity}]',
        '["history",{"limit":1e999}]',
        f'["history",{{"limit":{"9" * 5000}}}]',
        "['stop']",
        '["stop"',
        '["stop"]]',
        '["stop"] x',
        "[",
        "{}",
        '"stop"',
        "null",
        "[]",
        "[5]",
        "[null]",
        '[["stop"]]',
        '[{"stop":1}]',
        f'["user_message",{{"text":"{SECRET}\n"}}]',
    )
]
TOO_MUCH = [
    (event("user_message", {"text": SECRET * 100_000}), "too_long"),
    (event("user_message", {**SAY, "client_id": "x" * 101}), "too_long"),
    (event("feedback", {**FEEDBACK, "comment": SECRET * 1000}), "too_long"),
    (event("user_message", {"text": "\ud83d" * 100_000}), "bad_payload"),
    (f'["user_message",{DEEP}]', "bad_payload"),
    (f'["user_message",{{"text":{DEEP}}}]', "bad_payload"),
    (f'["user_message",{{"text":"{SECRET}","x":{DEEP}}}]', "bad_payload"),
    ('["user_message",' + '{"a":' * 10_000 + "1" + "}" * 10_000 + "]", "bad_payload"),
    (DEEP, "bad_payload"),
]
EVENTS = [
    *((event(name, {}), "unknown_event") for name in ("x", "", "__class__", "on_connect", "a\0b", "é")),
    (event("x" * 500_000, {}), "unknown_event"),
    *(
        (event(name, {}), "bad_payload")
        for name in ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")
    ),
    (event("\0refused", {}), "bad_payload"),
    *((event(name, {"turn_id": TURN, **more}), "unknown_turn") for name, more in (
        ("resume", {"after_seq": -1}), ("stop", {}), ("feedback", {"rating": "up"}),
    )),
    (event("history", {"before": TURN}), "unknown_turn"),
]  # fmt: skip
GROUPS = {
    "wrong fields": WRONG_FIELDS,
    "no payloads": NO_PAYLOADS,
    "no JSON": NO_JSON,
    "too much": TOO_MUCH,
    "events": EVENTS,
}


def test_a_made_up_session_id_writes_no_line_of_its_own_into_the_log(
    start_server: Callable[..., RunningServer],
) -> None:
    server = start_server()
    request(server.url, "GET", "/socket.io/?EIO=4&transport=polling&sid=x%0A2026-01-01%20ERROR%20the%20disk%20burns")
    assert not [line for line in server.log.splitlines() if line.startswith("2026-01-01 ERROR")]


@both
@pytest.mark.parametrize("group", GROUPS)
def test_each_bad_event_is_answered_with_its_code_and_the_connection_lives_on(
    server: RunningServer, harmless: Any, transport: str, group: str
) -> None:
    with harmless(), TRANSPORTS[transport](server.url) as client:
        client.join()
        wrong = []
        for text, code in GROUPS[group]:
            answer = client.call(text)
            if answer.get("ok") is not False or answer["error"]["code"] != code:
                wrong.append((text[:100], code, answer))
        assert not wrong
        assert client.call(event("history", {}))["turns"] == []


@both
def test_a_huge_object_is_refused(server: RunningServer, harmless: Any, transport: str) -> None:
    huge = {"text": SECRET, **{f"field {n}": n for n in range(100_000)}}
    with harmless(), TRANSPORTS[transport](server.url) as client:
        client.join()
        answer = client.call(event("user_message", huge))
        assert answer["ok"] is False, "protocol.md: 'deep or huge objects: one clear error, nothing else'"
        assert answer["error"]["code"] in ("bad_payload", "too_long")


@both
def test_new_conversation_with_a_payload_that_is_no_object_begins_none(
    server: RunningServer, harmless: Any, transport: str
) -> None:
    with harmless(), TRANSPORTS[transport](server.url) as client:
        client.join()
        for payload in ([5], ["x"], [[]], [{}, {}]):
            assert client.call(event("new_conversation", *payload))["ok"] is False, payload


NO_EVENTS = [
    *("4", "4[]", "4{}", "4null", "4false", '4""', "4 0", "4-0"),
    *("4true", "4 1", "4 2", "4 3", "4-1", "4[1,2]", '4{"a":1}', '4["user_message",{}]'),
    *("4hello", '4"abc"', "4x", f"4{DEEP}", "4NaN", "4\0", "4\ud800"[:1] + "é"),
    *("42/chat,", "42/chat,[", "42/chat,{}", "42/chat,[]", '42/chat,"x"', "42/chat,[5]", f"42/chat,{DEEP}"),
    *('42/chat,²["stop"]', f'42/chat,{"9" * 101}["stop"]', '42/chat,["connect"]', '42/chat,["\\u0000refused"]'),
    *('44/chat,{"message":"x"}', '45/chat,["stop"]', "46/chat,[]", "47/chat,", "49/chat,[]", "49", "47"),
    '451-/chat,["user_message",{"_placeholder":true,"num":0}]',
    '451000000000-/chat,["user_message",{"_placeholder":true,"num":0}]',
    '4512345678901-/chat,["stop"]',
    '461-/chat,1["stop"]',
    '45-1-/chat,["stop"]',
    "bNC9jaGF0",
    "b",
]


@both
def test_each_message_that_is_no_event_is_told_as_bad_payload(
    server: RunningServer, harmless: Any, transport: str
) -> None:
    with harmless():
        silent = [frame for frame in NO_EVENTS if not _is_told(TRANSPORTS[transport](server.url), frame)]
        assert not silent


def _is_told(client: RawClient, frame: str) -> bool:
    with client:
        client.join().send(frame)
        # Answers come in the order of what was sent, but for the green thread that each message has.
        assert client.call(event("history", {}))["ok"]
        with contextlib.suppress(AssertionError):
            wait_until(lambda: client.codes(), "an error")
        return client.codes() == ["bad_payload"]


@both
@pytest.mark.parametrize("frame", ["4", "4[]", "4null", '4["stop"]', "4true", '4512345678901-/chat,["stop"]'])
def test_a_message_that_is_no_event_leaves_no_traceback(
    server: RunningServer, harmless: Any, transport: str, frame: str
) -> None:
    with harmless(), TRANSPORTS[transport](server.url) as client:
        client.join().send(frame)
        assert client.call(event("history", {}))["ok"]


@both
def test_attachments_that_come_after_all_are_refused_and_change_nothing(
    server: RunningServer, harmless: Any, transport: str
) -> None:
    with harmless(), TRANSPORTS[transport](server.url) as client:
        client.join().send('451-/chat,["user_message",{"_placeholder":true,"num":0}]')
        client.send("b" + "AAAA" * 100)
        wait_until(lambda: client.codes() == ["bad_payload"] * 2, "both are refused")
        assert client.call(event("history", {}))["turns"] == []


@both
@pytest.mark.parametrize(
    "frame", ['43/chat,7["x"]', "43/chat,", "43/chat,7{}", "43", "3", "5", "42/other,[1]", '42["x"]']
)
def test_a_message_that_asks_for_nothing_is_left_alone(
    server: RunningServer, harmless: Any, transport: str, frame: str
) -> None:
    """Acknowledgements of nothing, pongs, and events to a namespace without a connection: nobody is there to answer."""
    with harmless(), TRANSPORTS[transport](server.url) as client:
        client.join().send(frame)
        assert client.call(event("history", {}))["ok"]


BAD_FRAMES: list[tuple[bytes, int]] = [
    *((text, ABNF.OPCODE_TEXT) for text in (b"", b"0", b"0{}", b"6", b"7", b"9", b"x", b"\0", b"bA", b"bAAA")),
    ("²".encode(), ABNF.OPCODE_TEXT),
    *((data, ABNF.OPCODE_BINARY) for data in (b"", b"\0", b"4", b"\xff" * 1000, b'42/chat,["stop"]')),
]


@pytest.mark.parametrize(("data", "opcode"), BAD_FRAMES, ids=lambda value: repr(value)[:30])
def test_a_websocket_frame_of_no_known_kind_is_told_as_bad_payload(
    server: RunningServer, harmless: Any, data: bytes, opcode: int
) -> None:
    with harmless(), RawWebsocket(server.url) as client:
        client.join()
        client.send_raw(data, opcode)
        assert client.call(event("history", {}))["ok"]
        wait_until(lambda: client.codes() == ["bad_payload"], "the frame is refused")


@pytest.mark.parametrize(
    ("data", "opcode"),
    [
        (b"4\xff\xfe", ABNF.OPCODE_TEXT),
        (b"\xed\xa0\x80", ABNF.OPCODE_TEXT),
        (b"", ABNF.OPCODE_CLOSE),
        (b"\x03", ABNF.OPCODE_CLOSE),
        (b"\x00\x01\xff", ABNF.OPCODE_CLOSE),
        (b"x", 0x3),
        (b"x", 0xB),
        (b"x", ABNF.OPCODE_CONT),
        (b"1", ABNF.OPCODE_TEXT),
    ],
)
def test_what_breaks_the_websocket_itself_closes_it(
    server: RunningServer, harmless: Any, data: bytes, opcode: int
) -> None:
    with harmless(), RawWebsocket(server.url) as client:
        client.join()
        client.send_together((opcode, data))
        client.wait_until_closed()


def test_a_message_over_the_transports_limit_closes_its_connection(server: RunningServer, harmless: Any) -> None:
    with harmless(), RawWebsocket(server.url) as client:
        client.join()
        client.send_raw(b"42/chat," + b"x" * 5_000_000)
        client.wait_until_closed()


def test_a_message_in_endless_parts_closes_its_connection(server: RunningServer, harmless: Any) -> None:
    part = b"x" * 1_000_000
    with harmless(), RawWebsocket(server.url) as client:
        client.join()
        with contextlib.suppress(OSError):
            client.send_part(part, opcode=ABNF.OPCODE_TEXT, last=False)
            for _ in range(7):
                client.send_part(part, opcode=ABNF.OPCODE_CONT, last=False)
        wait_until(lambda: client.closed, "the connection of an endless message is closed")


def test_a_large_message_does_not_hold_up_the_answers_of_others(server: RunningServer, neighbour: Neighbour) -> None:
    neighbour.ask()
    with ChatClient(server.url) as other:
        turn = other.say(ENDLESS)
        other.wait_for_pieces(turn)
        # A machine may stand still as well, but not at each of them.
        assert min(_longest_pause(server, other, turn) for _ in range(5)) < 0.5, "one frame stopped the whole server"
        other.stop(turn)


def _longest_pause(server: RunningServer, client: ChatClient, turn: str) -> float:
    """Seconds between two pieces of a running answer, at most, while somebody else sends a large message."""
    with RawWebsocket(server.url) as sender:
        sender.join()
        known = before = len(client.pieces(turn))
        arrivals = [time.monotonic()]
        sender.send_raw(b'42/chat,["user_message",{"text":"' + b"x" * 3_900_000 + b'"}]')
        deadline = arrivals[0] + PATIENCE
        while not (sender.codes() and known > before + 3):
            assert time.monotonic() < deadline, "a large message was not answered, or nobody else was"
            count = len(client.pieces(turn))
            if count > known:
                arrivals.append(time.monotonic())
                known = count
            time.sleep(0.002)
        assert sender.codes() == ["too_long"]
    return max(later - earlier for earlier, later in pairwise(arrivals))


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


SEEDS = [
    f"40/chat,{MODERN}",
    f"42/chat,1{event('user_message', SAY)}",
    f"42/chat,2{event('resume', RESUME)}",
    f"42/chat,3{event('feedback', FEEDBACK)}",
    f"42/chat,{event('stop', {})}",
    '451-/chat,4["user_message",{"_placeholder":true,"num":0}]',
    "41/chat,",
    "2probe",
    "bAAAA",
]
PIECES = [
    '"',
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "/",
    "-",
    "\\",
    "\\ud800",
    "\0",
    "\x1e",
    "0",
    "9" * 30,
    "1e9",
    "NaN",
    "é",
    "b",
]


def mutated(chance: random.Random) -> str:
    """A frame that was right once."""
    frame = chance.choice(SEEDS)
    for _ in range(chance.randint(1, 4)):
        at, to = sorted(chance.randint(0, len(frame)) for _ in range(2))
        new = chance.choice([*PIECES, frame[at:to] * 2, ""])
        frame = frame[:at] + new + frame[min(to, at + chance.randint(0, 3)) :]
    return frame


def _send(client: RawClient, frame: str) -> bool:
    client.send(frame)
    return True


@both
def test_mutated_frames_harm_nobody(server: RunningServer, harmless: Any, transport: str) -> None:
    seed = os.environ.get("FAULTS_SEED", f"usual, {transport}")
    print(f"seed {seed}")
    chance = random.Random(seed)
    with harmless():
        for _ in range(15):
            with TRANSPORTS[transport](server.url) as client:
                client.send(f"40/chat,{MODERN}")
                for _ in range(20):
                    within(PATIENCE, partial(_send, client, mutated(chance)))
        with TRANSPORTS[transport](server.url) as client:
            client.join()
            assert client.call(event("history", {}))["ok"]


def test_after_all_this_the_server_still_answers_and_nothing_was_logged(
    server: RunningServer, neighbour: Neighbour, tmp_path: Path
) -> None:
    del tmp_path
    with ChatClient(server.url) as client:
        turn = client.say("hello")
        finished = client.whole(turn)
    assert finished["state"] == "complete"
    assert_whole(client.pieces(turn), finished)
    assert SECRET not in server.log
    assert neighbour.client.token not in server.log
    assert server.log.count("Booting worker") == 1, "the worker was restarted"
