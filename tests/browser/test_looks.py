"""Screenshots of the widget, for people to look at, and what of its looks can be told by their pixels.

`TEST_SHOTS=folder` keeps them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chat_page import is_complete, is_online
from tests.browser.site import Shop
from tests.running_server import RunningServer

pytestmark = [pytest.mark.server, pytest.mark.browser]

Start = Callable[..., RunningServer]

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1000, "height": 760}
LIT = """async ([shot, x, y, width, height]) => {
  const picture = await createImageBitmap(await (await fetch(shot)).blob(), x, y, width, height);
  const canvas = new OffscreenCanvas(width, height).getContext("2d");
  canvas.drawImage(picture, 0, 0);
  const { data } = canvas.getImageData(0, 0, width, height);
  let light = 0;
  for (let at = 0; at < data.length; at += 4) light += data[at] + data[at + 1] + data[at + 2];
  return light / (data.length / 4) / 765;
}"""


class Picture:
    """A screenshot. `light`: how bright a part of it is, from 0 to 1."""

    def __init__(self, png: bytes, browser: Browser) -> None:
        self._png = png
        self._browser = browser

    def light(self, x: int, y: int, width: int, height: int) -> float:
        context = self._browser.new_context()
        reader = context.new_page()
        reader.route("**/shot.png", lambda route: route.fulfill(body=self._png, content_type="image/png"))
        reader.route("**/reader", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
        reader.goto("http://127.0.0.1/reader")
        light: float = reader.evaluate(LIT, ["shot.png", x, y, width, height])
        context.close()
        return light


def picture(page: Page, browser: Browser, name: str, folder: Path) -> Picture:
    kept = Path(os.environ.get("TEST_SHOTS", folder))
    kept.mkdir(parents=True, exist_ok=True)
    return Picture(page.screenshot(path=kept / f"{name}.png", animations="disabled"), browser)


@pytest.mark.parametrize(
    ("name", "window", "options"),
    [
        ("desktop", DESKTOP, ""),
        ("dark", DESKTOP, 'data-theme="dark"'),
        ("arabic", DESKTOP, 'data-language="ar"'),
        ("phone", PHONE, ""),
        ("phone-arabic-dark", PHONE, 'data-language="ar" data-theme="dark"'),
    ],
)
def test_the_pop_up_looks_as_it_should(
    start_server: Start, browser: Browser, page: Page, shop: Shop, tmp_path: Path, name: str, window: dict[str, int],
    options: str,
) -> None:  # fmt: skip
    server = start_server(CORS_ALLOWED_ORIGINS=shop.origin, DEMO_PACE="0")
    tag = f'<script src="{server.url}/static/chat-widget.js" {options} defer></script>'
    view = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    # A page of one colour, so that everything else in the picture is ours.
    shop.page = f"<!doctype html><html lang=en style='background:#808080'>{view}{tag}<body></body></html>"
    page.set_viewport_size(window)  # type: ignore[arg-type]
    page.emulate_media(reduced_motion="reduce")
    page.goto(shop.origin)
    page.locator("[data-test=launcher]").click()
    is_online(page)
    page.evaluate("AssistantChat.send('What is this?')")
    is_complete(page)
    expect(page.locator("[data-test=answer] table")).to_be_visible()
    shown = picture(page, browser, name, tmp_path)
    dark = "dark" in name
    if window == PHONE:
        corners = [(4, 4), (PHONE["width"] - 12, 4)]
        lights = [shown.light(x, y, 8, 8) for x, y in corners]
        assert all(light < 0.2 if dark else light > 0.9 for light in lights), "the chat is the whole screen"
        return
    beside = (10, 300) if "arabic" not in name else (DESKTOP["width"] - 50, 300)
    within = (DESKTOP["width"] - 200, 62) if "arabic" not in name else (200, 62)
    assert 0.45 < shown.light(*beside, 40, 40) < 0.55, "the page is seen beside it"
    light = shown.light(*within, 30, 12)
    assert light < 0.2 if dark else light > 0.9, "the panel is on its side, in its theme"
