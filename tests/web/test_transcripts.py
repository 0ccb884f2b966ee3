"""The viewer's routes, in process: who gets in, which headers they have, and that stored text stays text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse

from app.chat.turns import Turn, TurnError, TurnState
from app.errors import JournalError
from app.transcripts import reading
from app.transcripts.database import Database
from app.transcripts.figures import Figures
from app.transcripts.reading import Reading
from app.transcripts.whole_rows import Rating, Written, put_in
from app.web.metrics import Metrics
from app.web.origins import Origins
from app.web.routes import add_routes
from app.web.sign_in import Attempts
from app.web.transcripts import transcript_routes
from tests.attacks import ATTACKS
from tests.running_server import PATIENCE

ROOT = Path(__file__).resolve().parent.parent.parent
TOKEN = "an operator's token"
OWN = {"Origin": "http://localhost"}
NOW = 1_795_132_800_000
UUID = "0b0e7c9e-6c1c-4b5e-9a52-0c6f9f8a7d11"


@dataclass
class Viewer:
    """The viewer on a journal of its own; `client` keeps cookies like a browser."""

    database: Database
    client: FlaskClient

    def sign_in(self) -> None:
        assert self.post("sign-in", token=TOKEN).status_code == 303

    def post(self, what: str, headers: dict[str, str] | None = None, **form: str) -> TestResponse:
        return self.client.post(f"/transcripts/{what}", data=form, headers=OWN if headers is None else headers)

    def get(self, path: str = "") -> str:
        response = self.client.get(f"/transcripts{path}")
        assert response.status_code == 200
        return response.get_data(as_text=True)


def application(database: Database, token: str | None = TOKEN) -> Flask:
    flask = Flask("app", static_folder=str(ROOT / "static"), template_folder=str(ROOT / "templates"))
    secret = SecretStr(token) if token else None
    add_routes(flask, metrics=Metrics(), admin_token=secret, checks={})
    if secret:
        figures = Figures(database, lambda: NOW)
        routes = transcript_routes(
            Reading(database), figures.days, keys=["a key"], token=secret, origins=Origins(("https://shop.example",)),
            attempts=Attempts(most=3),
        )  # fmt: skip
        flask.register_blueprint(routes)
    return flask


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "journal.sqlite3")
    database.upgrade()
    yield database
    database.close()


@pytest.fixture(autouse=True)
def _in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search comes to its end, also on a machine that stands still for a while."""
    monkeypatch.setattr(reading, "PATIENCE", PATIENCE)


@pytest.fixture
def viewer(database: Database) -> Viewer:
    return Viewer(database, application(database).test_client())


def keep(database: Database, *texts: str, uuid: str = UUID, user: str = "user", **fields: object) -> None:
    turns = [
        Turn(
            f"{uuid}-{index}", uuid, user, index, f"{index}", text, NOW - 60_000 + index,
            **{"state": TurnState.COMPLETE, "answer": f"answer {index}", "finished_at": NOW, **fields},  # type: ignore[arg-type]
        )
        for index, text in enumerate(texts)
    ]  # fmt: skip
    put_in(database, [Written(uuid, user, turns[0].accepted_at, turns)], "test")


@pytest.mark.parametrize("path", ["", "/", f"/{UUID}", "/sign-in", "/sign-out"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_an_admin_token_there_is_no_viewer(database: Database, method: str, path: str) -> None:
    client = application(database, token=None).test_client()
    assert client.open(f"/transcripts{path}", method=method, headers=OWN).status_code == 404


@pytest.mark.parametrize("path", ["", "?q=secret&span=7d", f"/{UUID}", f"/{UUID}?from=50"])
def test_a_stranger_is_sent_to_the_form_which_leads_back(viewer: Viewer, path: str) -> None:
    response = viewer.client.get(f"/transcripts{path}")
    assert response.status_code == 303
    form = viewer.client.get(response.headers["Location"])
    target = html.unescape(re.findall(r'name="next" value="([^"]*)"', form.get_data(as_text=True))[0])
    assert target == f"/transcripts{path}"
    assert viewer.post("sign-in", token=TOKEN, next=target).headers["Location"] == target


@pytest.mark.parametrize("user", ["ada+news@example.com", "50 %?x=1#y&z", "/a//b/", '<b>"日本"', "a\\b;c"])
def test_a_users_conversations_are_found_whatever_the_id_looks_like(
    viewer: Viewer, database: Database, user: str
) -> None:
    keep(database, "hello", user=user)
    keep(database, "of somebody else", uuid=UUID[:-1] + "2")
    viewer.sign_in()
    page = viewer.get(f"/{UUID}")
    (link,) = re.findall(r'href="/transcripts(\?user=[^"]+)"', page)
    found = viewer.get(html.unescape(link))
    assert UUID in found
    assert "of somebody else" not in found
    assert "<b>" not in page + found


def test_a_bearer_token_does_not_open_the_viewer(viewer: Viewer) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert viewer.client.get("/transcripts", headers=headers).status_code == 303


def test_the_cookie_is_for_this_viewer_and_for_no_script(viewer: Viewer) -> None:
    cookie = viewer.post("sign-in", token=TOKEN).headers["Set-Cookie"]
    parts = {part.strip() for part in cookie.split(";")[1:]}
    assert {"HttpOnly", "SameSite=Strict", "Path=/transcripts", "Max-Age=43200"} <= parts
    assert "Secure" not in parts
    assert "operator" not in cookie


@pytest.mark.parametrize(
    ("base", "origin"), [("https://localhost", "https://localhost"), ("http://localhost", "https://localhost")]
)
def test_with_https_the_cookie_is_secure_also_behind_a_proxy(viewer: Viewer, base: str, origin: str) -> None:
    response = viewer.client.post(
        "/transcripts/sign-in", base_url=base, data={"token": TOKEN}, headers={"Origin": origin}
    )
    assert "; Secure;" in response.headers["Set-Cookie"]


def test_a_wrong_token_is_refused_and_not_shown_again(viewer: Viewer) -> None:
    response = viewer.post("sign-in", token="a wrong token <b>")
    assert response.status_code == 401
    assert "Set-Cookie" not in response.headers
    assert "a wrong token" not in response.get_data(as_text=True)
    assert viewer.client.get("/transcripts").status_code == 303


def test_after_three_wrong_ones_the_right_one_has_to_wait_as_well(viewer: Viewer) -> None:
    for _ in range(3):
        assert viewer.post("sign-in", token="wrong").status_code == 401
    response = viewer.post("sign-in", token=TOKEN)
    assert response.status_code == 429
    assert 0 < int(response.headers["Retry-After"]) <= 601
    assert "Try again in 10 minutes" in response.get_data(as_text=True)
    elsewhere = viewer.client.post(
        "/transcripts/sign-in", data={"token": TOKEN}, headers=OWN, environ_base={"REMOTE_ADDR": "203.0.113.9"}
    )
    assert elsewhere.status_code == 303


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "null"}, {"Origin": "https://evil.example"}, {"Origin": "https://shop.example"}, {"Origin": "x"}],
)
@pytest.mark.parametrize("what", ["sign-in", "sign-out"])
def test_a_form_of_another_site_does_nothing(viewer: Viewer, what: str, headers: dict[str, str]) -> None:
    viewer.sign_in()
    response = viewer.post(what, headers=headers, token=TOKEN)
    assert response.status_code == 403
    assert "Set-Cookie" not in response.headers
    assert viewer.client.get("/transcripts").status_code == 200


def test_signing_out_ends_the_session_also_for_a_copy_of_the_cookie(viewer: Viewer) -> None:
    viewer.sign_in()
    copy = viewer.client.get_cookie("transcripts_session", path="/transcripts")
    assert copy is not None
    assert viewer.post("sign-out").headers["Location"] == "/transcripts/sign-in"
    assert viewer.client.get("/transcripts").status_code == 303
    viewer.client.set_cookie("transcripts_session", copy.value, path="/transcripts")
    assert viewer.client.get("/transcripts").status_code == 303


def test_a_huge_form_is_refused_before_it_is_read(viewer: Viewer) -> None:
    assert viewer.post("sign-in", token="x" * 20_000).status_code == 413


@pytest.mark.parametrize("path", ["", "?q=a", f"/{UUID}", "/5c7c4a1e-0000-4000-8000-000000000000", "/sign-in"])
@pytest.mark.parametrize("signed_in", [True, False])
def test_every_answer_has_the_strict_headers(viewer: Viewer, path: str, signed_in: bool) -> None:
    keep(viewer.database, "hello")
    if signed_in:
        viewer.sign_in()
    headers = viewer.client.get(f"/transcripts{path}").headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'", "style-src": "'self'", "img-src": "'self'", "form-action": "'self'",
        "base-uri": "'none'", "frame-ancestors": "'none'",
    }  # fmt: skip
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "Access-Control-Allow-Origin" not in headers


def test_no_page_has_a_script_a_style_of_its_own_or_anything_from_elsewhere(viewer: Viewer) -> None:
    keep(viewer.database, "hello", "again")
    pages = [viewer.get("/sign-in")]
    viewer.sign_in()
    for page in (*pages, viewer.get(), viewer.get("?q=hello"), viewer.get(f"/{UUID}")):
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=|javascript:", page)
        assert all(link.startswith(("/", "#")) for link in re.findall(r'(?:href|src|action)="([^"]*)"', page))


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_in_any_field_is_text(viewer: Viewer, attack: str) -> None:
    fields: dict[str, object] = {
        "answer": attack, "page_url": attack, "page_title": attack, "user_agent": attack, "model": attack,
        "thread_id": attack, "run_id": attack, "response_id": attack, "request_ids": (attack,), "assistant": attack,
        "client_ip": attack, "state": TurnState.FAILED, "error": TurnError(attack, attack), "usage": {attack: 1},
        "citations": ({"title": attack, "url": attack},),
    }  # fmt: skip
    keep(viewer.database, attack, user=attack, **fields)
    rating = Rating(f"{UUID}-0", 0, "down", attack, NOW)
    other = "1b0e7c9e-6c1c-4b5e-9a52-0c6f9f8a7d11"
    turn = Turn("t", other, "u", 0, "t", "x", NOW)
    put_in(viewer.database, [Written(other, "u", NOW, [turn], [rating])], "test")
    viewer.sign_in()
    word = max(attack.split(), key=len)[:100]
    pages = [
        viewer.client.get(path, query_string=query).get_data(as_text=True)
        for path in ("/transcripts", f"/transcripts/{UUID}", f"/transcripts/{other}")
        for query in ({}, {"q": word}, {"user": attack}, {"q": attack})
    ]
    for page in pages:
        tags = Tags(page)
        assert tags.names <= KNOWN_TAGS
        assert tags.attributes <= KNOWN_ATTRIBUTES
    shown = html.unescape(re.sub("</?mark>", "", pages[4]))
    assert shown.count(attack) >= 10


class Tags(HTMLParser):
    """The names of all elements and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}


KNOWN_TAGS = {
    "html", "head", "meta", "title", "link", "body", "a", "header", "img", "span", "form", "button", "main", "nav",
    "h1", "h2", "small", "dl", "div", "dt", "dd", "code", "ol", "li", "time", "p", "b", "ul", "svg", "path", "rect",
    "circle", "q", "details", "summary", "mark", "label", "input", "select", "option", "section", "figure",
    "figcaption", "i", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
KNOWN_ATTRIBUTES = {
    "lang", "charset", "name", "content", "rel", "href", "type", "class", "id", "src", "width", "height", "alt",
    "method", "action", "dir", "datetime", "d", "viewbox", "preserveaspectratio", "role", "aria-label",
    "aria-hidden", "x", "y", "for", "value", "maxlength", "placeholder", "autocomplete", "enterkeyhint", "spellcheck",
    "tabindex", "scope", "cx", "cy", "r", "selected",
}  # fmt: skip


def test_one_conversation_shows_how_it_went(viewer: Viewer) -> None:
    keep(
        viewer.database, "a question", started_at=NOW - 59_000, first_piece_at=NOW - 57_600, model="gpt-5",
        state=TurnState.FAILED, error=TurnError("assistant_busy", "Sorry."), usage={"input_tokens": 1200},
        page_url="https://shop.example/a", page_title="A page", thread_id="thread_1",
    )  # fmt: skip
    viewer.sign_in()
    page = html.unescape(viewer.get(f"/{UUID}"))
    for text in (
        "a question", "answer 0", "1.0 s", "2.4 s", "60.0 s", "1\u202f200 in", "gpt-5", "assistant_busy", "Sorry.",
        "https://shop.example/a", "A page", "thread_1", "Failed", UUID,
    ):  # fmt: skip
        assert text in page


def test_a_long_conversation_comes_in_pages_of_fifty(viewer: Viewer) -> None:
    keep(viewer.database, *(f"question {number}" for number in range(60)))
    viewer.sign_in()
    first, second = viewer.get(f"/{UUID}"), viewer.get(f"/{UUID}?from=50")
    assert "question 49<" in first
    assert "question 50<" not in first
    assert f"/transcripts/{UUID}?from=50" in first
    assert "question 50<" in second
    assert "Later turns" not in second
    assert "From the beginning" in second
    assert f"/transcripts/{UUID}?q=59&amp;from=59#turn-59" in viewer.get("?q=59")


def test_the_list_goes_on_where_the_page_before_ended(viewer: Viewer) -> None:
    for number in range(60):
        keep(viewer.database, f"question {number}", uuid=f"{number:08}-0000-4000-8000-000000000000")
    viewer.sign_in()
    seen: list[str] = []
    path: str | None = ""
    while path is not None:
        page = viewer.get(path)
        seen += re.findall(r">question (\d+)<", page)
        following = re.findall(r'rel="next" href="/transcripts([^"]*)"', page)
        path = html.unescape(following[0]) if following else None
    assert sorted(map(int, seen)) == list(range(60))


@pytest.mark.parametrize("query", ["before=x", "before=1.a'--", "span=9999-99-99", "outcome=x", "q=%00%ff", "user=%00"])
def test_a_made_up_address_is_no_error(viewer: Viewer, query: str) -> None:
    keep(viewer.database, "hello")
    viewer.sign_in()
    viewer.get(f"?{query}")
    viewer.get(f"/{UUID}?from=99999999999999999999&{query}")


def test_an_unknown_conversation_is_said_to_be_that(viewer: Viewer) -> None:
    viewer.sign_in()
    response = viewer.client.get(f"/transcripts/{UUID}")
    assert response.status_code == 404
    assert "There is no such conversation" in response.get_data(as_text=True)


def test_a_journal_that_cannot_be_read_is_said_without_its_reason(
    viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object, **_criteria: object) -> None:
        raise JournalError("disk /secret/path is broken", transient=False)

    viewer.sign_in()
    monkeypatch.setattr(Reading, "find", broken)
    response = viewer.client.get("/transcripts")
    assert response.status_code == 503
    assert "/secret/path" not in response.get_data(as_text=True)


def test_the_charts_stand_over_the_first_page_and_not_over_what_was_looked_for(viewer: Viewer) -> None:
    viewer.sign_in()
    assert "Turns a day" not in viewer.get()
    keep(viewer.database, "hello")
    assert "Turns a day" in viewer.get()
    assert "Turns a day" not in viewer.get("?q=hello")
