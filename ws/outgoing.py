"""Packets on their way out, each kept once: as the bytes that will be written.

The library keeps a packet's text as `str`, which takes up to four bytes for each character, and a second time as
its encoding; the websocket makes two more copies while it waits for its client.
"""

from __future__ import annotations

from sys import getsizeof

from engineio import packet

OVERHEAD = 300
"""Bytes of memory that a packet takes besides its text."""


class Text(bytes):
    """An encoded packet of text. A websocket has to send it as text all the same."""

    __slots__ = ()


def compact(pkt: packet.Packet) -> None:
    """Keep only the encoding. A packet for many clients is the same object for all: the first one does it."""
    if isinstance(pkt.data, str):
        pkt.encode_cache = Text(pkt.encode().encode())
        pkt.data = None


def as_text(pkt: packet.Packet) -> packet.Packet:
    """The packet as a polling payload takes it, which is joined from `str`; for at once, not to be kept."""
    if not isinstance(pkt.encode_cache, Text):
        return pkt
    copy = packet.Packet(pkt.packet_type)
    copy.encode_cache = pkt.encode_cache.decode()
    return copy


def size_of(pkt: packet.Packet) -> int:
    """Bytes of memory. Packets without data, such as pings, do not count: some get into the queue past `send`."""
    if isinstance(pkt.encode_cache, Text):
        return getsizeof(pkt.encode_cache) + OVERHEAD
    return 0 if pkt.data is None else getsizeof(pkt.data) + OVERHEAD
