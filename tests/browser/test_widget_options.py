"""The options of the widget's tag: what opens by itself, texts, colours, the side, the language, the page's address."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import embedded_chat
from tests.browser.chat_page import answer, turns
from tests.browser.embedded_chat import PHONE, Embed, answered, field, launcher
from tests.running_server import RunningServer

pytestmark = [pytest.mark.server, pytest.mark.browser]

server, embed = embedded_chat.server, embedded_chat.embed

COLOURS = """element => {
  const of = name => getComputedStyle(element)[name].match(/[\\d.]+/g).slice(0, 3).map(Number);
  let ground = element;
  while (getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
  return [of("color"), getComputedStyle(ground).backgroundColor.match(/[\\d.]+/g).slice(0, 3).map(Number)];
}"""


def contrast(one: list[float], other: list[float]) -> float:
    def luminance(colour: list[float]) -> float:
        parts = [part / 255 for part in colour]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_a_chat_that_opens_by_itself_leaves_the_focus_on_the_page(page: Page, embed: Embed) -> None:
    embed("data-open", body="<input id='own' autofocus>")
    expect(field(page)).to_be_visible()
    expect(page.locator("#own")).to_be_focused()


def test_it_does_not_open_by_itself_on_a_phone(page: Page, embed: Embed) -> None:
    page.set_viewport_size(PHONE)
    embed("data-open")
    expect(launcher(page)).to_be_visible()
    expect(field(page)).to_be_hidden()


def test_starter_prompts_and_texts_of_the_site_are_shown_as_text_and_sent(page: Page, embed: Embed) -> None:
    embed('data-open data-title="Shop &amp; chat" data-greeting="&lt;b&gt;Hi&lt;/b&gt;" data-prompts="Who?|And why?"')
    expect(page.locator(".title")).to_have_text("Shop & chat")
    expect(page.locator("[data-test=empty]")).to_contain_text("<b>Hi</b>")
    starters = page.locator("[data-test=starter]")
    expect(starters).to_have_text(["Who?", "And why?"])
    starters.last.click()
    expect(turns(page).last).to_have_attribute("data-state", "complete")
    expect(page.locator("[data-test=question]")).to_have_text("And why?")


def test_the_demos_page_offers_what_the_demo_knows_and_others_nothing(
    server: RunningServer, page: Page, embed: Embed
) -> None:
    page.goto(server.url)
    starters = page.locator("[data-test=starter]")
    expect(starters).to_have_text(["What is this?", "How do I put it on my site?", "How do I connect a model?"])
    embed("data-open")
    expect(page.locator("[data-test=empty]")).to_be_visible()
    expect(starters).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("accent", ["orange", "#ffe600", "black", "white", "oklch(0.6 0.25 330)", "var(--brand)"])
def test_what_stands_on_any_accent_or_is_written_in_it_can_be_read(
    page: Page, embed: Embed, accent: str, scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    embed(f'data-open data-accent="{accent}"', head="<style>:root { --brand: #808080 }</style>")
    answered(page, "How do I put it on my site?")
    field(page).fill("next")
    for name in (".launcher", "[data-test=question]", "[data-test=send]", ".mark"):
        text, ground = page.locator(name).last.evaluate(COLOURS)
        assert contrast(text, ground) >= 4.4, (name, text, ground)
    _, ground = launcher(page).evaluate(COLOURS)
    wanted = {"orange": [255, 165, 0], "#ffe600": [255, 230, 0], "var(--brand)": [128, 128, 128]}.get(accent, ground)
    assert ground == pytest.approx(wanted, abs=1), "a colour that can be used is used as it is"


def test_a_colour_that_is_none_is_told_and_left_out(page: Page, embed: Embed) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    embed('data-accent="greenish" data-theme="black"')
    assert said == [
        'assistant-chat: data-theme="black" is none of auto, light, dark',
        'assistant-chat: data-accent="greenish" is no CSS colour',
    ]
    assert launcher(page).evaluate(COLOURS)[1] == [29, 107, 87]


@pytest.mark.parametrize(("theme", "scheme", "paper"), [
    ("dark", "light", [21, 25, 26]), ("light", "dark", [255, 255, 255]), ("auto", "dark", [21, 25, 26]),
])  # fmt: skip
def test_the_theme_is_the_sites_or_the_systems(
    page: Page, embed: Embed, theme: str, scheme: str, paper: list[int]
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    embed(f'data-open data-theme="{theme}" data-accent="#ffe600"')
    assert page.locator(".panel").evaluate(COLOURS)[1] == paper
    link = page.locator("assistant-chat").evaluate("element => getComputedStyle(element).getPropertyValue('--accent')")
    assert (link == "rgb(255,230,0)") == (theme != "light"), "yellow is for dark paper"


def test_a_page_may_set_single_colours_in_its_own_styles(page: Page, embed: Embed) -> None:
    embed(head="<style>assistant-chat { --accent: rgb(1, 2, 3); --on-accent: rgb(250, 251, 252) }</style>")
    assert launcher(page).evaluate(COLOURS) == [[250, 251, 252], [1, 2, 3]]


def test_left_is_left_in_every_language(page: Page, embed: Embed) -> None:
    for options, left in [
        ('data-position="left"', True), ('data-position="left" data-language="ar"', True),
        ('data-position="right" data-language="ar"', False), ('data-language="ar"', True), ("", False),
    ]:  # fmt: skip
        embed(options)
        box = launcher(page).bounding_box()
        assert box is not None
        assert (box["x"] == 20) == left, options
        assert (box["x"] + box["width"] == 980) != left, options


def test_it_speaks_german_and_arabic(page: Page, embed: Embed) -> None:
    embed('data-open data-language="de"')
    expect(field(page)).to_have_attribute("aria-label", "Ihre Nachricht")
    embed('data-open data-language="ar"')
    expect(page.locator("assistant-chat")).to_have_attribute("dir", "rtl")
    answered(page, "hello")
    title, close = page.locator(".title").bounding_box(), page.locator("[data-test=close]").bounding_box()
    assert title is not None
    assert close is not None
    assert title["x"] > close["x"]
    paragraph = answer(page).locator("p").first
    assert paragraph.evaluate("p => [getComputedStyle(p).whiteSpace, p.scrollWidth <= p.clientWidth]") == [
        "normal",
        True,
    ]


def test_an_empty_field_is_written_as_the_language_is_and_a_text_as_it_is(page: Page, embed: Embed) -> None:
    embed('data-open data-language="ar"')
    direction = "element => getComputedStyle(element).direction"
    assert field(page).evaluate(direction) == "rtl"
    field(page).fill("hello")
    assert field(page).evaluate(direction) == "ltr"
    field(page).fill("مرحبا")
    assert field(page).evaluate(direction) == "rtl"


@pytest.mark.parametrize(("options", "path"), [("", "/prices"), ('data-page="full"', "/prices?secret=1")])
def test_a_message_says_where_it_was_written(page: Page, embed: Embed, options: str, path: str) -> None:
    sent: list[str] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
    embed(f"data-open {options}", head="<title>First</title>")
    page.evaluate("document.title = 'Prices'")
    answered(page, "hello")
    [frame] = [frame for frame in sent if "user_message" in frame]
    context = json.loads(re.sub(r"^\d+/chat,\d*", "", frame))[1]["context"]
    origin = page.evaluate("location.origin")
    assert context == {"page_url": origin + path, "page_title": "Prices"}


def test_a_message_does_not_say_where_it_was_written_if_the_site_does_not_want_it(page: Page, embed: Embed) -> None:
    sent: list[str] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
    embed('data-open data-page="off"')
    answered(page, "hello")
    [frame] = [frame for frame in sent if "user_message" in frame]
    assert "page_" not in frame
