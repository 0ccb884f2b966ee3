"""The widget on pages of another origin: the tags that site owners copy, strict policies, and pages of every kind."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chat_page import answer, say, turns
from tests.browser.site import Shop, fenced, filled_in, strict_policy
from tests.running_server import ROOT, RunningServer, wait_until
from tests.wire.openai_server import OpenAIServer, Scenario

pytestmark = [pytest.mark.server, pytest.mark.browser]

Start = Callable[..., RunningServer]

OLD = "/static/chat-widget.0123456789ab.js"
MOST_BYTES = 60_000

RICH = """\
## Everything at once

Some **bold** text, `code`, a [link](https://example.com/a), <mailto:a@example.com>, and ~~nothing else~~.

![a picture]({shop}/spy.png) <img src="{shop}/spy.png">

| a | b |
|---|---|
| 1 | 2 |

1. one
2. two

```python
print("copied")
```

> the end"""


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


@pytest.fixture
def guest(browser: Browser) -> Iterator[Page]:
    """A page whose console may complain: its test makes that happen."""
    context = browser.new_context(viewport={"width": 1000, "height": 760})
    yield context.new_page()
    context.close()


def tag(server: RunningServer, more: str = "defer", path: str = "/static/chat-widget.js") -> str:
    return f'<script src="{server.url}{path}" {more}></script>'


def page_of(body: str = "", head: str = "") -> str:
    """A page that counts what goes wrong on it."""
    return (
        f'<!doctype html><html lang="en"><head><script src="/watch.js"></script>{head}</head><body>{body}</body></html>'
    )


def printed(server: RunningServer) -> str:
    """The tag with its integrity, as the operator's command prints it."""
    done = subprocess.run(
        [sys.executable, "-m", "app", "widget", "--url", server.url],
        cwd=ROOT, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    (pinned,) = re.findall(r"<script[^>]*integrity[^>]*></script>", done.stdout)
    return str(pinned)


def converse(page: Page, text: str = "hello") -> None:
    """Open the chat, say something, and wait for the whole answer."""
    page.locator("[data-test=launcher]").click()
    say(page, text)
    expect(turns(page).last).to_have_attribute("data-state", "complete")


def went_wrong(page: Page) -> list[str]:
    found: list[str] = page.evaluate("[...violations, ...failed, ...faults]")
    return found


def refused(page: Page) -> None:
    """Wait until the browser has refused the widget's script."""
    page.wait_for_function("failed.length > 0")
    assert page.evaluate("customElements.get('assistant-chat')") is None


# Tags.


def test_the_tag_with_its_integrity_is_taken_as_the_command_prints_it(
    server: RunningServer, page: Page, shop: Shop
) -> None:
    shop.page = page_of(printed(server))
    page.goto(shop.origin)
    converse(page)
    assert went_wrong(page) == []


@pytest.mark.parametrize("path", ["/static/chat-widget.js", OLD])
def test_other_bytes_than_the_integrity_says_are_refused_by_the_browser(
    server: RunningServer, page: Page, shop: Shop, path: str
) -> None:
    wrong = f'integrity="sha384-{64 * "A"}" crossorigin="anonymous"'
    shop.page = page_of(tag(server, wrong, path))
    page.goto(shop.origin)
    refused(page)


def test_the_tag_of_an_earlier_version_goes_on_working(server: RunningServer, page: Page, shop: Shop) -> None:
    shop.page = page_of(tag(server, path=OLD))
    page.goto(shop.origin)
    converse(page)
    assert went_wrong(page) == []


INSERTED = """
const tag = document.createElement("script");
tag.async = true;
tag.src = "{src}";
document.head.appendChild(tag);
"""


def test_a_tag_manager_may_put_it_in(server: RunningServer, page: Page, shop: Shop) -> None:
    shop.page = page_of("<h1>Shop</h1>")
    page.goto(shop.origin)
    page.wait_for_load_state("load")
    page.evaluate(INSERTED.format(src=f"{server.url}/static/chat-widget.js"))
    converse(page)
    assert went_wrong(page) == []


@pytest.mark.parametrize("more", ["", "async", 'type="text/javascript" charset="iso-8859-1"'])
def test_the_tag_may_stand_in_the_head_without_defer(server: RunningServer, page: Page, shop: Shop, more: str) -> None:
    shop.page = page_of("<h1>Shop</h1>", head=tag(server, more))
    page.goto(shop.origin)
    converse(page)
    assert went_wrong(page) == []


def test_a_page_that_has_the_tag_twice_gets_one_chat(server: RunningServer, page: Page, shop: Shop) -> None:
    shop.page = page_of(tag(server) + tag(server, path=OLD))
    page.goto(shop.origin)
    converse(page)
    expect(page.locator("assistant-chat")).to_have_count(1)
    assert went_wrong(page) == []


def test_the_examples_of_the_document_work_under_its_strict_policy(
    server: RunningServer, page: Page, shop: Shop
) -> None:
    (options,) = (block for block in fenced("html") if "data-prompts" in block)
    (shop.scripts["/own.js"],) = fenced("js")
    shop.page = page_of(
        '<button id="help">Help</button>' + filled_in(options, server.url), '<script src="/own.js"></script>'
    )
    shop.enforce(strict_policy(server.url))
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.goto(shop.origin)
    page.locator("#help").click()
    page.get_by_role("button", name="Where is my order?").click()
    expect(turns(page).last).to_have_attribute("data-state", "complete")
    wait_until(lambda: page.evaluate("1") and any(text.startswith("complete ") for text in told), "the page is told")
    expect(page.get_by_role("dialog", name="Ask Ada")).to_be_visible()
    assert went_wrong(page) == []


def test_what_it_keeps_in_the_browser_is_its_own_and_no_cookie(server: RunningServer, page: Page, shop: Shop) -> None:
    shop.page = page_of(tag(server))
    page.goto(shop.origin)
    converse(page)
    names: list[str] = page.evaluate("[...Object.keys(localStorage), ...Object.keys(sessionStorage)]")
    assert names
    assert [name for name in names if not name.startswith(f"assistant-chat:{server.url}/")] == []
    assert page.context.cookies() == []
    assert page.evaluate("indexedDB.databases()") == []


# Policies.


def test_a_whole_conversation_breaks_no_rule_of_the_strict_policy_in_the_document(
    start_server: Start, guest: Page, shop: Shop, upstream: OpenAIServer
) -> None:
    upstream.next(Scenario(say=RICH.format(shop=shop.origin)))
    server = start_server(
        CHAT_MODEL="m", OPENAI_API_KEY="sk-x", OPENAI_BASE_URL=upstream.base_url, CORS_ALLOWED_ORIGINS=shop.origin
    )
    shop.page = page_of(tag(server))
    shop.enforce(strict_policy(server.url))
    guest.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=shop.origin)
    guest.goto(shop.origin)
    converse(guest)
    code = answer(guest).locator(".code")
    expect(code.locator("pre")).to_have_text('print("copied")')
    code.get_by_role("button").click()
    expect(code.get_by_role("button")).to_have_text("Copied")
    assert guest.evaluate("navigator.clipboard.readText()") == 'print("copied")'
    links = answer(guest).get_by_role("link")
    assert [link.get_attribute("href") for link in links.all()] == [
        "https://example.com/a", "mailto:a@example.com", f"{shop.origin}/spy.png",
    ]  # fmt: skip
    expect(answer(guest).locator("table, ol, blockquote")).to_have_count(3)
    guest.reload()
    expect(answer(guest).locator("strong")).to_be_attached()
    assert went_wrong(guest) == []
    assert "/spy.png" not in shop.asked
    # One breach of our own: counted, and reported, by the same means.
    guest.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/control.png'}))")
    wait_until(lambda: shop.reports, "the breach is reported")
    assert [report["csp-report"]["blocked-uri"] for report in shop.reports] == ["http://127.0.0.1:9/control.png"]
    assert guest.evaluate("violations") == ["img-src http://127.0.0.1:9/control.png"]


@pytest.mark.parametrize(
    "policy",
    [
        "default-src 'none'; script-src 'self' {url}; connect-src {url} {websocket}; form-action 'none'; "
        "sandbox allow-scripts allow-same-origin allow-forms; trusted-types assistant-chat; "
        "require-trusted-types-for 'script'",
        "default-src 'none'; script-src 'nonce-abc' 'strict-dynamic'; connect-src {url} {websocket}",
    ],
)
def test_nothing_but_script_and_connection_is_needed(
    server: RunningServer, page: Page, shop: Shop, policy: str
) -> None:
    shop.page = page_of(tag(server, 'nonce="abc"')).replace("/watch.js", '/watch.js" nonce="abc')
    shop.enforce(policy.format(url=server.url, websocket=server.url.replace("http", "ws")))
    page.goto(shop.origin)
    converse(page, "What is this?")
    expect(answer(page).locator("strong").first).to_be_visible()
    assert went_wrong(page) == []
    assert shop.reports == []


def test_without_websockets_in_the_policy_it_takes_polling(server: RunningServer, guest: Page, shop: Shop) -> None:
    shop.page = page_of(tag(server))
    shop.enforce(f"default-src 'self'; script-src 'self' {server.url}; connect-src {server.url}")
    guest.goto(shop.origin)
    converse(guest)
    assert all(violation.startswith("connect-src ws") for violation in guest.evaluate("violations"))


def test_it_takes_polling_too_where_a_forbidden_websocket_throws(
    server: RunningServer, guest: Page, shop: Shop
) -> None:
    # As Firefox does where the policy has no `wss:`; Chromium says so a little later.
    guest.add_init_script("window.WebSocket = class { constructor() { throw new DOMException('blocked') } }")
    shop.page = page_of(tag(server))
    guest.goto(shop.origin)
    converse(guest)
    assert guest.evaluate("faults") == []


def test_without_its_trusted_type_answers_are_plain_text(server: RunningServer, guest: Page, shop: Shop) -> None:
    shop.page = page_of(tag(server))
    shop.enforce(f"script-src 'self' {server.url}; require-trusted-types-for 'script'; trusted-types another")
    guest.goto(shop.origin)
    converse(guest, "What is this?")
    expect(answer(guest)).to_contain_text("**")
    assert guest.evaluate("faults") == []


def test_a_page_that_isolates_itself_gets_it_without_more(server: RunningServer, page: Page, shop: Shop) -> None:
    shop.page = page_of(tag(server))
    shop.headers |= {"Cross-Origin-Embedder-Policy": "require-corp", "Cross-Origin-Opener-Policy": "same-origin"}
    page.goto(shop.origin)
    assert page.evaluate("crossOriginIsolated")
    converse(page)
    assert went_wrong(page) == []


def test_a_picture_in_an_answer_loads_nothing_on_a_page_without_a_policy(
    start_server: Start, page: Page, shop: Shop, upstream: OpenAIServer
) -> None:
    upstream.next(Scenario(say=RICH.format(shop=shop.origin)))
    server = start_server(
        CHAT_MODEL="m", OPENAI_API_KEY="sk-x", OPENAI_BASE_URL=upstream.base_url, CORS_ALLOWED_ORIGINS=shop.origin
    )
    shop.page = page_of(tag(server))
    page.goto(shop.origin)
    converse(page)
    expect(answer(page).locator("blockquote")).to_be_visible()
    assert set(shop.asked) <= {"/", "/watch.js", "/favicon.ico"}
    page.evaluate("document.body.append(Object.assign(new Image(), {src: '/spy.png'}))")
    wait_until(lambda: "/spy.png" in shop.asked, "a picture of the page itself is counted")


# Caches.


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


# Pages of every kind.


def test_a_page_in_an_older_encoding_shows_all_characters_right(server: RunningServer, page: Page, shop: Shop) -> None:
    shop.page, shop.charset = page_of("<h1>Größe</h1>" + tag(server)), "windows-1252"
    page.goto(shop.origin)
    assert page.evaluate("document.characterSet") == "windows-1252"
    converse(page, "Größe: ≥ 3 🙂 عربي")
    expect(page.locator("[data-test=question]").last).to_contain_text("Größe: ≥ 3 🙂 عربي")
    assert page.locator("[data-test=input]").get_attribute("placeholder") == "Write a message…"


def test_a_base_element_leads_nothing_astray(server: RunningServer, page: Page, shop: Shop) -> None:
    shop.page = page_of(tag(server), head='<base href="http://127.0.0.1:9/elsewhere/">')
    shop.page = shop.page.replace("/watch.js", f"{shop.origin}/watch.js")
    page.goto(shop.origin)
    converse(page)
    assert went_wrong(page) == []


def test_an_element_with_a_name_of_the_documents_own_does_not_move_the_server(
    server: RunningServer, page: Page, shop: Shop
) -> None:
    # Text of other visitors may have such names, and `document.currentScript` would be that element.
    shop.page = page_of('<img name="currentScript" src="/elsewhere/static/spy.png">' + tag(server))
    page.goto(shop.origin)
    converse(page)
    assert page.evaluate("faults") == []


@pytest.mark.parametrize("doctype", ["", "<!doctype html>"])
def test_an_old_page_without_doctype_and_styles_shows_it_whole(
    server: RunningServer, page: Page, shop: Shop, doctype: str
) -> None:
    shop.page = doctype + "<table><tr><td>Shop</table>" + tag(server)
    page.goto(shop.origin)
    assert page.evaluate("document.compatMode") == ("CSS1Compat" if doctype else "BackCompat")
    button = page.locator("[data-test=launcher]").bounding_box()
    assert button
    assert button["x"] + button["width"] < 1000 < button["x"] + button["width"] + 60
    assert button["y"] + button["height"] < 760 < button["y"] + button["height"] + 60
    converse(page)
    field = page.locator("[data-test=input]").bounding_box()
    assert field
    assert 0 < field["x"] < field["x"] + field["width"] < 1000
    assert 0 < field["y"] < field["y"] + field["height"] < 760
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
