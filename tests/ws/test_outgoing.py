"""A packet on its way out is kept once, encoded, and says the same by every transport."""

from __future__ import annotations

from sys import getsizeof

import pytest
from engineio import packet
from engineio.payload import Payload

from ws.outgoing import OVERHEAD, Text, as_text, compact, size_of

TEXTS = ["", "hello", "zażółć", "\U0001f600" * 1000, '2["a",{}]']


@pytest.mark.parametrize("text", TEXTS)
def test_a_compact_packet_says_what_the_librarys_says(text: str) -> None:
    plain, kept = packet.Packet(packet.MESSAGE, text), packet.Packet(packet.MESSAGE, text)
    for _ in range(2):
        compact(kept)
        assert kept.encode() == plain.encode().encode()
        assert isinstance(kept.encode(), Text)
        assert Payload([as_text(kept)]).encode() == Payload([plain]).encode()


def test_its_text_is_kept_once_and_as_bytes() -> None:
    pkt = packet.Packet(packet.MESSAGE, "x" * 100_000 + "\U0001f600")
    compact(pkt)
    as_text(pkt)
    assert pkt.data is None
    assert sum(getsizeof(value) for value in vars(pkt).values()) < 101_000
    assert 100_005 <= size_of(pkt) < 101_000


@pytest.mark.parametrize("pkt", [packet.Packet(packet.PING), packet.Packet(packet.OPEN, {"sid": "x"})])
def test_other_packets_stay_as_they_are(pkt: packet.Packet) -> None:
    before = dict(vars(pkt))
    compact(pkt)
    assert vars(pkt) == before
    assert as_text(pkt) is pkt


def test_pings_do_not_count_and_a_short_message_counts_with_what_it_takes_besides() -> None:
    short = packet.Packet(packet.MESSAGE, "x")
    compact(short)
    assert size_of(packet.Packet(packet.PING)) == 0
    assert size_of(short) > OVERHEAD
