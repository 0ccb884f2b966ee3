"""What all tests share: how a missing part is treated, and the server as a user would start it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.running_server import APPLICATION, RunningServer
from tests.wire.openai_server import OpenAIServer

# How long an example takes to make or to run says how busy the machine is, and on a new one tables are made first.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

REQUIRE_REAL = os.environ.get("REQUIRE_REAL") == "1"


def need(part: str | None, what: str) -> str:
    """The path of a part that not every machine has; without it the test is skipped, in CI it fails."""
    if part is None:
        sentence = f"{what} is not on this machine"
        if REQUIRE_REAL:
            pytest.fail(f"{sentence}, and REQUIRE_REAL=1 asks for it")
        pytest.skip(sentence)
    return part


@pytest.fixture(scope="session")
def elasticsearch_settings() -> dict[str, str]:
    """The settings (`ES_…`) of a real Elasticsearch 9 without security, from the environment as `TEST_ES_…`.

    Use an index of the test's own (`ES_INDEX`).
    """
    need(os.environ.get("TEST_ES_URL"), "Elasticsearch (TEST_ES_URL)")
    return {name.removeprefix("TEST_"): value for name, value in os.environ.items() if name.startswith("TEST_ES_")}


@pytest.fixture(scope="session")
def secure_elasticsearch_settings() -> dict[str, str]:
    """The same of one with TLS and users (`TEST_SECURE_ES_…`); the user may do everything."""
    need(os.environ.get("TEST_SECURE_ES_URL"), "Elasticsearch with security (TEST_SECURE_ES_URL)")
    prefix = "TEST_SECURE_"
    return {name.removeprefix(prefix): value for name, value in os.environ.items() if name.startswith(f"{prefix}ES_")}


@pytest.fixture
def upstream() -> Iterator[OpenAIServer]:
    """A double of OpenAI's APIs for each test."""
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., RunningServer]]:
    """Start servers with `start_server(NAME="value", …)`, each with the data folder of this test.

    `arguments`, `port` and `application` are those of `RunningServer`.
    """
    servers: list[RunningServer] = []

    def start(
        arguments: tuple[str, ...] | None = None, port: int | None = None, application: str = APPLICATION,
        **environment: str,
    ) -> RunningServer:  # fmt: skip
        settings = {"DATA_DIR": str(tmp_path / "data"), "DEMO_PACE": "0", **environment}
        server = RunningServer(settings, arguments, port=port, application=application)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for all tests of a module that leave it as they found it. Its demo answers at 200 words a second."""
    server = RunningServer({"DATA_DIR": str(tmp_path_factory.mktemp("data")), "DEMO_PACE": "200"})
    server.start()
    yield server
    server.stop()
