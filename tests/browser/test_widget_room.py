"""The widget where there is little room, or little to see: phones, large type, small boxes, no network."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser import embedded_chat
from tests.browser.chat_page import is_online
from tests.browser.embedded_chat import PHONE, Embed, answered, field, launcher

pytestmark = [pytest.mark.server, pytest.mark.browser]

server, embed = embedded_chat.server, embedded_chat.embed


def test_where_the_system_chooses_the_colours_the_focus_can_be_seen(page: Page, embed: Embed) -> None:
    page.emulate_media(forced_colors="active")
    embed("data-open")
    outline = "element => getComputedStyle(element).outlineStyle"
    assert page.locator(".composer .field").evaluate(outline) == "none"
    field(page).focus()
    assert page.locator(".composer .field").evaluate(outline) == "solid"


@pytest.mark.parametrize("language", ["en", "de", "ar"])
def test_without_a_network_the_bar_says_so_and_stays_as_it_is(page: Page, embed: Embed, language: str) -> None:
    embed(f'data-open data-language="{language}" data-title="The assistant of our own shop"')
    bar = page.locator(".bar")
    name = page.locator(".title")
    height = bar.bounding_box()["height"]  # type: ignore[index]
    page.context.set_offline(True)
    said = page.locator("[data-test=connection]")
    expect(said).to_have_attribute("data-state", "offline")
    assert bar.bounding_box()["height"] == pytest.approx(height, abs=0.5)  # type: ignore[index]
    assert name.evaluate("e => e.scrollWidth <= e.clientWidth"), "the title is whole"
    assert said.evaluate("e => e.scrollWidth <= e.clientWidth")
    page.context.set_offline(False)


def test_on_a_phone_it_is_the_whole_screen_and_the_keyboard_stays_inside(page: Page, embed: Embed) -> None:
    page.set_viewport_size(PHONE)
    embed('data-prompts="One?|Two?"')
    launcher(page).click()
    is_online(page)
    panel = page.locator(".panel")
    assert panel.bounding_box() == {"x": 0, "y": 0, **PHONE}
    expect(panel).to_have_attribute("aria-modal", "true")
    expect(launcher(page)).to_be_hidden()
    seen = set()
    for key in ["Tab"] * 8 + ["Shift+Tab"] * 8:
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.localName") == "assistant-chat"
        seen.add(panel.evaluate("panel => panel.getRootNode().activeElement.className"))
    assert {"close", "starter", "thread"} <= seen
    page.set_viewport_size({"width": 1000, "height": 760})
    expect(panel).to_have_attribute("aria-modal", "false")


def test_on_a_phone_it_ends_where_the_keyboard_begins(page: Page, embed: Embed) -> None:
    page.set_viewport_size(PHONE)
    embed()
    launcher(page).click()
    keyboard = """([top, height, scale]) => {
      for (const [name, value] of Object.entries({offsetTop: top, height, scale}))
        Object.defineProperty(visualViewport, name, {value, configurable: true});
      visualViewport.dispatchEvent(new Event("resize")); }"""
    page.evaluate(keyboard, [40, 500, 1])
    assert page.locator(".panel").bounding_box() == {"x": 0, "y": 40, "width": 390, "height": 500}
    expect(field(page)).to_be_in_viewport()
    page.evaluate(keyboard, [40, 422, 2])
    assert page.locator(".panel").bounding_box() == {"x": 0, "y": 0, **PHONE}, "who zooms in keeps the whole"


@pytest.mark.parametrize("language", ["en", "de", "ar"])
def test_at_twice_the_size_nothing_is_wider_than_a_phone(page: Page, embed: Embed, language: str) -> None:
    page.set_viewport_size({"width": 195, "height": 422})
    embed(f'data-language="{language}" data-prompts="What would you like to ask?" data-title="A rather long title"')
    launcher(page).click()
    expect(page.locator("[data-test=starter]")).to_be_in_viewport()
    narrow = "e => e.scrollWidth <= e.clientWidth"
    assert page.locator(".thread").evaluate(narrow)
    answered(page, "How do I put it on my site?")
    for part in (".panel", ".bar", ".thread", ".composer"):
        assert page.locator(part).evaluate(narrow), part
    for button in ("[data-test=close]", "[data-test=new]", "[data-test=input]"):
        expect(page.locator(button)).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_in_a_small_box_everything_has_its_place(page: Page, embed: Embed) -> None:
    box = '<div id="box" style="width: 300px; height: 300px"></div>'
    embed('data-target="#box" data-title="Ask us" data-prompts="One?|Two?|Three?"', body=box)
    expect(page.locator("[data-test=empty] h2")).to_be_in_viewport(ratio=1)
    expect(page.locator(".title")).to_have_text("Ask us")
    expect(page.locator("[data-test=new]")).to_have_accessible_name("New conversation")
    answered(page, "How do I put it on my site?")
    assert page.locator(".panel").bounding_box() == page.locator("#box").bounding_box()
    for part in (".panel", ".bar", ".thread"):
        assert page.locator(part).evaluate("e => e.scrollWidth <= e.clientWidth"), part
    assert page.evaluate("AssistantChat.open()") is None
    expect(field(page)).to_be_focused()
