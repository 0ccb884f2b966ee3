"""The chat as tests in a browser see it: opening it, saying something, finding turns and
answers, and whether everybody can use it."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.running_server import RunningServer


def say(page: Page, text: str) -> None:
    page.locator("[data-test=input]").fill(text)
    page.locator("[data-test=input]").press("Enter")


def turns(page: Page) -> Locator:
    return page.locator("[data-test=turn]")


def answer(page: Page) -> Locator:
    return page.locator("[data-test=answer]").last


def is_online(page: Page) -> None:
    expect(page.locator("[data-test=connection]")).to_have_attribute("data-state", "online")


def is_complete(page: Page) -> None:
    expect(turns(page).last).to_have_attribute("data-state", "complete")


def open_chat(page: Page, server: RunningServer) -> None:
    page.goto(server.url)
    is_online(page)


def serious(page: Page) -> list[str]:
    """What axe-core calls serious or critical, with the first place of each."""
    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {rule['nodes'][0]['target']} {rule['nodes'][0]['failureSummary']}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
    ]
