"""How often the widget's file comes over the wire, and how large it is there."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser import strangers_page
from tests.browser.site import Shop
from tests.browser.strangers_page import page_of, tag
from tests.running_server import RunningServer, wait_until

pytestmark = [pytest.mark.server, pytest.mark.browser]

site, server, shop = strangers_page.site, strangers_page.server, strangers_page.shop

MOST_BYTES = 60_000


class Traffic:
    """What the network did for one address, by the browser's own count.

    The events of a request come from several of the browser's processes, in no order that could be relied on:
    each is noted, and whose it is is asked when it is read.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.url = url
        self._urls: dict[str, str] = {}
        self._responses: dict[str, dict[str, Any]] = {}
        self._sizes: dict[str, float] = {}
        self._kept: set[str] = set()
        session = page.context.new_cdp_session(page)
        session.on("Network.requestWillBeSent", self._ask)
        session.on("Network.responseReceivedExtraInfo", self._respond)
        session.on("Network.loadingFinished", self._finish)
        session.on("Network.requestServedFromCache", self._keep)
        session.on("Network.responseReceived", self._receive)
        session.send("Network.enable")

    @property
    def over_the_wire(self) -> list[tuple[int, dict[str, str], float]]:
        """Status, headers and bytes of each answer that has arrived from the server whole."""
        return [
            (response["statusCode"], {name.lower(): value for name, value in response["headers"].items()}, size)
            for id, response in self._responses.items()
            if self._is_ours(id) and (size := self._sizes.get(id)) is not None
        ]

    @property
    def kept(self) -> int:
        """How often it came out of the browser's cache."""
        return sum(map(self._is_ours, self._kept))

    def _is_ours(self, id: str) -> bool:
        return self._urls.get(id) == self.url

    def _ask(self, event: dict[str, Any]) -> None:
        self._urls[event["requestId"]] = event["request"]["url"]

    def _respond(self, event: dict[str, Any]) -> None:
        self._responses[event["requestId"]] = event

    def _finish(self, event: dict[str, Any]) -> None:
        self._sizes[event["requestId"]] = event["encodedDataLength"]

    def _keep(self, event: dict[str, Any]) -> None:
        self._kept.add(event["requestId"])

    def _receive(self, event: dict[str, Any]) -> None:
        if event["response"]["fromDiskCache"]:
            self._kept.add(event["requestId"])


def test_it_is_loaded_once_packed_and_asked_for_again_without_its_bytes(
    server: RunningServer, page: Page, shop: Shop
) -> None:
    shop.page = page_of(tag(server))
    traffic = Traffic(page, f"{server.url}/static/chat-widget.js")
    page.goto(shop.origin)
    wait_until(lambda: page.evaluate("1") and traffic.over_the_wire, "it is loaded")
    [(status, headers, size)] = traffic.over_the_wire
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert 20_000 < size <= MOST_BYTES
    page.goto(f"{shop.origin}/?2")
    page.goto(shop.origin)
    wait_until(lambda: page.evaluate("1") and traffic.kept == 2, "twice more it is needed")
    page.evaluate("url => fetch(url, {cache: 'no-cache'}).then((response) => response.text())", traffic.url)
    wait_until(lambda: page.evaluate("1") and len(traffic.over_the_wire) > 1, "it is asked for again")
    # Within ten minutes nobody asks but who wants to.
    [_, (status, _, size)] = traffic.over_the_wire
    assert status == 304
    assert size < 1_000
