from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat.identity import Identity, Tokens, new_identity, usual_form

KEY, OTHER = "k" * 32, "o" * 32


def test_a_token_opens_the_conversation_that_it_names() -> None:
    identity = new_identity()
    tokens = Tokens([KEY], max_age=60)
    assert tokens.open(tokens.sign(identity)) == identity


def test_a_token_remembers_that_the_page_chose_the_ids() -> None:
    identity = Identity("c", "u", by_client=True)
    tokens = Tokens([KEY], max_age=60)
    assert tokens.open(tokens.sign(identity)) == identity


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t[:-9] + ("a" if t[-9] != "a" else "b") + t[-8:],
        lambda t: "x" + t,
        lambda t: t[:10],
        lambda _: "",
        str.upper,
    ],
)
def test_a_changed_token_is_invalid(change) -> None:  # type: ignore[no-untyped-def]
    tokens = Tokens([KEY], max_age=60)
    assert tokens.open(change(tokens.sign(new_identity()))) == "invalid"


def test_a_token_of_another_key_is_invalid() -> None:
    assert Tokens([KEY], 60).open(Tokens([OTHER], 60).sign(new_identity())) == "invalid"


def test_an_old_token_is_expired() -> None:
    token = Tokens([KEY], 60).sign(new_identity())
    assert Tokens([KEY], max_age=-1).open(token) == "expired"


def test_the_first_key_signs_and_all_keys_verify() -> None:
    identity = new_identity()
    both = Tokens([OTHER, KEY], 60)
    assert both.open(Tokens([KEY], 60).sign(identity)) == identity
    assert Tokens([OTHER], 60).open(both.sign(identity)) == identity
    assert Tokens([KEY], 60).open(both.sign(identity)) == "invalid"


def test_a_new_conversation_keeps_the_user() -> None:
    identity = new_identity()
    following = identity.in_new_conversation()
    assert following.user_id == identity.user_id
    assert following.conversation != identity.conversation


def test_a_signed_in_user_stays_one_in_the_token_and_in_a_new_conversation() -> None:
    tokens = Tokens([KEY], max_age=60)
    ada = new_identity("ada@example.com")
    assert tokens.open(tokens.sign(ada)) == ada
    following = ada.in_new_conversation()
    assert (following.user_id, following.signed_in, following.by_client) == ("ada@example.com", True, False)
    assert not Identity("c", "ada@example.com", by_client=True).in_new_conversation().signed_in


@given(st.text(max_size=210))
def test_a_user_id_is_kept_as_it_is_or_not_at_all(text: str) -> None:
    kept = usual_form(text)
    assert kept is None or (kept.lower() == text.lower() and 1 <= len(kept) <= 200 and kept.encode())
    assert usual_form(kept) == kept


@pytest.mark.parametrize("text", ["ada", "a b", "Ädä/42?#%", "x" * 200, "日本", "🙂", "DROP TABLE", "../.."])
def test_a_user_id_may_be_any_line(text: str) -> None:
    assert usual_form(text) == text


@pytest.mark.parametrize(
    "value", [None, 7, True, [], {}, "", " ", "ada ", "\u3000ada", "x" * 201, "a\n", "\0", "\x7f", "\u2028", "\ud800"]
)
def test_what_cannot_be_written_in_a_line_is_no_user_id(value: object) -> None:
    assert usual_form(value) is None


def test_a_uuid_is_one_user_in_capitals_too() -> None:
    user_id = new_identity().user_id
    assert usual_form(user_id.upper()) == user_id
    assert usual_form("{" + user_id.upper()[:34] + "}") != user_id
