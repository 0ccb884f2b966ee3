"""A conversation as one object: for its owner, for operators, for nobody else; also when it is only archived."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.chat.identity import Identity, Tokens, new_identity
from app.chat.turns import TurnError, TurnState, UserMessage
from app.chat.user_tokens import UserTokens
from app.errors import ChatError, ChatServerError, Code
from app.transcripts import read_back as module
from app.transcripts.database import Database
from app.transcripts.journal import SqlJournal
from app.transcripts.read_back import Archive, ReadBack
from app.transcripts.reading import Reading
from tests.user_tokens import SECRET, user_token_of

TOKENS = Tokens(["a key of sixteen characters"], max_age=60)
ME = new_identity()


class House:
    """A journal with one conversation of two turns, and what reads it."""

    def __init__(self, folder: Path, archive: Archive | None = None) -> None:
        self.database = Database(folder / "journal.sqlite3")
        self.database.upgrade()
        self.journal = SqlJournal(self.database, "me")
        self.read_back = ReadBack(
            Reading(self.database), self.journal, TOKENS, UserTokens([SECRET]), assistant_id="asst_1", archive=archive
        )  # fmt: skip

    def talk(self, identity: Identity) -> None:
        for number, state in enumerate((TurnState.COMPLETE, TurnState.FAILED)):
            name = f"{identity.conversation}-{number}"
            turn = self.journal.accept(identity, UserMessage(f"q{number}", name), name, now=1_000 + number)
            self.journal.start(turn.id, 1_100)
            error = TurnError("assistant_busy", "Sorry.") if state is TurnState.FAILED else None
            ended = replace(
                turn, state=state, answer=f"a{number}", seq=1, started_at=1_100, first_piece_at=1_200,
                finished_at=1_300, model="m", usage={"input_tokens": 1}, error=error,
            )  # fmt: skip
            self.journal.finish(ended)


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    house.talk(ME)
    return house


def refusal(call: Any) -> Code:
    with pytest.raises(ChatError) as refused:
        call()
    return refused.value.code


def test_it_has_the_conversation_and_its_turns_in_order(house: House) -> None:
    house.journal.rate(f"{ME.conversation}-0", "down", "no", 1)
    house.journal.rate(f"{ME.conversation}-0", "up", "yes", 2)
    found = house.read_back.for_operator(ME.conversation)
    turns = found.pop("conversations")
    assert found == {
        "conversation_uuid": ME.conversation, "user_id": ME.user_id, "thread_id": None, "assistant_id": "asst_1",
        "created_at": "1970-01-01T00:00:01.000Z", "next": None,
    }  # fmt: skip
    assert turns[0] == {
        "user_query": "q0", "assistant_response": "a0", "turn_id": f"{ME.conversation}-0", "index": 0,
        "state": "complete", "accepted_at": "1970-01-01T00:00:01.000Z", "started_at": "1970-01-01T00:00:01.100Z",
        "first_piece_at": "1970-01-01T00:00:01.200Z", "finished_at": "1970-01-01T00:00:01.300Z", "model": "m",
        "usage": {"input_tokens": 1}, "citations": [], "error": None, "feedback": {"rating": "up", "comment": "yes"},
    }  # fmt: skip
    assert turns[1]["error"] == {"code": "assistant_busy", "message": "Sorry."}


def test_the_document_shows_every_field_and_no_other(house: House) -> None:
    document = (Path(__file__).resolve().parent.parent.parent / "docs/viewer.md").read_text(encoding="utf-8")
    shown = json.loads(document.split("```json\n")[1].split("```")[0])
    found = house.read_back.for_operator(ME.conversation)
    assert list(shown) == list(found)
    assert list(shown["conversations"][0]) == list(found["conversations"][0])


def test_the_owner_gets_the_same_as_operators(house: House) -> None:
    assert house.read_back.for_visitor(TOKENS.sign(ME), ME.conversation) == house.read_back.for_operator(
        ME.conversation
    )


def test_a_rating_that_was_taken_back_is_none(house: House) -> None:
    house.journal.rate(f"{ME.conversation}-0", "up", "yes", 1)
    house.journal.rate(f"{ME.conversation}-0", None, None, 2)
    assert house.read_back.for_operator(ME.conversation)["conversations"][0]["feedback"] is None


def test_somebody_elses_is_as_unknown_as_one_that_is_not_there(house: House) -> None:
    other = new_identity()
    house.talk(other)
    token = TOKENS.sign(ME)
    answers = []
    for conversation in (other.conversation, new_identity().conversation):
        with pytest.raises(ChatError) as refused:
            house.read_back.for_visitor(token, conversation)
        answers.append((refused.value.code, refused.value.message))
    assert answers[0] == answers[1] == (Code.UNKNOWN_CONVERSATION, "There is no such conversation.")


@pytest.mark.parametrize(
    "thief", [replace(ME, user_id="somebody"), replace(ME, by_client=True), replace(ME, user_id="x", by_client=True)]
)
def test_a_token_of_another_user_for_the_same_conversation_opens_nothing(house: House, thief: Identity) -> None:
    token = TOKENS.sign(thief)
    assert refusal(lambda: house.read_back.for_visitor(token, ME.conversation)) is Code.UNKNOWN_CONVERSATION


def test_a_signed_in_users_conversation_is_opened_by_the_user_token_and_not_by_the_conversations(house: House) -> None:
    ada = new_identity("ada@example.com")
    house.talk(ada)
    user_token = user_token_of("ada@example.com")
    found = house.read_back.for_visitor(user_token, ada.conversation)
    assert (found["user_id"], len(found["conversations"])) == ("ada@example.com", 2)
    for token in (TOKENS.sign(ada), user_token_of("ada@example.com", secret="o" * 32)):
        assert refusal(lambda t=token: house.read_back.for_visitor(t, ada.conversation)) is Code.UNAUTHORIZED
    strangers = (user_token_of("bob"), TOKENS.sign(replace(ada, signed_in=False)), TOKENS.sign(ME))
    for token in strangers:
        assert refusal(lambda t=token: house.read_back.for_visitor(t, ada.conversation)) is Code.UNKNOWN_CONVERSATION


def test_a_user_token_opens_nothing_that_a_visitor_with_the_same_id_wrote(house: House) -> None:
    spoofed = replace(new_identity(), user_id="7c0f", by_client=True)
    house.talk(spoofed)
    refused = refusal(lambda: house.read_back.for_visitor(user_token_of("7c0f"), spoofed.conversation))
    assert refused is Code.UNKNOWN_CONVERSATION


def test_a_token_that_is_none_or_expired_is_unauthorized(house: House) -> None:
    stale = Tokens(["a key of sixteen characters"], max_age=-1)
    old = ReadBack(Reading(house.database), house.journal, stale, UserTokens())
    for read, token in ((house.read_back, "nonsense"), (old, TOKENS.sign(ME))):
        assert refusal(lambda r=read, t=token: r.for_visitor(t, ME.conversation)) is Code.UNAUTHORIZED


def test_a_conversation_in_which_nothing_was_said_is_unknown(house: House) -> None:
    quiet = new_identity()
    assert refusal(lambda: house.read_back.for_visitor(TOKENS.sign(quiet), quiet.conversation)) is (
        Code.UNKNOWN_CONVERSATION
    )


def test_a_long_one_comes_in_parts(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TURNS", 1)
    first = house.read_back.for_operator(ME.conversation)
    assert ([turn["index"] for turn in first["conversations"]], first["next"]) == ([0], 1)
    second = house.read_back.for_visitor(TOKENS.sign(ME), ME.conversation, first["next"])
    assert ([turn["index"] for turn in second["conversations"]], second["next"]) == ([1], None)


def archived(identity: Identity) -> dict[str, Any]:
    return {"conversation_uuid": identity.conversation, "user_id": identity.user_id, "conversations": []}


def test_what_the_journal_has_no_more_comes_from_the_archive_for_its_owner_only(tmp_path: Path) -> None:
    house = House(tmp_path, {ME.conversation: archived(ME)}.get)
    assert house.read_back.for_operator(ME.conversation)["user_id"] == ME.user_id
    assert house.read_back.for_visitor(TOKENS.sign(ME), ME.conversation) == {**archived(ME), "next": None}
    for thief in (replace(ME, user_id="somebody"), replace(ME, by_client=True)):
        token = TOKENS.sign(thief)
        assert refusal(lambda t=token: house.read_back.for_visitor(t, ME.conversation)) is Code.UNKNOWN_CONVERSATION
    assert refusal(lambda: house.read_back.for_operator("other")) is Code.UNKNOWN_CONVERSATION


def test_the_archive_is_not_asked_for_what_the_journal_has(tmp_path: Path) -> None:
    asked: list[str] = []
    house = House(tmp_path, lambda conversation: asked.append(conversation))
    house.talk(ME)
    house.read_back.for_operator(ME.conversation)
    assert asked == []


def test_an_archive_that_cannot_be_reached_is_no_unknown_conversation(tmp_path: Path) -> None:
    def down(_conversation: str) -> None:
        raise ChatServerError("https://elastic:9200 does not answer")

    house = House(tmp_path, down)
    with pytest.raises(ChatError) as refused:
        house.read_back.for_operator(ME.conversation)
    assert refused.value.code is Code.JOURNAL_UNAVAILABLE
    assert "9200" not in refused.value.message
