"""Sessions and attempts of the transcript viewer, by their own."""

from __future__ import annotations

import pytest
from flask import Flask, Response
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from app.web.sign_in import COOKIE, LASTS, Attempts, Sessions, client_address, safe_target

TOKEN = SecretStr("an operator's token")
FLASK = Flask("test")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def cookie_of(sessions: Sessions) -> str:
    with FLASK.test_request_context():
        response = Response()
        sessions.begin(response)
    return response.headers["Set-Cookie"].partition("=")[2].partition(";")[0]


def opens(sessions: Sessions, cookie: str) -> bool:
    with FLASK.test_request_context(headers={"Cookie": f"{COOKIE}={cookie}"}):
        return sessions.is_open()


def test_a_cookie_opens_the_sessions_that_signed_it_also_after_a_change_of_keys() -> None:
    cookie = cookie_of(Sessions(["old key"], TOKEN))
    assert opens(Sessions(["old key"], TOKEN), cookie)
    assert opens(Sessions(["new key", "old key"], TOKEN), cookie)
    assert not opens(Sessions(["new key"], TOKEN), cookie)


def test_another_admin_token_ends_all_sessions() -> None:
    assert not opens(Sessions(["key"], SecretStr("another operator's token")), cookie_of(Sessions(["key"], TOKEN)))


def test_a_session_lasts_twelve_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions(["key"], TOKEN)
    cookie = cookie_of(sessions)
    now = sessions._signer.get_timestamp()
    for seconds, is_open in ((LASTS - 60, True), (LASTS + 60, False)):
        monkeypatch.setattr(sessions._signer, "get_timestamp", lambda at=now + seconds: at)
        assert opens(sessions, cookie) is is_open


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=';,"\\'), max_size=100))
def test_no_made_up_cookie_opens_anything(cookie: str) -> None:
    assert not opens(Sessions(["key"], TOKEN), cookie)


def test_neither_token_nor_key_stands_in_a_cookie_and_no_two_are_the_same() -> None:
    sessions = Sessions(["a secret key"], TOKEN)
    first, second = cookie_of(sessions), cookie_of(sessions)
    assert first != second
    assert "operator" not in first + second
    assert "secret" not in first + second


def test_a_session_that_was_ended_is_over_for_a_copy_of_its_cookie_too() -> None:
    sessions = Sessions(["key"], TOKEN)
    ended, other = cookie_of(sessions), cookie_of(sessions)
    with FLASK.test_request_context(headers={"Cookie": f"{COOKIE}={ended}"}):
        sessions.end(Response())
    assert not opens(sessions, ended)
    assert opens(sessions, other)


def test_after_some_wrong_tokens_an_address_has_to_wait_and_others_have_not() -> None:
    clock = Clock()
    attempts = Attempts(most=3, seconds=60, clock=clock)
    for _ in range(3):
        assert attempts.wait("a") == 0
        attempts.count("a")
    assert attempts.wait("a") > 0
    assert attempts.wait("b") == 0
    clock.now += 59
    assert attempts.wait("a") > 0
    clock.now += 1.5
    assert attempts.wait("a") == 0
    attempts.count("a")
    assert attempts.wait("a") == 0, "it begins anew"


def test_a_flood_of_addresses_takes_no_more_memory_than_a_thousand() -> None:
    attempts = Attempts(addresses=1000)
    for number in range(3000):
        attempts.count(str(number))
    assert len(attempts._wrong) == 1000


@pytest.mark.parametrize(
    ("remote", "forwarded", "address"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("127.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", None, "127.0.0.1"),
        ("127.0.0.1", "nonsense", "unknown"),
        ("2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::/64"),
    ],
)
def test_whose_attempt_it_is(remote: str, forwarded: str | None, address: str) -> None:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    with FLASK.test_request_context(headers=headers, environ_base={"REMOTE_ADDR": remote}):
        assert client_address() == address


@pytest.mark.parametrize(
    ("target", "safe"),
    [
        ("/transcripts", True),
        ("/transcripts?q=a&span=7d", True),
        ("/transcripts/0b0e7c9e-6c1c-4b5e-9a52-0c6f9f8a7d11?q=a", True),
        ("/transcriptsevil", False),
        ("https://evil.example/transcripts", False),
        ("//evil.example/transcripts", False),
        ("/transcripts/../metrics\\", False),
        ("/transcripts?a\r\nSet-Cookie: a=b", False),
        ("/transcripts/sign-out", False),
        ("/transcripts/sign-in?next=/transcripts", False),
        ("/", False),
        ("", False),
    ],
)
def test_after_the_sign_in_one_comes_to_the_viewer_and_nowhere_else(target: str, safe: bool) -> None:
    assert safe_target(target) == (target if safe else "/transcripts")
