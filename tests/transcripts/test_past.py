"""A signed-in user's list: their own conversations, last used first, page after page; nobody else's, nothing erased."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from app.chat.identity import Identity, new_identity
from app.chat.turns import UserMessage
from app.errors import ChatError, Code
from app.transcripts.past import LONGEST_TITLE, PastConversations, title_of
from tests.transcripts.forgotten import World

ADA = "ada@example.com"


class House(World):
    @property
    def past(self) -> PastConversations:
        return PastConversations(self.database)

    def writes(self, identity: Identity, text: str = "hello") -> str:
        self.now += 1
        self.journal.accept(identity, UserMessage(text, str(uuid.uuid4())), str(uuid.uuid4()), self.now)
        return identity.conversation

    def titles(self, user_id: str = ADA) -> list[str]:
        return [past.title for past in self.past.of(user_id)[0]]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_the_list_has_what_a_user_wrote_last_at_the_top(house: House) -> None:
    old, new = new_identity(ADA), new_identity(ADA)
    house.writes(old, "first")
    house.writes(new, "second")
    assert house.titles() == ["second", "first"]
    house.writes(old, "more")
    assert house.titles() == ["first", "second"]
    assert house.past.of(ADA)[0][0].at == house.now


def test_nothing_that_was_not_written_with_a_user_token_is_in_the_list(house: House) -> None:
    house.writes(Identity(str(uuid.uuid4()), ADA), "by a visitor with this id")
    house.writes(Identity(str(uuid.uuid4()), ADA, by_client=True), "by a page that chose this id")
    house.writes(new_identity("bob"), "by somebody else")
    house.writes(new_identity(ADA.upper()), "by somebody whose id has capitals")
    assert house.titles() == []
    mine = new_identity(ADA)
    house.writes(mine, "mine")
    for thief in (replace(mine, signed_in=False), replace(mine, signed_in=False, by_client=True)):
        with pytest.raises(ChatError) as refused:
            house.writes(thief, "theirs")
        assert refused.value.code == Code.NOT_YOURS
    assert house.titles() == ["mine"]


def test_a_conversation_in_which_nothing_was_written_is_not_in_the_list(house: House) -> None:
    assert house.past.of(ADA) == ([], False)


def test_what_is_being_erased_is_not_in_the_list_any_more(house: House) -> None:
    gone, kept = new_identity(ADA), new_identity(ADA)
    house.writes(gone, "gone")
    house.writes(kept, "kept")
    house.erasure.ask("conversation", gone.conversation)
    assert house.titles() == ["kept"]
    house.erasure.ask("user", ADA)
    assert house.titles() == []


def test_the_list_goes_on_behind_any_of_its_conversations_and_behind_nobody_elses(house: House) -> None:
    mine = [house.writes(new_identity(ADA), str(number)) for number in range(3)]
    theirs = house.writes(new_identity("bob"))
    found, more = house.past.of(ADA, before=mine[2], limit=1)
    assert ([past.title for past in found], more) == (["1"], True)
    assert house.past.of(ADA, before=mine[0]) == ([], False)
    for stranger in (theirs, str(uuid.uuid4())):
        with pytest.raises(ChatError) as refused:
            house.past.of(ADA, before=stranger)
        assert refused.value.code == Code.UNKNOWN_CONVERSATION


@given(moments=st.lists(st.integers(0, 4), max_size=12), limit=st.integers(1, 5))
def test_page_after_page_shows_each_conversation_once_also_where_many_are_as_old(
    tmp_path_factory: pytest.TempPathFactory, moments: list[int], limit: int
) -> None:
    house = House(tmp_path_factory.mktemp("journal"))
    for moment in moments:
        house.now = moment
        house.writes(new_identity(ADA))
    seen, more = house.past.of(ADA, limit=limit)
    while more:
        page, more = house.past.of(ADA, before=seen[-1].conversation, limit=limit)
        seen += page
    assert len({past.conversation for past in seen}) == len(seen) == len(moments)
    assert [past.at for past in seen] == sorted((past.at for past in seen), reverse=True)
    house.database.close()


def test_a_page_is_read_from_the_index_alone(house: House) -> None:
    """No sorting, no scan: 10,000 conversations cost what 10 do."""
    statements: list[tuple[str, tuple[object, ...]]] = []
    house.writes(new_identity(ADA))
    event.listen(
        house.database._reader, "before_cursor_execute",
        lambda _connection, _cursor, statement, parameters, *_rest: statements.append((statement, parameters)),
    )  # fmt: skip
    house.past.of(ADA)
    house.past.of(ADA, before=house.past.of(ADA)[0][0].conversation)
    queries = [one for one in statements if "ORDER BY" in one[0]]
    assert len(queries) == 3
    for statement, parameters in queries:
        with house.database.reading() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
        steps = [row[3] for row in plan]
        assert "USING INDEX conversations_of_signed_in (user_id=?" in steps[0]
        assert not [step for step in steps if "SCAN" in step or "TEMP B-TREE" in step]


def test_the_time_of_the_last_message_is_kept_for_lists_only(house: House) -> None:
    visitor = new_identity()
    house.writes(visitor)
    house.writes(visitor)
    with house.database.reading() as connection:
        (kept,) = connection.exec_driver_sql("SELECT last_at, by_user_token FROM conversations").fetchall()
    assert tuple(kept) == (None, 0)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("hello", "hello"),
        ("\n\r\n  How do I\tembed it? \nIt is urgent.", "How do I embed it?"),
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 79 + "…"),
        ("word " * 30, ("word " * 16).strip() + "…"),
        ("a " + "x" * 200, "a " + "x" * 77 + "…"),
        ("\u3000", "…"),
        ("日本語" * 40, ("日本語" * 40)[:79] + "…"),
    ],
    ids=range(8),
)
def test_a_title_is_the_first_line_cut_between_two_words(text: str, title: str) -> None:
    assert title_of(text) == title


@given(st.text())
def test_a_title_is_one_short_line_and_never_empty(text: str) -> None:
    assert 1 <= len(title_of(text)) <= LONGEST_TITLE
    assert title_of(text).splitlines() == [title_of(text)]


def test_a_message_that_begins_far_down_has_its_title_all_the_same(house: House) -> None:
    house.writes(new_identity(ADA), "\n" * 5000 + "at last")
    assert house.titles() == ["at last"]
