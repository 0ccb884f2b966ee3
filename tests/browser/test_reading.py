"""What the reader sees while an answer grows: nothing jumps, and the reader's place is the reader's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chat_page import answer, is_complete, is_online, open_chat, say, turns
from tests.browser.conftest import FLAGS
from tests.chat_client import ENDLESS
from tests.running_server import RunningServer, wait_until

pytestmark = [pytest.mark.server, pytest.mark.browser]

Start = Callable[..., RunningServer]

THREAD = "document.querySelector('assistant-chat').shadowRoot.querySelector('.thread')"
TOP = f"{THREAD}.scrollTop"
TO_END = f"{THREAD}.scrollHeight - {THREAD}.clientHeight - {THREAD}.scrollTop"

TURN_THE_WHEEL = """(thread) => new Promise((done) => {
  let top, height, begun = 0;
  (function frame(now) {
    if (thread.scrollHeight > height && now - begun < 100) return done(thread.scrollTop - top);
    if (now - begun >= 100) {
      thread.dispatchEvent(new WheelEvent("wheel", { deltaY: -10 }));
      ({ scrollTop: top, scrollHeight: height } = thread);
      begun = performance.now();
    }
    requestAnimationFrame(() => frame(performance.now()));
  })(performance.now());
})"""
"""As a browser does whose smooth scroll begins a frame later. How far the end was followed meanwhile."""


@pytest.fixture
def low(page: Page) -> Page:
    """A window so low that every answer has to be scrolled."""
    page.set_viewport_size({"width": 900, "height": 420})
    return page


def test_the_end_stays_in_sight_while_the_reader_is_there(start_server: Start, low: Page) -> None:
    open_chat(low, start_server(DEMO_PACE="80"))
    say(low, "How do I put it on my site?")
    expect(answer(low).locator("pre").first).to_be_attached()
    assert low.evaluate(TO_END) < 50
    is_complete(low)
    assert low.evaluate(TO_END) < 50
    assert low.evaluate(TOP) > 0, "there was something to scroll"


def test_a_reader_who_scrolled_up_stays_there_and_can_go_back(start_server: Start, low: Page) -> None:
    open_chat(low, start_server(DEMO_PACE="60"))
    say(low, "hello")
    is_complete(low)
    say(low, "How do I put it on my site?")
    expect(answer(low)).to_contain_text("One tag")
    low.locator("[data-test=question]").last.hover()
    low.mouse.wheel(0, -10_000)
    wait_until(lambda: low.evaluate(TOP) == 0, "the reader is at the top")
    is_complete(low)
    assert low.evaluate(TOP) == 0
    low.get_by_role("button", name="To the latest message").click()
    wait_until(lambda: low.evaluate(TO_END) < 50, "the end is in sight again")


def test_a_reader_gets_away_from_a_growing_end_by_little_steps(start_server: Start, low: Page) -> None:
    """A line by the keyboard, some pixels by a finger or a wheel that turns smoothly: none of it is taken back."""
    open_chat(low, start_server(DEMO_PACE="60"))
    say(low, "hello")
    is_complete(low)
    say(low, ENDLESS)
    expect(answer(low)).to_contain_text("200")
    thread = low.get_by_role("log")
    latest = low.get_by_role("button", name="To the latest message")
    thread.evaluate("(thread) => thread.scrollBy(0, -5)")
    top = low.evaluate(TOP)
    expect(answer(low)).to_contain_text("300")
    assert low.evaluate(TOP) == top
    assert low.evaluate(TO_END) > 50, "the answer went on below"
    latest.click()
    wait_until(lambda: low.evaluate(TO_END) < 2, "the end is in sight again")
    thread.focus()
    low.keyboard.press("ArrowUp")
    expect(answer(low)).to_contain_text("400")
    expect(latest).to_be_visible()
    assert low.evaluate(TO_END) > 50, "the answer went on below"


def test_the_end_stays_in_sight_over_a_text_field_that_grows(start_server: Start, low: Page) -> None:
    open_chat(low, start_server())
    say(low, "What is this?")
    is_complete(low)
    field = low.locator("[data-test=input]")
    for number in range(5):
        field.press_sequentially(f"line {number}")
        field.press("Shift+Enter")
        wait_until(lambda: low.evaluate(TO_END) < 2, "the end is in sight")
    expect(low.get_by_role("button", name="To the latest message")).to_be_hidden()


def test_nothing_but_the_thread_scrolls_when_a_place_is_looked_up(start_server: Start, low: Page) -> None:
    """As a search in the page and a screen reader do. What cannot be scrolled back by hand must not scroll."""
    open_chat(low, start_server())
    for number in (1, 2):
        say(low, "What is this?")
        expect(turns(low)).to_have_count(number)
        is_complete(low)
    low.locator("[data-test=copy]").last.evaluate("(button) => button.scrollIntoView({block: 'center'})")
    assert low.evaluate(TO_END) < 50
    panel = low.locator(".panel")
    assert panel.evaluate("(panel) => [panel.scrollTop, panel.scrollHeight - panel.clientHeight]") == [0, 0]


def test_a_scroll_bar_that_comes_moves_nothing_aside(start_server: Start, browser: Browser, chromium: str) -> None:
    bars = {"ignore_default_args": ["--hide-scrollbars"]}
    with_bars = browser.browser_type.launch(executable_path=chromium, args=FLAGS, **bars)
    try:
        page = with_bars.new_page(viewport={"width": 700, "height": 700})
        open_chat(page, start_server())
        room = "(thread) => [thread.scrollHeight > thread.clientHeight, thread.clientWidth]"
        say(page, "hello")
        is_complete(page)
        scrolls, before = page.get_by_role("log").evaluate(room)
        assert not scrolls
        say(page, "What is this?")
        wait_until(lambda: page.get_by_role("log").evaluate(room)[0], "there is something to scroll")
        assert page.get_by_role("log").evaluate(room) == [True, before]
    finally:
        with_bars.close()


def test_a_reader_who_goes_up_a_little_is_not_taken_back_by_the_answer(start_server: Start, low: Page) -> None:
    """As by a trackpad: a few pixels at a time, fewer than count as being at the end."""
    open_chat(low, start_server(DEMO_PACE="60"))
    say(low, ENDLESS)
    expect(answer(low)).to_contain_text("200")
    low.locator("[data-test=answer]").hover()
    low.mouse.wheel(0, -10)
    latest = low.get_by_role("button", name="To the latest message")
    expect(latest).to_be_visible()
    place = low.evaluate(TOP)
    wait_until(lambda: low.evaluate(TO_END) > 60, "the answer goes on out of sight")
    assert low.evaluate(TOP) <= place, "the reader stays where they went"
    low.mouse.wheel(0, 10_000)
    expect(latest).to_be_hidden()
    expect(answer(low)).to_contain_text("400")
    assert low.evaluate(TO_END) < 50, "who goes back to the end follows it again"


def test_a_smooth_scroll_ends_where_it_should_while_an_answer_streams(start_server: Start, low: Page) -> None:
    open_chat(low, start_server(DEMO_PACE="60"))
    say(low, ENDLESS)
    expect(answer(low)).to_contain_text("400")
    thread = low.get_by_role("log")
    begun = thread.evaluate("(thread) => { thread.scrollBy(0, -100); return thread.scrollTop }")
    thread.evaluate("(thread) => thread.scrollBy({ top: -200, behavior: 'smooth' })")
    wait_until(lambda: low.evaluate(TOP) == begun - 200, "the whole way is gone")


def test_an_answer_does_not_take_the_beginning_of_a_smooth_scroll_away(start_server: Start, low: Page) -> None:
    open_chat(low, start_server(DEMO_PACE="60"))
    say(low, ENDLESS)
    expect(answer(low)).to_contain_text("200")
    assert low.get_by_role("log").evaluate(TURN_THE_WHEEL) == 0


def test_nothing_jumps_while_an_answer_streams(start_server: Start, page: Page) -> None:
    open_chat(page, start_server(DEMO_PACE="80"))
    page.evaluate(
        """() => { window.shifts = [];
            new PerformanceObserver(list => { for (const entry of list.getEntries()) shifts.push(entry.value) })
              .observe({type: 'layout-shift', buffered: false}) }"""
    )
    say(page, "How do I put it on my site?")
    is_complete(page)
    assert sum(page.evaluate("shifts")) < 0.05, page.evaluate("shifts")


def test_off_line_and_on_again(start_server: Start, page: Page) -> None:
    """The network goes in the middle of an answer. What is written meanwhile goes out by itself."""
    open_chat(page, start_server(DEMO_PACE="40"))
    say(page, "What is this?")
    expect(answer(page)).to_contain_text("This is")
    page.context.set_offline(True)
    expect(page.locator("[data-test=connection]")).to_have_attribute("data-state", "offline")
    expect(page.locator("[data-test=connection]")).to_contain_text("No network")
    say(page, "hello")
    expect(turns(page).last).to_contain_text("Will be sent when the connection is back")
    page.context.set_offline(False)
    is_online(page)
    expect(turns(page)).to_have_count(2)
    is_complete(page)
    for turn in turns(page).all():
        expect(turn).to_have_attribute("data-state", "complete")
    expect(answer(page)).to_contain_text("built-in demo")
