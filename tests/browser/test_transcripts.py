"""The transcript viewer in a real browser: found by keyboard, pleasant on a phone, and nothing of it runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.chat.turns import Turn, TurnError, TurnState
from app.transcripts.database import Database
from app.transcripts.whole_rows import Rating, Written, put_in
from tests.attacks import ATTACKS
from tests.running_server import ROOT, RunningServer, wait_until

pytestmark = [pytest.mark.server, pytest.mark.browser]

TOKEN = "an operator's long token"
FAULTS = "Content Security Policy", "Uncaught", "Refused to"
UUID = "0b0e7c9e-6c1c-4b5e-9a52-0c6f9f8a7d11"
WANTED = "5d0b2c1e-2f4b-4b8e-8f57-61d3a4a3c9f2"
WAYS_OUT = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with some weeks of made-up conversations, one that is looked for, and one that attacks its reader."""
    folder = tmp_path_factory.mktemp("data")
    made = subprocess.run(
        [sys.executable, "-m", "app", "demo-data", "300"],
        cwd=ROOT, env={"DATA_DIR": str(folder), "PATH": os.environ["PATH"]}, capture_output=True, timeout=60,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    _write(folder)
    server = RunningServer({"DATA_DIR": str(folder), "ADMIN_TOKEN": TOKEN})
    server.start()
    yield server
    server.stop()


def _write(folder: Path) -> None:
    begun = time.time_ns() // 1_000_000 - 1_000_000
    turns = [
        Turn(
            f"attack-{n}", UUID, "de300000-attacker", n, str(n), attack, begun + n, answer=attack, page_url=attack,
            page_title=attack, user_agent=attack, model=attack, state=TurnState.FAILED, finished_at=begun + n + 9,
            error=TurnError("internal", attack), citations=({"title": attack, "url": attack},), thread_id=attack,
        )
        for n, attack in enumerate(ATTACKS)
    ]  # fmt: skip
    ratings = [Rating(turn.id, 0, "down", turn.text, begun) for turn in turns]
    attacks = Written(UUID, "de300000-attacker", begun, turns, ratings)
    wanted = Turn(
        "wanted", WANTED, "de300000-customer", 0, "0", "Where is my refund? You have the parcel.", begun,
        answer="Five working days.", state=TurnState.COMPLETE, finished_at=begun + 900,
    )  # fmt: skip
    rated = Written(WANTED, wanted.user_id, begun, [wanted], [Rating(wanted.id, 0, "down", None, begun + 9_000)])
    database = Database(folder / "journal.sqlite3")
    put_in(database, [attacks, rated], "tests")
    database.close()


def sign_in(page: Page, server: RunningServer, path: str = "/transcripts") -> None:
    page.goto(server.url + path)
    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def rows(page: Page) -> list[str]:
    return page.locator(".row").all_inner_texts()


def test_an_operator_signs_in_searches_filters_reads_and_leaves(viewer: RunningServer, page: Page) -> None:
    page.goto(f"{viewer.url}/transcripts?span=30d")
    page.get_by_label("Token").fill("a wrong one")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("That is not the token.")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{viewer.url}/transcripts?span=30d")
    expect(page.locator(".row")).to_have_count(25)
    page.get_by_role("searchbox").fill("Refund parcel")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".row").first).to_contain_text("refund", ignore_case=True)
    expect(page.locator(".row mark").first).to_be_visible()
    page.get_by_label("Feedback").select_option("Thumbs down")
    page.get_by_label("Time").select_option("Any")
    page.get_by_role("button", name="Search").click()
    expect(page).to_have_url(re.compile("feedback=down"))
    rows, disliked = page.locator(".row"), page.locator(".row .thumb.down")
    wait_until(lambda: 0 < rows.count() == disliked.count(), "all of them were disliked")
    page.locator(".row a").first.click()
    expect(page.locator(".turn mark").first).to_be_visible()
    expect(page.locator(".turn .thumb.down").first).to_be_visible()
    page.get_by_role("link", name="What was found").click()
    expect(page.get_by_role("searchbox")).to_have_value("Refund parcel")
    page.get_by_role("button", name="Sign out").click()
    page.go_back()
    page.reload()
    expect(page.get_by_label("Token")).to_be_visible()
    assert TOKEN not in viewer.log


def test_the_next_pages_show_what_is_older_and_never_the_same(viewer: RunningServer, page: Page) -> None:
    sign_in(page, viewer)
    seen: list[str] = []
    for _ in range(4):
        seen += [str(link.get_attribute("href")) for link in page.locator(".row a").all()]
        page.get_by_role("link", name="Older").click()
        expect(page.get_by_role("link", name="Newest")).to_be_visible()
    assert len(seen) == len(set(seen)) == 100


def test_everything_can_be_done_by_keyboard_and_the_place_is_seen(viewer: RunningServer, page: Page) -> None:
    page.goto(f"{viewer.url}/transcripts")
    expect(page.get_by_label("Token"), "whoever comes can type at once").to_be_focused()
    page.keyboard.type(TOKEN)
    page.keyboard.press("Enter")
    expect(page.locator(".row").first).to_be_visible()
    stops = []
    for _ in range(40):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.closest('.row') ? 'row' : document.activeElement.name || "
                                   "document.activeElement.textContent.trim()"))  # fmt: skip
        outlined = page.evaluate(
            "getComputedStyle(document.activeElement.closest('.row') || document.activeElement).outlineStyle"
        )
        assert outlined != "none", f"the focus on {stops[-1]} is not seen"
        if stops[-1] == "row":
            break
    assert stops[0] == "Skip to the content"
    assert [stop for stop in stops if stop in ("q", "outcome", "feedback", "span", "user", "row")] == [
        "q", "outcome", "feedback", "span", "user", "row",
    ]  # fmt: skip
    page.keyboard.press("Enter")
    expect(page.locator(".turn").first).to_be_visible()


def test_the_skip_link_leads_past_the_header(viewer: RunningServer, page: Page) -> None:
    sign_in(page, viewer)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_nothing_of_a_stored_attack_runs_loads_or_leaves_its_place(viewer: RunningServer, page: Page) -> None:
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.add_init_script("addEventListener('securitypolicyviolation', () => console.log('Refused to'))")
    sign_in(page, viewer)
    for path in ("", "?user=de300000-attacker", "?q=globalThis.hit", "?outcome=failed&feedback=down"):
        page.goto(f"{viewer.url}/transcripts{path}")
        assert page.evaluate("globalThis.hit") is None
    for start in (0, 50):
        page.goto(f"{viewer.url}/transcripts/{UUID}?q=globalThis.hit&from={start}")
        expect(page.locator(".turn").first).to_be_visible()
        for details in page.locator("details").all():
            details.evaluate("element => { element.open = true }")
        assert page.evaluate("globalThis.hit") is None
        shown = page.locator(".question").all_inner_texts()
        assert [text.rstrip("\n") for text in shown] == [text.rstrip("\n") for text in ATTACKS[start : start + 50]]
        assert (
            page.locator("main :is(script, img, iframe, object, embed, style, base, meta, video, input)").count() == 0
        )
        assert page.evaluate(WAYS_OUT) is False
    assert [url for url in asked if not url.startswith(viewer.url + "/")] == []
    assert [text for text in said if any(fault in text for fault in FAULTS)] == []


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    yield context.new_page()
    context.close()


def test_on_a_phone_nothing_has_to_be_moved_sideways(viewer: RunningServer, phone: Page) -> None:
    phone.goto(f"{viewer.url}/transcripts")
    assert phone.evaluate(WAYS_OUT) is False
    sign_in(phone, viewer)
    for path in ("", "?q=refund", "?q=zebra", "?outcome=failed", f"/{UUID}"):
        phone.goto(f"{viewer.url}/transcripts{path}")
        assert phone.evaluate(WAYS_OUT) is False, path
    phone.goto(f"{viewer.url}/transcripts")
    phone.locator(".row a").first.tap()
    expect(phone.locator(".turn").first).to_be_visible()
    assert phone.evaluate(WAYS_OUT) is False


def test_a_link_from_another_site_brings_no_session_along(
    viewer: RunningServer, page: Page, start_server: Callable[..., RunningServer]
) -> None:
    sign_in(page, viewer)
    # Another site for the browser: "localhost" is not "127.0.0.1".
    other = start_server()
    page.goto(other.url.replace("127.0.0.1", "localhost") + "/healthz")
    page.evaluate("url => { location.href = url }", f"{viewer.url}/transcripts")
    expect(page.get_by_label("Token")).to_be_visible()
