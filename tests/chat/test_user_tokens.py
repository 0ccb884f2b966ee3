"""A user token vouches for its `sub` if the shared secret signed it, by HS256, and its time has come and not gone."""

from __future__ import annotations

import base64
import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat.user_tokens import UserTokens
from app.errors import ChatError, Code
from tests.user_tokens import ABSENT, SECRET, encoded, signed, user_token_of

OTHER = "another secret, just as long as it has to be"
TOKENS = UserTokens([SECRET])
NOW = int(time.time())
LATER = NOW + 86_400
"""Longer than any run of the tests."""
PAYLOAD = encoded({"sub": "ada", "exp": LATER})


def reason(token: str, tokens: UserTokens = TOKENS) -> str:
    """The sentence with which a token is refused."""
    with pytest.raises(ChatError) as refused:
        tokens.open(token)
    assert refused.value.code is Code.BAD_USER_TOKEN
    return refused.value.message


@pytest.mark.parametrize("sub", ["ada@example.com", "42", "日本", "x" * 200])
def test_a_token_vouches_for_its_user(sub: str) -> None:
    assert TOKENS.open(user_token_of(sub)) == sub


def test_other_claims_do_not_matter() -> None:
    assert TOKENS.open(user_token_of("ada", aud="shop", iss="example.com", jti=7, name="Ada", nbf=NOW)) == "ada"
    assert TOKENS.open(user_token_of("ada", iat=ABSENT)) == "ada"


def test_any_of_the_secrets_verifies_so_that_they_can_be_changed() -> None:
    both = UserTokens([OTHER, SECRET])
    assert both.open(user_token_of("ada")) == both.open(user_token_of("ada", secret=OTHER)) == "ada"
    assert "another secret" in reason(user_token_of("ada", secret=OTHER))


def test_without_a_secret_no_token_is_accepted_and_the_setting_is_named() -> None:
    assert "USER_TOKEN_SECRET" in reason(user_token_of("ada"), UserTokens())
    assert "USER_TOKEN_SECRET" in reason(user_token_of("ada", secret=""), UserTokens())


def test_a_changed_token_is_refused_wherever_it_was_changed() -> None:
    header, payload, signature = user_token_of("ada").split(".")
    forged = encoded({"sub": "bob", "exp": LATER})
    assert "another secret" in reason(f"{header}.{forged}.{signature}")
    assert "another secret" in reason(f"{header}.{payload}.{'b' if signature[0] == 'a' else 'a'}{signature[1:]}")
    assert "another secret" in reason(f"{header}.{payload}.")


@pytest.mark.parametrize(
    "alg", ["none", "None", "NONE", "HS384", "HS512", "RS256", "ES256", "EdDSA", "hs256", "", None, 7]
)
def test_only_hs256_is_taken_also_if_the_secret_signed(alg: Any) -> None:
    for token in (signed(f"{encoded({'alg': alg})}.{PAYLOAD}"), f"{encoded({'alg': alg})}.{PAYLOAD}."):
        assert "HS256" in reason(token)


def test_a_public_key_as_the_secret_of_an_rs256_token_turned_hs256_is_another_secret() -> None:
    public = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n-----END PUBLIC KEY-----\n"
    assert "another secret" in reason(user_token_of("ada", secret=public))


def test_a_key_that_comes_with_the_token_is_not_believed() -> None:
    key = {"kty": "oct", "k": base64.urlsafe_b64encode(OTHER.encode()).decode()}
    header = encoded({"alg": "HS256", "jwk": key, "kid": "../../dev/null", "jku": "https://example.com/keys"})
    assert "another secret" in reason(signed(f"{header}.{PAYLOAD}", OTHER))


def test_its_time_has_to_have_come_and_not_gone_give_or_take_a_few_seconds() -> None:
    now = int(time.time())
    assert TOKENS.open(user_token_of("ada", exp=now - 3)) == "ada"
    assert TOKENS.open(user_token_of("ada", iat=now + 5, nbf=now + 5)) == "ada"
    assert "expired" in reason(user_token_of("ada", exp=now - 60))
    assert "clocks" in reason(user_token_of("ada", nbf=now + 120))
    assert "clocks" in reason(user_token_of("ada", iat=now + 120))


def test_a_time_in_milliseconds_would_never_end_and_is_refused() -> None:
    assert "seconds" in reason(user_token_of("ada", exp=LATER * 1000))


@pytest.mark.parametrize("exp", ["soon", [], {}, math.inf, -math.inf, math.nan, "2026-11-21T12:00:00Z"], ids=repr)
def test_a_time_that_is_none_is_refused(exp: Any) -> None:
    assert "numbers" in reason(user_token_of("ada", exp=exp))


@pytest.mark.parametrize("claims", [{"exp": ABSENT}, {"exp": None}, {"sub": ABSENT}, {"sub": None}])
def test_sub_and_exp_have_to_be_there(claims: dict[str, Any]) -> None:
    payload = {"sub": "ada", "exp": LATER, **claims}
    token = user_token_of(payload.pop("sub"), **payload)
    assert "sub and exp" in reason(token)


@pytest.mark.parametrize("sub", [42, True, 1.5, ["ada"], {"id": "ada"}], ids=repr)
def test_a_sub_that_is_no_text_is_refused(sub: Any) -> None:
    assert "must be a string" in reason(user_token_of(sub))


@pytest.mark.parametrize("sub", ["", "x" * 201, "a\n", "\0", "\x1b[2J", "\ud800", "\u2028"], ids=repr)
def test_a_sub_that_cannot_be_a_user_id_is_refused(sub: str) -> None:
    assert "1 to 200 characters" in reason(user_token_of(sub))


@pytest.mark.parametrize(
    "token",
    [
        "", "x", "..", "a.b.c", "a.b.c.d", "é.é.é", "." * 4000, "x" * 4000, encoded({"alg": "HS256"}),
        f"{PAYLOAD}.{PAYLOAD}.x",
    ],
    ids=lambda token: token[:12],
)  # fmt: skip
def test_what_is_no_token_is_refused(token: str) -> None:
    assert reason(token)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_header_or_payload_nested_deeply_is_refused_as_any_other(opening: str) -> None:
    deep = base64.urlsafe_b64encode((opening * 60_000).encode()).decode().rstrip("=")
    assert reason(signed(f"{deep}.{PAYLOAD}"))
    assert reason(signed(f"{encoded({'alg': 'HS256'})}.{deep}"))


@pytest.mark.parametrize("payload", [[], "ada", 7, None], ids=repr)
def test_a_payload_that_is_no_object_is_refused(payload: Any) -> None:
    assert reason(signed(f"{encoded({'alg': 'HS256'})}.{encoded(payload)}"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
CLAIMS = st.dictionaries(st.sampled_from(["sub", "exp", "iat", "nbf", "aud", "iss", "jti", "crit"]), JSON)
HEADER = st.dictionaries(st.sampled_from(["alg", "typ", "crit", "b64", "kid", "jwk"]), JSON)


@given(HEADER, CLAIMS)
def test_whatever_the_secret_signed_either_names_a_user_or_is_refused(header: Any, claims: Any) -> None:
    token = signed(f"{encoded({'alg': 'HS256', **header})}.{encoded({'sub': 'ada', 'exp': LATER, **claims})}")
    try:
        opened = TOKENS.open(token)
    except ChatError:
        assert reason(token).isprintable()
    else:
        assert opened


@given(st.text())
def test_whatever_somebody_sends_without_the_secret_is_refused(text: str) -> None:
    assert reason(text)


def test_no_sentence_has_a_part_of_the_token() -> None:
    token = user_token_of("somebody-to-protect", exp=NOW - 60)
    sentences = [reason(token), reason(token, UserTokens([OTHER])), reason(token[:-3]), reason("x" + token)]
    assert all("somebody" not in sentence and token[:20] not in sentence for sentence in sentences)
