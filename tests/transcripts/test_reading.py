"""What the viewer reads from the journal: every conversation that fits, once, newest first, in bounded slices."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event

from app.chat.turns import Turn, TurnState
from app.transcripts import reading as module
from app.transcripts.database import Database
from app.transcripts.reading import Found, Reading
from app.transcripts.tables import conversations, feedback, turns
from app.transcripts.whole_rows import Rating, Written, put_in
from tests.running_server import PATIENCE

CALM = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
WORDS = ("blue", "Lamp", "100%", "a_b", "ПРИВЕТ", "привет", "!x", "it's")


@pytest.fixture
def reading(database: Database) -> Reading:
    return Reading(database)


@pytest.fixture(autouse=True)
def _in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search comes to its end, also on a machine that stands still for a while."""
    monkeypatch.setattr(module, "PATIENCE", PATIENCE)


def turn(conversation: str, index: int, at: int, text: str = "question", **more: Any) -> Turn:
    name = f"{conversation}-{index}"
    fields = {"state": TurnState.COMPLETE, "answer": "answer", "finished_at": at + 5, **more}
    return Turn(name, conversation, f"user-{conversation}", index, name, text, at, **fields)


def written(*lists: list[Turn], ratings: tuple[Rating, ...] = ()) -> list[Written]:
    of: dict[str, list[Rating]] = {rating.turn_id: [] for rating in ratings}
    for rating in ratings:
        of[rating.turn_id].append(rating)
    return [
        Written(t[0].conversation, t[0].user_id, t[0].accepted_at, t, [r for one in t for r in of.get(one.id, [])])
        for t in lists
    ]


def uuids(found: Found) -> list[str]:
    return [one.uuid for one in found.conversations]


def all_pages(reading: Reading, limit: int, **criteria: Any) -> list[str]:
    found = reading.find(limit=limit, **criteria)
    pages = uuids(found)
    while found.after is not None:
        found = reading.find(before=found.after, limit=limit, **criteria)
        pages += uuids(found)
    return pages


TALKS = st.lists(
    st.lists(
        st.tuples(
            st.integers(0, 30),
            st.sampled_from(WORDS),
            st.sampled_from(WORDS),
            st.sampled_from([TurnState.COMPLETE, TurnState.FAILED]),
            st.lists(st.sampled_from(["up", "down", None]), max_size=2),
        ),
        min_size=1, max_size=4,
    ),
    max_size=8,
)  # fmt: skip


@CALM
@given(
    talks=TALKS, limit=st.integers(1, 4), word=st.sampled_from(("", *WORDS)), state=st.sampled_from([None, "failed"]),
    rating=st.sampled_from([None, "up", "down"]), since=st.sampled_from([None, 10]), until=st.sampled_from([None, 20]),
)  # fmt: skip
def test_the_pages_are_together_what_fits_each_once_newest_first(
    database: Database, monkeypatch: pytest.MonkeyPatch, talks: Any, limit: int, word: str, state: str | None,
    rating: str | None, since: int | None, until: int | None,
) -> None:  # fmt: skip
    monkeypatch.setattr(module, "SLICE", 3)
    for table in (feedback, turns, conversations):
        database.write(lambda connection, table=table: connection.execute(delete(table)))  # type: ignore[misc]
    lists, ratings, newest = [], [], {}
    for number, talk in enumerate(talks):
        talk_turns: list[Turn] = []
        # Times within a conversation do not go back.
        for index, (at, text, answer, outcome, given_ratings) in enumerate(sorted(talk, key=lambda one: one[0])):
            one = turn(f"c{number}", index, at, text, answer=answer, state=outcome)
            talk_turns.append(one)
            ratings += [Rating(one.id, n, value, None, at) for n, value in enumerate(given_ratings)]
            fits = (
                (not word or any(word.lower() in said.lower() for said in (text, answer)))
                and (state is None or outcome == state)
                and (rating is None or (given_ratings and given_ratings[-1] == rating))
                and (since is None or at >= since)
                and (until is None or at < until)
            )
            if fits:
                newest[one.conversation] = (at, one.id)
        lists.append(talk_turns)
    put_in(database, written(*lists, ratings=tuple(ratings)), "test")
    words = (word,) if word else ()
    pages = all_pages(
        Reading(database), limit, words=words, state=state, rating=rating, since=since, until=until
    )  # fmt: skip
    assert pages == sorted(newest, key=lambda uuid: newest[uuid], reverse=True)


@pytest.mark.parametrize(
    ("word", "text"),
    [("100%", "it is 100% sure"), ("a_b", "the a_b case"), ("!", "stop!"), ("\\", "a \\ b"), ("'", "it's"), ('"', '"')],
)
def test_what_is_special_to_the_database_is_looked_for_as_it_stands(
    database: Database, reading: Reading, word: str, text: str
) -> None:
    put_in(database, written([turn("right", 0, 1, text)], [turn("wrong", 0, 2, "100 axb")]), "test")
    assert uuids(reading.find(words=(word,))) == ["right"]


def test_every_word_has_to_stand_in_the_same_turn_in_any_order(database: Database, reading: Reading) -> None:
    both = [turn("both", 0, 1, "where is it", answer="the LAMP is late")]
    apart = [turn("apart", 0, 2, "lamp"), turn("apart", 1, 3, "late")]
    put_in(database, written(both, apart), "test")
    assert uuids(reading.find(words=("late", "lamp"))) == ["both"]


def test_other_alphabets_are_found_with_either_first_letter(database: Database, reading: Reading) -> None:
    put_in(database, written([turn("a", 0, 1, "Привет, где заказ?")], [turn("b", 0, 2, "über Nacht")]), "test")
    assert uuids(reading.find(words=("привет",))) == ["a"]
    assert uuids(reading.find(words=("Über",))) == ["b"]


def test_a_user_is_found_by_the_exact_id(database: Database, reading: Reading) -> None:
    put_in(database, written([turn("a", 0, 1)], [turn("b", 0, 2)]), "test")
    assert uuids(reading.find(user="user-a")) == ["a"]
    assert uuids(reading.find(user="user-")) == []


def test_a_comment_is_found_also_under_a_rating_that_changed(database: Database, reading: Reading) -> None:
    ratings = (Rating("a-0", 0, "down", "no!", 2), Rating("a-0", 1, "up", None, 3))
    put_in(database, written([turn("a", 0, 1)], [turn("b", 0, 2)], ratings=ratings), "test")
    assert uuids(reading.find(rating="comment")) == ["a"]
    assert uuids(reading.find(rating="down")) == []
    assert uuids(reading.find(rating="up")) == ["a"]


def test_the_list_counts_outcomes_and_ratings_and_shows_the_first_question(
    database: Database, reading: Reading
) -> None:
    talk = [turn("a", 0, 1, "first"), turn("a", 1, 2, "second", state=TurnState.FAILED), turn("a", 2, 3, "third")]
    ratings = (Rating("a-0", 0, "up", None, 2), Rating("a-2", 0, "up", None, 4), Rating("a-2", 1, None, None, 5))
    put_in(database, written(talk, ratings=ratings), "test")
    (one,) = reading.find().conversations
    assert (one.question, one.at, one.turns, one.ratings) == ("first", 3, 3, {"up": 1})
    assert one.states == {"complete": 2, "failed": 1}
    (one,) = reading.find(state="failed").conversations
    assert (one.question, one.index) == ("second", 1)


def test_a_search_that_takes_too_long_says_how_far_it_came_and_goes_on_from_there(
    database: Database, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(database, written(*([turn(f"c{at}", 0, at, "needle" if at == 1 else "hay")] for at in range(1, 41))), "test")
    monkeypatch.setattr(module, "SLICE", 10)
    monkeypatch.setattr(module, "MOST_IN_SLICE", 10)
    monkeypatch.setattr(module, "HOLD", 60)
    monkeypatch.setattr(module, "PATIENCE", 0)
    found = reading.find(words=("needle",))
    pages = [(uuids(found), found.back_to)]
    while found.after:
        found = reading.find(words=("needle",), before=found.after)
        pages.append((uuids(found), found.back_to))
    assert pages == [([], 31), ([], 21), ([], 11), (["c1"], 1), ([], None)]


def test_others_have_their_turn_between_two_slices(
    database: Database, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(database, written(*([turn(f"c{at}", 0, at)] for at in range(50))), "test")
    monkeypatch.setattr(module, "SLICE", 10)
    monkeypatch.setattr(module, "MOST_IN_SLICE", 10)
    monkeypatch.setattr(module, "HOLD", 60)
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    reading.find(words=("nowhere",))
    assert pauses == [0] * 5


def test_a_slice_that_took_long_is_followed_by_a_smaller_one() -> None:
    assert module._adapted(1000, 0.001) == 2000
    assert module._adapted(1000, module.HOLD) == 1000
    assert module._adapted(1000, 0.1) == 500
    assert module._adapted(module.MOST_IN_SLICE, 0.001) == module.MOST_IN_SLICE
    assert module._adapted(10, 9) == 10


def test_a_conversation_comes_in_parts_that_are_bounded(database: Database, reading: Reading) -> None:
    ratings = (Rating("a-1", 0, "down", "why", 9), Rating("a-1", 1, "up", None, 10))
    talk = [turn("a", index, index + 1, "x" * 10, answer="y" * 10) for index in range(5)]
    put_in(database, written(talk, ratings=ratings), "test")
    whole = reading.conversation("a", limit=50, max_chars=1000)
    assert whole is not None
    assert ([row.turn_index for row in whole.turns], whole.total, whole.next_index) == ([0, 1, 2, 3, 4], 5, None)
    assert [(r.rating, r.comment) for r in whole.ratings["a-1"]] == [("down", "why"), ("up", None)]
    part = reading.conversation("a", limit=2, max_chars=1000)
    assert part is not None
    assert ([row.turn_index for row in part.turns], part.total, part.next_index) == ([0, 1], 5, 2)
    part = reading.conversation("a", 2, limit=50, max_chars=45)
    assert part is not None
    assert ([row.turn_index for row in part.turns], part.next_index) == ([2, 3], 4)
    part = reading.conversation("a", 4, limit=50, max_chars=1)
    assert part is not None
    assert ([row.turn_index for row in part.turns], part.next_index) == ([4], None)
    assert reading.conversation("b", limit=2, max_chars=1000) is None


@pytest.mark.parametrize(
    ("criteria", "bounds"),
    [
        ({}, "(accepted_at,id)<(?,?)"),
        ({"words": ("x",)}, "(accepted_at,id)<(?,?)"),
        ({"since": 5, "until": 9}, "(accepted_at,id)>(?,?) AND (accepted_at,id)<(?,?)"),
    ],
)
def test_the_list_walks_an_index_between_both_ends_and_sorts_nothing(
    database: Database, reading: Reading, criteria: dict[str, Any], bounds: str
) -> None:
    plans: list[list[str]] = []

    def explain(_c: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT turns.") and "LIMIT" in statement:
            rows = cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            plans.append([str(row[3]) for row in rows])

    put_in(database, written(*([turn(f"c{at}", 0, at)] for at in range(5))), "test")
    event.listen(database._reader, "before_cursor_execute", explain)
    reading.find(before=(100, "x"), **criteria)
    assert len(plans) == 2
    for plan in plans:
        assert f"turns_by_time ({bounds})" in plan[0], plan
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan
