from app.chat.coalescer import Coalescer


def test_the_first_delta_is_sent_at_once() -> None:
    assert Coalescer(0.03).add("a", now=100) == "a"


def test_deltas_within_the_interval_are_held_and_joined() -> None:
    coalescer = Coalescer(0.03)
    coalescer.add("a", now=100)
    assert coalescer.add("b", now=100.01) is None
    assert coalescer.add("c", now=100.02) is None
    assert coalescer.add("d", now=100.031) == "bcd"


def test_what_is_held_comes_out_when_it_is_due_and_not_before() -> None:
    coalescer = Coalescer(0.03)
    coalescer.add("a", now=100)
    coalescer.add("b", now=100.01)
    assert coalescer.due(100.02) is None
    assert coalescer.due(100.04) == "b"
    assert coalescer.due(200) is None


def test_the_rest_is_given_whatever_the_time() -> None:
    coalescer = Coalescer(0.03)
    coalescer.add("a", now=100)
    coalescer.add("b", now=100)
    assert coalescer.rest() == "b"
    assert coalescer.rest() is None


def test_an_empty_delta_is_no_piece() -> None:
    assert Coalescer(0.03).add("", now=100) is None
