"""The chat page in a real browser, with the real server behind it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.chat_page import answer, open_chat, say, turns
from tests.browser.site import Shop
from tests.chat_client import ENDLESS
from tests.running_server import RunningServer, wait_until
from tests.wire.openai_server import OpenAIServer, Scenario

pytestmark = [pytest.mark.server, pytest.mark.browser]

Start = Callable[..., RunningServer]

ATTACK = """Hello <img src=x onerror="window.hacked=1"> <script>window.hacked=1</script>
[click](javascript:window.hacked=1) ![picture](http://127.0.0.1:9/spy.png) <svg onload="window.hacked=1">
<iframe srcdoc="<script>parent.hacked=1</script>"></iframe> <a href="data:text/html,x">data</a>

**bold**"""


def test_a_visitor_writes_and_watches_the_answer_arrive(start_server: Start, page: Page) -> None:
    server = start_server(DEMO_PACE="8")
    open_chat(page, server)
    say(page, "How do I put it on my site?")
    expect(answer(page)).to_contain_text("One tag puts")
    assert turns(page).last.get_attribute("data-state") not in ("complete", "failed"), "it streams"
    expect(turns(page).last).to_have_attribute("data-state", "complete")
    expect(answer(page).locator("pre code").first).to_contain_text("<script src=")
    expect(turns(page).last).to_contain_text("docs/embedding.md")


def test_a_reload_in_mid_answer_brings_the_conversation_back(start_server: Start, page: Page) -> None:
    server = start_server(DEMO_PACE="40")
    open_chat(page, server)
    say(page, "hello")
    expect(turns(page).last).to_have_attribute("data-state", "complete")
    say(page, "What is this?")
    expect(answer(page)).to_contain_text("realtime")
    page.reload()
    expect(turns(page)).to_have_count(2)
    expect(turns(page).last).to_have_attribute("data-state", "complete")
    expect(answer(page)).to_contain_text("This is a realtime chat server")
    expect(answer(page)).to_contain_text("what is kept for more.")


def test_the_stop_button_ends_the_answer(start_server: Start, page: Page) -> None:
    server = start_server(DEMO_PACE="10")
    open_chat(page, server)
    say(page, ENDLESS)
    expect(answer(page)).to_contain_text("1 2 3")
    page.locator("[data-test=stop]").click()
    expect(turns(page).last).to_have_attribute("data-state", "stopped")
    expect(page.locator("[data-test=send]")).to_be_visible()


def test_a_failure_is_shown_with_its_sentence(start_server: Start, page: Page) -> None:
    server = start_server(DEMO_ANSWER="failing")
    open_chat(page, server)
    say(page, "hello")
    expect(turns(page).last).to_have_attribute("data-state", "failed")
    expect(page.locator("[data-test=error]").last).to_contain_text("asked to fail")


def test_two_tabs_show_the_same(start_server: Start, page: Page) -> None:
    server = start_server(DEMO_PACE="40")
    open_chat(page, server)
    other = page.context.new_page()
    open_chat(other, server)
    say(page, "hello")
    for tab in (page, other):
        expect(turns(tab)).to_have_count(1)
        expect(turns(tab).last).to_have_attribute("data-state", "complete")
    wait_until(lambda: answer(page).inner_text() == answer(other).inner_text(), "both show the same")
    page.locator("[data-test=up]").click()
    expect(other.locator("[data-test=up]")).to_have_attribute("aria-pressed", "true")
    other.locator("[data-test=down]").click()
    expect(page.locator("[data-test=down]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-test=up]")).to_have_attribute("aria-pressed", "false")


def test_the_page_goes_on_after_the_server_was_killed(start_server: Start, page: Page) -> None:
    server = start_server(DEMO_PACE="10")
    open_chat(page, server)
    say(page, ENDLESS)
    expect(answer(page)).to_contain_text("1 2 3")
    server.kill_worker()
    expect(turns(page).last).to_have_attribute("data-state", "interrupted")
    expect(page.locator("[data-test=connection]")).to_have_attribute("data-state", "online")
    say(page, "hello")
    expect(turns(page)).to_have_count(2)
    expect(answer(page)).to_contain_text("built-in demo")


def test_seven_quick_messages_are_all_answered_in_order(start_server: Start, page: Page) -> None:
    server = start_server(DEMO_PACE="100", TURN_QUEUE="3")
    open_chat(page, server)
    # The first one takes ten seconds: so long some of the others wait.
    texts = ["count to 1000", *(f"count to {number}" for number in range(2, 8))]
    send = "(input, texts) => { for (input.value of texts) input.form.requestSubmit() }"
    page.locator("[data-test=input]").evaluate(send, texts)
    waiting = page.locator("[data-test=turn][data-state=waiting]")
    expect(waiting.first).to_contain_text("sent again by itself")
    expect(waiting.first.locator("[data-test=discard]")).to_be_visible()
    done = page.locator("[data-test=turn][data-state=complete]")
    while (before := done.count()) < len(texts):
        assert page.locator("[data-state=refused]").count() == 0, "none is red"
        expect(page.locator("[data-test=turn]")).to_have_count(len(texts))
        expect(done.nth(before)).to_be_attached()
    assert turns(page).locator("[data-test=question]").all_inner_texts() == texts
    page.reload()
    expect(done).to_have_count(len(texts))
    assert turns(page).locator("[data-test=question]").all_inner_texts() == texts


class Wire:
    """The page's websockets, which lose what a test wants to be lost."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.lost: list[str] = []
        self._loses: Callable[[str], bool] = lambda _frame: False
        page.route_web_socket("**/socket.io/**", self._open)

    def lose(self, loses: Callable[[str], bool]) -> None:
        self._loses = loses

    def lost_something(self) -> bool:
        # Playwright hands frames over only while it is asked for something.
        self._page.wait_for_timeout(10)
        return bool(self.lost)

    def _open(self, browser: WebSocketRoute) -> None:
        server = browser.connect_to_server()
        browser.on_message(lambda frame: self._pass(frame, server))
        server.on_message(lambda frame: self._pass(frame, browser))

    def _pass(self, frame: str | bytes, to: WebSocketRoute) -> None:
        if self._loses(str(frame)):
            self.lost.append(str(frame))
        else:
            to.send(frame)


@pytest.mark.parametrize("lost", ["the message", "its acknowledgement"])
def test_a_reload_before_the_acknowledgement_loses_and_doubles_nothing(
    start_server: Start, page: Page, lost: str
) -> None:
    server = start_server()
    wire = Wire(page)
    open_chat(page, server)
    say(page, "first")
    expect(turns(page).last).to_have_attribute("data-state", "complete")
    # An acknowledgement is a packet of type 3; what follows a lost one must not tell of the turn either.
    if lost == "the message":
        wire.lose(lambda frame: "user_message" in frame)
    else:
        wire.lose(lambda frame: frame.startswith(("43/chat,", "42/chat,")) and "user_message" not in frame)
    say(page, "second")
    expect(turns(page).last).to_have_attribute("data-state", "sending")
    wait_until(wire.lost_something, "it is lost")
    wire.lose(lambda _frame: False)
    page.reload()
    expect(turns(page).last).to_have_attribute("data-state", "complete")
    assert turns(page).locator("[data-test=question]").all_inner_texts() == ["first", "second"]
    assert page.evaluate("JSON.stringify(sessionStorage)") == "{}"


def test_a_server_that_says_nothing_any_more_is_left_and_answers_once(start_server: Start, page: Page) -> None:
    server = start_server()
    open_chat(page, server)
    worker = server.worker_pid()
    os.kill(worker, signal.SIGSTOP)
    try:
        say(page, "hello")
        expect(turns(page).last).to_have_attribute("data-state", "offline")
    finally:
        os.kill(worker, signal.SIGCONT)
    expect(turns(page).last).to_have_attribute("data-state", "complete")
    expect(turns(page)).to_have_count(1)
    page.reload()
    expect(turns(page)).to_have_count(1)


def test_what_was_written_without_a_network_can_be_taken_back(start_server: Start, page: Page) -> None:
    open_chat(page, start_server())
    page.context.set_offline(True)
    expect(page.locator("[data-test=connection]")).to_have_attribute("data-state", "offline")
    say(page, "no")
    say(page, "yes")
    expect(page.locator("[data-test=discard]")).to_have_count(2)
    page.locator("[data-test=discard]").first.click()
    page.context.set_offline(False)
    expect(turns(page).last).to_have_attribute("data-state", "complete")
    assert turns(page).locator("[data-test=question]").all_inner_texts() == ["yes"]


def test_text_of_a_model_can_run_nothing_and_load_nothing(
    start_server: Start, page: Page, upstream: OpenAIServer
) -> None:
    upstream.next(Scenario(say=ATTACK))
    server = start_server(CHAT_MODEL="m", OPENAI_API_KEY="sk-x", OPENAI_BASE_URL=upstream.base_url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_chat(page, server)
    say(page, "<img src=x onerror='window.hacked=1'> attack me")
    expect(turns(page).last).to_have_attribute("data-state", "complete")
    expect(answer(page).locator("strong")).to_have_text("bold")
    page.reload()
    expect(answer(page).locator("strong")).to_have_text("bold")
    assert page.evaluate("window.hacked") is None
    assert answer(page).locator("script, img, svg[onload], iframe, object, embed, style").count() == 0
    links = [link.get_attribute("href") or "" for link in answer(page).locator("a").all()]
    assert all(link.startswith(("http://", "https://", "mailto:", "#")) for link in links), links
    strange = [url for url in asked if not url.startswith((server.url, server.url.replace("http", "ws")))]
    assert strange == []


def test_a_page_on_another_origin_embeds_the_chat_with_one_tag(start_server: Start, page: Page, shop: Shop) -> None:
    server = start_server(CORS_ALLOWED_ORIGINS=shop.origin)
    shop.page = f'<!doctype html><h1>Shop</h1><script src="{server.url}/static/chat-widget.js" defer></script>'
    page.goto(shop.origin)
    page.locator("assistant-chat").get_by_role("button").first.click()
    say(page, "hello")
    expect(turns(page).last).to_have_attribute("data-state", "complete")
    page.locator("[data-test=input]").press("Escape")
    expect(page.locator("[data-test=input]")).to_be_hidden()


def test_the_styles_of_a_page_do_not_reach_the_widget(start_server: Start, page: Page, shop: Shop) -> None:
    server = start_server(CORS_ALLOWED_ORIGINS=shop.origin)
    rule = "* { font-family: monospace; font-size: 31px; line-height: 3; text-transform: uppercase; opacity: .5 }"
    shop.page = (
        f"<!doctype html><style>{rule}</style><h1>Shop</h1>"
        f'<script src="{server.url}/static/chat-widget.js" defer></script>'
    )
    page.goto(shop.origin)
    page.locator("assistant-chat").get_by_role("button").first.click()
    say(page, "hello")
    expect(turns(page).last).to_have_attribute("data-state", "complete")
    style = answer(page).evaluate(
        "element => { const s = getComputedStyle(element); "
        "return [s.fontSize, s.textTransform, s.fontFamily.includes('system-ui')] }"
    )
    assert style == ["15px", "none", True]
    assert page.locator("assistant-chat").evaluate("element => getComputedStyle(element).opacity") == "1"


def test_a_page_on_an_origin_that_is_not_allowed_gets_no_answer(start_server: Start, page: Page, shop: Shop) -> None:
    server = start_server()
    shop.page = f'<!doctype html><h1>Shop</h1><script src="{server.url}/static/chat-widget.js" defer></script>'
    page.goto(shop.origin)
    page.locator("assistant-chat").get_by_role("button").first.click()
    expect(page.locator("[data-test=connection]")).to_have_attribute("data-state", "offline")
    wait_until(lambda: f"set CORS_ALLOWED_ORIGINS={shop.origin}" in server.log, "the log says what to set")
    expect(page.locator("[data-test=connection]")).to_contain_text("cannot be reached")
