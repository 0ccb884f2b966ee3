"""The chat as tests in a browser see it: opening it, saying something, finding turns and answers."""

from __future__ import annotations

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
    expect(page.locator("[data-test=connection]")).to_have_attribute("data-state", "online", timeout=15_000)


def is_complete(page: Page) -> None:
    expect(turns(page).last).to_have_attribute("data-state", "complete", timeout=30_000)


def open_chat(page: Page, server: RunningServer) -> None:
    page.goto(server.url)
    is_online(page)
