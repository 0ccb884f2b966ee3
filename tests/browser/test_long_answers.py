"""Long answers in a real browser: they are shown in steps, and the reader is not moved."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from bench import answers
from tests.running_server import RunningServer
from tests.wire.openai_server import OpenAIServer, Scenario

pytestmark = [pytest.mark.server, pytest.mark.browser]

Start = Callable[..., RunningServer]

SCROLL_UP_AND_WATCH = """() => new Promise((done) => {
  const seen = { tops: [], grown: 0, toEnd: 0 };
  let thread, block, before, still = 0;
  const scroll = (last) => {
    thread.scrollTop -= 500;
    before = thread.scrollHeight;
    // As of a reader's wheel: the event comes before the next drawing.
    thread.addEventListener("scroll", () => (block = last.children[10]), { once: true });
  };
  (function frame() {
    thread ??= document.querySelector("assistant-chat")?.shadowRoot?.querySelector(".thread");
    const last = [...(thread?.querySelectorAll(".answer") ?? [])].at(-1);
    if (!before && last?.childElementCount > 20) setTimeout(scroll, 0, last, (before = 1));
    if (block) {
      const grown = thread.scrollHeight - before;
      still = grown === seen.grown ? still + 1 : 0;
      seen.grown = grown;
      seen.toEnd = thread.scrollHeight - thread.clientHeight - thread.scrollTop;
      seen.tops.push(block.getBoundingClientRect().top);
      if (still === 60) return done(seen);
    }
    requestAnimationFrame(frame);
  })();
})"""


@pytest.fixture
def chat(start_server: Start, upstream: OpenAIServer) -> RunningServer:
    return start_server(OPENAI_BASE_URL=upstream.base_url, OPENAI_API_KEY="sk-test", CHAT_MODEL="test")


def ask(page: Page, upstream: OpenAIServer, text: str, number: int = 1) -> None:
    upstream.next(Scenario(say=text, deltas=200))
    page.locator("[data-test=input]").fill("Go on.")
    page.locator("[data-test=input]").press("Enter")
    expect(page.locator("[data-test=turn][data-state=complete]")).to_have_count(number)


def open_chat(page: Page, server: RunningServer) -> None:
    page.goto(server.url)
    expect(page.locator("[data-test=connection]")).to_have_attribute("data-state", "online")


def test_a_reader_keeps_their_place_while_answers_above_it_are_shown(
    chat: RunningServer, upstream: OpenAIServer, page: Page
) -> None:
    open_chat(page, chat)
    for number in range(1, 7):
        ask(page, upstream, answers.of_kind("mixed", 12_000), number)
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 6})
    page.reload(wait_until="commit")
    seen = page.evaluate(SCROLL_UP_AND_WATCH)
    assert seen["grown"] > 10_000, "answers were shown above, after the reader had scrolled"
    assert seen["toEnd"] >= 400, "the reader was not taken back to the end"
    assert max(seen["tops"]) - min(seen["tops"]) <= 1


def test_a_long_code_block_is_selected_as_it_is(chat: RunningServer, upstream: OpenAIServer, page: Page) -> None:
    code = answers.of_kind("code", 12_000)
    open_chat(page, chat)
    ask(page, upstream, code)
    parts = page.locator("[data-test=answer] .part")
    expect(parts.last).to_contain_text(code.splitlines()[-2])
    assert parts.count() > 1
    lines = "\n".join(code.splitlines()[1:-1])
    select = "(code) => { getSelection().selectAllChildren(code); return getSelection().toString() }"
    assert page.locator("[data-test=answer] code").evaluate(select).strip() == lines.strip()


def test_a_long_table_keeps_its_columns_in_line(chat: RunningServer, upstream: OpenAIServer, page: Page) -> None:
    open_chat(page, chat)
    ask(page, upstream, answers.of_kind("table", 20_000))
    tables = page.locator("[data-test=answer] table")
    expect(tables.last.locator("td").last).to_be_visible()
    edges = "(tables) => tables.map((table) => [...table.rows[0].cells].map((cell) => cell.getBoundingClientRect().x))"
    first, *others = tables.evaluate_all(edges)
    assert len(others) > 2
    for other in others:
        assert other == pytest.approx(first, abs=1)
