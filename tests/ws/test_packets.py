"""Whatever comes as a packet decodes to a plain packet, or to the event that stands for what was not understood."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from socketio import packet

from ws.packets import FROM_CLIENTS, NAMESPACE, REFUSED, RESERVED, CheckedPacket, StrictJson, Unacknowledged

DEEP = "[" * 10_000 + "]" * 10_000

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
PACKET_TEXT = st.builds(
    "".join,
    st.tuples(
        st.sampled_from("0123456789²٣- x"),
        st.sampled_from(["", "1-", "0-", "1000000000-", "12345678901-", "-"]),
        st.sampled_from(["", "/", "/chat", "/chat,", "/chat?x=1,", "/\ud800,", "/other,", ","]),
        st.sampled_from(["", "0", "7", "9" * 100, "9" * 101, "²", "-1"]),
        st.one_of(st.sampled_from(["", "[", "NaN", DEEP, '["\\ud800"]', "1" * 5000]), JSON.map(json.dumps)),
    ),
)
ANYTHING = st.one_of(PACKET_TEXT, st.text(), st.binary(), JSON)


def decode(encoded: object) -> CheckedPacket:
    return CheckedPacket(encoded_packet=encoded)


@given(ANYTHING)
def test_no_packet_of_a_client_raises_and_each_can_be_dispatched(encoded: object) -> None:
    decoded = decode(encoded)
    assert type(decoded.packet_type) is int
    assert decoded.packet_type in FROM_CLIENTS
    assert decoded.attachment_count == 0
    assert decoded.namespace is None or isinstance(decoded.namespace, str)
    if decoded.packet_type == packet.EVENT:
        assert isinstance(decoded.data, list)
        assert isinstance(decoded.data[0], str)
        assert decoded.data[0] not in RESERVED
        assert isinstance(decoded.data[0], Unacknowledged) == (decoded.id is None)


@pytest.mark.parametrize(
    "encoded",
    ["", b"", [], {}, False, 0, 0.0, True, 1, 2, 3, 4, -1, 1.0, [1, 2], {"a": 1}, [True], "hello", b"2/chat,"],
    ids=repr,
)
def test_what_engine_io_reads_as_no_text_is_refused_in_the_chat(encoded: object) -> None:
    """Engine.IO reads JSON before Socket.IO does: the frame `4true` comes here as True, `4` as an empty text."""
    decoded = decode(encoded)
    assert decoded.packet_type == packet.EVENT
    assert decoded.namespace == NAMESPACE
    assert decoded.data == [REFUSED]


@pytest.mark.parametrize(
    "encoded",
    [
        "2/chat,",
        "2/chat,[",
        "2/chat,{}",
        "2/chat,[]",
        '2/chat,"stop"',
        "2/chat,[5]",
        '2/chat,[["stop"]]',
        "2/chat,[null]",
        '2/chat,["stop",NaN]',
        '2/chat,["stop",Infinity]',
        f'2/chat,["stop",{DEEP}]',
        f'2/chat,["stop",{"1" * 5000}]',
        f'2/chat,{"9" * 101}["stop"]',
        '2/chat,²["stop"]',
        '2/chat,["\\u0000refused"]',
        '4/chat,{"message":"x"}',
        '51-/chat,["stop",{"_placeholder":true,"num":0}]',
        '51000000000-/chat,["stop"]',
        '512345678901-/chat,["stop"]',
        '61-/chat,1["stop"]',
        '21-/chat,["stop"]',
        "7/chat,",
        "9",
        "x",
        "²",
        *(f'2/chat,["{name}"]' for name in RESERVED),
    ],
)
def test_what_is_no_event_is_refused_in_the_chat(encoded: str) -> None:
    decoded = decode(encoded)
    assert decoded.packet_type == packet.EVENT
    assert decoded.namespace == NAMESPACE
    assert decoded.data == [REFUSED]


def test_a_broken_event_keeps_the_number_that_its_sender_waits_for() -> None:
    decoded = decode('2/chat,17["user_message",{')
    assert decoded.id == 17
    assert decoded.data == [REFUSED]
    assert not isinstance(decoded.data[0], Unacknowledged)


@pytest.mark.parametrize(("number", "unacknowledged"), [("", True), ("0", False), ("5", False)])
def test_an_event_knows_whether_it_asked_for_an_acknowledgement(number: str, unacknowledged: bool) -> None:
    decoded = decode(f'2/chat,{number}["stop",{{"turn_id":null}}]')
    assert decoded.data == ["stop", {"turn_id": None}]
    assert isinstance(decoded.data[0], Unacknowledged) is unacknowledged
    assert isinstance(decoded.id, int) is not unacknowledged


def test_connect_and_disconnect_packets_pass() -> None:
    connect = decode('0/chat,{"protocol":1}')
    assert (connect.packet_type, connect.namespace, connect.data) == (packet.CONNECT, NAMESPACE, {"protocol": 1})
    assert decode("1/chat,").packet_type == packet.DISCONNECT


@given(JSON)
def test_what_the_server_sends_can_be_read_back(value: object) -> None:
    encoded = CheckedPacket(packet.EVENT, ["turn_status", value], namespace=NAMESPACE).encode()
    assert encoded.startswith(f"2{NAMESPACE},")
    assert json.loads(encoded[len(NAMESPACE) + 2 :]) == ["turn_status", value]


def test_texts_are_sent_as_they_are_and_not_in_escapes() -> None:
    encoded = CheckedPacket(packet.EVENT, ["turn_status", "漢字 🙂"], namespace=NAMESPACE).encode()
    assert encoded.endswith('"漢字 🙂"]')


@given(st.one_of(st.text(), st.sampled_from([DEEP, "NaN", "-Infinity", "1" * 5000, '{"a":' * 10_000])))
def test_every_fault_of_json_is_a_value_error(text: str) -> None:
    try:
        StrictJson.loads(text)
    except ValueError:
        return
    json.loads(text)
