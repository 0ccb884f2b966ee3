from __future__ import annotations

import logging

import pytest

from app.web.origins import REMEMBERED, Origins

HERE = {"HTTP_HOST": "chat.example.com"}


@pytest.mark.parametrize(
    ("allowed", "origin", "expected"),
    [
        ((), "https://chat.example.com", True),
        ((), "http://chat.example.com", True),
        ((), "https://www.example.com", False),
        ((), "null", False),
        (("https://www.example.com",), "https://www.example.com", True),
        (("https://www.example.com",), "https://WWW.example.com", True),
        (("https://www.example.com",), "http://www.example.com", False),
        (("https://www.example.com",), "https://www.example.com:8443", False),
        (("https://*.example.org",), "https://a.example.org", True),
        (("https://*.example.org",), "https://a.b.example.org", True),
        (("https://*.example.org",), "https://example.org", False),
        (("https://*.example.org",), "https://a.example.org.evil.net", False),
        (("https://*.example.org",), "https://evilexample.org", False),
        (("https://*.example.org",), "https://evil.net/.example.org", False),
        (("*",), "https://anything.example.net", True),
        (("*",), "null", True),
    ],
)
def test_an_origin_is_allowed_or_not(allowed: tuple[str, ...], origin: str, expected: bool) -> None:
    assert Origins(allowed).allows(origin, HERE) is expected


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://localhost:5001", True),
        ("http://localhost:8002", True),
        ("http://localhost:9999", False),
        ("http://localhost", False),
        ("http://127.0.0.1:5001", False),
        ("http://localhost:notaport", False),
    ],
)
def test_the_own_host_is_allowed_on_its_own_ports(origin: str, expected: bool) -> None:
    assert Origins((), [8002, 5001]).allows(origin, {"HTTP_HOST": "localhost:8002"}) is expected


def test_a_client_that_is_no_page_needs_no_origin() -> None:
    assert Origins(()).allows(None, HERE)


def test_a_refused_origin_is_logged_once_with_the_line_to_add(caplog: pytest.LogCaptureFixture) -> None:
    origins = Origins(("https://a.example.com",))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            origins.allows("https://b.example.com", HERE)
    assert len(caplog.records) == 1
    assert "CORS_ALLOWED_ORIGINS=https://a.example.com,https://b.example.com" in caplog.text


def test_an_origin_that_cannot_be_listed_gets_no_line_to_add(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for origin in ("null", "https://a.example.com,*", "https://a b"):
            Origins(()).allows(origin, HERE)
    assert len(caplog.records) == 3
    assert "CORS_ALLOWED_ORIGINS" not in caplog.text


def test_a_flood_of_origins_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    origins = Origins(())
    with caplog.at_level(logging.WARNING):
        for number in range(3 * REMEMBERED):
            origins.allows(f"https://{number}.example.com", HERE)
        origins.allows("null", HERE)
        origins.allows("https://evil.example.com\nINFO all is well", HERE)
    assert len(caplog.records) == REMEMBERED
    assert "\nINFO" not in caplog.text
