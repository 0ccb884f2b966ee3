"""How long a long answer keeps the page's main thread busy at a time, in Chromium, with the real server.

    python -m bench.widget_stream                       all kinds, three runs each
    python -m bench.widget_stream code --runs 1
    python -m bench.widget_stream --widget old.js       with another build of the widget

For each kind an answer of 20,000 tokens is streamed to the chat page; then the page is reloaded, and the same answer
arrives at once. Measured: long tasks (the browser's own word, 50 ms and more), the gaps of a timer in the page that
should fire every 4 ms, and the processor time of the main thread's tasks, which hardly depends on what else the
machine does. What is shown in the end is compared with what was sent.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from bench import answers
from tests.running_server import RunningServer
from tests.wire.openai_server import OpenAIServer, Scenario

TOKENS = 20_000
PATIENCE = 180
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]

WATCH = """
window.watched = { gaps: [], tasks: [] };
new PerformanceObserver((list) => watched.tasks.push(...list.getEntries().map((task) => task.duration)))
  .observe({ type: "longtask", buffered: true });
let last = performance.now();
(function tick() {
  const now = performance.now();
  watched.gaps.push(now - last);
  last = now;
  setTimeout(tick, 4);
})();
"""
SHOWN = """() => [...document.querySelector("assistant-chat").shadowRoot.querySelectorAll(".answer")].map((answer) => {
  const copy = answer.cloneNode(true);
  for (const bar of copy.querySelectorAll(".code-bar")) bar.remove();
  return copy.textContent.replace(/[^A-Za-z0-9]/g, "");
}).join("\\n")"""
LENGTH = """() => [...(document.querySelector("assistant-chat")?.shadowRoot?.querySelectorAll(".answer") ?? [])]
  .reduce((sum, answer) => sum + answer.textContent.length, 0)"""

Figures = dict[str, float]
COLUMNS = ("longest gap", "p99 gap", "long tasks", "longest task", "most cpu", "cpu", "script", "layout+style", "wrong")


class Bench:
    """A browser, a server and the double that answers."""

    def __init__(self, browser: Browser, server: RunningServer, upstream: OpenAIServer, widget: Path | None) -> None:
        self.browser, self.server, self.upstream, self.widget = browser, server, upstream, widget

    def run(self, texts: Sequence[str], rate: float) -> tuple[Figures, Figures]:
        """Stream the texts as one turn each, then reload. (while it streamed, arriving at once)"""
        context = self.browser.new_context(viewport={"width": 1000, "height": 760})
        page = context.new_page()
        if self.widget is not None:
            page.route("**/chat-widget*.js", lambda route: route.fulfill(path=self.widget))
        page.add_init_script(WATCH)
        page.goto(self.server.url)
        page.locator("[data-state=online]").wait_for()
        session = context.new_cdp_session(page)
        session.send("Performance.enable")
        before = totals(session)
        self.browser.start_tracing(page=page, categories=["toplevel"])
        page.evaluate("watched.gaps.length = watched.tasks.length = 0")
        for number, text in enumerate(texts, 1):
            deltas = len(text) * TOKENS // answers.CHARACTERS
            self.upstream.next(Scenario(say=text, deltas=deltas, delay=1 / rate))
            page.locator("[data-test=input]").fill("Go on.")
            page.locator("[data-test=input]").press("Enter")
            complete(page, number)
        streamed = figures(page, session, before, texts) | processor(self.browser.stop_tracing())
        self.browser.start_tracing(page=page, categories=["toplevel"])
        page.reload()
        at_once = figures(page, session, {}, texts) | processor(self.browser.stop_tracing())
        context.close()
        return streamed, at_once


def totals(session: CDPSession) -> Figures:
    """Chromium's own sums for the page, in seconds."""
    metrics = {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
    layout = metrics["LayoutDuration"] + metrics["RecalcStyleDuration"]
    return {"script": metrics["ScriptDuration"], "layout+style": layout}


def processor(trace: bytes) -> Figures:
    """Of the page's main thread: the processor time of its longest task in ms, and of all tasks in s."""
    events = json.loads(trace)["traceEvents"]
    named = [event for event in events if event["name"] == "thread_name"]
    mains = {(event["pid"], event["tid"]) for event in named if event["args"]["name"] == "CrRendererMain"}
    times = [
        event.get("tdur", 0) / 1000
        for event in events
        if event["name"] == "ThreadControllerImpl::RunTask" and (event["pid"], event["tid"]) in mains
    ]
    return {"most cpu": max(times), "cpu": sum(times) / 1000}


def figures(page: Page, session: CDPSession, before: Figures, texts: Sequence[str]) -> Figures:
    """Wait until all is shown, then say what it took. Gaps and tasks in ms, sums in s."""
    settle(page)
    watched: dict[str, Any] = page.evaluate("watched")
    after = totals(session)
    gaps = sorted(watched["gaps"])
    right = "\n".join(map(answers.bare, texts))
    return {
        "longest gap": gaps[-1],
        "p99 gap": gaps[len(gaps) * 99 // 100],
        "long tasks": len(watched["tasks"]),
        "longest task": max(watched["tasks"], default=0),
        **{name: value - before.get(name, 0) for name, value in after.items()},
        "wrong": page.evaluate(SHOWN) != right,
    }


def complete(page: Page, number: int) -> None:
    """Until so many turns are. Asked for seldom, because asking takes the page's time."""
    deadline = time.monotonic() + PATIENCE
    while page.locator("[data-test=turn][data-state=complete]").count() < number:
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: turn {number} is complete"
        page.wait_for_timeout(300)


def settle(page: Page) -> None:
    """Until nothing has been added for half a second."""
    lengths = [-1, 0]
    while lengths[-1] == 0 or lengths[-1] != lengths[-2]:
        page.wait_for_timeout(500)
        lengths.append(page.evaluate(LENGTH))


@contextmanager
def bench(widget: Path | None) -> Iterator[Bench]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with OpenAIServer() as upstream, tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        settings = {"OPENAI_BASE_URL": upstream.base_url, "OPENAI_API_KEY": "sk-bench", "CHAT_MODEL": "bench"}
        server = RunningServer({**settings, "DATA_DIR": folder})
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            server.start()
            yield Bench(browser, server, upstream, widget)
        finally:
            browser.close()
            server.stop()


def row(name: str, runs: Sequence[Figures]) -> str:
    """The medians; what was wrong even once is said."""
    middle = [median(run[column] for run in runs) for column in COLUMNS[:-1]]
    wrong = "WRONG" if any(run["wrong"] for run in runs) else "right"
    return f"{name:22}" + "".join(f"{value:13.1f}" for value in middle) + f"{wrong:>8}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.widget_stream", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(answers.KINDS)}, history; all by default")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rate", type=float, default=600, help="tokens a second, at most")
    parser.add_argument("--widget", type=Path, help="another chat-widget.js")
    options = parser.parse_args(arguments)
    print(
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; medians of {options.runs}; "
        "gaps and tasks in ms, sums in s"
    )
    print(f"{'':22}" + "".join(f"{column:>13}" for column in COLUMNS[:-1]) + "   shown", flush=True)
    with bench(options.widget) as measured:
        for kind in options.kinds or [*answers.KINDS, "history"]:
            history = kind == "history"
            texts = [answers.of_kind("mixed", 20_000)] * 20 if history else [answers.of_kind(kind)]
            runs = [measured.run(texts, 10_000 if history else options.rate) for _ in range(options.runs)]
            if not history:
                print(row(f"{kind}, streamed", [streamed for streamed, _ in runs]), flush=True)
            print(row(f"{kind}, at once", [at_once for _, at_once in runs]), flush=True)
    print(f"load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
