"""Who a connection is: whatever it presents, it comes into no conversation but its own."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.chat.identity import Identity, Tokens, new_identity
from app.chat.user_tokens import UserTokens
from app.errors import ChatError, Code
from tests.transcripts.forgotten import World
from tests.user_tokens import SECRET, user_token_of
from ws.clients import Client
from ws.entrance import Entrance
from ws.payloads import Hello, Resume

USERS = ["ada@example.com", "7c0f9a52-0c6f-4f8a-9d11-0b0e7c9e6c1c"]
AFTER = Resume("0b0e7c9e-6c1c-4b5e-9a52-0c6f9f8a7d11", 3)


class House:
    """Conversations of all kinds: written and empty ones, of visitors, of users and of somebody with a user's id."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.tokens = Tokens(["a key of this test"], 1000)
        kinds = [new_identity(), new_identity(USERS[0]), new_identity(USERS[1])]
        kinds += [Identity(new_identity().conversation, USERS[1], by_client=True)]
        self.identities = [one for kind in kinds for one in (kind, _another(kind))]
        for written in self.identities[::2]:
            self.world.talks(written)
        self.entrance = self.new_entrance(UserTokens([SECRET]))

    def new_entrance(self, user_tokens: UserTokens) -> Entrance:
        erased = self.world.tombstones.covers
        return Entrance(self.tokens, user_tokens, self.world.journal, trust_client_ids=True, erased=erased)

    def token(self, number: int | None) -> str | None:
        return None if number is None else self.tokens.sign(self.identities[number])


def _another(kind: Identity) -> Identity:
    return Identity(new_identity().conversation, kind.user_id, kind.by_client, kind.signed_in)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return House(tmp_path_factory.mktemp("journal"))


def enter(house: House, hello: Hello, query: str = "") -> Client | None:
    """The client, or None if it is refused."""
    try:
        return house.entrance.client(hello, query)
    except ChatError:
        return None


NUMBERS = st.none() | st.integers(0, 7)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(user=st.sampled_from([None, *USERS, "eve"]), token=NUMBERS, chosen=NUMBERS, named=NUMBERS, older=st.booleans())
@example(user=USERS[1], token=4, chosen=None, named=None, older=False)
@example(user=USERS[1], token=None, chosen=4, named=None, older=False)
@example(user=None, token=None, chosen=None, named=6, older=True)
def test_whatever_somebody_presents_opens_no_conversation_of_anybody_else(
    house: House, user: str | None, token: int | None, chosen: int | None, named: int | None, older: bool
) -> None:
    hello = Hello(
        None if older else 1, house.token(token), AFTER, user and user_token_of(user),
        house.identities[chosen].conversation if user and chosen is not None else None,
    )  # fmt: skip
    other = None if named is None else house.identities[named]
    client = enter(house, hello, f"conversationId={other.conversation}&userId={other.user_id}" if other else "")
    if client is None:
        return
    me = client.identity
    assert me.signed_in == (user is not None)
    assert user is None or me.user_id == user
    opened = next((one for one in house.identities if one.conversation == me.conversation), None)
    if opened is not None and house.world.journal.owner_of(me.conversation) is not None:
        assert me == opened
        assert client.after == AFTER
    elif opened is None and token is not None:
        assert client.after is None
    assert client.renewed is None


def test_the_conversation_that_was_chosen_wins_over_the_tokens(house: House) -> None:
    mine, empty = house.identities[2], house.identities[3]
    hello = Hello(1, house.tokens.sign(empty), AFTER, user_token_of(mine.user_id), mine.conversation)
    assert house.entrance.client(hello, "").identity == mine


def test_a_token_that_cannot_be_read_is_said_to_be_so_to_a_signed_in_user_as_well(house: House) -> None:
    client = house.entrance.client(Hello(1, "nonsense", AFTER, user_token_of("ada")), "")
    assert (client.renewed, client.identity.user_id, client.identity.signed_in) == ("invalid", "ada", True)


def test_while_a_user_is_being_erased_nobody_comes_in_as_that_user(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.world.ask("user", USERS[0])
    hello = Hello(1, user_token=user_token_of(USERS[0]))
    with pytest.raises(ChatError) as refused:
        house.entrance.client(hello, "")
    assert (refused.value.code, refused.value.retry_after) == (Code.ERASED, 5)
    house.world.work()
    assert house.entrance.client(hello, "").renewed is None
    held = Hello(1, house.tokens.sign(house.identities[2]), user_token=user_token_of(USERS[0]))
    assert house.entrance.client(held, "").renewed == "invalid"


def test_the_log_says_once_a_minute_why_user_tokens_are_refused(
    house: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("ws.entrance.time.monotonic", lambda: now)
    entrance = house.new_entrance(UserTokens([SECRET]))

    def refused(token: str) -> None:
        with pytest.raises(ChatError):
            entrance.client(Hello(1, user_token=token), "")

    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            refused(user_token_of("ada", exp=1))
        refused(user_token_of("ada", secret="x" * 32))
        now += 61
        refused(user_token_of("ada", exp=1))
    words = [record.getMessage().split(": ")[1].split(".")[0] for record in caplog.records]
    expired, forged = "The sign-in for this chat has expired", "The user token was signed with another secret"
    assert words == [expired, forged, expired]
