"""The page that cuts the chat's connection and counts: in a real browser, with the real server behind it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.running_server import RunningServer

pytestmark = [pytest.mark.server, pytest.mark.browser]

Start = Callable[..., RunningServer]

NUMBERS = 300
TAMPER = """([searched, put]) => {
  const answer = document.querySelector("assistant-chat").shadowRoot.querySelector("[data-test=answer]");
  const walker = document.createTreeWalker(answer, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) walker.currentNode.data = walker.currentNode.data.replace(searched, put);
}"""


def press(page: Page, label: str) -> None:
    page.get_by_role("button", name=label, exact=True).click()


def figure(page: Page, name: str) -> int:
    return int(page.locator(f"[data-test={name}]").inner_text())


def expect_figure(page: Page, name: str, value: int) -> None:
    expect(page.locator(f"[data-test={name}]")).to_have_text(str(value))


def begin(page: Page, server: RunningServer) -> None:
    page.goto(f"{server.url}/try/resume")
    expect(page.locator("[data-test=connection]")).to_have_attribute("data-state", "online")
    expect(page.locator("[data-test=verdict]")).to_have_text("Nothing counted yet")
    press(page, f"Start: count to {NUMBERS}")


def expect_some(page: Page) -> None:
    """The answer is under way."""
    expect(page.locator("[data-test=shown]")).not_to_have_text("0")
    expect(page.locator("[data-test=verdict]")).to_have_text("Nothing lost or doubled so far")


def expect_everything_once(page: Page) -> None:
    expect(page.locator("[data-test=verdict]")).to_have_text("Nothing lost, nothing doubled")
    expect(page.locator("#result")).to_have_attribute("data-verdict", "good")
    for name, value in {"shown": NUMBERS, "lost": 0, "doubled": 0}.items():
        expect_figure(page, name, value)
    answer = page.locator("[data-test=answer]").last.inner_text()
    assert [int(number) for number in answer.split()] == list(range(1, NUMBERS + 1)), "the panel tells the truth"


def test_cuts_a_reload_and_a_second_tab_lose_nothing_and_double_nothing(start_server: Start, page: Page) -> None:
    begin(page, start_server(DEMO_PACE="12"))
    expect_some(page)
    for cut in range(1, 4):
        press(page, "Cut the connection")
        expect_figure(page, "cuts", cut)
    with page.expect_navigation():
        press(page, "Reload the page")
    expect_some(page)
    expect_figure(page, "cuts", 4)
    with page.context.expect_page() as opened:
        press(page, "Open a second tab")
    expect_some(opened.value)
    for tab in (page, opened.value):
        expect_everything_once(tab)
        assert 0 < figure(tab, "pieces") <= NUMBERS
        assert 0 < figure(tab, "fetched") < NUMBERS
    assert figure(page, "cuts") == 4
    assert figure(opened.value, "cuts") == 0


@pytest.mark.parametrize(
    ("label", "cuts", "missed"),
    [("Cut it ten times", 10, 10), ("Take the network away for 5 seconds", 1, 50)],
    ids=["ten", "away"],
)
def test_a_worse_network_loses_nothing_and_doubles_nothing(
    start_server: Start, page: Page, label: str, cuts: int, missed: int
) -> None:
    begin(page, start_server(DEMO_PACE="25"))
    expect_some(page)
    press(page, label)
    expect_figure(page, "cuts", cuts)
    expect_everything_once(page)
    assert missed < figure(page, "fetched") < NUMBERS
    expect(page.get_by_role("button", name=label, exact=True)).to_be_enabled()


@pytest.mark.parametrize(
    ("searched", "put", "verdict", "lost", "doubled"),
    [
        (" 4 ", " ", "Lost: number 4", 1, 0),
        (" 4 ", " 4 4 ", "Doubled: number 4", 0, 1),
        (" 4 5 ", " 5 4 ", "Doubled: number 4", 0, 1),
        (" 300", "", "Lost: number 300", 1, 0),
        ("3 4 5 6 7 8 9", "3", "Lost: numbers 4, 5, 6, 7, 8 and 1 more", 6, 0),
        (" 4 5 ", " 5 5 ", "Lost: number 4. Doubled: number 5", 1, 1),
    ],
)
def test_what_is_lost_or_doubled_turns_the_verdict_red(
    start_server: Start, page: Page, searched: str, put: str, verdict: str, lost: int, doubled: int
) -> None:
    begin(page, start_server())
    expect_everything_once(page)
    page.evaluate(TAMPER, [searched, put])
    expect(page.locator("[data-test=verdict]")).to_have_text(verdict)
    expect(page.locator("#result")).to_have_attribute("data-verdict", "bad")
    expect_figure(page, "lost", lost)
    expect_figure(page, "doubled", doubled)
