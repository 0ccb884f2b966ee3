from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.assistants.sse import MAX_BUFFER, Decoder

STREAM = (
    b": a comment\n\n"
    b'event: first\ndata: {"a": 1}\n\n'
    b"data:no space\r\n\r\n"
    b"event: lines\r\ndata: one\r\ndata: two\r\n\r\n"
    b"id: 7\nretry: 10\ndata: gr\xc3\xbc\xc3\x9fe \xf0\x9f\x99\x82\n\n"
    b"event: ping\n\n"
    b"data\n\n"
    b"data: [DONE]\n\n"
)
EVENTS = [
    ("first", b'{"a": 1}'),
    ("", b"no space"),
    ("lines", b"one\ntwo"),
    ("", "grüße 🙂".encode()),
    ("", b""),
    ("", b"[DONE]"),
]


def decoded(*chunks: bytes) -> list[tuple[str, bytes]]:
    decoder = Decoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def test_a_stream_is_taken_apart() -> None:
    assert decoded(STREAM) == EVENTS


def test_byte_by_byte_is_the_same() -> None:
    assert decoded(*(STREAM[n : n + 1] for n in range(len(STREAM)))) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_cut_anywhere_is_the_same(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    assert decoded(*(STREAM[a:b] for a, b in itertools.pairwise(edges))) == EVENTS


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_no_bytes_make_it_raise(chunks: list[bytes]) -> None:
    decoded(*chunks)


def test_an_event_that_is_not_finished_is_not_given() -> None:
    assert decoded(b"data: half\n") == []


def test_an_event_that_never_ends_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        decoded(*[b"x" * 65536] * (MAX_BUFFER // 65536 + 2))
