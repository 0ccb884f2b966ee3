"""Users of the host page: their conversations follow them, and are closed to whoever comes after them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chat_page import answer, is_complete, is_online, open_chat, say, serious, turns
from tests.browser.site import Shop
from tests.running_server import RunningServer
from tests.user_tokens import SECRET, user_token_of

pytestmark = [pytest.mark.server, pytest.mark.browser]

Start = Callable[..., RunningServer]
Visit = Callable[..., None]

ADMIN_TOKEN = "an-operators-token-of-this-test"


@pytest.fixture
def server(start_server: Start) -> RunningServer:
    return start_server(USER_TOKEN_SECRET=SECRET, ADMIN_TOKEN=ADMIN_TOKEN, CORS_ALLOWED_ORIGINS="*", DEMO_PACE="0")


@pytest.fixture
def visit(server: RunningServer, shop: Shop) -> Visit:
    """Open the shop as somebody who is signed in there, or as nobody, with the chat open."""

    def opened(page: Page, sub: str | None, *, user_token: str | None = None) -> None:
        given = user_token or (user_token_of(sub) if sub else "")
        user = f'data-user-token="{given}"' if given else ""
        tag = f'<script src="{server.url}/static/chat-widget.js" data-open {user} defer></script>'
        shop.page = f"<!doctype html><html lang=en><title>Shop</title>{tag}<main><h1>Shop</h1></main></html>"
        page.goto("about:blank")
        page.goto(f"{shop.origin}/")

    return opened


@pytest.fixture
def device(browser: Browser) -> Iterator[Page]:
    """Another browser, of the same person say."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_list(visit: Visit, page: Page, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    visit(page, "ann")
    is_online(page)
    page.locator("[data-test=past]").click()
    expect(page.locator("[data-test=conversations]")).to_contain_text("No conversations yet")
    assert serious(page) == []
    say(page, "hello")
    is_complete(page)
    page.locator("[data-test=past]").click()
    expect(page.locator("[data-test=entry]")).to_have_count(1)
    assert serious(page) == []


def questions(page: Page) -> list[str]:
    return page.locator("[data-test=question]").all_inner_texts()


def test_conversations_follow_their_user_to_another_device(visit: Visit, page: Page, device: Page) -> None:
    visit(page, "ann")
    is_online(page)
    say(page, "What is this?\nAnd what for?")
    is_complete(page)
    page.locator("[data-test=new]").click()
    expect(turns(page)).to_have_count(0)
    say(page, "hello")
    is_complete(page)

    visit(device, "ann")
    is_online(device)
    expect(turns(device)).to_have_count(0)
    device.locator("[data-test=past]").click()
    entries = device.locator("[data-test=entry]")
    expect(entries).to_have_count(2)
    expect(entries.nth(0)).to_contain_text("hello")
    expect(entries.nth(1)).to_contain_text("What is this?")
    entries.nth(1).click()
    expect(turns(device)).to_have_count(1)
    expect(answer(device)).to_contain_text("realtime chat server")

    # Both devices are in it now, in step.
    page.locator("[data-test=past]").click()
    page.locator("[data-test=entry]").nth(1).click()
    expect(answer(page)).to_contain_text("realtime chat server")
    say(device, "hello")
    for one in (page, device):
        expect(turns(one)).to_have_count(2)
        is_complete(one)
    page.reload()
    expect(turns(page)).to_have_count(2)


def test_whoever_comes_next_sees_nothing_of_the_one_before(visit: Visit, page: Page) -> None:
    visit(page, None)
    is_online(page)
    expect(page.locator("[data-test=past]")).to_be_hidden()
    say(page, "nobody was here")
    is_complete(page)
    for sub in ("ann", "bob"):
        visit(page, sub)
        is_online(page)
        expect(turns(page)).to_have_count(0)
        expect(page.locator("[data-test=renewed]")).to_be_hidden()
        say(page, f"{sub} was here")
        is_complete(page)
    visit(page, None)
    expect(turns(page)).to_have_count(1)
    assert questions(page) == ["nobody was here"]
    visit(page, "ann")
    expect(turns(page)).to_have_count(1)
    assert questions(page) == ["ann was here"]
    kept = page.evaluate("JSON.stringify(localStorage) + JSON.stringify(sessionStorage)")
    assert user_token_of("ann").partition(".")[0] not in kept, "no user token is kept"
    assert '"ann"' not in kept


def test_signing_in_and_out_on_the_page_changes_whose_chat_it_is(visit: Visit, page: Page) -> None:
    visit(page, None)
    is_online(page)
    say(page, "nobody was here")
    is_complete(page)
    page.evaluate("token => AssistantChat.identify(token)", user_token_of("ann"))
    expect(turns(page)).to_have_count(0)
    is_online(page)
    say(page, "ann was here")
    is_complete(page)
    # A fresh token of the same user changes nothing.
    page.evaluate("token => AssistantChat.identify(token)", user_token_of("ann", note="fresh"))
    assert questions(page) == ["ann was here"]
    page.evaluate("AssistantChat.identify(null)")
    expect(turns(page)).to_have_count(1)
    assert questions(page) == ["nobody was here"]
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert user_token_of("ann").partition(".")[0] not in kept
    assert '"ann"' not in kept


def test_signing_in_in_mid_answer_leaves_the_focus_in_the_chat_and_the_answer_to_its_own(
    start_server: Start, page: Page
) -> None:
    open_chat(page, start_server(USER_TOKEN_SECRET=SECRET, DEMO_PACE="10"))
    say(page, "count to 100")
    expect(answer(page)).to_contain_text("1 2 3")
    page.evaluate("token => AssistantChat.identify(token)", user_token_of("ann"))
    expect(turns(page)).to_have_count(0)
    expect(page.locator("[data-test=input]")).to_be_focused()
    is_online(page)
    page.evaluate("AssistantChat.identify(null)")
    expect(answer(page)).to_contain_text("98 99 100")


def test_a_token_that_has_expired_is_told_and_a_fresh_one_goes_on(visit: Visit, page: Page) -> None:
    visit(page, "ann", user_token=user_token_of("ann", exp=int(time.time()) - 60))
    error = page.locator("[data-test=error]")
    expect(error).to_contain_text("expired")
    page.evaluate("""() => { window.told = []; AssistantChat.on("error", ({code}) => told.push(code)) }""")
    page.evaluate("token => AssistantChat.identify(token)", user_token_of("ann"))
    is_online(page)
    expect(error).to_have_count(0)
    say(page, "hello")
    is_complete(page)


def test_a_conversation_that_was_erased_meanwhile_is_told_and_one_stays_where_one_was(
    visit: Visit, server: RunningServer, page: Page
) -> None:
    visit(page, "ann")
    is_online(page)
    say(page, "first")
    is_complete(page)
    gone = page.evaluate("new Promise(done => AssistantChat.on('ready', ready => done(ready.conversation_uuid)))")
    page.locator("[data-test=new]").click()
    expect(turns(page)).to_have_count(0)
    say(page, "second")
    is_complete(page)
    page.locator("[data-test=past]").click()
    expect(page.locator("[data-test=entry]")).to_have_count(2)
    asked = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    assert page.request.delete(f"{server.url}/api/conversations/{gone}", headers=asked).ok
    page.locator("[data-test=entry]").nth(1).click()
    expect(page.locator("[data-test=error]")).to_be_visible()
    is_online(page)
    assert questions(page) == ["second"]
    page.locator("[data-test=past]").click()
    expect(page.locator("[data-test=entry]")).to_have_count(1)
