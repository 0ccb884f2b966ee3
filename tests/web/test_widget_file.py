"""The routes of the widget's file, in process: its two forms, conditions, caching, and names of other versions."""

from __future__ import annotations

import base64
import gzip
import hashlib
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.errors import SettingsError
from app.web.metrics import Metrics
from app.web.routes import add_routes
from app.web.widget_file import read_widget
from tests.running_server import ROOT

BYTES = (ROOT / "static/chat-widget.js").read_bytes()
VERSION = hashlib.sha256(BYTES).hexdigest()[:12]
STABLE, VERSIONED = "/static/chat-widget.js", f"/static/chat-widget.{VERSION}.js"
MOST_BYTES = 60_000


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    flask = Flask("app", static_folder=str(ROOT / "static"), template_folder=str(ROOT / "templates"))
    add_routes(flask, metrics=Metrics(), admin_token=None, checks={}, demo=True)
    return flask.test_client()


def get(client: FlaskClient, path: str = STABLE, accept: str | None = None, **headers: str) -> TestResponse:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if accept is not None:
        sent["Accept-Encoding"] = accept
    return client.get(path, headers=sent)


def unpacked(response: TestResponse) -> bytes:
    return gzip.decompress(response.data) if response.content_encoding == "gzip" else response.data


@pytest.mark.parametrize("path", [STABLE, VERSIONED])
@pytest.mark.parametrize("accept", ["gzip, deflate, br, zstd", None])
def test_both_names_give_the_file_with_everything_that_a_page_needs(
    client: FlaskClient, path: str, accept: str | None
) -> None:
    response = get(client, path, accept)
    assert response.status_code == 200
    assert unpacked(response) == BYTES
    assert int(response.headers["Content-Length"]) == len(response.data)
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert response.headers["Vary"] == "Accept-Encoding"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("origin", [None, "https://shop.example", "null"])
@pytest.mark.parametrize("path", [STABLE, VERSIONED, "/static/chat-widget.000000000000.js"])
def test_every_origin_may_read_it_and_a_copy_kept_for_one_serves_all(
    client: FlaskClient, path: str, origin: str | None
) -> None:
    response = get(client, path, **({"Origin": origin} if origin else {}))
    assert response.headers.getlist("Access-Control-Allow-Origin") == ["*"]


@pytest.mark.parametrize(
    ("accept", "encoding"),
    [
        (None, None),
        ("", None),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", "gzip"),
        ("*", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0, *", None),
        ("identity", None),
        ("gzip;q=0.2, identity;q=0.5", None),
        ("br, deflate", None),
        ("gzip;q=nonsense, ,;", None),
    ],
)
def test_it_is_packed_for_whom_takes_it_so(client: FlaskClient, accept: str | None, encoding: str | None) -> None:
    response = get(client, accept=accept)
    assert response.headers.get("Content-Encoding") == encoding
    assert unpacked(response) == BYTES


def test_the_packed_file_keeps_to_its_size(client: FlaskClient) -> None:
    assert len(get(client, accept="gzip").data) <= MOST_BYTES


@pytest.mark.parametrize("path", [STABLE, VERSIONED])
@pytest.mark.parametrize("accept", ["gzip", "identity"])
def test_who_has_a_form_already_is_told_so_without_the_bytes(client: FlaskClient, path: str, accept: str) -> None:
    first = get(client, path, accept)
    for tags in (first.headers["ETag"], f"W/{first.headers['ETag']}", f'"other", {first.headers["ETag"]}', "*"):
        again = get(client, path, accept, If_None_Match=tags)
        assert (again.status_code, again.data) == (304, b"")
        for name in ("ETag", "Cache-Control", "Vary", "Access-Control-Allow-Origin"):
            assert again.headers[name] == first.headers[name], name


def test_the_two_forms_have_strong_tags_of_their_own(client: FlaskClient) -> None:
    packed, plain = (get(client, accept=accept).headers["ETag"] for accept in ("gzip", "identity"))
    assert packed != plain
    assert not packed.startswith("W/")
    assert not plain.startswith("W/")
    assert get(client, accept="identity", If_None_Match=packed).data == BYTES
    assert get(client, accept="gzip", If_None_Match=plain).status_code == 200


@pytest.mark.parametrize("tags", ['"other"', "nonsense", "", '"', 'W/"', "\x00"])
def test_a_tag_that_is_not_its_own_gets_the_bytes(client: FlaskClient, tags: str) -> None:
    assert get(client, accept="identity", If_None_Match=tags).data == BYTES


def test_head_has_the_headers_without_the_bytes(client: FlaskClient) -> None:
    for path in (STABLE, VERSIONED):
        whole = get(client, path, "gzip")
        head = client.head(path, headers={"Accept-Encoding": "gzip"})
        assert (head.status_code, head.data) == (200, b"")
        assert {**head.headers, "Date": ""} == {**whole.headers, "Date": ""}


@pytest.mark.parametrize("asked", ["bytes=0-9", "bytes=999999999-", "bytes=nonsense"])
def test_a_part_of_it_is_not_given_but_the_whole(client: FlaskClient, asked: str) -> None:
    response = get(client, accept="identity", Range=asked)
    assert (response.status_code, response.data) == (200, BYTES)
    assert "Content-Range" not in response.headers


def test_the_stable_name_is_asked_for_again_soon_and_the_versioned_one_never(client: FlaskClient) -> None:
    assert get(client, STABLE).headers["Cache-Control"] == "public, max-age=600"
    assert get(client, VERSIONED).headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_another_version_leads_to_the_stable_name_and_nobody_keeps_that(client: FlaskClient) -> None:
    response = get(client, "/static/chat-widget.0123456789ab.js")
    assert (response.status_code, response.headers["Location"]) == (302, "chat-widget.js")
    assert response.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("name", ["chat-widget.0123456789abc.js", "chat-widget..js", f"x-chat-widget.{VERSION}.js"])
def test_a_name_that_never_was_one_is_not_found(client: FlaskClient, name: str) -> None:
    assert get(client, f"/static/{name}").status_code == 404


def test_the_other_static_files_are_served_as_before(client: FlaskClient) -> None:
    for name in ("chat-widget.licenses.txt", "favicon.svg"):
        response = get(client, f"/static/{name}", "gzip")
        assert response.data == (ROOT / "static" / name).read_bytes()


@pytest.mark.parametrize("page", ["/", "/try/resume"])
@pytest.mark.parametrize("prefix", ["", "/chat"])
def test_the_servers_own_pages_use_the_versioned_name(client: FlaskClient, page: str, prefix: str) -> None:
    text = client.get(page, environ_overrides={"SCRIPT_NAME": prefix}).get_data(as_text=True)
    assert f'<script src="{prefix}{VERSIONED}" data-target="#chat"' in text


def test_the_integrity_is_that_of_the_bytes() -> None:
    expected = base64.b64encode(hashlib.sha384(BYTES).digest()).decode()
    assert read_widget().integrity == f"sha384-{expected}"
    assert read_widget().versioned_name == VERSIONED.removeprefix("/static/")


def test_without_the_file_the_server_does_not_start_and_says_what_builds_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="make widget"):
        read_widget(tmp_path / "chat-widget.js")
