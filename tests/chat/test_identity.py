from __future__ import annotations

import pytest

from app.chat.identity import Identity, Tokens, new_identity

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
