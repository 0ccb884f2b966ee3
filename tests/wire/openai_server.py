"""A small server that speaks OpenAI's APIs: Responses, Conversations, Chat Completions and Assistants v2.

    with OpenAIServer() as upstream:
        client = openai.OpenAI(base_url=upstream.base_url, api_key="sk-any")
        upstream.next(Scenario(status=429, retry_after="0.1"), times=2)
        ...
        upstream.wait_until(lambda: upstream.client_closed)

By hand: `python -m tests.wire.openai_server --port 8099 --delay 0.03`. It listens on 127.0.0.1 only. What it says
proves that the history arrived; what it does wrong is a `Scenario`, given here or by directives in the message
(`directives.py`).
"""

from __future__ import annotations

import argparse
import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from tests.running_server import PATIENCE

from . import catalogue, chat_api, directives, responses_api, threads_api
from .exchange import Exchange
from .families import families, family_named
from .http_door import Door
from .requests_log import RecordedRequest, RequestsLog
from .routes import Route, matching
from .scenario import Scenario

__all__ = ["OpenAIServer", "RecordedRequest", "Scenario", "families"]

ROUTES: tuple[Route, ...] = responses_api.ROUTES + chat_api.ROUTES + threads_api.ROUTES + catalogue.ROUTES


class OpenAIServer:
    """The double. All settings may be changed while it runs.

    `absent` maps the end of a path to the status that it answers, like a server that lacks it: `{"/responses": 404}`,
    or to a `Scenario` with status and words: `Scenario(status=404, code=404, message="File Not Found")`.
    With `forgetful`, any `conversation` id is taken with a 200, and remembered nowhere. `models` and `assistants`,
    if given, are the only ones there are. `scenario` is what happens by default. `family` is the make of server that
    this one is as strict as (`families()` lists them): it has that one's routes, refuses what that one refuses, and
    answers in its shapes and words.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        api_key: str | None = None,
        delay: float = 0.0,
        scenario: Scenario | None = None,
        models: Sequence[str] | None = None,
        assistants: Sequence[str] | None = None,
        absent: Mapping[str, int | Scenario] | None = None,
        forgetful: bool = False,
        family: str = "openai",
        verbose: bool = False,
    ) -> None:
        self.api_key, self.delay, self.scenario, self.verbose = api_key, delay, scenario or Scenario(), verbose
        self.family = family_named(family).name
        self.models, self.assistants, self.absent, self.forgetful = models, assistants, dict(absent or {}), forgetful
        self.log = RequestsLog()
        self.stopping = False
        self.lock = threading.RLock()
        self._door = Door(self, port)
        self._thread = threading.Thread(
            target=self._door.serve_forever, args=(0.02,), name="openai-double", daemon=True
        )
        self._forget()

    def _forget(self) -> None:
        self.directives = directives.Directives()
        self._queue: list[tuple[Scenario, str]] = []
        self.responses = responses_api.Store()
        self.threads = threads_api.Store()

    # Its life.

    def start(self) -> Self:
        """Begins to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Cuts all connections and frees the port."""
        self.stopping = True
        self._door.shutdown()
        self._door.server_close()
        self.threads.wake_all()
        self._door.close_connections()
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return self._door.server_port

    @property
    def base_url(self) -> str:
        """What to set as OPENAI_BASE_URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    # What a test asks of it.

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request so far, in order of arrival."""
        return self.log.requests

    @property
    def client_closed(self) -> list[str]:
        """Ids of the answers whose client closed the connection while they streamed."""
        return self.log.client_closed

    @property
    def streaming(self) -> int:
        """Streams that are open now."""
        return self.log.streaming

    @property
    def most_streaming(self) -> int:
        """The most streams that were ever open at once."""
        return self.log.most_streaming

    def asked(self, path: str, method: str = "POST") -> list[RecordedRequest]:
        """The requests whose path ends so."""
        return [request for request in self.requests if request.path.endswith(path) and request.method == method]

    def next(self, *scenarios: Scenario, times: int = 1, path: str = "") -> None:
        """Queues scenarios, each for `times` requests.

        Without `path` for the next answers (responses, completions, runs); with it for the next requests whose path
        ends so, such as "/messages", "/cancel", "/submit_tool_outputs" or "/models".
        """
        with self.lock:
            self._queue += [(scenario, path) for scenario in scenarios for _ in range(times)]

    def reset(self) -> None:
        """Forgets requests, queued scenarios, threads, conversations and counts; settings stay."""
        with self.lock:
            self.log.clear()
            self._forget()

    def wait_until(self, condition: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Waits until the condition holds, or fails the test."""
        self.log.wait_until(condition, seconds)

    # What the wire asks of it.

    def taken(self, path: str, answering: bool) -> Scenario:
        """The scenario for a request: the first queued one that is meant for its path, else the default."""
        with self.lock:
            for number, (scenario, wanted) in enumerate(self._queue):
                if path.endswith(wanted) if wanted else answering:
                    del self._queue[number]
                    return scenario
        return self.scenario if answering else Scenario()

    def answer(self, exchange: Exchange) -> None:
        """Answers one request, or raises a Refusal."""
        path = exchange.request.path
        for end, answer in self.absent.items():
            if path.endswith(end):
                asked = Scenario(status=answer) if isinstance(answer, int) else answer
                raise exchange.no_such_route(asked, asked.status or 404)
        self._check_key(exchange)
        if not exchange.family.has(path):
            raise exchange.family.no_route(exchange.request.method, path, exchange.family.missing_route)
        route, parts = matching(ROUTES, exchange.request.method, path)
        if not route.answering:
            exchange.before(self.taken(path, answering=False))
        route.action(exchange, *parts)

    def _check_key(self, exchange: Exchange) -> None:
        authorization = exchange.request.headers.get("authorization", "")
        if self.api_key is not None and authorization != f"Bearer {self.api_key}":
            raise exchange.family.bad_key(authorization.removeprefix("Bearer "))

    def next_family(self, path: str) -> str:
        """The family of the scenario that answers next on a path, or ""."""
        with self.lock:
            scenarios = [scenario for scenario, wanted in self._queue if not wanted or path.endswith(wanted)]
        return (scenarios[0] if scenarios else self.scenario).family


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs until Ctrl-C; the first line printed is the base URL."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.wire.openai_server",
        description="An OpenAI-compatible test double.",
        epilog=f"{directives.__doc__}\nAll of them: {', '.join(directives.names())}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--delay", type=float, default=0.03, help="seconds before each delta")
    parser.add_argument("--api-key", help="the only key that is accepted; any by default")
    parser.add_argument(
        "--family", default="openai", choices=families(first_releases=True), help="as strict as this make"
    )
    parser.add_argument("--quiet", action="store_true", help="do not log requests")
    options = parser.parse_args(arguments)
    upstream = OpenAIServer(
        port=options.port,
        delay=options.delay,
        api_key=options.api_key,
        family=options.family,
        verbose=not options.quiet,
    )
    with upstream:
        print(upstream.base_url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
