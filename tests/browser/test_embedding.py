"""The widget by the tags that site owners copy, on pages of every kind."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import strangers_page
from tests.browser.chat_page import is_online, say, turns
from tests.browser.site import Shop, fenced, filled_in, strict_policy
from tests.browser.strangers_page import converse, page_of, tag, went_wrong
from tests.running_server import ROOT, RunningServer, wait_until

pytestmark = [pytest.mark.server, pytest.mark.browser]

site, server, shop = strangers_page.site, strangers_page.server, strangers_page.shop

OLD = "/static/chat-widget.0123456789ab.js"


def printed(server: RunningServer) -> str:
    """The tag with its integrity, as the operator's command prints it."""
    done = subprocess.run(
        [sys.executable, "-m", "app", "widget", "--url", server.url],
        cwd=ROOT, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    (pinned,) = re.findall(r"<script[^>]*integrity[^>]*></script>", done.stdout)
    return str(pinned)


def refused(page: Page) -> None:
    """Wait until the browser has refused the widget's script."""
    page.wait_for_function("failed.length > 0")
    assert page.evaluate("customElements.get('assistant-chat')") is None


# Tags.


def test_the_tag_with_its_integrity_is_taken_as_the_command_prints_it(
    server: RunningServer, page: Page, shop: Shop
) -> None:
    shop.page = page_of(printed(server))
    page.goto(shop.origin)
    converse(page)
    assert went_wrong(page) == []


@pytest.mark.parametrize("path", ["/static/chat-widget.js", OLD])
def test_other_bytes_than_the_integrity_says_are_refused_by_the_browser(
    server: RunningServer, page: Page, shop: Shop, path: str
) -> None:
    wrong = f'integrity="sha384-{64 * "A"}" crossorigin="anonymous"'
    shop.page = page_of(tag(server, wrong, path))
    page.goto(shop.origin)
    refused(page)


def test_the_tag_of_an_earlier_version_goes_on_working(server: RunningServer, page: Page, shop: Shop) -> None:
    shop.page = page_of(tag(server, path=OLD))
    page.goto(shop.origin)
    converse(page)
    assert went_wrong(page) == []


INSERTED = """
const tag = document.createElement("script");
tag.async = true;
tag.src = "{src}";
document.head.appendChild(tag);
"""


def test_a_tag_manager_may_put_it_in(server: RunningServer, page: Page, shop: Shop) -> None:
    shop.page = page_of("<h1>Shop</h1>")
    page.goto(shop.origin)
    page.wait_for_load_state("load")
    page.evaluate(INSERTED.format(src=f"{server.url}/static/chat-widget.js"))
    converse(page)
    assert went_wrong(page) == []


@pytest.mark.parametrize("more", ["", "async", 'type="text/javascript" charset="iso-8859-1"'])
def test_the_tag_may_stand_in_the_head_without_defer(server: RunningServer, page: Page, shop: Shop, more: str) -> None:
    shop.page = page_of("<h1>Shop</h1>", head=tag(server, more))
    page.goto(shop.origin)
    converse(page)
    assert went_wrong(page) == []


def test_a_page_that_has_the_tag_twice_gets_one_chat(server: RunningServer, page: Page, shop: Shop) -> None:
    shop.page = page_of(tag(server) + tag(server, path=OLD))
    page.goto(shop.origin)
    converse(page)
    expect(page.locator("assistant-chat")).to_have_count(1)
    assert went_wrong(page) == []


def test_the_examples_of_the_document_work_under_its_strict_policy(
    server: RunningServer, page: Page, shop: Shop
) -> None:
    (options,) = (block for block in fenced("html") if "data-prompts" in block)
    (shop.scripts["/own.js"],) = fenced("js")
    shop.page = page_of(
        '<button id="help">Help</button>' + filled_in(options, server.url), '<script src="/own.js"></script>'
    )
    shop.enforce(strict_policy(server.url))
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.goto(shop.origin)
    page.locator("#help").click()
    page.get_by_role("button", name="Where is my order?").click()
    expect(turns(page).last).to_have_attribute("data-state", "complete")
    wait_until(lambda: page.evaluate("1") and any(text.startswith("complete ") for text in told), "the page is told")
    expect(page.get_by_role("dialog", name="Ask Ada")).to_be_visible()
    assert went_wrong(page) == []


def test_before_anybody_wants_it_nothing_is_asked_and_nothing_kept(
    server: RunningServer, browser: Browser, page: Page, shop: Shop
) -> None:
    shop.page = page_of(tag(server))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.goto(shop.origin)
    expect(page.locator("[data-test=launcher]")).to_be_visible()
    # Meanwhile somebody else has opened theirs, and has been answered.
    someone = browser.new_context()
    other = someone.new_page()
    other.goto(shop.origin)
    converse(other)
    someone.close()
    assert [url for url in asked if not url.startswith(shop.origin)] == [f"{server.url}/static/chat-widget.js"]
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0
    page.locator("[data-test=launcher]").click()
    is_online(page)
    page.locator("[data-test=close]").click()
    page.reload()
    # Who has a conversation may have an answer to come.
    is_online(page)


def test_an_answer_in_one_tab_is_counted_in_one_where_nobody_has_opened_the_chat(
    server: RunningServer, page: Page, shop: Shop
) -> None:
    shop.page = page_of(tag(server))
    page.goto(shop.origin)
    beside = page.context.new_page()
    beside.goto(shop.origin)
    expect(beside.locator("[data-test=launcher]")).to_be_visible()
    converse(page)
    is_online(beside)
    say(page, "and again")
    expect(beside.locator("[data-test=badge]")).to_be_visible()
    assert went_wrong(beside) == []


def test_what_it_keeps_in_the_browser_is_its_own_and_no_cookie(server: RunningServer, page: Page, shop: Shop) -> None:
    shop.page = page_of(tag(server))
    page.goto(shop.origin)
    converse(page)
    names: list[str] = page.evaluate("[...Object.keys(localStorage), ...Object.keys(sessionStorage)]")
    assert names
    assert [name for name in names if not name.startswith(f"assistant-chat:{server.url}/")] == []
    assert page.context.cookies() == []
    assert page.evaluate("indexedDB.databases()") == []


# Pages of every kind.


def test_a_page_in_an_older_encoding_shows_all_characters_right(server: RunningServer, page: Page, shop: Shop) -> None:
    shop.page, shop.charset = page_of("<h1>Größe</h1>" + tag(server)), "windows-1252"
    page.goto(shop.origin)
    assert page.evaluate("document.characterSet") == "windows-1252"
    converse(page, "Größe: ≥ 3 🙂 عربي")
    expect(page.locator("[data-test=question]").last).to_contain_text("Größe: ≥ 3 🙂 عربي")
    assert page.locator("[data-test=input]").get_attribute("placeholder") == "Write a message…"


def test_a_base_element_leads_nothing_astray(server: RunningServer, page: Page, shop: Shop) -> None:
    shop.page = page_of(tag(server), head='<base href="http://127.0.0.1:9/elsewhere/">')
    shop.page = shop.page.replace("/watch.js", f"{shop.origin}/watch.js")
    page.goto(shop.origin)
    converse(page)
    assert went_wrong(page) == []


def test_an_element_with_a_name_of_the_documents_own_does_not_move_the_server(
    server: RunningServer, page: Page, shop: Shop
) -> None:
    # Text of other visitors may have such names, and `document.currentScript` would be that element.
    shop.page = page_of('<img name="currentScript" src="/elsewhere/static/spy.png">' + tag(server))
    page.goto(shop.origin)
    converse(page)
    assert page.evaluate("faults") == []


@pytest.mark.parametrize("doctype", ["", "<!doctype html>"])
def test_an_old_page_without_doctype_and_styles_shows_it_whole(
    server: RunningServer, page: Page, shop: Shop, doctype: str
) -> None:
    shop.page = doctype + "<table><tr><td>Shop</table>" + tag(server)
    page.goto(shop.origin)
    assert page.evaluate("document.compatMode") == ("CSS1Compat" if doctype else "BackCompat")
    button = page.locator("[data-test=launcher]").bounding_box()
    assert button
    assert button["x"] + button["width"] < 1000 < button["x"] + button["width"] + 60
    assert button["y"] + button["height"] < 760 < button["y"] + button["height"] + 60
    converse(page)
    field = page.locator("[data-test=input]").bounding_box()
    assert field
    assert 0 < field["x"] < field["x"] + field["width"] < 1000
    assert 0 < field["y"] < field["y"] + field["height"] < 760
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
