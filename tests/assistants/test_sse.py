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


def naive(stream: bytes) -> list[tuple[str, bytes]]:
    """The standard's rules, one after the other, on a stream that is there as a whole."""
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events: list[tuple[str, bytes]] = []
    name, data = b"", b""
    # What follows the last line end is no line.
    for line in text.split(b"\n")[:-1]:
        if not line:
            if data:
                events.append((name.decode("utf-8", "replace"), data[:-1]))
            name, data = b"", b""
            continue
        field, colon, value = line.partition(b":")
        if colon and value[:1] == b" ":
            value = value[1:]
        if field == b"data":
            data += value + b"\n"
        elif field == b"event":
            name = value
    return events


BITS = st.sampled_from(
    [b"data", b"event", b"id", b":", b": ", b" ", b"\n", b"\r", b"\r\n", b"\n\n", b"{", b"x", "é🙂".encode(),
     b"\xef\xbb\xbf", b"\xef", b"\xbb", b"\0", b"data: a\n\n", b"event: e\r\ndata\r\r", b"\xff"]
)  # fmt: skip


@given(st.lists(BITS, max_size=40), st.data())
def test_it_decodes_as_the_standard_says_wherever_the_stream_is_cut(bits: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(bits)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    assert decoded(*(stream[a:b] for a, b in itertools.pairwise([0, *cuts, len(stream)]))) == naive(stream)


@given(st.lists(BITS, max_size=40))
def test_it_decodes_as_the_standard_says_byte_by_byte(bits: list[bytes]) -> None:
    stream = b"".join(bits)
    assert decoded(*(stream[n : n + 1] for n in range(len(stream)))) == naive(stream)


def test_a_line_end_in_two_halves_does_not_swallow_the_empty_line_after_it() -> None:
    assert decoded(b"data: a\r", b"\n", b"\n", b"data: b\n\n") == [("", b"a"), ("", b"b")]
    assert decoded(b"data: a\r", b"\n", b"\r", b"\n", b"data: b\r\n\r\n") == [("", b"a"), ("", b"b")]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_the_first_and_the_last_event_are_given_with_every_line_end(mark: bytes, end: bytes) -> None:
    stream = mark + b"data: first" + 2 * end + b"data: last" + 2 * end
    assert decoded(stream) == [("", b"first"), ("", b"last")]
    assert decoded(*(stream[n : n + 1] for n in range(len(stream)))) == [("", b"first"), ("", b"last")]


def test_only_one_byte_order_mark_is_taken_away() -> None:
    assert decoded(b"\xef\xbb\xbf\xef\xbb\xbfdata: no field of that name\n\ndata: a\n\n") == [("", b"a")]


@pytest.mark.parametrize("rest", [b"data: [DONE]", b"data: [DONE]\n", b"data: [DONE]\r\n"])
def test_at_the_end_of_a_body_in_good_order_its_last_event_counts(rest: bytes) -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: a\n\n" + rest) == [("", b"a")]
    assert decoder.close() == [("", b"[DONE]")]
    assert decoder.close() == []


@pytest.mark.timeout(100)
def test_an_unfinished_line_in_many_pieces_is_not_copied_for_each_of_them() -> None:
    # Copied each time, these are 3 TB.
    decoder = Decoder()
    decoder.feed(b"data: " + b"x" * 6_000_000)
    for _ in range(500_000):
        decoder.feed(b"y")
    ((_, data),) = decoder.feed(b"\n\n")
    assert len(data) == 6_500_000
