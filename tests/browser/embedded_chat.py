"""The chat on a page of another origin, with the options of its tag."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.chat_page import is_online, say, turns
from tests.browser.site import Shop
from tests.running_server import RunningServer

Embed = Callable[..., None]

PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    data = str(tmp_path_factory.mktemp("data"))
    running = RunningServer({"DATA_DIR": data, "DEMO_PACE": "0", "CORS_ALLOWED_ORIGINS": "*"})
    running.start()
    yield running
    running.stop()


@pytest.fixture
def embed(server: RunningServer, page: Page, shop: Shop) -> Embed:
    """Open a page of another site with the tag and these options; waits until the chat is there.

    One that is open is connected then.
    """

    def opened(options: str = "", head: str = "", body: str = "<h1>Shop</h1><input id='own'>") -> None:
        tag = f'<script id="tag" src="{server.url}/static/chat-widget.js" {options} defer></script>'
        view = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        shop.page = f"<!doctype html>{view}{head}{tag}<body>{body}</body>"
        # Two addresses that differ in nothing would be one page.
        page.goto("about:blank")
        page.goto(f"{shop.origin}/prices?secret=1#part")
        expect(page.locator("assistant-chat")).to_be_attached()
        if page.locator(".panel").is_visible():
            is_online(page)

    return opened


def launcher(page: Page) -> Locator:
    return page.locator("[data-test=launcher]")


def field(page: Page) -> Locator:
    return page.locator("[data-test=input]")


def answered(page: Page, text: str) -> None:
    say(page, text)
    expect(turns(page).last).to_have_attribute("data-state", "complete")
