"""The widget's options and `window.AssistantChat`, on a page of another origin in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.chat_page import answer, is_online, say, turns
from tests.browser.site import Shop
from tests.running_server import RunningServer, wait_until

pytestmark = [pytest.mark.server, pytest.mark.browser]

Embed = Callable[..., None]

PHONE = {"width": 390, "height": 844}
TELL_ALL = """
  window.told = []; window.only = name => told.filter(([event]) => event === name).map(([, detail]) => detail);
  for (const name of ["ready", "open", "close", "message", "answer", "error", "unread"])
    AssistantChat.on(name, detail => told.push([name, detail]));
  0
"""
COLOURS = """element => {
  const of = name => getComputedStyle(element)[name].match(/[\\d.]+/g).slice(0, 3).map(Number);
  let ground = element;
  while (getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
  return [of("color"), getComputedStyle(ground).backgroundColor.match(/[\\d.]+/g).slice(0, 3).map(Number)];
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    data = str(tmp_path_factory.mktemp("data"))
    running = RunningServer({"DATA_DIR": data, "DEMO_PACE": "0", "CORS_ALLOWED_ORIGINS": "*"})
    running.start()
    yield running
    running.stop()


@pytest.fixture
def embed(server: RunningServer, page: Page, shop: Shop) -> Embed:
    """Open a page of another site with the tag and these options; waits until the chat is connected."""

    def opened(options: str = "", head: str = "", body: str = "<h1>Shop</h1><input id='own'>") -> None:
        tag = f'<script id="tag" src="{server.url}/static/chat-widget.js" {options} defer></script>'
        view = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        shop.page = f"<!doctype html>{view}{head}{tag}<body>{body}</body>"
        # Two addresses that differ in nothing would be one page.
        page.goto("about:blank")
        page.goto(f"{shop.origin}/prices?secret=1#part")
        is_online(page)

    return opened


def launcher(page: Page) -> Locator:
    return page.locator("[data-test=launcher]")


def field(page: Page) -> Locator:
    return page.locator("[data-test=input]")


def answered(page: Page, text: str) -> None:
    say(page, text)
    expect(turns(page).last).to_have_attribute("data-state", "complete")


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


def test_the_pages_own_scripts_open_send_hear_and_close(page: Page, embed: Embed) -> None:
    embed()
    page.evaluate(TELL_ALL)
    page.evaluate("AssistantChat.on('message', () => { throw new Error('of the page') })")
    assert page.evaluate("AssistantChat.send('hello')") is True
    expect(turns(page).last).to_have_attribute("data-state", "complete")
    wait_until(lambda: page.evaluate("only('answer').length"), "the answer is told")
    [message], [reply] = page.evaluate("only('message')"), page.evaluate("only('answer')")
    assert message["text"] == "hello"
    assert (reply["turn_id"], reply["state"]) == (message["turn_id"], "complete")
    assert "built-in **demo**" in reply["text"] or "built-in demo" in reply["text"]
    [ready] = page.evaluate("only('ready')")
    assert set(ready) == {"conversation_uuid", "user_id"}
    page.evaluate("AssistantChat.close()")
    expect(field(page)).to_be_hidden()
    wait_until(lambda: page.evaluate("only('close').length"), "closing is told")
    assert [name for name, _ in page.evaluate("told")] == ["ready", "open", "message", "answer", "close"]


def test_what_is_called_before_the_page_is_there_is_done_then(page: Page, embed: Embed, server: RunningServer) -> None:
    early = (
        f'<script src="{server.url}/static/chat-widget.js"></script>'
        "<script>AssistantChat.open(); AssistantChat.send('early')</script>"
    )
    embed(head=early)
    expect(page.locator("[data-test=question]")).to_have_text(["early"])
    expect(page.locator("assistant-chat")).to_have_count(1)
    expect(turns(page).last).to_have_attribute("data-state", "complete")


def test_a_chat_that_was_taken_away_can_come_again_where_a_policy_may_be_made_once(
    page: Page, embed: Embed, server: RunningServer
) -> None:
    embed("data-open", head='<meta http-equiv="Content-Security-Policy" content="trusted-types assistant-chat">')
    answered(page, "hello")
    expect(answer(page).locator("strong")).to_have_text("built-in demo")
    page.evaluate("AssistantChat.destroy()")
    expect(page.locator("assistant-chat")).to_have_count(0)
    assert page.evaluate("window.AssistantChat") is None
    page.evaluate(
        """url => { const script = document.createElement('script'); script.src = url;
        script.dataset.title = 'Again'; document.head.append(script) }""",
        f"{server.url}/static/chat-widget.js",
    )
    is_online(page)
    expect(page.locator(".title")).to_have_text("Again")
    expect(turns(page)).to_have_count(1)
    expect(answer(page).locator("strong")).to_have_text("built-in demo")


def test_answers_that_nobody_saw_are_counted_until_somebody_looks(page: Page, embed: Embed) -> None:
    embed()
    page.evaluate(TELL_ALL)
    page.evaluate("AssistantChat.send('hello'); AssistantChat.close()")
    expect(page.locator("[data-test=badge]")).to_have_text("1")
    expect(launcher(page)).to_have_accessible_name("Assistant chat, 1 unread")
    launcher(page).click()
    expect(page.locator("[data-test=badge]")).to_be_hidden()
    assert page.evaluate("only('unread').map(({count}) => count)") == [1, 0]


def test_what_was_open_is_open_after_a_reload_and_what_was_closed_stays_so(page: Page, embed: Embed) -> None:
    embed("data-open", body="<input id='own' autofocus>")
    answered(page, "hello")
    page.reload()
    expect(turns(page)).to_have_count(1)
    expect(field(page)).to_be_visible()
    expect(page.locator("#own")).to_be_focused()
    page.locator("[data-test=close]").click()
    page.reload()
    is_online(page)
    expect(field(page)).to_be_hidden()


def test_escape_brings_the_focus_back_to_the_button(page: Page, embed: Embed) -> None:
    embed()
    launcher(page).focus()
    page.keyboard.press("Enter")
    expect(field(page)).to_be_focused()
    expect(launcher(page)).to_have_attribute("aria-expanded", "true")
    controlled = "button => button.getRootNode().getElementById(button.getAttribute('aria-controls')).className"
    assert launcher(page).evaluate(controlled) == "panel"
    page.keyboard.press("Escape")
    expect(launcher(page)).to_be_focused()
    expect(launcher(page)).to_have_attribute("aria-expanded", "false")


def test_closing_by_script_does_not_take_the_focus_from_the_page(page: Page, embed: Embed) -> None:
    embed("data-open")
    page.locator("#own").focus()
    page.evaluate("AssistantChat.close()")
    expect(field(page)).to_be_hidden()
    expect(page.locator("#own")).to_be_focused()


def test_shortcuts_of_the_page_do_not_take_letters_from_what_is_written(page: Page, embed: Embed) -> None:
    """As documentation sites have them: they leave text fields alone, but see only the chat's element."""
    embed("data-open")
    page.evaluate(
        """() => { window.pressed = []; for (const type of ["keydown", "keypress", "keyup"])
        addEventListener(type, event => { pressed.push(event.key); if (!event.ctrlKey) event.preventDefault() }) }"""
    )
    field(page).press_sequentially("/search")
    expect(field(page)).to_have_value("/search")
    assert page.evaluate("pressed") == []
    field(page).press("Control+k")
    assert "k" in page.evaluate("pressed"), "what is pressed with Ctrl is still the page's"
    launcher(page).focus()
    page.keyboard.press("s")
    assert "s" in page.evaluate("pressed"), "a button is no text field"


def test_on_paper_there_is_no_button_over_the_page(page: Page, embed: Embed) -> None:
    embed("data-open")
    expect(field(page)).to_be_visible()
    page.emulate_media(media="print")
    expect(field(page)).to_be_hidden()
    expect(launcher(page)).to_be_hidden()


def test_a_chat_inside_the_page_is_printed_whole(page: Page, embed: Embed) -> None:
    embed('data-target="#box"', body='<div id="box" style="height: 300px"></div>')
    answered(page, "What is this?")
    thread = page.locator(".thread")
    assert thread.evaluate("e => e.scrollHeight > e.clientHeight")
    page.emulate_media(media="print")
    assert thread.evaluate("e => e.scrollHeight <= e.clientHeight")
    expect(field(page)).to_be_hidden()


def test_where_the_system_chooses_the_colours_the_focus_can_be_seen(page: Page, embed: Embed) -> None:
    page.emulate_media(forced_colors="active")
    embed("data-open")
    outline = "element => getComputedStyle(element).outlineStyle"
    assert page.locator(".composer .field").evaluate(outline) == "none"
    field(page).focus()
    assert page.locator(".composer .field").evaluate(outline) == "solid"


def test_an_empty_field_is_written_as_the_language_is_and_a_text_as_it_is(page: Page, embed: Embed) -> None:
    embed('data-open data-language="ar"')
    direction = "element => getComputedStyle(element).direction"
    assert field(page).evaluate(direction) == "rtl"
    field(page).fill("hello")
    assert field(page).evaluate(direction) == "ltr"
    field(page).fill("مرحبا")
    assert field(page).evaluate(direction) == "rtl"


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
