"""The widget and the page around it: `window.AssistantChat`, the focus, the keyboard, reloads, and paper."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser import embedded_chat
from tests.browser.chat_page import answer, is_online, turns
from tests.browser.embedded_chat import Embed, answered, field, launcher
from tests.running_server import RunningServer, wait_until

pytestmark = [pytest.mark.server, pytest.mark.browser]

server, embed = embedded_chat.server, embedded_chat.embed

TELL_ALL = """
  window.told = []; window.only = name => told.filter(([event]) => event === name).map(([, detail]) => detail);
  for (const name of ["ready", "open", "close", "message", "answer", "error", "unread"])
    AssistantChat.on(name, detail => told.push([name, detail]));
  0
"""


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
    assert [name for name, _ in page.evaluate("told")] == ["open", "ready", "message", "answer", "close"]


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
