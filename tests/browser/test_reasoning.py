"""What a model thought, folded above its answer: told by somebody between page and server, and by a server itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from app.settings import Settings
from tests.browser.chat_page import answer, is_complete, is_online, open_chat, say, serious, turns
from tests.browser.site import Shop
from tests.running_server import RunningServer
from tests.wire.openai_server import OpenAIServer, Scenario

pytestmark = [pytest.mark.server, pytest.mark.browser]

Start = Callable[..., RunningServer]

EVENT = re.compile(r"^42/chat,(?=\[)")
LONG = "\n".join(f"{number}. I have to think about this once more." for number in range(200))
PHONE = {"width": 390, "height": 844}
IN_SIGHT = """element => {
  const box = element.getBoundingClientRect(), thread = element.closest(".thread").getBoundingClientRect();
  return box.top >= thread.top && box.bottom <= thread.bottom;
}"""
SELECTED = """element => {
  const selection = getSelection();
  selection.selectAllChildren(element);
  return selection.toString();
}"""


class Thinker:
    """Stands between a page and its server, and adds to each turn what was thought, as docs/protocol.md has it."""

    def __init__(self, page: Page, text: str, seconds: float = 12.3) -> None:
        self.text, self.seconds = text, seconds
        page.route_web_socket(re.compile("/socket.io/"), self._between)

    def _between(self, page: WebSocketRoute) -> None:
        server = page.connect_to_server()
        self.page = page

        def hear(message: str | bytes) -> None:
            for each in self._more(message):
                page.send(each)

        server.on_message(hear)

    def _more(self, message: str | bytes) -> list[str | bytes]:
        if not isinstance(message, str) or not EVENT.match(message):
            return [message]
        name, payload = json.loads(EVENT.sub("", message))
        reasoning = {"text": self.text, "seconds": self.seconds}
        if name == "turn_finished":
            payload["reasoning"] = reasoning
        if name == "session":
            for turn in payload["turns"]:
                turn["reasoning"] = reasoning
        sent: list[str | bytes] = [_event(name, payload)]
        if name == "turn_started":
            sent.append(_event("turn_reasoning", {"turn_id": payload["turn_id"], **reasoning}))
        return sent


def _event(name: str, payload: dict[str, Any]) -> str:
    return f"42/chat,{json.dumps([name, payload])}"


def fold(page: Page) -> Locator:
    return page.locator("[data-test=reasoning]").last


def summary(page: Page) -> Locator:
    return fold(page).locator("summary")


def thoughts(page: Page) -> Locator:
    return fold(page).locator("[data-test=thoughts]")


def test_thoughts_are_folded_above_the_answer_and_opened_by_the_keyboard_alone(start_server: Start, page: Page) -> None:
    Thinker(page, "First the question.\n\n  <b>Then</b> the answer.")
    open_chat(page, start_server())
    say(page, "hello")
    is_complete(page)
    expect(summary(page)).to_have_text("Thought for 12 s")
    expect(thoughts(page)).to_be_hidden()
    above = summary(page).bounding_box()
    below = answer(page).bounding_box()
    assert above
    assert below
    assert above["y"] + above["height"] <= below["y"]
    summary(page).focus()
    page.keyboard.press("Enter")
    expect(thoughts(page)).to_be_visible()
    assert thoughts(page).inner_text() == "First the question.\n\n  <b>Then</b> the answer."
    page.keyboard.press("Tab")
    expect(thoughts(page)).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    expect(thoughts(page)).to_be_hidden()


def test_what_is_opened_stays_open_while_the_answer_streams_over_a_reconnect_and_to_the_end(
    start_server: Start, page: Page
) -> None:
    thinker = Thinker(page, "one")
    open_chat(page, start_server(DEMO_PACE="20"))
    say(page, "count to 500")
    expect(answer(page)).to_contain_text("3")
    summary(page).click()
    expect(thoughts(page)).to_have_text("one")
    thinker.text = "one and two"
    thinker.page.close()
    expect(page.locator("[data-test=connection]")).to_have_attribute("data-state", "offline")
    is_online(page)
    expect(thoughts(page)).to_have_text("one and two")
    page.locator(".stop").click()
    expect(turns(page).last).to_have_attribute("data-state", "stopped")
    expect(thoughts(page)).to_have_text("one and two")


def test_long_thoughts_scroll_by_themselves_and_what_was_clicked_stays_in_its_place(
    start_server: Start, page: Page
) -> None:
    Thinker(page, LONG, seconds=65)
    open_chat(page, start_server())
    for _ in range(4):
        say(page, "hello")
        is_complete(page)
    expect(summary(page)).to_have_text("Thought for 1 min 5 s")
    before = summary(page).bounding_box()
    summary(page).click()
    expect(thoughts(page)).to_be_visible()
    assert summary(page).bounding_box() == before
    assert thoughts(page).evaluate("box => [box.clientHeight <= 240, box.scrollHeight > 2000]") == [True, True]
    latest = page.locator(".latest")
    expect(latest).to_be_visible()
    summary(page).click()
    expect(latest).to_be_hidden()
    # At the end again, it is followed again.
    say(page, "hello")
    is_complete(page)
    assert answer(page).evaluate(IN_SIGHT)


def test_thoughts_are_neither_copied_nor_announced_nor_marked_with_the_answer(start_server: Start, page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    Thinker(page, "secret thoughts")
    open_chat(page, start_server())
    say(page, "hello")
    is_complete(page)
    summary(page).click()
    expect(thoughts(page)).to_have_text("secret thoughts")
    page.locator("[data-test=copy]").click()
    expect(page.locator("[data-test=said]")).to_have_text("Copied")
    copied: str = page.evaluate("navigator.clipboard.readText()")
    announced = page.locator("[data-test=announcer]").inner_text()
    marked = answer(page).evaluate(SELECTED)
    for words in (copied, announced, marked):
        assert "demo" in words
        assert "Thought" not in words
        assert "secret" not in words


@pytest.mark.parametrize("options", ["", 'data-theme="dark"', 'data-language="ar"'])
def test_thoughts_can_be_used_by_everybody_and_fit_into_a_phone(
    start_server: Start, page: Page, shop: Shop, options: str
) -> None:
    Thinker(page, f"{'x' * 500}\n{LONG}")
    server = start_server(CORS_ALLOWED_ORIGINS=shop.origin)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.emulate_media(reduced_motion="reduce")
    view = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    tag = f'<script src="{server.url}/static/chat-widget.js" data-target="main" {options} defer></script>'
    shop.page = (
        f"<!doctype html><html lang=en><title>Shop</title>{view}{tag}"
        "<body style='margin:0'><h1 hidden>Shop</h1><main style='height:100vh'></main></body></html>"
    )
    page.goto(shop.origin)
    is_online(page)
    say(page, "hello")
    is_complete(page)
    summary(page).click()
    expect(thoughts(page)).to_be_visible()
    assert serious(page) == []
    box = fold(page).bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]
    assert thoughts(page).evaluate("box => box.scrollWidth <= box.clientWidth")
    beginning = "right" if "ar" in options.split('"') else "left"
    off = fold(page).evaluate(
        "(fold, side) => fold.getBoundingClientRect()[side] - fold.firstChild.getBoundingClientRect()[side]", beginning
    )
    assert abs(off) < 1, "it stands where lines begin"


def test_a_reader_who_scrolls_in_the_thoughts_goes_on_following_the_end(start_server: Start, page: Page) -> None:
    Thinker(page, LONG)
    open_chat(page, start_server())
    for _ in range(4):
        say(page, "hello")
        is_complete(page)
    summary(page).click()
    latest = page.locator(".latest")
    latest.click()
    expect(latest).to_be_hidden()
    thoughts(page).hover()
    page.mouse.wheel(0, 400)
    page.wait_for_function("box => box.scrollTop === 400", arg=thoughts(page).element_handle())
    page.mouse.wheel(0, -100)
    page.wait_for_function("box => box.scrollTop === 300", arg=thoughts(page).element_handle())
    # It is drawn once more.
    page.evaluate("() => { dispatchEvent(new Event('online')); return new Promise(requestAnimationFrame) }")
    expect(latest).to_be_hidden()


def test_half_a_million_characters_cost_nothing_while_they_are_folded(start_server: Start, page: Page) -> None:
    text = "I have to think about this once more.\n" * 13_000
    Thinker(page, text)
    open_chat(page, start_server())
    say(page, "hello")
    is_complete(page)
    length = "box => box.textContent.length"
    assert thoughts(page).evaluate(length) == 0
    summary(page).click()
    assert thoughts(page).evaluate(length) == len(text.strip())
    summary(page).click()
    assert thoughts(page).evaluate(length) == 0


@pytest.mark.skipif("show_reasoning" not in Settings.model_fields, reason="this server has no SHOW_REASONING")
@pytest.mark.parametrize("shown", [True, False])
def test_a_server_tells_what_its_model_thought_if_it_is_set_to(
    start_server: Start, page: Page, upstream: OpenAIServer, shown: bool
) -> None:
    upstream.scenario = Scenario(say="The answer.", commentary=True)
    server = start_server(
        ASSISTANT="chat", CHAT_MODEL="m", OPENAI_API_KEY="sk-x", OPENAI_BASE_URL=upstream.base_url,
        SHOW_REASONING=str(shown).lower(),
    )  # fmt: skip
    open_chat(page, server)
    say(page, "hello")
    is_complete(page)
    expect(answer(page)).to_have_text("The answer.")
    if not shown:
        expect(fold(page)).to_have_count(0)
        return
    for _ in ("as it came", "out of the journal"):
        expect(summary(page)).to_have_text("Thought for a moment")
        summary(page).click()
        expect(thoughts(page)).to_have_text("I am looking that up.")
        page.reload()
        is_complete(page)
