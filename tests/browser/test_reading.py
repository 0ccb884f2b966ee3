"""What the reader sees while an answer grows: nothing jumps, and the reader's place is the reader's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chat_page import answer, is_complete, is_online, open_chat, say, turns
from tests.running_server import RunningServer, wait_until

pytestmark = [pytest.mark.server, pytest.mark.browser]

Start = Callable[..., RunningServer]

TOP = "document.querySelector('assistant-chat').shadowRoot.querySelector('.thread').scrollTop"
TO_END = """(() => { const thread = document.querySelector('assistant-chat').shadowRoot.querySelector('.thread');
    return thread.scrollHeight - thread.clientHeight - thread.scrollTop })()"""


@pytest.fixture
def low(page: Page) -> Page:
    """A window so low that every answer has to be scrolled."""
    page.set_viewport_size({"width": 900, "height": 420})
    return page


def test_the_end_stays_in_sight_while_the_reader_is_there(start_server: Start, low: Page) -> None:
    open_chat(low, start_server(DEMO_PACE="80"))
    say(low, "How do I put it on my site?")
    expect(answer(low).locator("pre").first).to_be_attached(timeout=15_000)
    assert low.evaluate(TO_END) < 50
    is_complete(low)
    assert low.evaluate(TO_END) < 50
    assert low.evaluate(TOP) > 0, "there was something to scroll"


def test_a_reader_who_scrolled_up_stays_there_and_can_go_back(start_server: Start, low: Page) -> None:
    open_chat(low, start_server(DEMO_PACE="60"))
    say(low, "hello")
    is_complete(low)
    say(low, "How do I put it on my site?")
    expect(answer(low)).to_contain_text("One tag", timeout=15_000)
    low.locator("[data-test=question]").last.hover()
    low.mouse.wheel(0, -10_000)
    wait_until(lambda: low.evaluate(TOP) == 0, "the reader is at the top")
    is_complete(low)
    assert low.evaluate(TOP) == 0
    low.get_by_role("button", name="To the latest message").click()
    wait_until(lambda: low.evaluate(TO_END) < 50, "the end is in sight again")


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
    expect(page.locator("[data-test=connection]")).to_have_attribute("data-state", "offline", timeout=30_000)
    expect(page.locator("[data-test=connection]")).to_contain_text("No network")
    say(page, "hello")
    expect(turns(page).last).to_contain_text("Will be sent when the connection is back")
    page.context.set_offline(False)
    is_online(page)
    expect(turns(page)).to_have_count(2)
    is_complete(page)
    for turn in turns(page).all():
        expect(turn).to_have_attribute("data-state", "complete", timeout=15_000)
    expect(answer(page)).to_contain_text("built-in demo")
