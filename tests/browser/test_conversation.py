"""What happens in the conversation, in a real browser: feedback, days, earlier messages, by keyboard alone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chat_page import open_chat, say, turns
from tests.chat_client import ChatClient
from tests.running_server import RunningServer, wait_until

pytestmark = [pytest.mark.server, pytest.mark.browser]

Start = Callable[..., RunningServer]

COMMENT = "[data-test=comment]"
SAID = "[data-test=said]"
TOP_OF_FIRST = "thread.querySelector('.turn').getBoundingClientRect().top"


def ask(page: Page, text: str) -> None:
    """Say something and wait for the whole answer."""
    before = turns(page).count()
    say(page, text)
    expect(turns(page)).to_have_count(before + 1)
    expect(turns(page).last).to_have_attribute("data-state", "complete")


def ratings(folder: Path) -> list[tuple[str | None, str | None]]:
    """Every rating in the journal, in its order."""
    with sqlite3.connect(folder / "data/journal.sqlite3") as journal:
        return journal.execute("select rating, comment from feedback order by given_at, n").fetchall()


def change(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / "data/journal.sqlite3") as journal:
        journal.execute(statement)


def come_back(page: Page, server: RunningServer, client: ChatClient) -> None:
    """Open the chat as the browser in which `client`'s conversation was held."""
    ticket = json.dumps({"token": client.token, "conversation": client.session["conversation_uuid"]})
    page.add_init_script(f"localStorage.setItem('assistant-chat:{server.url}/', {json.dumps(ticket)})")
    open_chat(page, server)


def test_a_comment_on_an_answer_lands_in_the_journal(start_server: Start, page: Page, tmp_path: Path) -> None:
    open_chat(page, start_server())
    ask(page, "hello")
    page.locator("[data-test=up]").click()
    comment = page.locator(COMMENT)
    expect(comment).to_be_focused()
    comment.press_sequentially("Short")
    comment.press("Shift+Enter")
    comment.press_sequentially("and good")
    comment.press("Enter")
    expect(page.locator(SAID)).to_have_text("Thank you!")
    expect(comment).to_be_hidden()
    expect(page.locator("[data-test=up]")).to_be_focused()
    assert ratings(tmp_path) == [("up", None), ("up", "Short\nand good")]


def test_escape_closes_the_comment_and_a_second_press_takes_the_rating_back(
    start_server: Start, page: Page, tmp_path: Path
) -> None:
    open_chat(page, start_server())
    ask(page, "hello")
    down = page.locator("[data-test=down]")
    down.press("Enter")
    page.locator(COMMENT).fill("half a thought")
    page.locator(COMMENT).press("Escape")
    expect(page.locator(COMMENT)).to_be_hidden()
    expect(down).to_be_focused()
    expect(down).to_have_attribute("aria-pressed", "true")
    down.press("Enter")
    expect(down).to_have_attribute("aria-pressed", "false")
    wait_until(lambda: ratings(tmp_path) == [("down", None), (None, None)], "both are in the journal")


def test_a_comment_that_cannot_be_sent_is_kept_and_goes_out_later(
    start_server: Start, page: Page, tmp_path: Path
) -> None:
    open_chat(page, start_server())
    ask(page, "hello")
    page.locator("[data-test=up]").click()
    comment = page.locator(COMMENT)
    comment.fill("😀" * 2_001)
    comment.press("Enter")
    expect(page.locator(SAID)).to_have_text("This message is too long: 2001 of at most 2000 characters.")
    comment.fill("😀" * 2_000)
    page.context.set_offline(True)
    page.evaluate("dispatchEvent(new Event('offline'))")
    comment.press("Enter")
    expect(page.locator(SAID)).to_have_text("The server did not answer. Please try again.")
    expect(comment).to_have_value("😀" * 2_000)
    page.context.set_offline(False)
    expect(page.locator("[data-test=connection]")).to_have_attribute("data-state", "online")
    comment.press("Enter")
    expect(page.locator(SAID)).to_have_text("Thank you!")
    assert ratings(tmp_path)[-1] == ("up", "😀" * 2_000)


def test_days_are_told_apart_also_when_midnight_passes_on_an_open_page(start_server: Start, page: Page) -> None:
    server = start_server()
    page.clock.install()
    open_chat(page, server)
    ask(page, "hello")
    # From noon of the day on which that was said: that the real one ends just now must not be seen.
    said = page.locator("time").first.get_attribute("datetime")
    noon = datetime.fromtimestamp(page.evaluate("said => new Date(said).setHours(12, 0, 0, 0)", said) / 1000)
    days = page.get_by_role("separator")
    page.clock.set_system_time(noon)
    page.clock.run_for(61_000)
    expect(days).to_have_count(0)
    page.clock.set_system_time(noon + timedelta(days=1))
    page.clock.run_for(61_000)
    expect(days).to_have_accessible_name("yesterday")
    page.clock.set_system_time(noon + timedelta(days=400))
    page.clock.run_for(61_000)
    expect(days).to_contain_text(str(noon.year))
    expect(page.locator("time").first).to_be_visible()


def test_earlier_messages_come_while_scrolling_and_nothing_jumps(
    start_server: Start, page: Page, tmp_path: Path
) -> None:
    server = start_server()
    with ChatClient(server.url) as client:
        for number in range(65):
            client.ask(f"{number} is a number")
        # Of yesterday, so that the line above the first turn goes away and comes again farther up.
        change(tmp_path, "update turns set accepted_at = accepted_at - 86400000")
        come_back(page, server, client)
    expect(turns(page)).to_have_count(20)
    thread = page.get_by_role("log")
    for top, count in ((300, 40), (10, 60), (0, 65)):
        turn_id = turns(page).first.get_attribute("data-turn-id")
        before = thread.evaluate(f"thread => {{ thread.scrollTop = {top}; return {TOP_OF_FIRST} }}")
        expect(turns(page)).to_have_count(count)
        now = page.locator(f"[data-turn-id='{turn_id}']").evaluate("turn => turn.getBoundingClientRect().top")
        assert abs(now - before) < 1, f"{now} instead of {before} with {count} turns"
        expect(page.get_by_role("separator")).to_have_count(1)
    expect(page.locator("[data-test=earlier]")).to_be_hidden()
    expect(turns(page).first).to_contain_text("0 is a number")


def test_earlier_messages_that_cannot_be_had_leave_the_button(start_server: Start, page: Page) -> None:
    server = start_server()
    with ChatClient(server.url) as client:
        for number in range(25):
            client.ask(f"{number} is a number")
        come_back(page, server, client)
    earlier = page.locator("[data-test=earlier]")
    expect(turns(page)).to_have_count(20)
    # The server hears nothing of it.
    page.evaluate("window.WebSocket.prototype.send = function () {}")
    thread = page.get_by_role("log")
    thread.evaluate("thread => { thread.scrollTop = 100 }")
    expect(earlier).to_have_attribute("aria-busy", "true")
    expect(page.locator("[data-test=error]")).to_be_visible()
    page.reload()
    expect(turns(page)).to_have_count(20)
    earlier.focus()
    earlier.press("Enter")
    expect(turns(page)).to_have_count(25)
    expect(earlier).to_be_hidden()
    expect(thread).to_be_focused()


def test_a_short_conversation_asks_for_nothing_by_itself(start_server: Start, page: Page) -> None:
    page.set_viewport_size({"width": 900, "height": 6_000})
    server = start_server()
    with ChatClient(server.url) as client:
        for _ in range(25):
            client.ask("count to 1")
        come_back(page, server, client)
    expect(turns(page)).to_have_count(20)
    log = page.get_by_role("log")
    assert log.evaluate("log => log.scrollHeight - log.clientHeight") == 0, "it is shorter than its window"
    page.mouse.move(400, 400)
    page.mouse.wheel(0, -500)
    ask(page, "one more")
    expect(turns(page)).to_have_count(21)
    expect(page.locator("[data-test=earlier]")).to_be_visible()
