"""Chromium, driven by Playwright. The browser is the machine's own; none is downloaded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.site import Shop
from tests.conftest import need
from tests.running_server import PATIENCE

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

# What is expected has as long as everywhere else: Playwright's own five seconds are short for an answer of a server.
expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the machine's own."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return need(next(filter(None, map(shutil.which, names)), None), "Chromium")


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a browser profile of its own. At the end nothing may have gone wrong in its console."""
    context = browser.new_context(viewport={"width": 1000, "height": 760})
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if _is_fault(message.text) else None)
    yield page
    context.close()
    assert faults == []


@pytest.fixture
def shop() -> Iterator[Shop]:
    """A site on another origin than the chat's server."""
    with Shop() as site:
        yield site


def _is_fault(text: str) -> bool:
    return "Content Security Policy" in text or "TrustedHTML" in text or "Uncaught" in text
