"""A stranger's page with the widget on it: the page, the chat's server, a conversation, and what went wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chat_page import say, turns
from tests.browser.site import Shop
from tests.running_server import RunningServer


@pytest.fixture(scope="module")
def site() -> Iterator[Shop]:
    with Shop() as site:
        yield site


@pytest.fixture(scope="module")
def server(site: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    data = str(tmp_path_factory.mktemp("data"))
    server = RunningServer({"DATA_DIR": data, "DEMO_PACE": "0", "CORS_ALLOWED_ORIGINS": site.origin})
    server.start()
    yield server
    server.stop()


@pytest.fixture
def shop(site: Shop) -> Shop:
    site.clear()
    return site


def tag(server: RunningServer, more: str = "defer", path: str = "/static/chat-widget.js") -> str:
    return f'<script src="{server.url}{path}" {more}></script>'


def page_of(body: str = "", head: str = "") -> str:
    """A page that counts what goes wrong on it."""
    return (
        f'<!doctype html><html lang="en"><head><script src="/watch.js"></script>{head}</head><body>{body}</body></html>'
    )


def converse(page: Page, text: str = "hello") -> None:
    """Open the chat, say something, and wait for the whole answer."""
    page.locator("[data-test=launcher]").click()
    say(page, text)
    expect(turns(page).last).to_have_attribute("data-state", "complete")


def went_wrong(page: Page) -> list[str]:
    found: list[str] = page.evaluate("[...violations, ...failed, ...faults]")
    return found
