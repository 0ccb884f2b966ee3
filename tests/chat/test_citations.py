from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat.citations import HELD_AT_MOST, Sources
from app.chat.interfaces import Citation

TEXT = "It is allowed【4:0†policy.pdf】 and so is that【4:1†rules.pdf】【4:0†policy.pdf】, says 【me】. 【5"
SENT = "It is allowed[1] and so is that[2][1], says 【me】. 【5"


def sent(*deltas: str) -> tuple[str, Sources]:
    sources = Sources()
    return "".join(sources.pass_on(delta) for delta in deltas) + sources.rest(), sources


def test_markers_become_numbers_and_ordinary_brackets_stay() -> None:
    text, sources = sent(TEXT)
    assert text == SENT
    assert sources.all() == ({"n": 1, "filename": "policy.pdf"}, {"n": 2, "filename": "rules.pdf"})


@given(st.lists(st.integers(0, len(TEXT)), max_size=12))
def test_however_the_deltas_are_cut_the_text_is_the_same(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(TEXT)]
    assert sent(*(TEXT[a:b] for a, b in itertools.pairwise(edges)))[0] == SENT


@given(st.lists(st.text("【】†:4 a\n", max_size=8), max_size=10))
def test_nothing_is_lost_of_a_text_without_markers(deltas: list[str]) -> None:
    whole = "".join(deltas)
    text, sources = sent(*deltas)
    if not sources.all():
        assert text == whole


def test_only_what_may_become_a_marker_is_held_back() -> None:
    sources = Sources()
    assert sources.pass_on("so【4:0") == "so"
    assert sources.pass_on("†policy.pdf") == ""
    assert sources.pass_on("】!") == "[1]!"


@pytest.mark.parametrize("ending", ["\n", "x" * HELD_AT_MOST])
def test_what_is_held_is_let_go_at_a_line_end_or_when_it_is_too_long(ending: str) -> None:
    sources = Sources()
    assert sources.pass_on("【4:0") == ""
    assert sources.pass_on(ending) == "【4:0" + ending


def test_what_is_known_of_a_source_is_put_to_its_marker() -> None:
    _, sources = sent("a【4:0†policy.pdf】")
    sources.add(Citation(marker="【4:0†policy.pdf】", file_id="file-1"))
    assert sources.all() == ({"n": 1, "filename": "policy.pdf", "file_id": "file-1"},)


@pytest.mark.parametrize("first", ["text", "source"])
def test_a_file_without_its_marker_is_known_by_its_name(first: str) -> None:
    sources = Sources()
    known = Citation(file_id="file-1", filename="policy.pdf")
    if first == "source":
        sources.add(known)
    sources.pass_on("a【4:0†policy.pdf】")
    sources.add(known)
    assert sources.all() == ({"n": 1, "filename": "policy.pdf", "file_id": "file-1"},)


def test_a_source_that_no_marker_stands_for_has_a_number_of_its_own_once() -> None:
    _, sources = sent("a【4:0†policy.pdf】")
    for _ in range(2):
        sources.add(Citation(url="https://example.com/a", title="A"))
    assert sources.all()[1:] == ({"n": 2, "url": "https://example.com/a", "title": "A"},)


def test_a_completed_text_gets_the_same_numbers() -> None:
    _, sources = sent("a【4:0†policy.pdf】b【4:1†rules.pdf】")
    assert sources.numbered("b【4:1†rules.pdf】a【4:0†policy.pdf】") == "b[2]a[1]"
