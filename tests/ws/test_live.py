"""Replay keeps every piece of a running turn, and those of finished ones within a time and a size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ws.live import MemoryReplay, Snapshot


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def replay_of(*turns: tuple[str, list[str]], seconds: float = 60, max_bytes: int = 10**6) -> tuple[MemoryReplay, Time]:
    time = Time()
    replay = MemoryReplay(seconds, max_bytes, time)
    for turn_id, pieces in turns:
        for seq, text in enumerate(pieces):
            replay.append(turn_id, seq, text)
    return replay, time


@given(st.lists(st.text(min_size=1)), st.integers(-1, 10))
def test_whoever_has_some_pieces_gets_the_rest_or_all_of_it(pieces: list[str], after: int) -> None:
    replay, _ = replay_of(("t", pieces))
    rest = replay.read("t", after)
    if isinstance(rest, Snapshot):
        assert rest == Snapshot("".join(pieces), len(pieces) - 1)
        assert after >= len(pieces)
    else:
        assert rest == [(seq, text) for seq, text in enumerate(pieces) if seq > after]


def test_a_snapshot_is_the_text_so_far_and_what_it_covers() -> None:
    replay, _ = replay_of(("t", ["one ", "two "]))
    assert replay.snapshot("t") == Snapshot("one two ", 1)
    assert replay.snapshot("unknown") == Snapshot("", -1)


def test_a_piece_out_of_order_is_a_fault() -> None:
    replay, _ = replay_of(("t", ["one "]))
    with pytest.raises(ValueError, match="piece 2"):
        replay.append("t", 2, "three ")


def test_a_finished_turn_is_kept_for_its_time() -> None:
    replay, time = replay_of(("t", ["one ", "two "]), seconds=60)
    replay.finish("t")
    time.now = 59.9
    replay.forget()
    assert replay.read("t", 0) == [(1, "two ")]
    time.now = 60
    replay.forget()
    assert replay.read("t", 0) == Snapshot("", -1)
    assert replay.size == 0


def test_when_there_is_too_much_the_turn_that_finished_first_goes_first() -> None:
    replay, _ = replay_of(("a", ["x" * 1000]), ("b", ["y" * 1000]), max_bytes=2500)
    replay.finish("b")
    replay.finish("a")
    replay.append("c", 0, "z" * 1000)
    assert replay.snapshot("b").seq == -1
    assert replay.snapshot("a").seq == 0
    assert replay.size <= 2500


def test_a_running_turn_is_kept_whole_however_much_there_is() -> None:
    replay, time = replay_of(("t", ["x" * 1000] * 10), max_bytes=2500)
    time.now = 10**6
    replay.forget()
    assert replay.snapshot("t") == Snapshot("x" * 10_000, 9)


def test_a_turn_that_is_finished_twice_or_was_never_there_is_no_fault() -> None:
    replay, _ = replay_of(("t", ["one "]))
    replay.finish("t")
    replay.finish("t")
    replay.finish("unknown")
    assert replay.snapshot("t").seq == 0


def test_a_turn_that_is_dropped_is_gone_whether_it_runs_or_has_ended() -> None:
    replay, _ = replay_of(("running", ["a"]), ("ended", ["b", "c"]), ("other", ["d"]))
    replay.finish("ended")
    replay.drop(["running", "ended", "never heard of"])
    assert replay.snapshot("running") == replay.snapshot("ended") == Snapshot("", -1)
    assert replay.snapshot("other").text == "d"
    replay.drop(["other"])
    assert replay.size == 0
