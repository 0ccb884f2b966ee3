"""Messages and frames that are no events, or too large: refused, and nobody else notices."""

from __future__ import annotations

import contextlib
import time
from itertools import pairwise
from typing import Any

import pytest
from websocket import ABNF

from tests.chat_client import ENDLESS, ChatClient
from tests.running_server import PATIENCE, RunningServer, wait_until
from tests.server import bystander
from tests.server.bystander import DEEP, Neighbour, both, event
from tests.server.raw_client import TRANSPORTS, RawClient, RawWebsocket

pytestmark = pytest.mark.server

server, neighbour, harmless = bystander.server, bystander.neighbour, bystander.harmless

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
