"""The widget under Content Security Policies, strict ones and odd ones, and on pages that isolate themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import strangers_page
from tests.browser.chat_page import answer
from tests.browser.site import Shop, strict_policy
from tests.browser.strangers_page import converse, page_of, tag, went_wrong
from tests.running_server import RunningServer, wait_until
from tests.wire.openai_server import OpenAIServer, Scenario

pytestmark = [pytest.mark.server, pytest.mark.browser]

site, server, shop = strangers_page.site, strangers_page.server, strangers_page.shop

Start = Callable[..., RunningServer]

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


@pytest.fixture
def guest(browser: Browser) -> Iterator[Page]:
    """A page whose console may complain: its test makes that happen."""
    context = browser.new_context(viewport={"width": 1000, "height": 760})
    yield context.new_page()
    context.close()


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
    expect(links).to_have_count(3)
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
    guest.wait_for_function("violations.length > 0")
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
